"""What each `vllm-migrate smoke` command does, from its options to a recording or a verdict."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vllm_migrate.catalog.scratch import scratch
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.situation import DEFAULT, Known
from vllm_migrate.errors import UsageError, VllmMigrateError
from vllm_migrate.run.files import replace_file
from vllm_migrate.smoke import ablate as ablation
from vllm_migrate.smoke import bisect as bisection
from vllm_migrate.smoke import rollout
from vllm_migrate.smoke.backends.interface import Backend, Job, Watch
from vllm_migrate.smoke.compare import CompareOptions
from vllm_migrate.smoke.contract import Contract
from vllm_migrate.smoke.dump import is_dump, read_dump
from vllm_migrate.smoke.errors import SmokeError
from vllm_migrate.smoke.judge import compare
from vllm_migrate.smoke.margins import TABLE
from vllm_migrate.smoke.preview import SEQUENCE_CLIP, TOKEN_CLIP, Loss
from vllm_migrate.smoke.recording import USER, Recording, read, stream, write
from vllm_migrate.smoke.source import SmokeEngine, check_file, load_engine
from vllm_migrate.smoke.verdict import Metric, SmokeVerdict, worst

if TYPE_CHECKING:
    from vllm_migrate.catalog.store import Catalog

DEFAULT_FROM, DEFAULT_TO = "0.8.5", "0.18.1"


class EngineOptions(NamedTuple):
    """How to run an engine: exactly one of `python` and `base_url`."""

    python: str | None = None
    base_url: str | None = None
    engine: str | None = None
    model: str | None = None
    source: str | None = None
    target: str | None = None
    overrides: tuple[str, ...] = ()
    prompts: str | None = None
    num_prompts: int = 16
    max_tokens: int = 64
    seed: int = 0
    timeout: float = 1800.0
    workdir: str | None = None
    probe: bool = True
    fixed: bool = False
    backend: str = "vllm"
    lines: str | None = None  # what a worker printed that was run by hand, instead of an engine


class Span(NamedTuple):
    """What a bisection lies between. python_for: a command with `{release}` in it; reference: a recording of the good
    release, made first where there is none; releases: those to try, all of the catalog where none is named."""

    good: str
    bad: str
    python_for: str
    reference: str | None = None
    releases: tuple[str, ...] = ()


class ScoreOptions(NamedTuple):
    """How to score: torch names of dtypes, or "auto" for the checkpoint's own."""

    dtype: str = "auto"
    head_dtype: str = "auto"
    device: str = "auto"
    batch_tokens: int = 4096


def backend_for(options: EngineOptions, env: dict[str, str]) -> Backend:
    """The backend that the options name."""
    check_engine(options)
    if options.backend == "torch":
        from vllm_migrate.smoke.backends.torch_engine import TorchEngine

        return TorchEngine()
    if options.lines is not None:
        from vllm_migrate.smoke.backends.vllm_worker import Printed

        return Printed(options.lines)
    if options.base_url is not None:
        from vllm_migrate.smoke.backends.server import Server

        return Server(options.base_url, model=options.model, timeout=options.timeout)
    from vllm_migrate.smoke.backends.vllm_worker import VllmWorker

    assert options.python is not None
    return VllmWorker(options.python, env=env, timeout=options.timeout, workdir=options.workdir)


def check_engine(options: EngineOptions) -> None:
    """Raises UsageError unless exactly one engine is named."""
    if options.backend != "torch" and options.lines is None and (options.python is None) == (options.base_url is None):
        raise UsageError(
            "two engines named: --python and --base-url" if options.python else "no engine named",
            remedy="--python PY, an interpreter with vLLM, or --base-url URL of a running server",
        )


def engine_of(config: str, options: EngineOptions) -> SmokeEngine:
    """The engine of the config as the release that will run it gets it. Its first note names that release."""
    check_file(config)
    release = running(config, options)
    spec = load_engine(
        config, release.value, options.engine, source=options.source or DEFAULT_FROM, fixed=options.fixed
    )
    if spec.release:
        shown = f"{release.value} ({release.because})"
        spec = spec._replace(release=shown, notes=(f"engine arguments are those of vLLM {shown}", *spec.notes))
    spec = rollout.override(spec, options.overrides)
    return spec if options.base_url is not None else rollout.with_model(spec, options.model)


def running(config: str, options: EngineOptions) -> Known:
    """The release that will run, and what shows it: the interpreter or the server; else --to, else the project's own pin."""
    found, whose = None, ""
    if options.backend == "torch":
        pass
    elif options.python is not None:
        from vllm_migrate.smoke.backends.vllm_worker import release_of

        found, whose = release_of(options.python), f"{options.python} has it"
        if found == "":
            raise UsageError(f"{options.python} has no vLLM", remedy="--python PY, an interpreter with vLLM")
    elif options.base_url is not None:
        from vllm_migrate.smoke.backends.server import Server

        server = Server(options.base_url, model=options.model, timeout=options.timeout)
        found, whose = server.release(), f"{options.base_url} runs it"
    elif options.lines is not None:
        from vllm_migrate.smoke.backends.vllm_worker import Printed

        header = next(Printed(options.lines).run(Job("record", {}, {}, [], [], {}), lambda line: None), {})
        found, whose = header.get("vllm"), f"{options.lines} is from it"
    release = str(found or "").split("+")[0]
    if release and (options.target is None or load_catalog().knows(release)):
        return Known(release, whose)
    return Known(options.target, "--to names it") if options.target else _pinned(config)


def _pinned(config: str) -> Known:
    """The release that the project of a config pins, else the default target."""
    from vllm_migrate.run.session import Session
    from vllm_migrate.run.settings import Options

    try:
        source = Session(Options(paths=(config,))).situations.of(config).source
    except VllmMigrateError as error:
        return Known(DEFAULT_TO, f"the default target, for the project's own is not known: {error.message}")
    if source.because.startswith(DEFAULT):
        return Known(DEFAULT_TO, "the default target, since the project pins none; --to RELEASE names another")
    return Known(source.value, source.because)


def ask_of(options: EngineOptions, spec: SmokeEngine) -> rollout.Ask:
    """How much to record. Prompts from a file come with their own end."""
    prompts = (
        rollout.read_prompts(options.prompts, options.model or spec.engine_args.get("model"))
        if options.prompts
        else None
    )
    if prompts is not None:
        prompts = prompts[: options.num_prompts] if options.num_prompts else prompts
    return rollout.Ask(options.num_prompts, options.max_tokens, options.seed, prompts, options.probe)


def record(config: str, options: EngineOptions, output: str, watch: Watch, tokens: str | None = None) -> Recording:
    """Records the config's engine, or step-scores the tokens of another recording; writes `output`."""
    check_engine(options)
    spec, job = prepared(config, options, tokens)
    rolled = rollout.run_job(backend_for(options, spec.env), job, spec, watch)
    found = rolled.samples if tokens is None else rolled.steps
    assert found is not None
    write(output, found.header, found.rows)
    return found


def prepared(config: str, options: EngineOptions, tokens: str | None) -> tuple[SmokeEngine, Job]:
    """The engine of the config, and what to ask of it."""
    spec = engine_of(config, options)
    if tokens is not None:
        return spec, rollout.step_job(spec, read(tokens))
    return spec, rollout.record_job(spec, ask_of(options, spec))


def write_job(config: str, options: EngineOptions, path: str, tokens: str | None) -> SmokeEngine:
    """Writes the job that the worker file takes, for a machine that only the user reaches."""
    spec, job = prepared(config, options, tokens)
    rollout.check(spec)
    try:
        replace_file(path, json.dumps(job.line()).encode("utf-8"), durable=False, mode=0o600)
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}", remedy="--job FILE, in a folder to write to"
        ) from None
    return spec


def score(path: str, model: str, options: ScoreOptions, output: str, watch: Watch, updated: str | None = None) -> int:
    """Scores a recording into `output`, streaming; returns the number of rows."""
    from vllm_migrate.smoke.score import Model, ScoreOptions, Scorer

    chosen = ScoreOptions(options.dtype, options.head_dtype, options.device, options.batch_tokens)
    header, rows = stream(path)
    scorer = Scorer(header, Model(model, chosen), chosen, Model(updated, chosen) if updated else None)
    total = sum(1 for _ in stream(path)[1])
    scored = scorer.rows(rows, total, _progress(watch, "trainer forward"))
    return write(output, header.model_copy(update={"score": scorer.info}), scored)


def score_in_memory(
    recording: Recording, model: str, options: ScoreOptions, watch: Watch, updated: str | None = None
) -> Recording:
    """As `score`, for a recording that is in memory anyway."""
    from vllm_migrate.smoke.score import Model, ScoreOptions, Scorer

    chosen = ScoreOptions(options.dtype, options.head_dtype, options.device, options.batch_tokens)
    scorer = Scorer(recording.header, Model(model, chosen), chosen, Model(updated, chosen) if updated else None)
    rows = list(scorer.rows(recording.rows, len(recording.rows), _progress(watch, "trainer forward")))
    return Recording(recording.header.model_copy(update={"score": scorer.info}), rows)


def _progress(watch: Watch, what: str) -> Callable[[int, int], None]:
    return lambda done, total: watch({"kind": "progress", "what": what, "done": done, "total": total})


def load(path: str) -> Recording:
    """A recording, or a dump of the user's own trainer."""
    return read_dump(path) if is_dump(path) else read(path)


def compare_options(
    claims: str, epsilon: str | None, sequence_epsilon: str | None, length: int | None, margins: str | None
) -> CompareOptions:
    """Options of `compare` from text. Raises UsageError."""
    if margins is not None and margins not in TABLE:
        raise UsageError(f"no margins for {margins!r}", remedy="one of " + ", ".join(TABLE))
    loss = Loss(_range(epsilon, TOKEN_CLIP), _range(sequence_epsilon, SEQUENCE_CLIP), length)
    return CompareOptions(claims, loss, margins)


def _range(text: str | None, default: tuple[float, float]) -> tuple[float, float]:
    if text is None:
        return default
    try:
        low, _, high = text.partition(",")
        found = (float(low), float(high or low))
    except ValueError:
        raise UsageError(f"epsilon {text!r} is not a number", remedy="LOW[,HIGH], such as 0.2 or 3e-4,4e-4") from None
    if not (0 < found[0] < 1 and found[1] > 0):
        raise UsageError(f"epsilon {text} is out of range", remedy="LOW[,HIGH] with 0 < LOW < 1 and 0 < HIGH")
    return found


def compare_files(
    a: str, b: str | None, options: CompareOptions, model: str | None, scoring: ScoreOptions, watch: Watch
) -> SmokeVerdict:
    """The verdict on recordings; with `model`, those without scores are scored on the way."""
    if b is not None and Path(a).exists() and Path(b).exists() and Path(a).samefile(b):
        raise UsageError(
            f"A and B are the same file, {a}", remedy="B is a reference run, or a step scoring of A's tokens"
        )
    found = [load(path) for path in (a, b) if path is not None]
    if model is not None:
        found = [
            score_in_memory(r, model, scoring, watch)
            if r.header.protocol == "samples" and r.header.score is None
            else r
            for r in found
        ]
    if found[0].header.score is None and all(r.header.protocol == "samples" for r in found):
        raise UsageError(
            f"{a} has no scores: there is nothing to compare the engine's logprobs with",
            remedy=f"vllm-migrate smoke score {a} --model DIR, or --model DIR here, or a step scoring of its tokens",
        )
    return compare(found[0], found[1] if len(found) > 1 else None, options)


def run(
    config: str,
    reference: str,
    options: EngineOptions,
    scoring: ScoreOptions,
    choice: CompareOptions,
    output: str | None,
    watch: Watch,
) -> SmokeVerdict:
    """The config as it is on disk, on its target: its own samples scored, the reference's tokens step-scored, one
    verdict.
    """
    verdict, recording = prove(engine_of(config, options), samples(reference), options, scoring, choice, watch)
    if output is not None:
        write(output, recording.header, recording.rows)
    return verdict


def samples(path: str) -> Recording:
    """A recording of samples. Raises UsageError."""
    found = read(path)
    if found.header.protocol != "samples":
        raise UsageError(
            f"{path} is not a recording of samples", remedy="vllm-migrate smoke record, on the old release"
        )
    return found


def prove(
    spec: SmokeEngine,
    before: Recording,
    options: EngineOptions,
    scoring: ScoreOptions,
    choice: CompareOptions,
    watch: Watch,
) -> tuple[SmokeVerdict, Recording]:
    """The verdict on an engine against a reference, and what it recorded."""
    job = rollout.record_job(spec, ask_of(options, spec), before)
    found = rollout.run_job(backend_for(options, spec.env), job, spec, watch)
    verdicts: list[SmokeVerdict] = []
    notes = list(found.samples.header.notes)
    model = options.model or spec.engine_args.get("model")
    scored = found.samples
    if model is not None and Path(str(model)).is_dir() and _has_torch():
        scored = score_in_memory(found.samples, str(model), scoring, watch)
        scored_before = before if before.header.score else score_in_memory(before, str(model), scoring, watch)
        verdicts.append(compare(scored, scored_before, choice))
    else:
        notes.append(
            "no trainer forward pass, which needs torch and a local --model; the engines were compared token by token"
        )
    blind = Contract.of(before.header.sampling.get(USER, {})).blind
    if found.steps is not None and found.steps.rows and not blind:
        verdicts.append(compare(before, found.steps, choice))
    elif blind:
        notes.append(
            "the reference's own contract cannot tell raw from processed logprobs, and its tokens were not step-scored"
        )
    if not verdicts:
        raise UsageError(
            "nothing can be compared", remedy="--model DIR, a local checkpoint, with the smoke extra installed"
        )
    return _joined(verdicts, notes), scored


def ablated(
    config: str,
    reference: str,
    options: EngineOptions,
    scoring: ScoreOptions,
    choice: CompareOptions,
    watch: Watch,
    tell: Callable[[str], None],
) -> ablation.Ablation:
    """What each pin of the config buys: a rollout with all of them, and one without each. Raises UsageError."""
    from vllm_migrate.smoke.pins import pins_of

    spec, before = engine_of(config, options), samples(reference)
    release = running(config, options).value
    pins = pins_of(config, spec, release, options.engine, options.source or DEFAULT_FROM, options.fixed)
    local = options.base_url is None and Path(str(spec.engine_args.get("model"))).is_dir() and _has_torch()

    def rollout_of(engine: SmokeEngine) -> tuple[SmokeVerdict, Recording]:
        return prove(engine, before, options, scoring, choice, watch)

    def update_of(engine: SmokeEngine) -> tuple[SmokeVerdict, Recording]:
        return prove_update(engine, options, scoring, Update({}), choice, watch)

    # How an engine replaces its weights is known of a config that says so alone.
    probes = ablation.Probes(rollout_of, update_of if local and spec.pause else None)
    return ablation.ablate(spec, pins, probes, tell)


def bisected(
    config: str,
    span: Span,
    options: EngineOptions,
    scoring: ScoreOptions,
    choice: CompareOptions,
    watch: Watch,
    tell: Callable[[str], None],
) -> bisection.Bisected:
    """The neighbours between which the config's rollout went from good to bad. Raises UsageError."""
    from vllm_migrate.catalog import store

    catalog = store.load()
    wanted = [catalog.canonical(name) for name in span.releases] or list(catalog.releases)
    ends = [_canonical(catalog, name) for name in (span.good, span.bad)]
    releases = bisection.between([name for name in catalog.releases if name in {*wanted, *ends}], *ends)
    with scratch(options.workdir) as folder:
        reference = span.reference or str(Path(folder, "good.jsonl"))
        if span.reference is None:
            record(config, _on(options, span, ends[0]), reference, watch)
            tell(f"{ends[0]}: recorded")

        def test(release: str) -> str:
            try:
                verdict = run(config, reference, _on(options, span, release), scoring, choice, None, watch)
            except (SmokeError, UsageError) as error:
                tell(f"{release}: {error.message.splitlines()[0]}")
                return bisection.SKIP
            return bisection.OF[verdict.decision]

        return bisection.bisect(releases, test, tell)


def _canonical(catalog: Catalog, release: str) -> str:
    from vllm_migrate.catalog.store import UnknownRelease

    try:
        return catalog.canonical(release)
    except UnknownRelease as error:
        raise UsageError(str(error), remedy="`vllm-migrate releases` lists them; `catalog add` adds one") from None


def _on(options: EngineOptions, span: Span, release: str) -> EngineOptions:
    """The options with the interpreter of a release."""
    command = span.python_for.replace(bisection.PLACE, release)
    return options._replace(python=command, target=release, source=options.source or span.good)


def _has_torch() -> bool:
    from importlib.util import find_spec

    return find_spec("torch") is not None and find_spec("transformers") is not None


def _joined(verdicts: list[SmokeVerdict], notes: list[str]) -> SmokeVerdict:
    """The trainer's verdict, with the step scoring's numbers beside it under `step_`."""
    first, *rest = verdicts
    decision = worst([v.decision for v in verdicts])
    metrics: dict[str, Metric] = dict(first.metrics)
    for other in rest:
        metrics |= {
            f"step_{name}": metric for name, metric in other.metrics.items() if metric.gate or name == "mean_ratio"
        }
    blame = next((v.blame for v in verdicts if v.decision == decision and v.blame.layer), first.blame)
    heard = list(dict.fromkeys(itertools.chain(notes, *(v.notes for v in verdicts))))
    return first._replace(decision=decision, blame=blame, metrics=metrics, notes=tuple(heard))


class Update(NamedTuple):
    """The update to probe: arguments of pause_generation over the config's, and the new weights (perturbed by `amount`
    unless `weights` names them).
    """

    pause: dict[str, Any]
    amount: float = 0.2
    weights: str | None = None


def update(
    config: str,
    options: EngineOptions,
    scoring: ScoreOptions,
    change: Update,
    output: str | None,
    watch: Watch,
    choice: CompareOptions,
) -> SmokeVerdict:
    """The in-flight weight update probe, scored on the old and the new weights."""
    verdict, recording = prove_update(engine_of(config, options), options, scoring, change, choice, watch)
    if output is not None:
        write(output, recording.header, recording.rows)
    return verdict


def prove_update(
    spec: SmokeEngine,
    options: EngineOptions,
    scoring: ScoreOptions,
    change: Update,
    choice: CompareOptions,
    watch: Watch,
) -> tuple[SmokeVerdict, Recording]:
    """The verdict on an update of an engine's weights, and what it recorded. Raises UsageError."""
    from vllm_migrate.smoke.update import PAUSE_DEFAULTS, Probe, job_fields, judge_update, perturb

    model = str(spec.engine_args.get("model"))
    for folder in (model, change.weights):
        if folder is not None and not Path(folder).is_dir():
            raise UsageError(
                f"the update probe needs a checkpoint's files, and {folder} is not a folder",
                remedy="--model DIR (and --updated-model DIR), local checkpoints",
            )
    with scratch(options.workdir) as folder:
        weights = change.weights or perturb(model, folder, change.amount, options.seed + 1)
        arguments = {**PAUSE_DEFAULTS, **spec.pause, **change.pause}
        probe = _sized(Probe(prompts=max(2, options.num_prompts // 2), tokens=options.max_tokens), spec)
        fields = job_fields(probe, weights, arguments, rollout.vocabulary(spec), options.seed)
        contract = rollout.contracts(spec, rollout.Ask(probe=False))
        args = {**spec.engine_args, "seed": spec.engine_args.get("seed", options.seed)}
        job = Job("update", args, contract, [], [], fields)
        found = rollout.run_job(backend_for(options, spec.env), job, spec, watch).samples
        scored = score_in_memory(found, model, scoring, watch, weights)
    verdict = judge_update(scored, choice)
    notes = (
        ()
        if spec.pause or change.pause
        else ("the config does not show its pause_generation arguments: vLLM's defaults were used",)
    )
    return verdict._replace(notes=(*found.header.notes, *notes, *verdict.notes)), scored


def _sized(probe: Any, spec: SmokeEngine) -> Any:
    """The probe within the engine's max_model_len."""
    limit = spec.engine_args.get("max_model_len")
    if not isinstance(limit, int) or limit >= probe.prompt + probe.tokens + 8:
        return probe
    short = max(16, limit - probe.tokens - 8)
    return probe._replace(prompt=short, inflight=min(probe.inflight, max(16, limit - 72)))
