"""Pins taken away in turn: which settings are pins, what each buys, and what is shown of it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.errors import UsageError
from vllm_migrate.smoke.ablate import MEANING, Ablation, Outcome, Probes, ablate, as_json, exit_code, ladder
from vllm_migrate.smoke.ladder import EFFECTS, page
from vllm_migrate.smoke.pins import Pin, pins_of
from vllm_migrate.smoke.recording import Header, Recording
from vllm_migrate.smoke.source import SmokeEngine, load_engine
from vllm_migrate.smoke.verdict import Blame, Decision, Metric, SmokeVerdict

PIPELINERL = """\
llm:
  parameters: {max_tokens: 48, temperature: 0.7, top_p: 0.9, top_k: 20}
vllm_config:
  use_v1: false
  vllm_kwargs:
    dtype: float32
    max-model-len: 512
"""


def read(path: Path, *, fixed: bool = False) -> tuple[SmokeEngine, dict[str, Pin]]:
    spec = load_engine(str(path), "0.18.1", fixed=fixed)
    found = pins_of(str(path), spec, "0.18.1", None, "0.8.5", fixed)
    return spec, {pin.option: pin for pin in found}


def test_the_pins_of_a_fix_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "base.yaml"
    path.write_text(PIPELINERL)
    spec, pins = read(path, fixed=True)
    assert pins["logprobs_mode"][1:4] == ("processed_logprobs", "raw_logprobs", "semantic")
    assert pins["async_scheduling"][1:4] == (False, True, "inference-path")
    assert pins["enable_prefix_caching"].value is False
    assert (pins["pause.mode"].value, pins["pause.mode"].without) == ("keep", "abort")
    assert not {"dtype", "max_model_len"} & set(pins)
    for option, pin in pins.items():
        assert option not in pin.engine.engine_args
        assert set(spec.engine_args) - set(pin.engine.engine_args) == set() if "." in option else {option}
    assert read(path)[1].keys() == {"pause.mode", "pause.clear_cache"}, "the file as it is has no others"


def test_the_pins_that_a_file_holds(tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text("model: m\nlogprobs-mode: processed_logprobs\nno-enable-prefix-caching: true\nmax-num-seqs: 64\n")
    _, pins = read(path)
    assert set(pins) == {"logprobs_mode", "enable_prefix_caching"}
    path.write_text("model: m\nlogprobs-mode: raw_logprobs\n")
    assert read(path)[1]["logprobs_mode"].default


def test_what_is_set_on_the_command_line_stays(tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text("model: m\nlogprobs-mode: processed_logprobs\n")
    spec = load_engine(str(path), "0.18.1")
    spec = spec._replace(engine_args={**spec.engine_args, "model": "/elsewhere", "max_num_seqs": 2})
    (pin,) = pins_of(str(path), spec, "0.18.1", None, "0.8.5", False)
    assert pin.engine.engine_args == {"model": "/elsewhere", "max_num_seqs": 2}


def verdict(decision: Decision, **metrics: Metric) -> SmokeVerdict:
    return SmokeVerdict(decision, Blame(None, ("prefix-caching-default",)), metrics, {}, 1, 1, {})


def recording(**effective: Any) -> Recording:
    return Recording(Header(effective=effective), [])


SPEC = SmokeEngine({"model": "m", "good": 1}, {}, {}, "rl_rollout", "c.yaml", "e")
CLIP = Metric(0.01, 0.0, 0.02)


def taken(name: str, layer: str = "semantic", default: bool = False) -> Pin:
    return Pin(name, True, False, layer, SPEC._replace(engine_args={"model": "m", "without": name}), default)


def test_every_effect() -> None:
    """A pin that moves the verdict, one that moves a share alone, and those that show nothing, each for its own reason."""

    def rollout(spec: SmokeEngine) -> tuple[SmokeVerdict, Recording]:
        name = spec.engine_args.get("without")
        if name == "stops":
            raise UsageError("the engine ended\nwith a long story")
        wrong: Decision = "fail" if name == "moves" else "pass"
        clip = Metric(0.4, 0.3, 0.5) if name == "clips" else CLIP
        return verdict(wrong, clip_sequence_low=clip), recording(seed=1 if name == "none" else 0)

    def update(spec: SmokeEngine) -> tuple[SmokeVerdict, Recording]:
        return verdict("fail" if spec.engine_args.get("without") == "stale" else "pass"), recording(seed=0)

    names = ("moves", "clips", "inert", "none", "stops")
    pins = [*map(taken, names), taken("default", default=True), taken("stale", "inference-path")]
    lines: list[str] = []
    found = ablate(SPEC, pins, Probes(rollout, update), lines.append)
    expected = ("moves", "moves", "inert", "none", "stops", "default", "moves")
    assert tuple(row.effect for row in found.rows) == expected
    assert lines[0] == "all pins: rollout pass, update pass" and "without stops: the engine ended" in lines
    assert exit_code(found) == 0
    assert [layer for layer, _ in ladder(found)] == ["semantic", "inference-path"]
    out = as_json(found)
    assert [pin["effect"] for pin in out["pins"]] == list(expected)
    assert out["pins"][4]["error"] == "the engine ended" and out["pins"][6]["update"]["verdict"] == "fail"
    json.dumps(out)
    assert EFFECTS.keys() == MEANING.keys() == {*expected, "unmeasured"}


def test_without_a_checkpoint_no_update_is_probed() -> None:
    probes = Probes(lambda spec: (verdict("pass"), recording()), None)
    found = ablate(
        SPEC, [taken("a", "inference-path"), taken("pause.mode", "weight-update")], probes, lambda line: None
    )
    assert [row.effect for row in found.rows] == ["inert", "unmeasured"]
    assert found.pinned.update is None


def test_the_page_hides_nothing_and_runs_nothing() -> None:
    row = ablate(SPEC, [taken("<b>")], Probes(lambda spec: (verdict("pass"), recording()), None), lambda line: None)
    text = page(row, "Pins of </title><script>")
    assert "<script>" not in text and "&lt;b&gt;=true" in text
    assert page(Ablation(Outcome(None, None, {}), ()), "none").endswith("</html>\n")


def smoke(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["smoke", *map(str, words)])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_the_command(lab: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the torch engine: the mode moves the rollout, the prefix cache the update, the scheduler nothing."""
    pins = {"logprobs_mode": "processed_logprobs", "enable_prefix_caching": False, "async_scheduling": False}
    sampling = {"temperature": 0.7, "top_p": 0.9, "top_k": 20}
    pause = {"mode": "keep", "clear_cache": False}
    config, old = tmp_path / "c.json", tmp_path / "old.jsonl"
    config.write_text(json.dumps({"engine_args": {"order": "v0"}, "sampling": sampling}))
    short = ("--backend", "torch", "--model", lab.model, "--num-prompts", 16, "--max-tokens", 24)
    assert smoke(capsys, "record", config, *short, "-o", old)[0] == 0
    config.write_text(json.dumps({"engine_args": pins, "sampling": sampling, "pause": pause}))
    words = ("run", config, "--reference", old, "--ablate", *short)
    code, out, err = smoke(capsys, *words, "-o", tmp_path / "pins.html", "--output-format", "json")
    assert code == 0, err
    found = {pin["option"]: pin for pin in json.loads(out)["pins"]}
    assert {option: pin["effect"] for option, pin in found.items()} == {
        "logprobs_mode": "moves",
        "enable_prefix_caching": "moves",
        "async_scheduling": "inert",
        "pause.mode": "moves",
        "pause.clear_cache": "none",
    }
    assert found["logprobs_mode"]["rollout"]["suspects"] == ["logprobs-semantics"]
    assert found["enable_prefix_caching"]["rollout"]["verdict"] == "pass"
    assert found["enable_prefix_caching"]["update"]["verdict"] == "fail"
    assert "without logprobs_mode: rollout fail" in err
    assert "What a logprob means" in (tmp_path / "pins.html").read_text()


def test_what_cannot_be_ablated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("run", tmp_path / "c.yaml", "--reference", "r.jsonl", "--ablate")
    assert "a running server keeps its pins" in smoke(capsys, *words, "--base-url", "http://127.0.0.1:1")[2]
    assert "-o FILE.html" in smoke(capsys, *words, "--python", "p", "-o", "r.jsonl")[2]
