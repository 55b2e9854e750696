"""The in-flight weight update probe, on the torch engine and on recordings of real vLLM."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

from vllm_migrate.errors import UsageError
from vllm_migrate.smoke.compare import Options
from vllm_migrate.smoke.recording import Header, Recording, Row
from vllm_migrate.smoke.update import Probe, job_fields, judge_update, perturb

PROBE = Probe(prompts=4, prompt=40, tokens=24, inflight=40, switch_after=12)
KEEP = {"mode": "keep", "clear_cache": False}


@pytest.fixture(scope="module")
def probe(lab: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Any:
    weights = perturb(str(lab.model), str(tmp_path_factory.mktemp("updated")), 0.2, seed=1)

    def run(pause: dict[str, Any], **args: Any) -> Any:
        fields = job_fields(PROBE, weights, pause, 1024, seed=0)
        args = {"logprobs_mode": "processed_logprobs", **args}
        work = lab.job(lab.model, mode="update", update=fields, **args)
        return judge_update(lab.scored(lab.run(work), lab.model, updated=weights), Options())

    return run


def test_a_kept_cache_is_stale(probe: Callable[..., Any]) -> None:
    verdict = probe(KEEP)
    assert (verdict.decision, verdict.blame.layer) == ("fail", "weight-update")
    assert verdict.blame.suspects == ("prefix-caching-default", "inflight-weight-update")
    assert "stale cache" in verdict.blame.reasons[0]
    assert any("old keys and values, as on V0" in note for note in verdict.notes)


def test_without_the_prefix_cache_the_update_is_clean(probe: Callable[..., Any]) -> None:
    verdict = probe(KEEP, enable_prefix_caching=False)
    assert (verdict.decision, verdict.blame.layer) == ("pass", None)


def test_clearing_the_cache_preempts_the_running_request(probe: Callable[..., Any]) -> None:
    verdict = probe({"mode": "keep", "clear_cache": True})
    assert verdict.decision == "pass"
    assert any("preempted and recomputed" in note for note in verdict.notes)


def test_aborting_is_a_fail(probe: Callable[..., Any]) -> None:
    verdict = probe({"mode": "abort", "clear_cache": True})
    assert (verdict.decision, verdict.blame.suspects) == ("fail", ("inflight-weight-update",))
    assert verdict.blame.reasons == ("aborted: the running request ended after 12 tokens",)


def test_a_lost_update_is_told_from_a_stale_cache(probe: Callable[..., Any]) -> None:
    verdict = probe(KEEP, enable_prefix_caching=False, lose_update=True)
    assert (verdict.decision, verdict.blame.layer) == ("fail", "weight-update")
    assert "lost update" in verdict.blame.reasons[0]


def test_an_update_of_raw_logprobs_is_judged_all_the_same(probe: Callable[..., Any]) -> None:
    """Which logprobs are reported is another question: the probe finds the column before the update."""
    assert probe(KEEP, enable_prefix_caching=False, logprobs_mode="raw_logprobs").columns["reported"] == "raw"


@pytest.mark.parametrize("name", ["on", "off"])
def test_recordings_of_real_vllm(name: str, shared: Path, lab: SimpleNamespace, tiny_updated: Path) -> None:
    """0.18.1, keep with clear_cache=False: stale with the prefix cache on, clean with it off."""
    data = json.loads((shared / f"weight-update_0.18.1_prefix-cache-{name}_keep.json").read_text())
    sampling = {"temperature": 0.7, "top_p": 0.9, "top_k": 20}
    header = Header(
        protocol="update",
        engine="v1",
        vllm="0.18.1",
        sampling={"user": sampling},
        effective={"dtype": "float32"},
        update={"pause": KEEP},
    )
    prompts = {
        "A1": data["prompt"],
        "A2": data["prompt"],
        "inflight": data["other"],
        "B_after": data["prompt"],
        "B_other": data["prompt"][::-1],
    }
    phases = {"A1": "before", "A2": "cached", "inflight": "inflight", "B_after": "after", "B_other": "other"}
    rows = [
        Row(prompt=prompts[key], tokens=data[key][0], logprobs=data[key][1], cached=data[key][2], phase=phase)
        for key, phase in phases.items()
    ]
    old = lab.scored(Recording(header.model_copy(update={"protocol": "samples"}), rows), lab.model).rows[2]
    met = [a is not None and abs(a - b) < 1e-4 for a, b in zip(old.scores["T+k+p"].logp, old.logprobs, strict=True)]
    rows[2] = rows[2].model_copy(update={"switch": met.index(False)})
    verdict = judge_update(lab.scored(Recording(header, rows), lab.model, updated=tiny_updated), Options())
    assert any("old keys and values, as on V0" in note for note in verdict.notes)
    if name == "on":
        assert (verdict.decision, verdict.blame.layer) == ("fail", "weight-update")
        assert "stale cache" in verdict.blame.reasons[0]
    else:
        assert verdict.decision == "pass"
        assert verdict.metrics["mean_abs_x"].value < 1e-5


def test_a_small_update_is_refused(lab: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be told from bfloat16 noise"):
        perturb(str(lab.model), str(tmp_path), 0.001, seed=1)


def test_a_perturbed_checkpoint_is_reproducible_and_near(lab: SimpleNamespace, tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    one, two = (perturb(str(lab.model), str(tmp_path / name), 0.02, seed=3) for name in "ab")
    old, new, again = (safetensors.load_file(f"{folder}/model.safetensors") for folder in (lab.model, one, two))
    name = "lm_head.weight"
    assert (new[name] == again[name]).all()
    change = ((new[name] - old[name]) / old[name]).std().item()
    assert change == pytest.approx(0.02, rel=0.05)
    assert json.loads((tmp_path / "a" / "config.json").read_text())["vocab_size"] == 1024


def test_an_update_needs_both_sets_of_weights(lab: SimpleNamespace) -> None:
    with pytest.raises(UsageError, match="old and on the new weights"):
        judge_update(Recording(Header(protocol="update"), []), Options())
