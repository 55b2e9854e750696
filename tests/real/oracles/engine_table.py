"""The measured table of resolved engines: what each release makes of a set of arguments on a device.

`engine_config_cases.json` holds one case a line: an "id", the input of engine_config.py ("device" cpu asks without
--cuda), and under each release either {"resolved": {...}} or {"error": {...}}. Only the first case holds every
value; the others hold what differs from it. To add a case, add a line with its input and measure again:

    VLLM_MIGRATE_REAL_0_8_5=... VLLM_MIGRATE_REAL_0_18_1=... python -m tests.real.oracles.engine_table MODEL
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.real.oracles.client import RELEASES, named_pythons, run_oracle

TABLE = Path(__file__).parents[1] / "engine_config_cases.json"
INPUT = ("device", "argv", "kwargs", "env", "usage", "model_config", "generation_config")
MESSAGE_LENGTH = 160


def load() -> list[dict[str, Any]]:
    """The table, every case's values complete."""
    cases: list[dict[str, Any]] = json.loads(TABLE.read_text(encoding="utf-8"))
    for case in cases[1:]:
        for release in RELEASES:
            if "resolved" in case[release]:
                values = {**cases[0][release]["resolved"], **case[release]["resolved"]}
                case[release] = {"resolved": values}
    return cases


def measure(cases: list[dict[str, Any]], pythons: dict[str, str], model: str) -> list[dict[str, Any]]:
    """The cases with complete answers of `pythons` {release: interpreter}; a process per release and platform."""
    out = [{k: v for k, v in case.items() if k not in pythons} for case in cases]
    on_cpu = [case for case in out if case.get("device") == "cpu"]
    on_cuda = [case for case in out if case.get("device") != "cpu"]
    for release, py in pythons.items():
        for flags, some in ((["--cuda"], on_cuda), ([], on_cpu)):
            questions = [{k: case[k] for k in INPUT if case.get(k, "cpu") != "cpu"} for case in some]
            answers = run_oracle(py, "engine_config.py", questions, *flags, model)
            for case, answer in zip(some, answers, strict=True):
                case[release] = summary(answer)
    return out


def summary(answer: dict[str, Any]) -> dict[str, Any]:
    if answer["ok"]:
        return {"resolved": answer["resolved"]}
    error = answer["error"]
    return {"error": {**error, "message": " ".join(error["message"].split())[:MESSAGE_LENGTH]}}


def shortened(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cases as the table keeps them: what differs from the first case."""
    out = [cases[0]]
    for case in cases[1:]:
        short = dict(case)
        for release in RELEASES:
            bare = cases[0][release]["resolved"]
            if "resolved" in case[release]:
                values = case[release]["resolved"]
                short[release] = {"resolved": {k: v for k, v in values.items() if v != bare.get(k)}}
        out.append(short)
    return out


def write(cases: list[dict[str, Any]]) -> None:
    lines = [json.dumps(case, ensure_ascii=False) for case in shortened(cases)]
    TABLE.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def main() -> None:
    cases = json.loads(TABLE.read_text(encoding="utf-8"))
    write(measure(cases, named_pythons(), sys.argv[1]))


if __name__ == "__main__":
    main()
