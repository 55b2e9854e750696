"""Scripts that hand what they set to another script: its release, its GPU and what it may set besides count."""

from __future__ import annotations

import pytest

from vllm_migrate import effective, lint

TRAIN = (
    'python -m verl.trainer.main_ppo actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.mode=async {} "$@"\n'
)
RUNS = [
    'bash "${ROOT}/scripts/train.sh" actor_rollout_ref.rollout.n=8\n',
    "A=1 \\\nB=2 \\\nbash train.sh \\\n  actor_rollout_ref.rollout.n=8\n",
    "exec bash ./train.sh actor_rollout_ref.rollout.n=8\n",
]


@pytest.mark.parametrize("runs", RUNS)
def test_the_release_that_the_called_script_installs(runs: str) -> None:
    files = {"run.sh": runs, "train.sh": "pip install vllm==0.12.0\n" + TRAIN.format("")}
    for engine in effective(files=files):
        assert engine.situation.source.value == "0.12.0" and "train.sh" in engine.situation.source.because
    deeper = {**files, "middle.sh": runs, "run.sh": runs.replace("train.sh", "middle.sh")}
    assert {engine.situation.source.value for engine in effective(files=deeper)} == {"0.12.0"}


@pytest.mark.parametrize("runs", RUNS)
def test_what_the_called_script_may_set_is_not_known(runs: str) -> None:
    files = {"run.sh": runs, "train.sh": TRAIN.format("actor_rollout_ref.rollout.enforce_eager=True")}
    (engine,) = (engine for engine in effective(files=files) if engine.path == "run.sh")
    row = next(row for row in engine.settings if row.option == "enforce_eager")
    assert "train.sh" in str(row.target.depends_on)
    assert not [f for f in lint(files=files).findings if f.path == "run.sh" and f.fix and f.fix.safety == "safe"]


@pytest.mark.parametrize(
    "text",
    [
        "bash other.sh x=1\n" + TRAIN.format(""),
        "# bash train.sh\n" + TRAIN.format(""),
        "echo bash train.sh\n" + TRAIN.format(""),
        "bash run.sh\n" + TRAIN.format(""),
    ],
)
def test_a_script_that_runs_no_other(text: str) -> None:
    files = {"run.sh": text, "train.sh": "pip install vllm==0.12.0\n"}
    (engine,) = effective(files={name: text for name, text in files.items() if name == "run.sh"})
    assert engine.situation.source.value == "0.8.5"
    files["folder/train.sh"] = files.pop("train.sh")
    (engine,) = (engine for engine in effective(files=files) if engine.path == "run.sh")
    assert engine.situation.source.value == "0.8.5"


def test_a_module_that_registers_its_own_class_needs_no_release() -> None:
    model = 'from vllm import LLM, ModelRegistry\n{}llm = LLM("deepseek-ai/DeepSeek-OCR", max_model_len=8192)\n'
    (engine,) = effective(files={"a.py": model.format("")})
    assert engine.situation.source.value != "0.8.5"
    own = model.format('ModelRegistry.register_model("DeepseekOCRForCausalLM", Mine)\n')
    (engine,) = effective(files={"a.py": own})
    assert engine.situation.source.value == "0.8.5"
