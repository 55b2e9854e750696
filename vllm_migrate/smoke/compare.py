"""From recordings to a verdict: validity first, then what was reported and sampled, then the gates, then the blame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from packaging.version import InvalidVersion, Version

from vllm_migrate.errors import UsageError
from vllm_migrate.smoke import evidence, margins, semantics
from vllm_migrate.smoke.attribute import Comparison, attribute, invalid
from vllm_migrate.smoke.columns import RAW
from vllm_migrate.smoke.dump import NAMES
from vllm_migrate.smoke.evidence import Against, Heads
from vllm_migrate.smoke.margins import FEWEST_PROMPTS, FEWEST_TOKENS, HEAD_RATIO, SPREAD_RATIO, Margins
from vllm_migrate.smoke.preview import Loss, previews
from vllm_migrate.smoke.preview import notes as preview_notes
from vllm_migrate.smoke.recording import PROBE, USER, Header, Recording, Row, Scores, first_defects, valid
from vllm_migrate.smoke.remarks import remarks
from vllm_migrate.smoke.score import claimed_name, other_head
from vllm_migrate.smoke.stats import (
    Estimate,
    Estimates,
    ceiling,
    gate,
    gate_d,
    share,
    tokens_needed,
    unpaired_ratio,
)
from vllm_migrate.smoke.verdict import DISCLAIMER, Blame, Decision, Metric, SmokeVerdict, worst

# Spread below this is float32 rounding: its ratio to another run's means nothing.
FLOOR_K3 = 1e-6


class CompareOptions(NamedTuple):
    """`claims`: the column the trainer claims ("contract", or a column's name); `loss`: what clips are previewed for,
    over what the recording's header says.
    """

    claims: str = "contract"
    loss: Loss = Loss()
    kind: str | None = None  # a row of the margins table, instead of the one the recording suggests


def refused(why: str, recording: Recording, remedy: str) -> SmokeVerdict:
    """Evidence that cannot show the point, with what to run instead."""
    rows, kinds = valid(recording.rows)
    tokens = sum(len(row.tokens) for row in rows)
    blame = Blame(None, (), (f"refused as evidence: {why}",), remedy)
    return SmokeVerdict(
        "inconclusive", blame, {}, {"reported": None, "sampled": None, "claimed": None}, len(rows), tokens, kinds
    )


def judge_samples(a: Recording, b: Recording | None, options: CompareOptions) -> SmokeVerdict:
    """Protocol A: an engine's own samples against the trainer's columns."""
    rows, kinds = valid(a.rows)
    if b is not None:
        kinds = _mismatched(a, b, kinds)
    strange = sum(row.contract not in (USER, PROBE) for row in rows)
    if strange:
        kinds = {**kinds, "unknown-contract": strange}
    if kinds or not rows:
        return _invalid(a, kinds or {"empty-recording": 1}, rows)
    unscored = next((number for number, row in enumerate(a.rows, 1) if not row.scores), None)
    if unscored is not None:
        raise UsageError(
            f"row {unscored} of {len(a.rows)} has no scores",
            remedy="vllm-migrate smoke score REC --model DIR scores all of them",
        )
    blind = a.header.contract(USER).blind
    probe = [row for row in rows if row.contract == PROBE]
    user = [row for row in rows if row.contract == USER]
    first = _judge(a.header, user, options, reference=_reference(b, options)) if user else None
    if blind and not probe:
        if first is not None and first.decision == "fail" and not a.header.contract(USER).greedy:
            return first
        return refused(
            "at T = 1 without truncation (or greedy) raw and processed logprobs are the same",
            a,
            "record with a temperature other than 1, or with --probe, which adds T = 0.7 rows",
        )
    if first is not None and b is not None and b.header.score is None:
        note = "the reference has no scores: its prompts were compared, its spread was not"
        first = first._replace(notes=(*first.notes, note))
    if first is not None and b is not None and _older(a.header, b.header):
        note = f"A is from vLLM {a.header.vllm}, B from {b.header.vllm}: A is judged, B is the reference"
        first = first._replace(notes=(*first.notes, note))
    second = _judge(a.header, probe, options, name=PROBE) if probe else None
    if first is None or second is None:
        found = first or second
        assert found is not None
        return found
    return _with_probe(first, second, blind)


def _reference(b: Recording | None, options: CompareOptions) -> Estimates | None:
    """The reference run's own spread, against its own contract."""
    if b is None or b.header.score is None:
        return None
    rows = [row for row in valid(b.rows)[0] if row.contract == USER and row.scores]
    return Against.claimed(rows, claimed_name(b.header, USER, options.claims)).estimates() if rows else None


def _older(a: Header, b: Header) -> bool:
    """Whether the run that is judged is of an older release than its reference: the two may have been swapped."""
    try:
        return Version(a.vllm or "") < Version(b.vllm or "")
    except InvalidVersion:
        return False


def _mismatched(a: Recording, b: Recording, kinds: dict[str, int]) -> dict[str, int]:
    """Prompt token ids that differ between two runs of the same prompts; D cannot see a lost BOS."""
    theirs = {row.prompt_index: row.prompt for row in b.rows if row.prompt_index is not None and row.contract == USER}
    wrong = sum(
        row.prompt_index in theirs and theirs[row.prompt_index] != row.prompt
        for row in a.rows
        if row.prompt_index is not None and row.contract == USER
    )
    return {**kinds, "unequal-prompt": kinds.get("unequal-prompt", 0) + wrong} if wrong else kinds


def _invalid(a: Recording, kinds: dict[str, int], rows: Sequence[Row]) -> SmokeVerdict:
    tokens = sum(len(row.tokens) for row in rows)
    columns: dict[str, str | None] = {"reported": None, "sampled": None, "claimed": None}
    return SmokeVerdict("invalid", invalid(kinds), {}, columns, len(rows), tokens, kinds, tuple(first_defects(a.rows)))


def margins_for(header: Header, tokens: int, options: CompareOptions) -> Margins:
    """The row of the table for what both sides use."""
    score, quantization = header.score, header.effective.get("quantization")
    hidden = score.hidden_size if score else int(header.effective.get("hidden_size") or 0)
    theirs = score.dtype if score else header.dtype
    dtype = (
        "float32"
        if {header.dtype, theirs} <= {"float32", "auto"} and "float32" in (header.dtype, theirs)
        else "bfloat16"
    )
    if score and "bfloat16" in (score.head_dtype, score.dtype):
        dtype = "bfloat16"
    kind = options.kind or margins.kind_of(dtype, str(quantization or ""), score.experts if score else 0, hidden)
    return margins.select(kind, tokens)


def _judge(
    header: Header, rows: list[Row], options: CompareOptions, *, name: str = USER, reference: Estimates | None = None
) -> SmokeVerdict:
    """One contract's rows: Q1 to Q3, the gates, the positive control, the blame."""
    rows, mixed = _apart(rows)
    claimed = claimed_name(header, name, options.claims)
    contract = claimed_name(header, name, "contract")
    names = semantics.laws(rows)
    if claimed not in names:
        raise UsageError(
            f"no column {claimed!r} in this recording", remedy=f"--claims contract, or one of {', '.join(names)}"
        )
    drawn = semantics.sampled(rows, names if not header.contract(name).greedy else [contract])
    triple = semantics.Triple(semantics.reported(rows, names), drawn, claimed, contract)
    data = Against.claimed(rows, claimed)
    numbers = data.estimates()
    tokens = sum(len(row.tokens) for row in rows)
    limits = margins_for(header, tokens, options)
    columns: dict[str, str | None] = dict(zip(("reported", "sampled", "claimed"), triple.names, strict=True))
    if numbers is None:
        blame = semantics.blame(triple) or Blame(None, (), ("no token is in the claimed support",))
        return SmokeVerdict("fail", blame, {}, columns, len(rows), tokens, {})
    outside = Against.column(rows, claimed).estimates()
    numbers = numbers._replace(out=outside.out if outside else numbers.out)
    heads = heads_of(header, rows, claimed)
    head = heads.ratio if heads else None
    metrics = measure(numbers, limits, reference, head)
    if header.contract(name).greedy:  # the likeliest token is no sample: nothing to calibrate against
        metrics["b"] = metrics["b"]._replace(gate=None) if "b" in metrics else Metric(0.0, 0.0, 0.0)
    decision, notes = _decide(metrics, numbers)
    blamed = semantics.blame(triple)
    if decision == "pass" and blamed is not None:
        decision = "fail" if _semantic_shows(triple, rows, limits) else decision
    decision, few, enough = _sufficient(decision, numbers, len(rows))
    notes += few
    blame = Blame()
    if decision == "fail":
        gates = {key: metric.gate for key, metric in metrics.items() if metric.gate}
        blame = attribute(Comparison(data, numbers, gates, limits, triple, head))
    else:
        decision, control = _control(decision, rows, triple, limits)
        notes += control
    beside, more = _shown(header, data, Against.claimed(mixed, claimed) if mixed else None, options.loss)
    metrics |= beside
    notes += [*more, *([_alike(triple)] if len(triple.reported.alike) > 1 else [])]
    if heads is not None:
        metrics["head_rounding"] = Metric.of(heads.rounding)
        notes += [*([_fitting(heads)] if "head_ratio" in metrics else []), _rounding(heads)]
    notes += _limits(limits, decision)
    needed = _needed(metrics, tokens, enough) if decision == "inconclusive" else None
    return SmokeVerdict(decision, blame, metrics, columns, len(rows), tokens, {}, tuple(notes), needed)


def measure(
    numbers: Estimates, limits: Margins, reference: Estimates | None = None, head: Estimate | None = None
) -> dict[str, Metric]:
    """Every metric with its margin and gate."""
    found = {
        "D": Metric.of(numbers.d, limits.d, gate_d(numbers, limits.d)),
        "k3": Metric.of(numbers.k3, limits.k3, ceiling(numbers.k3, limits.k3)),
        "out": Metric.of(numbers.out, limits.out, share(numbers.out, limits.out)),
    }
    if numbers.b is not None:
        found["b"] = Metric.of(numbers.b, limits.b, gate(numbers.b, limits.b))
    if reference is not None and numbers.k3.value > FLOOR_K3:
        found["k3_ratio"] = _ratio(unpaired_ratio(numbers.k3, reference.k3), SPREAD_RATIO)
    if head is not None and numbers.k3.value > FLOOR_K3:
        found["head_ratio"] = _ratio(head, HEAD_RATIO)
    found["mean_ratio"] = Metric(numbers.mean_ratio, _exp(numbers.d.low), _exp(numbers.d.high))
    exact = {"mean_x": numbers.mean_x, "mean_abs_x": numbers.mean_abs, "ess": numbers.ess}
    return found | {name: Metric(value, value, value) for name, value in exact.items()}


def heads_of(header: Header, rows: list[Row], name: str) -> Heads | None:
    """What the rows of a column say of the two heads; None where only one precision was scored."""
    score = header.score
    if score is None:
        return None
    return evidence.heads(rows, name, score.head_dtype, other_head(score.head_dtype, score.dtype, header))


def _fitting(heads: Heads) -> str:
    """Which precision of the trainer's head fits the engine, and how surely."""
    trainer, other, ratio = heads.trainer, heads.other, heads.ratio
    shown = f"spread under {trainer} over spread under {other}: {_interval(ratio)}"
    if ratio.low > 1:
        return f"head: {other} fits the engine better than the trainer's {trainer} ({shown})"
    if ratio.high < 1:
        return f"head: the trainer's {trainer} fits the engine better than {other} ({shown})"
    return f"head: {trainer} and {other} cannot be told apart here ({shown})"


def _rounding(heads: Heads) -> str:
    """Which precision the engine's own head has, and how surely."""
    low = heads.other if heads.trainer == "float32" else heads.trainer
    share = f"share of the {low} head's rounding in the engine's logprobs: {_interval(heads.rounding)}"
    noise = f"other noise over the {low} head's rounding, both squared: {_interval(heads.noise)}"
    if heads.engine is None:
        return f"head: the recording does not show the precision of the engine's head ({share}; {noise})"
    return f"head: the engine's head is in {heads.engine} ({noise if heads.engine == 'float32' else share})"


def _interval(value: Estimate) -> str:
    return f"{value.value:.3g}, 95 % interval {value.low:.3g} to {value.high:.3g}"


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))


def _ratio(value: Estimate, margin: float) -> Metric:
    """One-sided: a ratio fails when its interval lies over the margin, and cannot be inconclusive."""
    return Metric.of(value, margin, "fail" if value.low > margin else "pass")


def _decide(metrics: dict[str, Metric], numbers: Estimates) -> tuple[Decision, list[str]]:
    outcomes: list[Decision] = [metric.gate for metric in metrics.values() if metric.gate is not None]
    notes = []
    if not numbers.interpretable:
        notes.append(
            f"D cannot be estimated: the two sides differ too much (ESS/n {numbers.ess:.2f}, k3 {numbers.k3.value:.2g})"
        )
    return worst(outcomes), notes


def _sufficient(decision: Decision, numbers: Estimates, sequences: int) -> tuple[Decision, list[str], int]:
    """A pass on fewer prompts or tokens than the margins hold for is none, nor is a fail that copies of a row make;
    with the reason, and the tokens that would be enough (0 where there are enough).
    """
    prompts, n = numbers.clusters, numbers.n
    if decision == "fail" and not (numbers.copies and prompts < FEWEST_PROMPTS):
        return decision, [], 0
    if prompts >= FEWEST_PROMPTS and n >= FEWEST_TOKENS:
        return decision, [], 0
    wanted = max(FEWEST_PROMPTS, math.ceil(FEWEST_TOKENS * sequences / n))
    note = (
        f"too few for a verdict: {sequences} sequences of {prompts} prompt{'s' * (prompts != 1)}, {n} tokens. The margins hold from "
        f"{FEWEST_PROMPTS} prompts and {FEWEST_TOKENS} tokens on: at this length, {wanted} sequences, each of another prompt"
    )
    return "inconclusive", [note], math.ceil(wanted * n / sequences)


def _semantic_shows(triple: semantics.Triple, rows: Sequence[Row], limits: Margins) -> bool:
    """Whether a disagreement of the columns that the gates let pass is larger than the margins."""
    reported, drawn, claimed = triple.names
    for name in {reported, drawn} - {claimed}:
        other = Against.column(rows, name).estimates()
        own = Against.column(rows, claimed).estimates()
        if other is None or own is None:
            return True
        if abs(other.mean_x - own.mean_x) > limits.d:
            return True
    return False


def _control(
    decision: Decision, rows: list[Row], triple: semantics.Triple, limits: Margins
) -> tuple[Decision, list[str]]:
    """The positive control: a deliberately wrong column must fail, else the run shows nothing."""
    right = triple.reported.alike | triple.sampled.alike | {triple.claimed, triple.contract}
    names = semantics.laws(rows)
    wrong = [name for name in names if name not in right] or [name for name in (RAW, *names) if name != triple.claimed]
    for name in wrong:
        numbers = Against.column(rows, name).estimates()
        gates = [m.gate for m in measure(numbers, limits).values()] if numbers else ["fail"]
        if "fail" in gates:
            return decision, [f"positive control: column {name} fails, as it should"]
    return worst([decision, "inconclusive"]), ["positive control: no wrong column fails, so a pass would mean nothing"]


def _shown(header: Header, data: Against, mixed: Against | None, given: Loss) -> tuple[dict[str, Metric], list[str]]:
    """What is shown beside the gates: the spread along the sequence, sequences of more than one weight version, clips."""
    loss = Loss.of(header.loss, given)
    found = {f"k3_decile_{tenth}": Metric.of(value) for tenth, value in enumerate(evidence.k3_by_decile(data), 1)}
    notes = []
    if mixed is not None:
        numbers = mixed.estimates()
        if numbers is not None:
            found["k3_mixed_versions"] = Metric.of(numbers.k3)
        count = len(mixed.rows)
        notes.append(f"{count} sequences with tokens from more than one weight version are reported separately")
    return found | previews(data, loss), [*notes, *remarks(header, data.rows), *preview_notes(data, loss)]


def _apart(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Sequences of one weight version, and the others; where there are only others, they are judged."""
    pure = [row for row in rows if not row.mixed]
    return (pure, [row for row in rows if row.mixed]) if pure else (rows, [])


def _alike(triple: semantics.Triple) -> str:
    return "columns that the reported logprobs cannot tell apart here: " + ", ".join(sorted(triple.reported.alike))


def _limits(limits: Margins, decision: Decision) -> list[str]:
    return [f"margins of {limits.name}: it {limits.says}", DISCLAIMER] if decision != "fail" else [DISCLAIMER]


def _needed(metrics: dict[str, Metric], tokens: int, least: int) -> int | None:
    """The tokens at which every gate would decide, at least `least` (0: no such bound)."""
    wanted = [
        tokens_needed(Estimate(metric.value, metric.low, metric.high), metric.margin, tokens)
        for name, metric in metrics.items()
        if metric.gate == "inconclusive" and metric.margin and name in ("D", "b", "k3")
    ]
    return max([least, *(n for n in wanted if n is not None)]) or None


def _with_probe(first: SmokeVerdict, second: SmokeVerdict, blind: bool) -> SmokeVerdict:
    """The user's rows with the probe beside them: what the user's contract cannot show, the probe does."""
    why = "cannot tell raw from processed logprobs" if blind else "is shown beside"
    note = (
        f"a probe at temperature 0.7, top_p 0.9, top_k 20 was added, since the contract {why}"
        if blind
        else ("the recording has probe rows at temperature 0.7, top_p 0.9, top_k 20")
    )
    own = first
    if (
        blind
        and first.tokens_needed is None
        and first.decision == "inconclusive"
        and all(m.gate in (None, "pass") for m in first.metrics.values())
    ):
        own = first._replace(decision="pass")  # only the control was missing; the probe brings its own
    decision = worst([own.decision, second.decision])
    probe = {f"probe_{name}": metric for name, metric in second.metrics.items() if metric.gate}
    blame, columns, extra = own.blame, first.columns, []
    if second.decision == "fail" and own.decision != "fail":
        blame, columns = second.blame, second.columns
        extra = [
            "your own rows agree: under this contract both kinds of logprobs are equal; under any other they are not"
        ]
    notes = (
        note,
        *extra,
        *(n for n in second.notes if "control" in n),
        *(n for n in first.notes if "control" not in n),
    )
    return SmokeVerdict(
        decision,
        blame,
        {**first.metrics, **probe},
        columns,
        first.n_sequences + second.n_sequences,
        first.n_tokens + second.n_tokens,
        {},
        notes,
        first.tokens_needed or second.tokens_needed,
    )


def judge_joined(a: Recording, b: Recording, options: CompareOptions) -> SmokeVerdict:
    """Protocol B, or a dump of the trainer's own: `b` holds another side's logprobs for `a`'s tokens."""
    key = "trainer" if b.header.protocol == "dump" else "step"
    theirs = {(tuple(row.prompt), tuple(row.tokens)): row for row in b.rows}
    joined, missing, unknown = [], 0, 0
    for row in a.rows:
        other = theirs.get((tuple(row.prompt), tuple(row.tokens)))
        if other is None:
            missing += 1
            continue
        scores = (other.scores or {}).get("trainer") or Scores(
            logp=[None if v is None or v <= -1e30 else v for v in other.logprobs],
            entropy=other.entropy,
            varentropy=other.varentropy,
        )
        row = row.model_copy(update={"scores": {key: scores}})
        if (
            key == "step"
        ):  # an engine gives the logprobs of its most likely tokens; outside of a whole support it is -inf
            known = [at for at, value in enumerate(other.logprobs) if value is not None]
            unknown += len(row.tokens) - len(known)
            row = _of_tokens(row, known)
        if row.tokens or not other.tokens:
            joined.append(row)
    header = a.header.model_copy(update={"protocol": "dump"})
    kinds = {"unequal-tokens": missing} if missing else {}
    note = (
        f"reference: {b.header.vllm or b.header.engine}, each token through its sampling path"
        if key == "step"
        else ("reference: the trainer's own logprobs")
    )
    notes = [note]
    if unknown:
        total = sum(len(row.tokens) for row in joined) + unknown
        notes.append(
            f"{unknown} of {total} tokens were not compared: they are not among the most likely ones, "
            "and the engine returns logprobs of no others"
        )
    return judge_claims(Recording(header, joined), options, kinds, key, tuple(notes))


def _of_tokens(row: Row, at: Sequence[int]) -> Row:
    """The row with the tokens at these places alone."""
    if len(at) == len(row.tokens):
        return row

    def of(values: Sequence[Any] | None) -> list[Any] | None:
        return None if values is None else [values[index] for index in at]

    scores = {
        name: Scores(logp=of(each.logp) or [], entropy=of(each.entropy), varentropy=of(each.varentropy))
        for name, each in (row.scores or {}).items()
    }
    own = ("tokens", "logprobs", "versions", "advantages", "support", "entropy", "varentropy")
    return row.model_copy(update={**{name: of(getattr(row, name)) for name in own}, "scores": scores})


def judge_claims(
    a: Recording,
    options: CompareOptions,
    kinds: dict[str, int] | None = None,
    key: str = "trainer",
    notes: tuple[str, ...] = (),
) -> SmokeVerdict:
    """Logprobs of both sides without columns: D, b where there are entropies, k3, out."""
    if a.header.protocol == "dump" and a.rows and all(v is None for row in a.rows for v in row.logprobs):
        raise UsageError(
            f"{a.header.source or 'the dump'} has no rollout logprobs",
            remedy=f"add them as one of {', '.join(NAMES['rollout'])}; or compare a recording with the dump: compare REC DUMP",
        )
    rows, found = valid(a.rows)
    found = {**found, **(kinds or {})}
    if found or not rows:
        return _invalid(a, found or {"empty-recording": 1}, rows)
    if a.header.sampling.get(USER) and a.header.contract(USER).blind:
        return refused(
            "at T = 1 without truncation (or greedy) raw and processed logprobs are the same",
            a,
            "record with a temperature other than 1, or with --probe",
        )
    rows, mixed = _apart(rows)
    data = Against.column(rows, key)
    numbers = data.estimates()
    tokens = sum(len(row.tokens) for row in rows)
    columns: dict[str, str | None] = {"reported": None, "sampled": None, "claimed": key}
    if numbers is None:
        return SmokeVerdict(
            "fail", Blame(None, (), ("no token is in the claimed support",)), {}, columns, len(rows), tokens, {}
        )
    limits = margins_for(a.header, tokens, options)
    metrics = measure(numbers, limits)
    if key == "step" and "b" in metrics and metrics["b"].gate == "inconclusive":
        metrics["b"] = metrics["b"]._replace(gate=None)  # whose tokens these are, their own run decides
    decision, more = _decide(metrics, numbers)
    decision, few, enough = _sufficient(decision, numbers, len(rows))
    more += few
    blame = Blame()
    if decision == "fail":
        gates = {name: metric.gate for name, metric in metrics.items() if metric.gate}
        blame = attribute(Comparison(data, numbers, gates, limits, None, None))
        blame = _step_blame(blame, numbers, key)
    elif not _shift_fails(data, numbers):
        decision, more = "inconclusive", [*more, "positive control: logprobs shifted by one token do not fail either"]
    else:
        more = [*more, "positive control: logprobs shifted by one token fail, as they should"]
    beside, shown = _shown(a.header, data, Against.column(mixed, key) if mixed else None, options.loss)
    metrics |= beside
    more = [*a.header.notes, *more, *shown]
    needed = _needed(metrics, tokens, enough) if decision == "inconclusive" else None
    return SmokeVerdict(
        decision, blame, metrics, columns, len(rows), tokens, {}, (*notes, *more, *_limits(limits, decision)), needed
    )


def _step_blame(blame: Blame, numbers: Estimates, key: str) -> Blame:
    """Engine against engine, a law that moved by more than noise is the meaning of a logprob."""
    if key != "step" or blame.layer not in ("semantic", None) or not numbers.interpretable:
        return blame
    side = "lower" if numbers.mean_x < 0 else "higher"
    return Blame(
        "semantic",
        ("logprobs-semantics",),
        (f"the other engine gives the same tokens {side} logprobs ({numbers.mean_x:+.3f} nats each)",),
        "score both recordings with --model, to see which column each reported",
    )


def _shift_fails(data: Against, numbers: Estimates) -> bool:
    return evidence.shifted(data, 1) > 3 * numbers.mean_abs + 1e-6
