"""The measured table of spellings: what arrives at each release from a config file or a command line.

`serve_config_spellings.json` holds one case a line: the input of serve_parser.py, and under each release
either {"given", "set"} (see there; "set" only where it differs from "given") or {"exit", "error"}. The exit
code counts; the error is one line to read. To add a spelling, add a line with its input and measure again:

    VLLM_MIGRATE_REAL_0_8_5=... VLLM_MIGRATE_REAL_0_18_1=... python -m tests.real.oracles.spellings
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.real.oracles.client import named_pythons, run_oracle

TABLE = Path(__file__).parents[1] / "serve_config_spellings.json"
INPUT = ("argv", "files", "env", "entry")
ERROR_LENGTH = 160


def load() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads(TABLE.read_text(encoding="utf-8"))
    return cases


def question(case: dict[str, Any]) -> dict[str, Any]:
    return {k: case[k] for k in INPUT if k in case}


def summary(answer: dict[str, Any]) -> dict[str, Any]:
    """What of an oracle's answer is worth keeping: no path of a machine, no address of an object."""
    if not answer["ok"]:
        return {"exit": answer["exit"], "error": reason(answer["error"])}
    out = {"given": {k: v for k, v in answer["given"].items() if (k, v) != ("model_tag", "m")}}
    changed = {k: v for k, v in answer["set"].items() if k != "model_tag"}
    if changed != {k: v for k, v in out["given"].items() if k != "model_tag"}:
        out["set"] = changed
    return out


def reason(lines: list[str]) -> str:
    text = next((line for line in lines if "error:" in line), " ".join(lines[:1]))
    text = re.sub(r" at 0x[0-9a-f]+|\S*/site-packages/", "", text.partition("error: ")[2] or text)
    return re.sub(r"\s+", " ", text)[:ERROR_LENGTH]


def measure(cases: list[dict[str, Any]], pythons: dict[str, str]) -> list[dict[str, Any]]:
    questions = [question(case) for case in cases]
    answers = {release: run_oracle(py, "serve_parser.py", questions) for release, py in pythons.items()}
    return [{**q, **{r: summary(answers[r][i]) for r in answers}} for i, q in enumerate(questions)]


def write(cases: list[dict[str, Any]]) -> None:
    lines = [json.dumps(case, ensure_ascii=False) for case in cases]
    TABLE.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def main() -> None:
    write(measure(load(), named_pythons()))


if __name__ == "__main__":
    main()
