"""`vllm-migrate smoke`: record, score, compare, run, update. Options in, a verdict out; what they do is in
vllm_migrate.smoke.

Every option is declared once, in OPTIONS; a command names those it takes and gets their values, and of those that it
does not take the defaults.
"""

from __future__ import annotations

import json
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from inspect import cleandoc
from typing import Any

from vllm_migrate.cli import terminal
from vllm_migrate.cli.options import FLAG, INTEGER, LIST, NUMBER, VALUE, CommandTable, Option
from vllm_migrate.cli.parser import parse
from vllm_migrate.smoke.backends.interface import Line, Watch

EXIT_ERROR = 2
HELP = "Prove with a short rollout that logprobs agree.\n\nThe verdict is pass, fail or inconclusive, and names the layer that moved."


def text(name: str, metavar: str, help: str, default: str | None = None) -> Option:
    return Option(name, VALUE, help, metavar, default=default)


def number(name: str, default: int, help: str, least: int | None = None) -> Option:
    return Option(name, INTEGER, help, "N", default=default, least=least)


def argument(metavar: str, help: str, required: bool = True) -> Option:
    return Option(metavar, VALUE, help, metavar, required=required)


# By the field that an option fills.
OPTIONS = {
    "config": argument("CONFIG", "File with the engine, in any dialect; or a JSON file with engine_args."),
    "recording": argument("REC", "A recording, or a dump from your own trainer."),
    "first": argument("A", "A recording, or a dump from your own trainer."),
    "second": argument("B", "A reference recording, or a trainer's scores of A's tokens.", required=False),
    "reference": text("--reference", "REC", "A recording from the release you come from.")._replace(required=True),
    "python": text(
        "--python", "PY", 'The interpreter that runs vLLM, or a command that ends in one: "srun -N1 python".'
    ),
    "base_url": text("--base-url", "URL", "A running OpenAI-compatible server instead."),
    "engine": text("--engine", "ID", "Id or role of the engine, if the file has several."),
    "model": text("--model", "DIR", "Use this model instead of the config's."),
    "source": text("--from", "RELEASE", "The vLLM release you use today; only --fixed needs it."),
    "target": text(
        "--to",
        "RELEASE",
        "The vLLM release that runs, if no interpreter or server shows it; default: the project's pin.",
    ),
    "output": Option("--output", VALUE, "File for the recording.", "FILE", short="-o"),
    "num_prompts": number("--num-prompts", 16, "Number of prompts.", least=1),
    "max_tokens": number("--max-tokens", 64, "New tokens per prompt.", least=1),
    "seed": number("--seed", 0, "Seed of the random prompts, and of an engine without one."),
    "dtype": text(
        "--dtype",
        "DTYPE",
        "Dtype of the trainer's forward pass; auto: the checkpoint's.",
        "auto",
    ),
    "head_dtype": text("--head-dtype", "DTYPE", "Dtype of the trainer's LM head.", "auto"),
    "timeout": Option(
        "--timeout",
        NUMBER,
        "Seconds before a worker that does not answer is stopped.",
        "SECONDS",
        default=1800.0,
        least=1.0,
    ),
    "output_format": Option(
        "--output-format", VALUE, "Format of the output.", "FORMAT", ("text", "json"), default="text"
    ),
    "overrides": Option(
        "--set", LIST, "Override an engine argument or a sampling parameter.", "OPTION=VALUE", words=True
    ),
    "prompts": text("--prompts", "FILE", "JSON Lines of token ids, or text; default: random token ids."),
    "workdir": text("--workdir", "DIR", "A folder that the interpreter's machine can also see."),
    "probe": Option(
        "--probe",
        FLAG,
        "Add rows at T = 0.7 if the contract cannot tell raw from processed (default).",
        default=True,
        off="--no-probe",
    ),
    "fixed": Option("--fixed", FLAG, "Apply the safe fixes in memory; the file does not change."),
    "ablate": Option("--ablate", FLAG, "Then remove each pin in turn, and say what it contributes."),
    "tokens": text("--tokens", "REC", "Score this recording's tokens instead of sampling."),
    "job": text("--job", "FILE", "Write the job for the `smoke worker` file, and run nothing."),
    "lines": text("--lines", "FILE", "Use what the worker file printed for such a job instead of running an engine."),
    "claims": text("--claims", "COLUMN", "The column the trainer claims: contract, raw, T, ...", "contract"),
    "epsilon": text("--epsilon", "LOW[,HIGH]", "Clip range of the loss, per token."),
    "sequence_epsilon": text("--sequence-epsilon", "LOW[,HIGH]", "Clip range of GSPO, per sequence."),
    "length": Option(
        "--length", INTEGER, "Length of your responses in tokens, for the preview of GSPO's clipping.", "N", least=1
    ),
    "margins": text("--margins", "KIND", "fp32, bf16, bf16-tiny, moe, fp8, mxfp8; default: as recorded."),
    "updated": text("--updated-model", "DIR", "The weights after an update."),
    "batch_tokens": number("--batch-tokens", 4096, "Tokens per forward pass: bounds the memory.", least=1),
    "pause_mode": Option(
        "--pause-mode", VALUE, "The mode your code passes to pause_generation.", "MODE", ("keep", "abort", "wait")
    ),
    "clear_cache": Option(
        "--clear-cache", FLAG, "The clear_cache your code passes to pause_generation.", off="--keep-cache"
    ),
    "amount": Option("--perturb", NUMBER, "Relative size of the update; 0.02 or more.", "FRACTION", default=0.2),
    "good": text("--good", "RELEASE", "A release with correct rollouts.")._replace(required=True),
    "bad": text("--bad", "RELEASE", "A release with wrong rollouts.")._replace(required=True),
    "python_for": text(
        "--python-for", "TEMPLATE", "How to start a release; {release} is replaced: '/opt/vllm-{release}/bin/python'."
    )._replace(required=True),
    "releases": Option(
        "--releases", LIST, "Only these releases and the two ends; default: all in between.", "RELEASES"
    ),
    "recorded": text("--reference", "REC", "A recording of the good release; default: record it first."),
    "backend": Option("--backend", VALUE, "", default="vllm", hidden=True),
}

ENGINE = (
    *("python", "base_url", "engine", "model", "source", "target", "output", "num_prompts", "max_tokens", "seed"),
    *("dtype", "timeout", "output_format", "overrides", "prompts", "workdir", "probe", "fixed", "backend"),
)
SCORING = ("model", "dtype", "head_dtype")
JUDGING = ("claims", "epsilon", "sequence_epsilon", "length", "margins", "output_format")


NOTHING: Mapping[str, str] = {}
TRAINED = "Use this model instead of the config's; it also scores."
Run = Callable[[Namespace], int]
COMMANDS: dict[str, CommandTable] = {}
_RUNS: dict[str, Run] = {}


def command(name: str, *fields: str, says: Mapping[str, str] = NOTHING, **defaults: object) -> Callable[[Run], Run]:
    """Makes a function the command `name` with these options, each once, some with other defaults. says: what those mean that mean
    something else here.

    The function gets the values by field, and gives the exit code.
    """

    def register(run: Run) -> Run:
        options = []
        for field in dict.fromkeys(fields):
            option = OPTIONS[field]._replace(field=field)
            option = option._replace(help=says.get(field, option.help))
            options.append(option._replace(default=defaults[field]) if field in defaults else option)
        COMMANDS[name] = CommandTable(name, tuple(options), cleandoc(run.__doc__ or ""))
        _RUNS[name] = run
        return run

    return register


def run(name: str, words: Sequence[str]) -> int:
    """Run one command; the exit code. Raises UsageError, parser.HelpWanted."""
    values = parse(COMMANDS[name], words, "vllm-migrate smoke")
    rest = {field: option.default for field, option in OPTIONS.items() if field not in values}
    return _RUNS[name](Namespace(**vars(values), **rest))


@command(
    "record",
    "config",
    *ENGINE,
    "tokens",
    "job",
    "lines",
    says={"dtype": "Dtype of the engine; auto: as the config has it."},
)
def record_command(call: Namespace) -> int:
    """Run the config's engine and record tokens and logprobs."""
    from vllm_migrate.smoke.commands import record, write_job
    from vllm_migrate.smoke.recording import valid

    if call.job:
        spec = write_job(call.config, engine_options(call, engine_dtype=True), call.job, call.tokens)
        for note in spec.notes:
            print(f"- {note}", file=sys.stderr)
        env = "".join(f"{name}={value} " for name, value in spec.env.items())
        print(f"{env}python worker.py {call.job} > lines.txt    # worker.py: vllm-migrate smoke worker")
        print(f"vllm-migrate smoke record {call.config} --lines lines.txt    # with the options of this call")
        return 0
    path = call.output or "recording.jsonl"
    with progress() as watch:
        found = record(call.config, engine_options(call, engine_dtype=True), path, watch, call.tokens)
    good, kinds = valid(found.rows)
    header, tokens = found.header, sum(len(row.tokens) for row in good)
    if call.output_format == "json":
        summary = {"recording": path, "vllm": header.vllm, "engine": header.engine, "n_sequences": len(good)}
        print(json.dumps({"schema": 1, **summary, "n_tokens": tokens, "invalid": kinds, "notes": header.notes}))
        return 0
    print(f"{path}: {len(good)} sequences, {tokens} tokens, vLLM {header.vllm} ({header.engine})")
    for line in (*(f"no evidence: {kind} {count}" for kind, count in kinds.items()), *header.notes):
        print(f"- {line}")
    return 0


@command(
    "score",
    *("recording", *SCORING, "output", "updated", "batch_tokens", "output_format"),
    says={
        "model": "The checkpoint to score with, which is the rollout's; a dump needs none.",
        "output": "File for the scores; default: REC with .scored.jsonl for its ending.",
        "updated": "The weights after the recorded update.",
    },
)
def score_command(call: Namespace) -> int:
    """Score the recorded tokens as the trainer does."""
    from vllm_migrate.errors import UsageError
    from vllm_migrate.smoke.commands import load, score
    from vllm_migrate.smoke.dump import is_dump
    from vllm_migrate.smoke.recording import write

    recording, model = call.recording, call.model
    path = call.output or f"{recording.removesuffix('.jsonl').removesuffix('.json')}.scored.jsonl"
    if is_dump(recording):
        dump = load(recording)
        count = write(path, dump.header, dump.rows)
    elif model is None:
        raise UsageError("no model to score with", remedy="--model DIR, the checkpoint of the rollout")
    else:
        with progress() as watch:
            count = score(recording, model, score_options(call), path, watch, call.updated)
    if call.output_format == "json":
        print(json.dumps({"schema": 1, "scored": path, "n_sequences": count}))
    else:
        print(f"{path}: {count} sequences")
    return 0


@command(
    "compare",
    *("first", "second", *SCORING, *JUDGING),
    says={"model": "The checkpoint to score A's tokens with, if there is no B."},
)
def compare_command(call: Namespace) -> int:
    """Compare recordings, offline, and give the verdict."""
    from vllm_migrate.smoke.commands import compare_files

    options = judging(call)
    with progress() as watch:
        verdict = compare_files(call.first, call.second, options, call.model, score_options(call), watch)
    return show(verdict, call.output_format)


@command(
    "run",
    *("config", "reference", "ablate", *ENGINE, *SCORING, *JUDGING),
    says={
        "model": TRAINED,
        "source": "The vLLM release you use today; only --fixed and --ablate need it.",
        "output": "File for the recording; with --ablate, for the report (.html or .json).",
    },
)
def run_command(call: Namespace) -> int:
    """Run the config as it is and compare it with a recording."""
    from vllm_migrate.smoke.commands import run

    choice = judging(call)
    if call.ablate:
        return ablate(call, choice)
    with progress() as watch:
        verdict = run(
            call.config,
            call.reference,
            engine_options(call),
            score_options(call),
            choice,
            call.output,
            watch,
        )
    return show(verdict, call.output_format)


def ablate(call: Namespace, choice: Any) -> int:
    """The config with all of its pins, and without each of them."""
    from vllm_migrate.errors import UsageError
    from vllm_migrate.smoke.ablate import as_json, exit_code
    from vllm_migrate.smoke.commands import ablated
    from vllm_migrate.smoke.ladder import page, render

    if call.base_url:
        raise UsageError("a running server keeps its pins", remedy="--python PY, an interpreter with vLLM")
    if call.output and not call.output.endswith((".html", ".json")):
        raise UsageError(f"-o {call.output}: with --ablate, a report is written", remedy="-o FILE.html or -o FILE.json")
    with progress() as watch:
        found = ablated(
            call.config,
            call.reference,
            engine_options(call),
            score_options(call),
            choice,
            watch,
            lambda line: print(line, file=sys.stderr),
        )
    if call.output:
        whole = call.output.endswith(".html")
        write_report(call.output, page(found, f"Pins of {call.config}") if whole else json.dumps(as_json(found)) + "\n")
    if call.output_format == "json":
        print(json.dumps(as_json(found), indent=2))
    else:
        render(found, terminal.console(140))
    return exit_code(found)


def write_report(path: str, text: str) -> None:
    """Write a report. Raises UsageError."""
    from vllm_migrate.errors import UsageError
    from vllm_migrate.run.files import replace_file

    try:
        replace_file(path, text.encode("utf-8"), durable=False)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", remedy="-o FILE, in a folder to write to") from None


@command(
    "update",
    "config",
    *(field for field in ENGINE if field not in ("base_url", "prompts", "probe")),
    *SCORING,
    *("margins", "pause_mode", "clear_cache", "amount", "updated"),
    says={"model": TRAINED},
    max_tokens=32,
)
def update_command(call: Namespace) -> int:
    """Change the weights during a request; see which are used."""
    from vllm_migrate.smoke.commands import Update, update

    given = (("mode", call.pause_mode), ("clear_cache", call.clear_cache))
    pause = {name: value for name, value in given if value is not None}
    change = Update(pause, call.amount, call.updated)
    choice = judging(call)
    with progress() as watch:
        verdict = update(call.config, engine_options(call), score_options(call), change, call.output, watch, choice)
    return show(verdict, call.output_format)


@command(
    "bisect",
    *("config", "good", "bad", "python_for", "releases", "recorded"),
    *(field for field in ENGINE if field not in ("python", "base_url", "target", "output")),
    *SCORING,
    *("claims", "margins"),
    says={"model": TRAINED},
)
def bisect_command(call: Namespace) -> int:
    """Find the release that broke the config's rollout.

    It searches for the two neighbouring releases between which the rollout went wrong; each is tested twice.

      vllm-migrate smoke bisect conf.yaml --good 0.8.5 --bad 0.18.1 --python-for '/opt/vllm-{release}/bin/python' --model DIR
    """
    from vllm_migrate.errors import UsageError
    from vllm_migrate.smoke import bisect
    from vllm_migrate.smoke.commands import Span, bisected

    if bisect.PLACE not in call.python_for:
        raise UsageError("--python-for has no {release} in it", remedy="'/opt/vllm-{release}/bin/python'")
    span = Span(call.good, call.bad, call.python_for, call.recorded, tuple(call.releases or ()))
    with progress() as watch:
        found = bisected(
            call.config,
            span,
            engine_options(call),
            score_options(call),
            judging(call),
            watch,
            lambda line: print(line, file=sys.stderr),
        )
    changes = bisect.changed(found.good, found.bad)
    if call.output_format == "json":
        print(json.dumps(bisect.as_json(found, changes), indent=2))
    else:
        print("\n".join(bisect.as_text(found, changes)))
    return 0 if found.sure else 4


@command("worker")
def worker_command(call: Namespace) -> int:
    """Print the worker file, for use on a cluster."""
    from vllm_migrate.smoke.backends.vllm_worker import worker_source

    sys.stdout.write(worker_source())
    return 0


def engine_options(call: Namespace, *, engine_dtype: bool = False) -> Any:
    """How to run the engine; `engine_dtype` says whose --dtype is."""
    from vllm_migrate.smoke.commands import EngineOptions

    sets = list(call.overrides or ())
    if engine_dtype and call.dtype != "auto":
        sets.append(f"engine.dtype={call.dtype}")
    names = [name for name in EngineOptions._fields if name != "overrides"]
    return EngineOptions(overrides=tuple(sets), **{name: getattr(call, name) for name in names})


def score_options(call: Namespace) -> Any:
    from vllm_migrate.smoke.commands import ScoreOptions

    return ScoreOptions(call.dtype, call.head_dtype, batch_tokens=call.batch_tokens)


def judging(call: Namespace) -> Any:
    from vllm_migrate.smoke.commands import compare_options

    return compare_options(call.claims, call.epsilon, call.sequence_epsilon, call.length, call.margins)


def show(verdict: Any, output_format: str) -> int:
    """Prints the verdict; its exit code."""
    if output_format == "json":
        print(json.dumps(verdict.json(), indent=2))
    else:
        from vllm_migrate.smoke.report import render

        render(verdict, terminal.console(120))
    code: int = verdict.exit_code
    return code


@contextmanager
def progress() -> Iterator[Watch]:
    """Shows progress lines on standard error while it is a terminal. A SIGTERM ends the engine's process, too."""
    from rich.markup import escape
    from rich.progress import Progress

    from vllm_migrate.cli.bar import live_console
    from vllm_migrate.cli.gate import without_controls

    def ended(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    with suppress(ValueError):  # only the main thread may
        signal.signal(signal.SIGTERM, ended)
    console, hidden = live_console(), not sys.stderr.isatty()
    with Progress(
        console=console, transient=True, disable=hidden, redirect_stdout=False, redirect_stderr=False
    ) as bars:
        tasks: dict[str, Any] = {}

        def watch(line: Line) -> None:
            if line.get("kind") != "progress":
                return
            what = str(line.get("what", "rollout"))
            if what not in tasks:
                tasks[what] = bars.add_task(escape(without_controls(what)), total=line["total"])
            bars.update(tasks[what], completed=line["done"], total=line["total"])

        try:
            yield watch
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise SystemExit(EXIT_ERROR) from None
