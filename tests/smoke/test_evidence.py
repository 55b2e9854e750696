"""Shapes of a disagreement: along the sequence, between weight versions; on simulated recordings and on a tiny model."""

from __future__ import annotations

import json
import math
import random
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vllm_migrate.smoke import evidence
from vllm_migrate.smoke.evidence import Against
from vllm_migrate.smoke.judge import compare
from vllm_migrate.smoke.recording import Header, Recording, Row, Scores

FLAT = [1.0] * 10
FALLING = [1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.09, 0.06, 0.05]
GROWING = FALLING[::-1]


def rows(
    shape: list[float], *, spread: float = 0.3, sequences: int = 24, tokens: int = 100, seed: int = 0, **fields: Any
) -> list[Row]:
    """Sequences whose log ratios have E[r] = 1 and the spread `spread` times `shape` in each tenth."""
    draw = random.Random(seed)
    found = []
    for i in range(sequences):
        told: list[float | None] = [-draw.uniform(0.2, 3.0) for _ in range(tokens)]
        s = [spread * shape[10 * t // tokens] for t in range(tokens)]
        logp: list[float | None] = [(v or 0) + draw.gauss(-d * d / 2, d) for v, d in zip(told, s, strict=True)]
        ids = [draw.randrange(50_000) for _ in range(tokens)]
        found.append(Row(prompt=[i], tokens=ids, logprobs=told, scores={"trainer": Scores(logp=logp)}, **fields))
    return found


def dump(found: list[Row]) -> Recording:
    return Recording(Header(protocol="dump", effective={"dtype": "bfloat16", "hidden_size": 4096}), found)


def test_each_tenth_has_its_own_spread() -> None:
    """k3 of a log-normal ratio is half its variance."""
    data = Against.column(rows(FALLING, sequences=60, tokens=200), "trainer")
    tenths = evidence.k3_by_decile(data)
    assert len(tenths) == 10
    for value, shape in zip(tenths, FALLING, strict=True):
        true = (0.3 * shape) ** 2 / 2
        assert value.value == pytest.approx(true, rel=0.12)
        assert value.low < value.value < value.high


def test_tenths_add_up_to_the_whole() -> None:
    data = Against.column(rows(FLAT), "trainer")
    assert sum(t.value for t in evidence.k3_by_decile(data)) / 10 == pytest.approx(data.estimates().k3.value)


def test_sequences_shorter_than_ten_tokens_have_no_tenths() -> None:
    data = Against.column(rows(FLAT, tokens=7), "trainer")
    assert evidence.k3_by_decile(data) == []
    assert not any(name.startswith("k3_decile") for name in compare(dump(data.rows)).metrics)


@pytest.mark.parametrize(
    ("shape", "layer", "suspects", "word"),
    [(FALLING, "semantic", ("chat-template",), "falls"), (GROWING, "numerics", ("rope-scaling",), "grows")],
)
def test_a_trend_along_the_sequence_is_named(shape: Any, layer: Any, suspects: Any, word: Any) -> None:
    verdict = compare(dump(rows(shape, spread=0.7)))
    assert (verdict.decision, verdict.blame.layer, verdict.blame.suspects) == ("fail", layer, suspects)
    assert word in verdict.blame.reasons[0]
    first, last = (verdict.metrics[f"k3_decile_{tenth}"].value for tenth in (1, 10))
    assert f"{first:.2g}" in verdict.blame.reasons[0]
    assert (first > last) == (word == "falls")


def test_noise_that_is_even_along_the_sequence_is_no_trend() -> None:
    for seed in range(5):
        verdict = compare(dump(rows(FLAT, spread=0.4, seed=seed)))
        assert verdict.decision == "fail"
        assert verdict.blame.suspects[0] not in ("chat-template", "rope-scaling")


@pytest.fixture(scope="module")
def long(lab: SimpleNamespace) -> Any:
    pytest.importorskip("torch")
    return lab.run(lab.job(lab.model, sampling={"max_tokens": 120}, logprobs_mode="processed_logprobs"))


def test_a_lost_bos_falls(long: Recording, lab: SimpleNamespace) -> None:
    """The trainer sees the prompt without its first token."""
    lost = [row.model_copy(update={"prompt": row.prompt[1:]}) for row in long.rows]
    verdict = compare(lab.scored(Recording(long.header, lost), lab.model))
    assert (verdict.decision, verdict.blame.layer, verdict.blame.suspects) == ("fail", "semantic", ("chat-template",))


def test_another_rope_grows(long: Recording, lab: SimpleNamespace, tmp_path: Path) -> None:
    """The trainer's rope_theta is 10 % smaller than the rollout's."""
    other = tmp_path / "rope"
    shutil.copytree(lab.model, other)
    config = json.loads((other / "config.json").read_text())
    config["rope_theta"] = 9000.0
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": 9000.0}
    (other / "config.json").write_text(json.dumps(config))
    verdict = compare(lab.scored(long, other))
    assert (verdict.decision, verdict.blame.layer, verdict.blame.suspects) == ("fail", "numerics", ("rope-scaling",))


def test_sequences_of_mixed_versions_are_kept_apart() -> None:
    good = rows(FLAT, spread=0.02, versions=[3] * 100)
    mixed = rows(FLAT, spread=0.9, sequences=6, seed=1, versions=[3] * 40 + [4] * 60)
    verdict = compare(dump([*good, *mixed]))
    assert verdict.decision == "pass"
    assert (verdict.n_sequences, verdict.n_tokens) == (24, 2400)
    assert verdict.metrics["k3_mixed_versions"].value > 10 * verdict.metrics["k3"].value
    assert verdict.metrics["k3_mixed_versions"].gate is None
    assert any(note.startswith("6 sequences with tokens from more than one weight version") for note in verdict.notes)


def test_where_every_sequence_is_mixed_they_are_judged() -> None:
    verdict = compare(dump(rows(FLAT, spread=0.9, versions=[1] * 50 + [2] * 50)))
    assert (verdict.decision, verdict.n_sequences) == ("fail", 24)
    assert "k3_mixed_versions" not in verdict.metrics


def test_one_version_that_disagrees_is_stale() -> None:
    fresh = rows(FLAT, spread=0.02, versions=["new"] * 100)
    stale = rows(FLAT, spread=0.5, seed=1, versions=["old"] * 100)
    verdict = compare(dump([*fresh, *stale]))
    assert (verdict.decision, verdict.blame.layer) == ("fail", "weight-update")
    assert verdict.blame.suspects == ("stale-weights", "inflight-weight-update")
    assert verdict.blame.reasons[0].startswith("sequences of weight version old disagree")
    assert "weight versions: new, old" in verdict.notes


def test_versions_that_agree_alike_are_blamed_for_nothing() -> None:
    noisy = [*rows(FLAT, spread=0.4, versions=["a"] * 100), *rows(FLAT, spread=0.4, seed=1, versions=["b"] * 100)]
    assert compare(dump(noisy)).blame.layer != "weight-update"


def test_k3_does_not_overflow() -> None:
    assert math.isfinite(evidence.k3(800.0))
    assert evidence.k3(0.0) == 0.0
