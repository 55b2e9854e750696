"""Verdicts: each fault made on purpose with the torch engine, and found."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

from vllm_migrate.errors import UsageError
from vllm_migrate.smoke.compare import CompareOptions
from vllm_migrate.smoke.judge import compare
from vllm_migrate.smoke.preview import Loss
from vllm_migrate.smoke.recording import Header, Recording, Row, Scores, read

PROCESSED = {"logprobs_mode": "processed_logprobs"}


@pytest.fixture(scope="module")
def healthy(lab: SimpleNamespace) -> Any:
    return lab.scored(lab.run(lab.job(lab.model, **PROCESSED)), lab.model)


@pytest.fixture(scope="module")
def raw(lab: SimpleNamespace) -> Any:
    return lab.scored(lab.run(lab.job(lab.model)), lab.model)


def test_the_real_recordings_give_their_known_truths(shared: Path, lab: SimpleNamespace) -> None:
    found = {
        name: compare(lab.scored(read(shared / f"qwen2-tiny_vllm-{name}.json"), lab.model))
        for name in ("0.8.5_v0", "0.18.1_raw", "0.18.1_processed")
    }
    assert [v.decision for v in found.values()] == ["pass", "fail", "pass"]
    wrong = found["0.18.1_raw"]
    assert (wrong.blame.layer, wrong.blame.suspects) == ("semantic", ("logprobs-semantics",))
    assert wrong.metrics["mean_ratio"].value == pytest.approx(1.87, abs=0.01)
    assert wrong.columns == {"reported": "raw", "sampled": "T+k+p", "claimed": "T+k+p"}
    assert wrong.metrics["mean_x"].value == pytest.approx(0.583, abs=1e-3)
    right = found["0.18.1_processed"]
    assert right.metrics["mean_ratio"].value == pytest.approx(1.0, abs=1e-5)
    assert right.metrics["k3"].value < 1e-10


def test_a_token_whose_logprob_is_not_given_is_not_outside(lab: SimpleNamespace) -> None:
    """vLLM gives the logprobs of the likely tokens: without truncation a rare token is unknown, and no fault."""
    free = {"temperature": 0.7, "top_p": 1.0, "top_k": -1}
    old = lab.run(lab.job(lab.model, sampling=free, logprobs_mode="processed_logprobs"))
    sequences = [{"prompt": row.prompt, "tokens": row.tokens, "contract": "user"} for row in old.rows]
    step = lab.run(
        lab.job(lab.model, mode="step", sampling=free, sequences=sequences, logprobs_mode="processed_logprobs")
    )
    for row in step.rows:
        row.logprobs[::9] = [None] * len(row.logprobs[::9])
    verdict = compare(old, step)
    assert (verdict.decision, verdict.metrics["out"].value) == ("pass", 0.0), verdict
    assert any("tokens were not compared" in note for note in verdict.notes)
    for row in step.rows:
        row.logprobs[::9] = [-math.inf] * len(row.logprobs[::9])
    verdict = compare(old, step)
    assert verdict.decision == "fail" and verdict.metrics["out"].value > 0.1


def test_step_scoring_by_a_raw_engine_gives_the_known_ratio(shared: Path, lab: SimpleNamespace) -> None:
    """Protocol B on the tokens 0.8.5 drew: 0.571 against the new release's raw logprobs."""
    old = read(shared / "qwen2-tiny_vllm-0.8.5_v0.json")
    sequences = [{"prompt": r.prompt, "tokens": r.tokens, "contract": "user"} for r in old.rows]
    for mode, ratio, decision in (("raw", 0.571, "fail"), ("processed", 1.0, "pass")):
        step = lab.run(lab.job(lab.model, mode="step", sequences=sequences, logprobs_mode=f"{mode}_logprobs"))
        verdict = compare(old, step)
        assert verdict.metrics["mean_ratio"].value == pytest.approx(ratio, abs=1e-3)
        assert verdict.decision == decision
        if decision == "fail":
            assert (verdict.blame.layer, verdict.blame.suspects) == ("semantic", ("logprobs-semantics",))


def test_a_healthy_run_passes_and_says_what_it_does_not_show(healthy: Recording) -> None:
    verdict = compare(healthy)
    assert (verdict.decision, verdict.exit_code, verdict.blame.layer) == ("pass", 0, None)
    assert any("positive control: column raw fails" in note for note in verdict.notes)
    assert "This does not show that training curves will match." in verdict.notes


def test_raw_logprobs_fail(raw: Recording) -> None:
    verdict = compare(raw)
    assert (verdict.decision, verdict.exit_code) == ("fail", 1)
    assert verdict.blame.suspects == ("logprobs-semantics",)


def test_raw_on_both_sides_is_seen_through_what_was_sampled(raw: Recording) -> None:
    verdict = compare(raw, options=CompareOptions(claims="raw"))
    assert verdict.metrics["D"].gate == "pass"
    assert (verdict.decision, verdict.blame.suspects) == ("fail", ("logprobs-semantics",))
    assert verdict.columns == {"reported": "raw", "sampled": "T+k+p", "claimed": "raw"}


@pytest.mark.parametrize(("claims", "suspect"), [("raw", "trainer-temperature"), ("T", "truncation-bias")])
def test_a_trainer_that_forgets_part_of_the_contract(claims: Any, suspect: str, healthy: Recording) -> None:
    verdict = compare(healthy, options=CompareOptions(claims=claims))
    assert (verdict.decision, verdict.blame.layer, verdict.blame.suspects) == ("fail", "semantic", (suspect,))


def test_min_p_in_the_other_order(lab: SimpleNamespace) -> None:
    work = lab.job(
        lab.model,
        sampling={"temperature": 1.0, "min_p": 0.04, "top_k": -1, "top_p": 0.9},
        order="v0",
        logprobs_mode="processed_logprobs",
    )
    recording = lab.run(work)
    assert compare(lab.scored(recording, lab.model)).decision == "pass"
    effective = {**recording.header.effective, "order": "v1"}
    as_v1 = Recording(recording.header.model_copy(update={"effective": effective}), recording.rows)
    verdict = compare(lab.scored(as_v1, lab.model))
    assert (verdict.decision, verdict.blame.suspects) == ("fail", ("min-p-order",))


def test_parameters_inherited_from_generation_config(lab: SimpleNamespace, tmp_path: Path) -> None:
    model = lab.make_model(tmp_path / "m")
    (model / "generation_config.json").write_text('{"repetition_penalty": 1.4, "top_k": 5}')
    recording = lab.run(lab.job(model, sampling={"repetition_penalty": 1.4}, **PROCESSED))
    asked = {"temperature": 0.7, "top_p": 0.9, "top_k": 20, "max_tokens": 48}
    unaware = Recording(recording.header.model_copy(update={"sampling": {"user": asked}}), recording.rows)
    verdict = compare(lab.scored(unaware, model))
    assert (verdict.decision, verdict.blame.layer, verdict.blame.suspects) == (
        "fail",
        "semantic",
        ("sampling-defaults-inherited",),
    )


def test_unequal_heads_are_numerics_and_equal_ones_pass(lab: SimpleNamespace) -> None:
    recording = lab.run(lab.job(lab.model, head_dtype="bfloat16", **PROCESSED))
    unequal = compare(lab.scored(recording, lab.model))
    assert (unequal.decision, unequal.blame.layer, unequal.blame.suspects) == ("fail", "numerics", ("fp32-lm-head",))
    assert unequal.metrics["head_ratio"].gate == "fail"
    assert any(note.startswith("head: bfloat16 fits the engine better than the trainer's") for note in unequal.notes)
    equal = compare(lab.scored(recording, lab.model, head_dtype="bfloat16"))
    assert equal.decision == "pass"
    for verdict in (unequal, equal):
        assert any(note.startswith("head: the engine's head is in bfloat16 (") for note in verdict.notes)
        assert verdict.metrics["head_rounding"].value > 0.9


def test_an_engine_that_does_not_round_is_seen_whatever_head_the_trainer_claims(lab: SimpleNamespace) -> None:
    recording = lab.run(lab.job(lab.model, **PROCESSED))
    verdict = compare(lab.scored(recording, lab.model, head_dtype="bfloat16"))
    assert any(note.startswith("head: the engine's head is in float32 (") for note in verdict.notes)
    assert abs(verdict.metrics["head_rounding"].value) < 0.1


def test_bfloat16_passes_at_its_own_margins(lab: SimpleNamespace, tiny_bf16: Path) -> None:
    for order in ("v0", "v1"):
        verdict = compare(lab.scored(lab.run(lab.job(tiny_bf16, order=order, **PROCESSED)), tiny_bf16))
        assert verdict.decision == "pass", verdict.metrics
        assert any("bf16 tiny model" in note for note in verdict.notes)


def test_other_weights_are_a_set_that_one_column_cannot_tell_apart(
    lab: SimpleNamespace, healthy: Recording, tmp_path: Path
) -> None:
    other = lab.scored(Recording(healthy.header, healthy.rows), lab.make_model(tmp_path / "m", perturb=0.2))
    verdict = compare(other)
    assert verdict.decision == "fail"
    assert "stale-weights" in verdict.blame.suspects
    assert len(verdict.blame.suspects) > 1
    assert verdict.blame.decide


def test_logprobs_shifted_by_one_token(healthy: Recording) -> None:
    rows = [row.model_copy(update={"logprobs": [-0.5, *row.logprobs[:-1]]}) for row in healthy.rows]
    verdict = compare(Recording(healthy.header, rows))
    assert (verdict.decision, verdict.blame.suspects) == ("fail", ("token-alignment",))


@pytest.mark.parametrize("sampling", [{"temperature": 0.0}, {"temperature": 1.0, "top_p": 1.0, "top_k": -1}])
def test_blind_evidence_is_refused(sampling: dict[str, Any], lab: SimpleNamespace) -> None:
    verdict = compare(
        lab.scored(lab.run(lab.job(lab.model, sampling={**sampling, "max_tokens": 8}, count=4)), lab.model)
    )
    assert (verdict.decision, verdict.exit_code) == ("inconclusive", 4)
    assert "refused as evidence" in verdict.blame.reasons[0]
    assert "--probe" in verdict.blame.decide


def test_prompt_logprobs_are_refused(healthy: Recording) -> None:
    recording = Recording(healthy.header.model_copy(update={"protocol": "prompt_logprobs"}), healthy.rows)
    assert compare(recording).decision == "inconclusive"


def test_no_rows_and_broken_rows_are_invalid(healthy: Recording) -> None:
    rows = [healthy.rows[0].model_copy(update={"finish": "abort"}), *healthy.rows[1:]]
    verdict = compare(Recording(healthy.header, rows))
    assert (verdict.decision, verdict.exit_code, verdict.invalid) == ("invalid", 1, {"aborted": 1})
    assert (verdict.blame.layer, verdict.blame.suspects) == ("weight-update", ("inflight-weight-update",))
    assert compare(Recording(healthy.header, [])).decision == "invalid"


def test_the_first_row_that_is_no_evidence_is_named(healthy: Recording) -> None:
    rows = [*healthy.rows[:3], healthy.rows[3].model_copy(update={"logprobs": [float("nan")] * 48}), *healthy.rows[4:]]
    assert compare(Recording(healthy.header, rows)).notes == ("nan-logprob: first in row 4 of 16",)


def test_rows_of_a_contract_that_the_header_does_not_have(healthy: Recording) -> None:
    rows = [healthy.rows[0].model_copy(update={"contract": "other"}), *healthy.rows[1:]]
    assert compare(Recording(healthy.header, rows)).invalid == {"unknown-contract": 1}


def test_a_row_without_scores_is_named(healthy: Recording) -> None:
    rows = [healthy.rows[0], healthy.rows[1].model_copy(update={"scores": None}), *healthy.rows[2:]]
    with pytest.raises(UsageError, match="row 2 of 16 has no scores"):
        compare(Recording(healthy.header, rows))


def test_prompts_that_differ_between_the_runs_are_invalid(healthy: Recording) -> None:
    lost_bos = [row.model_copy(update={"prompt": row.prompt[1:]}) for row in healthy.rows]
    verdict = compare(healthy, Recording(healthy.header, lost_bos))
    assert verdict.invalid == {"unequal-prompt": 16}
    assert verdict.blame.suspects == ("chat-template",)


def test_few_tokens_are_inconclusive_and_say_how_many_are_needed(lab: SimpleNamespace, tiny_bf16: Path) -> None:
    recording = lab.run(lab.job(tiny_bf16, sampling={"max_tokens": 8}, count=3, **PROCESSED))
    verdict = compare(lab.scored(recording, tiny_bf16))
    assert verdict.decision == "inconclusive"
    assert verdict.tokens_needed is not None and verdict.tokens_needed > 24


def test_swapped_recordings_are_pointed_out(healthy: Recording) -> None:
    """Which of two recordings is judged is told by their order."""
    old = Recording(healthy.header.model_copy(update={"vllm": "0.8.5"}), healthy.rows)
    new = Recording(healthy.header.model_copy(update={"vllm": "0.18.1"}), healthy.rows)
    said = "A is from vLLM 0.8.5, B from 0.18.1: A is judged, B is the reference"
    assert said in compare(old, new).notes
    assert not any(note.startswith("A is of") for note in compare(new, old).notes)


def test_the_reference_run_bounds_the_spread(lab: SimpleNamespace, tiny_bf16: Path) -> None:
    quiet = lab.scored(lab.run(lab.job(tiny_bf16, **PROCESSED)), tiny_bf16)
    noisy = [
        row.model_copy(update={"logprobs": [v - (0.15 if i % 2 else -0.15) for i, v in enumerate(row.logprobs)]})
        for row in quiet.rows
    ]
    noisy = [row.model_copy(update={"logprobs": [min(0.0, v) for v in row.logprobs]}) for row in noisy]
    assert compare(quiet, quiet).metrics["k3_ratio"].gate == "pass"
    assert compare(Recording(quiet.header, noisy), quiet).metrics["k3_ratio"].gate == "fail"


def test_a_reference_without_scores_is_said(healthy: Recording) -> None:
    bare = Recording(healthy.header.model_copy(update={"score": None}), healthy.rows)
    verdict = compare(healthy, bare)
    assert verdict.decision == "pass"
    assert "k3_ratio" not in verdict.metrics
    assert any(note.startswith("the reference has no scores") for note in verdict.notes)


def test_unknown_columns_and_missing_scores_are_usage_errors(healthy: Recording, lab: SimpleNamespace) -> None:
    with pytest.raises(UsageError, match="no column 'T\\+z' in this recording"):
        compare(healthy, options=CompareOptions(claims="T+z"))
    with pytest.raises(UsageError, match="no scores"):
        compare(lab.run(lab.job(lab.model, count=2)))


def test_clip_previews_use_the_epsilon_given(raw: Recording) -> None:
    wide = compare(raw, options=CompareOptions(loss=Loss((0.5, 5.0), (0.5, 5.0)))).metrics
    narrow = compare(raw).metrics
    assert wide["clip_token_high"].value < narrow["clip_token_high"].value
    assert narrow["clip_sequence_high"].value == 1.0
    assert wide["clip_sequence_high"].value == 0.0


def test_the_json_contract(raw: Recording) -> None:
    found = compare(raw).json()
    assert set(found) >= {
        "schema",
        "verdict",
        "layer",
        "suspects",
        "metrics",
        "columns",
        "n_sequences",
        "n_tokens",
        "invalid",
    }
    assert (found["schema"], found["verdict"], found["n_sequences"], found["n_tokens"]) == (1, "fail", 16, 768)
    assert set(found["metrics"]["D"]) == {"value", "low", "high", "margin", "gate"}


def test_a_probe_shows_what_t_1_cannot(lab: SimpleNamespace) -> None:
    """A T = 1 contract on a raw engine: the user's rows agree, the probe's fail."""
    for mode, decision in (("raw_logprobs", "fail"), ("processed_logprobs", "pass")):
        plain = lab.job(lab.model, sampling={"temperature": 1.0, "top_p": 1.0, "top_k": -1}, logprobs_mode=mode)
        probe = {"temperature": 0.7, "top_p": 0.9, "top_k": 20, "max_tokens": 48}
        work = plain._replace(
            contracts={**plain.contracts, "probe": probe},
            requests=[*plain.requests, *({**r, "contract": "probe"} for r in plain.requests)],
        )
        verdict = compare(lab.scored(lab.run(work), lab.model))
        assert verdict.decision == decision
        assert any("probe at temperature 0.7" in note for note in verdict.notes)
        assert verdict.metrics["D"].gate == "pass"
        assert verdict.metrics["probe_D"].gate == decision
        assert verdict.blame.suspects == (("logprobs-semantics",) if decision == "fail" else ())


def dump_of(recording: Recording, logps: Any, **fields: Any) -> Any:
    rows = [
        Row(prompt=r.prompt, tokens=r.tokens, logprobs=r.logprobs, scores={"trainer": Scores(logp=a, **fields)})
        for r, a in zip(recording.rows, logps, strict=True)
    ]
    return Recording(Header(protocol="dump", effective={"dtype": "float32"}), rows)


def test_a_trainers_dump_needs_no_model(healthy: Recording) -> None:
    agreed = dump_of(healthy, [r.scores["T+k+p"].logp for r in healthy.rows])
    assert compare(agreed).decision == "pass"
    forgot = dump_of(healthy, [r.scores["raw"].logp for r in healthy.rows])
    verdict = compare(forgot)
    assert (verdict.decision, verdict.blame.layer) == ("fail", "semantic")
    assert len(verdict.blame.suspects) > 1  # without columns the data cannot tell these apart
    joined = compare(Recording(healthy.header, [r.model_copy(update={"scores": None}) for r in healthy.rows]), agreed)
    assert joined.decision == "pass"


def test_a_dump_of_greedy_tokens_shows_nothing() -> None:
    rows = [
        Row(prompt=[i], tokens=[1] * 9, logprobs=[0.0] * 9, scores={"trainer": Scores(logp=[0.0] * 9)})
        for i in range(20)
    ]
    assert compare(Recording(Header(protocol="dump"), rows)).decision == "inconclusive"


def test_what_a_trainer_should_know_is_said(healthy: Recording) -> None:
    """Stop tokens belong in the loss mask; a rollout capped by max_model_len is a token shorter on V1."""
    rows = [row.model_copy(update={"finish": "stop" if i < 5 else "length"}) for i, row in enumerate(healthy.rows)]
    capped = len(rows[0].prompt) + len(rows[0].tokens)
    header = healthy.header.model_copy(update={"effective": {**healthy.header.effective, "max_model_len": capped}})
    notes = compare(Recording(header, rows)).notes
    assert any(note.startswith("5 of 16 sequences end in a stop token") for note in notes)
    assert any(note.startswith(f"11 sequences were cut off at max_model_len ({capped})") for note in notes)
    assert not any("stop token" in note or "cut off" in note for note in compare(healthy).notes)


def test_clips_are_previewed_for_the_configs_own_loss(healthy: Recording) -> None:
    """What the header holds of the config's loss counts where the command line says nothing."""
    header = healthy.header.model_copy(update={"loss": {"epsilon_low": 0.01, "epsilon_high": 0.03, "length": 4096}})
    metrics = compare(Recording(header, healthy.rows)).metrics
    assert (metrics["clip_token_low"].margin, metrics["clip_token_high"].margin) == (0.01, 0.03)
    assert "clip_sequence_low_at_length" in metrics
    given = compare(Recording(header, healthy.rows), options=CompareOptions(loss=Loss((0.5, 0.5)))).metrics
    assert given["clip_token_low"].margin == 0.5
    assert "clip_sequence_low_at_length" not in compare(healthy).metrics
