"""`vllm-migrate smoke`: record, score, compare, run, update. Options in, a verdict out; what they do is in
vllm_migrate.smoke.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import typer

from vllm_migrate.smoke.backends.interface import Line, Watch

app = typer.Typer(
    no_args_is_help=True,
    help="A short rollout that says pass, fail or inconclusive, and names the layer that moved.",
    rich_markup_mode=None,
)

Format = Literal["text", "json"]
Config = Annotated[
    str,
    typer.Argument(metavar="CONFIG", help="The file with the engine, in any dialect; or a JSON file with engine_args."),
]
Python = Annotated[
    str | None,
    typer.Option(
        "--python",
        metavar="PY",
        help='The interpreter that runs vLLM, or a command that ends in one: "srun -N1 python".',
    ),
]
BaseUrl = Annotated[
    str | None, typer.Option("--base-url", metavar="URL", help="A running OpenAI-compatible server instead.")
]
Engine = Annotated[
    str | None, typer.Option("--engine", metavar="ID", help="Which engine, where the file has several: its id or role.")
]
ModelDir = Annotated[
    str | None,
    typer.Option("--model", metavar="DIR", help="The model, instead of the config's; also the scoring model."),
]
From = Annotated[str | None, typer.Option("--from", metavar="RELEASE", help="The release the files run on today.")]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="RELEASE", help="The release that runs, where the interpreter does not tell."),
]
Output = Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="Where the recording goes.")]
NumPrompts = Annotated[int, typer.Option("--num-prompts", min=1, help="How many prompts.")]
MaxTokens = Annotated[int, typer.Option("--max-tokens", min=1, help="New tokens per prompt.")]
Seed = Annotated[int, typer.Option("--seed", help="Of the random prompts, and of an engine that has none.")]
EngineDtype = Annotated[str, typer.Option("--dtype", help="Of the engine, instead of the config's.")]
Dtype = Annotated[
    str, typer.Option("--dtype", help="Of the trainer's forward: float32, bfloat16, float16; auto is the checkpoint's.")
]
HeadDtype = Annotated[str, typer.Option("--head-dtype", help="Of the trainer's last matrix product.")]
Timeout = Annotated[
    float, typer.Option("--timeout", min=1.0, help="Seconds until a worker without an answer is stopped.")
]
OutputFormat = Annotated[Format, typer.Option("--output-format", help="How to print the result.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="OPTION=VALUE", help="Overrides an engine argument or a sampling parameter."),
]
Prompts = Annotated[
    str | None,
    typer.Option("--prompts", metavar="FILE", help="JSON Lines of token ids, or text; default: random token ids."),
]
Workdir = Annotated[
    str | None, typer.Option("--workdir", metavar="DIR", help="A folder that the interpreter's machine sees, too.")
]
NoProbe = Annotated[
    bool,
    typer.Option("--probe/--no-probe", help="Add rows at T = 0.7 where the contract cannot tell raw from processed."),
]
Claims = Annotated[str, typer.Option("--claims", help="The column the trainer claims: contract, raw, T, ...")]
Epsilon = Annotated[
    str | None, typer.Option("--epsilon", metavar="LOW[,HIGH]", help="The loss's clip range per token.")
]
SequenceEpsilon = Annotated[
    str | None, typer.Option("--sequence-epsilon", metavar="LOW[,HIGH]", help="GSPO's clip range.")
]
Margins = Annotated[
    str | None,
    typer.Option("--margins", metavar="KIND", help="fp32, bf16, bf16-tiny, moe, fp8, mxfp8; default: as recorded."),
]
Fixed = Annotated[
    bool, typer.Option("--fixed", help="Run with the safe fixes applied in memory; the file stays as it is.")
]
BackendName = Annotated[str, typer.Option("--backend", hidden=True)]


@app.command("record")
def record_command(
    config: Config,
    python: Python = None,
    base_url: BaseUrl = None,
    engine: Engine = None,
    model: ModelDir = None,
    source: From = None,
    target: To = None,
    output: Output = None,
    num_prompts: NumPrompts = 16,
    max_tokens: MaxTokens = 64,
    seed: Seed = 0,
    dtype: EngineDtype = "auto",
    timeout: Timeout = 1800.0,
    output_format: OutputFormat = "text",
    overrides: Set = None,
    prompts: Prompts = None,
    workdir: Workdir = None,
    probe: NoProbe = True,
    fixed: Fixed = False,
    tokens: Annotated[
        str | None, typer.Option("--tokens", metavar="REC", help="Score this recording's tokens instead of sampling.")
    ] = None,
    backend: BackendName = "vllm",
) -> None:
    """Run the config's engine and record tokens and logprobs."""
    from vllm_migrate.smoke.commands import EngineOptions, record
    from vllm_migrate.smoke.recording import valid

    sets = [*(overrides or []), *([f"engine.dtype={dtype}"] if dtype != "auto" else [])]
    options = EngineOptions(
        python,
        base_url,
        engine,
        model,
        source,
        target,
        tuple(sets),
        prompts,
        num_prompts,
        max_tokens,
        seed,
        timeout,
        workdir,
        probe,
        fixed,
        backend,
    )
    path = output or "recording.jsonl"
    with progress() as watch:
        found = record(config, options, path, watch, tokens)
    good, kinds = valid(found.rows)
    summary = {
        "schema": 1,
        "recording": path,
        "vllm": found.header.vllm,
        "engine": found.header.engine,
        "n_sequences": len(good),
        "n_tokens": sum(len(row.tokens) for row in good),
        "invalid": kinds,
        "notes": found.header.notes,
    }
    if output_format == "json":
        print(json.dumps(summary))
        return
    print(
        f"{path}: {len(good)} sequences, {summary['n_tokens']} tokens, vLLM {found.header.vllm} ({found.header.engine})"
    )
    for kind, count in kinds.items():
        print(f"- no evidence: {kind} {count}")
    for note in found.header.notes:
        print(f"- {note}")


@app.command("score")
def score_command(
    recording: Annotated[str, typer.Argument(metavar="REC", help="A recording, or a dump of your own trainer.")],
    model: ModelDir = None,
    output: Output = None,
    dtype: Dtype = "auto",
    head_dtype: HeadDtype = "auto",
    updated: Annotated[
        str | None, typer.Option("--updated-model", metavar="DIR", help="The weights after an update.")
    ] = None,
    batch_tokens: Annotated[
        int, typer.Option("--batch-tokens", min=1, help="Tokens per forward pass: bounds the memory.")
    ] = 4096,
    output_format: OutputFormat = "text",
) -> None:
    """The trainer's side: what the model claims for the recorded tokens."""
    from vllm_migrate.errors import UsageError
    from vllm_migrate.smoke.commands import ScoreOptions, load, score
    from vllm_migrate.smoke.dump import is_dump
    from vllm_migrate.smoke.recording import write

    path = output or f"{recording.removesuffix('.jsonl').removesuffix('.json')}.scored.jsonl"
    if is_dump(recording):
        dump = load(recording)
        count = write(path, dump.header, dump.rows)
    elif model is None:
        raise UsageError("which model scores?", remedy="--model DIR, the checkpoint of the rollout")
    else:
        with progress() as watch:
            count = score(
                recording, model, ScoreOptions(dtype, head_dtype, batch_tokens=batch_tokens), path, watch, updated
            )
    print(
        json.dumps({"schema": 1, "scored": path, "n_sequences": count})
        if output_format == "json"
        else f"{path}: {count} sequences"
    )


@app.command("compare")
def compare_command(
    first: Annotated[str, typer.Argument(metavar="A", help="A scored recording, or a dump of your own trainer.")],
    second: Annotated[
        str | None, typer.Argument(metavar="[B]", help="A reference run, or a step scoring of A's tokens.")
    ] = None,
    model: ModelDir = None,
    dtype: Dtype = "auto",
    head_dtype: HeadDtype = "auto",
    claims: Claims = "contract",
    epsilon: Epsilon = None,
    sequence_epsilon: SequenceEpsilon = None,
    margins: Margins = None,
    output_format: OutputFormat = "text",
) -> None:
    """The verdict on recordings, offline."""
    from vllm_migrate.smoke.commands import ScoreOptions, compare_files, compare_options

    options = compare_options(claims, epsilon, sequence_epsilon, margins)
    with progress() as watch:
        verdict = compare_files(first, second, options, model, ScoreOptions(dtype, head_dtype), watch)
    show(verdict, output_format)


@app.command("run")
def run_command(
    config: Config,
    reference: Annotated[
        str, typer.Option("--reference", metavar="REC", help="A recording from the release you come from.")
    ],
    python: Python = None,
    base_url: BaseUrl = None,
    engine: Engine = None,
    model: ModelDir = None,
    source: From = None,
    target: To = None,
    output: Output = None,
    num_prompts: NumPrompts = 16,
    max_tokens: MaxTokens = 64,
    seed: Seed = 0,
    dtype: Dtype = "auto",
    head_dtype: HeadDtype = "auto",
    timeout: Timeout = 1800.0,
    output_format: OutputFormat = "text",
    overrides: Set = None,
    prompts: Prompts = None,
    workdir: Workdir = None,
    probe: NoProbe = True,
    fixed: Fixed = False,
    claims: Claims = "contract",
    epsilon: Epsilon = None,
    sequence_epsilon: SequenceEpsilon = None,
    margins: Margins = None,
    backend: BackendName = "vllm",
) -> None:
    """Run the config as it is on disk and compare it with a reference recording."""
    from vllm_migrate.smoke.commands import EngineOptions, ScoreOptions, compare_options, run

    options = EngineOptions(
        python,
        base_url,
        engine,
        model,
        source,
        target,
        tuple(overrides or ()),
        prompts,
        num_prompts,
        max_tokens,
        seed,
        timeout,
        workdir,
        probe,
        fixed,
        backend,
    )
    choice = compare_options(claims, epsilon, sequence_epsilon, margins)
    with progress() as watch:
        verdict = run(config, reference, options, ScoreOptions(dtype, head_dtype), choice, output, watch)
    show(verdict, output_format)


@app.command("update")
def update_command(
    config: Config,
    python: Python = None,
    engine: Engine = None,
    model: ModelDir = None,
    source: From = None,
    target: To = None,
    output: Output = None,
    num_prompts: NumPrompts = 16,
    seed: Seed = 0,
    dtype: Dtype = "auto",
    head_dtype: HeadDtype = "auto",
    timeout: Timeout = 1800.0,
    output_format: OutputFormat = "text",
    overrides: Set = None,
    workdir: Workdir = None,
    fixed: Fixed = False,
    margins: Margins = None,
    pause_mode: Annotated[
        Literal["keep", "abort", "wait"] | None,
        typer.Option("--pause-mode", help="As your code calls pause_generation."),
    ] = None,
    clear_cache: Annotated[
        bool | None, typer.Option("--clear-cache/--keep-cache", help="clear_cache of pause_generation.")
    ] = None,
    amount: Annotated[float, typer.Option("--perturb", help="Relative size of the update; 0.02 or more.")] = 0.2,
    updated: Annotated[
        str | None, typer.Option("--updated-model", metavar="DIR", help="The new weights, instead of perturbed ones.")
    ] = None,
    backend: BackendName = "vllm",
) -> None:
    """Replace the weights while a request runs, and see which weights the engine answers from."""
    from vllm_migrate.smoke.commands import EngineOptions, ScoreOptions, compare_options, update

    options = EngineOptions(
        python,
        None,
        engine,
        model,
        source,
        target,
        tuple(overrides or ()),
        None,
        num_prompts,
        48,
        seed,
        timeout,
        workdir,
        False,
        fixed,
        backend,
    )
    pause: dict[str, Any] = {
        name: value for name, value in (("mode", pause_mode), ("clear_cache", clear_cache)) if value is not None
    }
    choice = compare_options("contract", None, None, margins)
    with progress() as watch:
        verdict = update(
            config, options, ScoreOptions(dtype, head_dtype), pause, amount, updated, output, watch, choice
        )
    show(verdict, output_format)


@app.command("worker")
def worker_command() -> None:
    """Print the worker file, to be copied to a cluster."""
    from vllm_migrate.smoke.backends.vllm_worker import worker_source

    sys.stdout.write(worker_source())


def show(verdict: Any, output_format: Format) -> None:
    """Prints the verdict and exits as it says."""
    if output_format == "json":
        print(json.dumps(verdict.json(), indent=2))
    else:
        from rich.console import Console

        from vllm_migrate.smoke.report import render

        render(verdict, Console() if sys.stdout.isatty() else Console(width=120))
    raise typer.Exit(verdict.exit_code)


@contextmanager
def progress() -> Iterator[Watch]:
    """Shows progress lines on standard error while it is a terminal; notes always."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def watch(line: Line) -> None:
            if line.get("kind") != "progress":
                return
            what = str(line.get("what", "rollout"))
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=line["total"])
            bars.update(tasks[what], completed=line["done"], total=line["total"])

        yield watch
