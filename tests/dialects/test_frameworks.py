"""What each framework's own code decides, with the file and commit that it was read from."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from vllm_migrate import effective, lint
from vllm_migrate.dialects.frameworks import fits_or
from vllm_migrate.knowledge.load import load


class Case(NamedTuple):
    """read: repository, commit or release, file; value: of the option at the target."""

    read: str
    name: str
    text: str
    option: str
    value: object


ROLL = "actor_infer:\n  strategy_args:\n    strategy_name: vllm\n    strategy_config: {{max_model_len: 4096, tensor_parallel_size: {}}}\n"
NEMO = "policy:\n  generation:\n    backend: vllm\n    vllm_cfg: {{tensor_parallel_size: {}, max_model_len: 512}}\n"
SKYRL = "python -m skyrl.train.entrypoints.main_base generator.inference_engine.tensor_parallel_size=2\n"
SWIFT = "swift rlhf --rlhf_type grpo --use_vllm true --vllm_mode colocate --vllm_max_model_len 4096 --model m\n"

CASES = [
    Case(
        "alibaba/ROLL 8eb27cc2 roll/third_party/vllm/__init__.py",
        "a.yaml",
        ROLL.format(2),
        "distributed_executor_backend",
        "ray",
    ),
    Case(
        "alibaba/ROLL 8eb27cc2 roll/third_party/vllm/__init__.py", "a.yaml", ROLL.format(2), "async_scheduling", False
    ),
    Case(
        "alibaba/ROLL 8eb27cc2 roll/third_party/vllm/__init__.py",
        "a.yaml",
        ROLL.format(1),
        "distributed_executor_backend",
        "uni",
    ),
    Case(
        "alibaba/ROLL 8eb27cc2 roll/third_party/vllm/__init__.py",
        "a.yaml",
        ROLL.format(1),
        "env.VLLM_USE_FLASHINFER_SAMPLER",
        "0",
    ),
    Case(
        "NVIDIA-NeMo/RL 7ea279abf nemo_rl/models/generation/vllm/worker_utils.py",
        "a.yaml",
        NEMO.format(1),
        "distributed_executor_backend",
        "uni",
    ),
    Case(
        "NVIDIA-NeMo/RL 7ea279abf nemo_rl/models/generation/vllm/worker_utils.py",
        "a.yaml",
        NEMO.format(2),
        "distributed_executor_backend",
        "ray",
    ),
    Case(
        "NovaSky-AI/SkyRL a9564572e skyrl/backends/skyrl_train/inference_servers/utils.py",
        "a.sh",
        SKYRL,
        "distributed_executor_backend",
        "ray",
    ),
    Case(
        "modelscope/ms-swift 3602360a5 swift/infer_engine/vllm_engine.py",
        "a.sh",
        SWIFT,
        "distributed_executor_backend",
        "external_launcher",
    ),
    Case("modelscope/ms-swift 3602360a5 swift/ray/megatron/rollout/ray_vllm_engine.py", "a.sh", SWIFT, "engine", "v1"),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.read} {case.option} {case.value}" for case in CASES])
def test_what_a_framework_decides(case: Case) -> None:
    (engine,) = effective([case.name], files={case.name: case.text})
    row = next(row for row in engine.settings if row.option == case.option)
    assert row.target.value == case.value


def test_ms_swift_always_passes_a_dtype() -> None:
    """swift/infer_engine/vllm_engine.py at 3602360a5: the model's, or --torch_dtype."""
    assert "VM106" not in {f.code for f in lint(["a.sh"], files={"a.sh": SWIFT}).findings}


def test_a_backend_that_is_not_chosen_is_no_engine() -> None:
    """verl/trainer/config/rollout/rollout.yaml at 1dda039b9 has `name: ???`."""
    for name, engines in (("???", 0), ("vllm", 1), ("sglang", 0)):
        text = f"actor_rollout_ref:\n  rollout:\n    name: {name}\n    gpu_memory_utilization: 0.6\n"
        assert len(effective(["a.yaml"], files={"a.yaml": text})) == engines


VERL = "python3 -m verl.trainer.main_ppo actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.tensor_model_parallel_size={}\n"


@pytest.mark.parametrize(("size", "fires"), [(8, True), (64, False), (1, False)])
def test_symmetric_memory_has_a_table(size: int, fires: bool) -> None:
    """vllm/distributed/device_communicators/all_reduce_utils.py of 0.18.1: sizes up to 8."""
    found = {f.code for f in lint(["a.sh"], files={"a.sh": VERL.format(size)}, gpu="h100").findings}
    assert ("VM110" in found) is fires


@pytest.mark.parametrize("folder", ["vllm_v_0_6_3", "vllm_v_0_3_1"])
def test_a_vendored_copy_of_vllm_is_for_its_own_release(folder: str) -> None:
    """verl/third_party/vllm of verl 0.4.1, simpleRL-reason, Search-R1 and RAGEN."""
    path = f"verl/third_party/vllm/{folder}/worker.py"
    report = lint([path], files={path: "from vllm.worker.worker import Worker\nfrom vllm.utils import is_hip\n"})
    assert {finding.code for finding in report.findings} <= {"VM901"}
    assert all(project.source == project.target for project in report.projects)


OF_VERL = next(dialect for dialect in load().dialects if dialect.id == "verl")


@pytest.mark.parametrize("target", ["0.8.5", "0.10.2", "0.18.1"])
@pytest.mark.parametrize("framework", sorted(OF_VERL.requires))
def test_the_release_that_is_assumed_at_the_target_is_said(framework: str, target: str) -> None:
    files = {
        "train.sh": "python3 -m verl.trainer.main_ppo actor_rollout_ref.rollout.name=vllm\n",
        "requirements.txt": f"verl=={framework}\nvllm==0.8.5\n",
    }
    (engine,) = effective(files=files, to=target)
    assert engine.situation.framework is not None and engine.situation.framework.value == framework
    others = [one for one, spec in OF_VERL.requires.items() if fits_or(target, spec, True)]
    said = "is assumed there" in engine.situation.framework.because
    assert said is (bool(others) and not fits_or(target, OF_VERL.requires[framework], True))
    if said:
        assert f"does not run with {target}, so" in engine.situation.framework.because
        assert others[0] in engine.situation.framework.because
