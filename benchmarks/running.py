"""What `verify` says of real servers, beside what their engines have: six configurations, on a CPU.

    python -m benchmarks.running --engine RELEASE=PY... --model DIR [--only DIALECT...] [--out DIR]

Each configuration is written for the tiny model and started on each release with the arguments that vllm-migrate says its
framework passes. What the server and the log report, and what the files are said to come to, is compared with the
configuration that the recorder took from the engine itself. Three differences are planted: a flag that a wrapper adds, a
variable of the job, and a `false` that does not arrive. Exits 1 where a value is wrong or a planted difference is not named.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.real.oracles.serving import FORCED, Served, serving
from vllm_migrate.run.settings import Options
from vllm_migrate.smoke.source import MODEL_KEYS, load_engine
from vllm_migrate.verify import log, record, server
from vllm_migrate.verify.check import Sources, verify
from vllm_migrate.verify.compare import PLACES, alike
from vllm_migrate.verify.model import DIFFERS, NOT_TOLD, SAME, Running

# dialect: the file and its text. Each writes `dropped` as false: the wrapper of the planted difference loses it.
CONFIGS = {
    "vllm-serve-config": (
        "serve.yaml",
        "model: {model}\nmax-model-len: 512\ndtype: float32\nseed: 3\nenforce-eager: true\nmax-num-seqs: 16\n"
        "enable-prefix-caching: false\n",
    ),
    "containers": (
        "compose.yaml",
        "services:\n  policy:\n    image: vllm/vllm-openai:v{release}\n    command:\n"
        '      ["--model", "{model}", "--dtype", "float32", "--max-model-len", "256", "--generation-config", "vllm",\n'
        '       "--max-num-seqs", "8", "--enforce-eager", "--no-enable-prefix-caching"]\n',
    ),
    "vllm-argv": (
        "serve.sh",
        "#!/usr/bin/env bash\nvllm serve {model} --dtype float32 --max-model-len 384 --seed 11 --enforce-eager \\\n"
        "  --max-num-seqs 12 --served-model-name policy --no-enable-prefix-caching\n",
    ),
    "vllm-python": (
        "rollout.py",
        'from vllm import LLM\n\nllm = LLM(\n    model="{model}",\n    dtype="float32",\n    max_model_len=320,\n'
        "    enforce_eager=True,\n    seed=5,\n    max_num_seqs=4,\n    enable_prefix_caching=False,\n)\n",
    ),
    "pipelinerl": (
        "base.yaml",
        "actor:\n  llm_max_rollouts: 6\nmodel_path: {model}\nvllm_config:\n  use_v1: false\n  vllm_kwargs:\n"
        "    dtype: float32\n    max_model_len: 448\n    max-num-seqs: ${{actor.llm_max_rollouts}}\n"
        '    generation-config: vllm\n    enforce-eager: ""\n    enable-prefix-caching: false\n',
    ),
    "prime-rl": (
        "rl.toml",
        "[trainer]\nmax_steps = 10\n\n[orchestrator]\nbatch_size = 8\n\n[inference]\nenable_prefix_caching = false\n\n"
        '[inference.model]\nname = "{model}"\nmax_model_len = 288\ndtype = "float32"\nenforce_eager = true\n',
    ),
}
FLAG = ("max_num_batched_tokens", 768)
VARIABLE = ("VLLM_IMAGE_FETCH_TIMEOUT", "3")
DROPPED = "enable_prefix_caching"
# A CPU at 0.8.5 has the V0 engine, whose arguments set this to 256 (vllm/engine/arg_utils.py, _set_default_args_v0).
OF_V0 = re.compile(r"\A\w+: max_num_seqs \d+ -> 256 ")


class Row(NamedTuple):
    """One server. values: compared with the engine's own; wrong: those that are not; named: of the planted differences."""

    release: str
    dialect: str
    values: dict[str, int]
    wrong: list[str]
    verdicts: dict[str, tuple[int, int, int]]
    unexplained: list[str]
    planted: dict[str, dict[str, bool | None]]

    @property
    def good(self) -> bool:
        return not self.wrong and not self.unexplained and all(any(each.values()) for each in self.planted.values())


def prepared(dialect: str, release: str, model: Path, folder: Path) -> tuple[Path, list[str], dict[str, str]]:
    """The configuration, the words after `vllm serve` and the variables that its framework passes to this release."""
    name, text = CONFIGS[dialect]
    config = folder / name
    config.write_text(text.format(model=model, release=release))
    spec = load_engine(str(config), release, source=release)
    arguments = {key: value for key, value in spec.engine_args.items() if key not in MODEL_KEYS}
    arguments = {"dtype": "float32", "max_model_len": 512, **arguments}
    arguments.pop(DROPPED, None)  # the planted loss
    arguments[FLAG[0]] = FLAG[1]
    return config, [str(model), *flags(arguments)], {**spec.env, VARIABLE[0]: VARIABLE[1]}


def flags(arguments: dict[str, Any]) -> Iterator[str]:
    """Arguments as `vllm serve` takes them."""
    for name, value in arguments.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            yield flag
        elif isinstance(value, list):
            yield from (flag, *map(str, value))
        elif value is not None and value is not False:
            yield from (flag, json.dumps(value) if isinstance(value, dict) else str(value))


def own_values(source: Running) -> dict[str, Any]:
    return {name: one.value for name, one in source.reported.items() if not name.startswith("env.")}


def row(dialect: str, release: str, config: Path, served: Served) -> Row:
    """Everything that is said of one server, held against its engine's record."""
    (own,) = record.running(served.record)
    truth = own_values(own)
    with open(served.log, errors="replace") as lines:
        sources = {"server": server.running(served.url), "log": log.running(lines, served.log)}
    values, wrong = {}, []
    for name, source in sources.items():
        common = {option: value for option, value in own_values(source).items() if option in truth}
        values[name] = len(common)
        wrong += [
            f"{name}: {option} is {truth[option]!r}, not {value!r}"
            for option, value in common.items()
            if not (alike(value, truth[option]) and alike(truth[option], value))
        ]
    verdicts, unexplained = {}, []
    planted: dict[str, dict[str, bool | None]] = {}
    expected = {FLAG[0], f"env.{VARIABLE[0]}", DROPPED}
    for name, place in (("server", served.url), ("log", served.log), ("record", served.record)):
        (found,) = verify(Options((str(config),), gpu="h100", source=release), Sources(**{name: place}))
        count = [sum(one.verdict == verdict for one in found.settings) for verdict in (SAME, DIFFERS, NOT_TOLD)]
        verdicts[name] = (count[0], count[1], count[2])
        # A false that the release itself drops is what the files are said to come to: the finding on it is confirmed. What
        # the files leave open is told as settled.
        naming = {one.option for one in found.settings if one.verdict == DIFFERS or one.open or "VM301" in one.confirms}
        reported = {one.option for one in found.settings if one.running is not None}
        for option in expected:
            planted.setdefault(option, {})[name] = option in naming if option in reported else None
        unexplained += [
            f"{name}: {one.option} {one.written!r} -> {one.running!r} ({one.origin})"
            for one in found.differing
            if one.option not in FORCED | expected | PLACES
        ]
    if truth.get("engine") == "v0":
        unexplained = [each for each in unexplained if not OF_V0.search(each)]
    if not truth.get(DROPPED):  # V0 has it off by itself: losing the false changes nothing
        planted.pop(DROPPED)
    return Row(release, dialect, values, wrong, verdicts, unexplained, planted)


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    lines = [
        "| release | configuration | values compared: server, log | wrong | same, differs, not reported: server; log; record "
        "| planted differences named by |",
        "|---" * 6 + "|",
    ]
    for one in rows:
        verdicts = "; ".join("{} {} {}".format(*one.verdicts[name]) for name in ("server", "log", "record"))
        planted = "; ".join(
            f"`{option}`: {', '.join(name for name, named in each.items() if named) or 'none'}"
            for option, each in sorted(one.planted.items())
        )
        lines.append(
            f"| {one.release} | {one.dialect} | {one.values['server']}, {one.values['log']} | {len(one.wrong)} | {verdicts} | {planted} |"
        )
    compared = sum(sum(one.values.values()) for one in rows)
    lines.append(f"\n{len(rows)} servers, {compared} values compared, {sum(len(one.wrong) for one in rows)} wrong.")
    return "\n".join(lines) + "\n"


def usable(model: Path, folder: Path) -> Path:
    """A copy of the tiny model whose tokenizer a server can load."""
    copy = folder / "model"
    shutil.copytree(model, copy, dirs_exist_ok=True)
    path = copy / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "tokenizer_class": "PreTrainedTokenizerFast"}))
    return copy


def main(words: Sequence[str], say: Callable[[str], None] = print) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.running", description=__doc__)
    parser.add_argument("--engine", action="append", required=True, metavar="RELEASE=PY")
    parser.add_argument(
        "--model", type=Path, required=True, metavar="DIR", help="a tiny model, as tests/real makes one"
    )
    parser.add_argument("--only", nargs="+", choices=CONFIGS, metavar="DIALECT")
    parser.add_argument("--out", type=Path, default=Path("running"), metavar="DIR")
    options = parser.parse_args(words)
    options.out.mkdir(parents=True, exist_ok=True)
    model = usable(options.model, options.out.resolve())
    rows = []
    for release, _, python in (engine.partition("=") for engine in options.engine):
        for dialect in options.only or CONFIGS:
            folder = options.out.resolve() / f"{release}-{dialect}"
            folder.mkdir()
            config, arguments, env = prepared(dialect, release, model, folder)
            with serving(python, release, arguments, env, folder) as served:
                rows.append(row(dialect, release, config, served))
            say(f"{'good' if rows[-1].good else 'BAD'}: {release} {dialect}: {rows[-1].wrong + rows[-1].unexplained}")
    text = table(rows)
    (options.out / "table.md").write_text(text, encoding="utf-8")
    say(text)
    return 0 if all(one.good for one in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
