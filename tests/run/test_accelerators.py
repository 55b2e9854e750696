"""Which GPU a file asks for."""

from __future__ import annotations

import pytest

from vllm_migrate import lint
from vllm_migrate.knowledge.load import load
from vllm_migrate.run.accelerators import accelerator_of


@pytest.mark.parametrize(
    ("text", "gpu"),
    [
        ("nodeSelector:\n  cloud.google.com/gke-accelerator: nvidia-h100-80gb\n", "h100"),
        ("  cloud.google.com/gke-accelerator: nvidia-tesla-a100\n", "a100-40gb"),
        ("  cloud.google.com/gke-accelerator: nvidia-a100-80gb\n", "a100"),
        ("  nvidia.com/gpu.product: NVIDIA-A100-SXM4-40GB\n", "a100-40gb"),
        ("resources:\n  accelerators: A100:8\n", "a100-40gb"),
        ("resources:\n  accelerators: {A100-80GB: 8}\n", "a100"),
        ("resources:\n  accelerators:\n    L40S: 1\n", "l40s"),
        ("#SBATCH --gres=gpu:h200:8\n", "h200"),
        ("accelerator_type: T4\n", "t4"),
        # several, none, and names that stand for something else
        ("a:\n  accelerator_type: T4\nb:\n  accelerator_type: L4\n", None),
        ("# accelerator_type: T4 was too small\nmodel: h100-tuned\n", None),
        ("if 'b200' in GPU_TYPE:\n", None),
        ("nvidia.com/gpu: 8\n", None),
        ("resourceProfile: nvidia-gpu-t4:1\n", "t4"),
    ],
)
def test_the_gpu_that_a_file_asks_for(text: str, gpu: str | None) -> None:
    found = accelerator_of("a.yaml", b"# vllm\n" + text.encode(), load().gpus)
    assert (found.value if found is not None else None) == gpu
    assert found is None or found.because.startswith("a.yaml:")


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("image: public.ecr.aws/q9t5s3a7/vllm-cpu-release-repo:v0.18.1\n", "cpu"),
        ("export VLLM_CPU_KVCACHE_SPACE=40\n", "cpu"),
        ("resources:\n  limits:\n    amd.com/gpu: 1\n", "rocm"),
        ("export HCCL_CONNECT_TIMEOUT=1500\npython -m verl trainer.device=npu\n", "npu"),
        ("resources:\n  limits:\n    google.com/tpu: 8\n", "tpu"),
        ("export CUDA_VISIBLE_DEVICES=0\nexport ASCEND_RT_VISIBLE_DEVICES=0\n", None),
        ("a: {amd.com/gpu: 1}\nb: {nvidia.com/gpu: 1}\n", None),
        ("# on Ascend: export HCCL_CONNECT_TIMEOUT=1500\n", None),
        ("resources:\n  accelerators: H100:8\nenv: {HIP_VISIBLE_DEVICES: ''}\n", "h100"),
    ],
)
def test_the_platform_that_a_file_is_written_for(text: str, platform: str | None) -> None:
    found = accelerator_of("a.yaml", b"# vllm\n" + text.encode(), load().gpus)
    assert (found.value if found is not None else None) == platform
    assert accelerator_of("a.py", b"# vllm\n" + text.encode(), load().gpus) is None or platform == "h100"


@pytest.mark.parametrize(
    ("path", "platform"),
    [
        ("tests/npu/run.sh", "npu"),
        ("scripts/run_ascend.sh", "npu"),
        ("docker/rocm/compose.yaml", "rocm"),
        ("charts/values-gaudi.yaml", "hpu"),
        ("scripts/run_cpu_offload.sh", None),
        ("npu_vs_rocm.sh", None),
        ("tests/npu/test_it.py", None),
        ("output/run.sh", None),
    ],
)
def test_the_platform_that_a_file_is_named_for(path: str, platform: str | None) -> None:
    found = accelerator_of(path, b"vllm serve m\n", load().gpus)
    assert (found.value if found is not None else None) == platform
    shown = accelerator_of("run.sh", b"vllm serve m\n", load().gpus, path.replace(".py", "_py"))
    assert platform is None or (shown is not None and shown.value == platform)
    asked = accelerator_of(path, b"vllm serve m\nexport CUDA_VISIBLE_DEVICES=0 # vllm\n", load().gpus)
    assert asked is None or asked.value in ("cuda", platform)


def test_asynchronous_scheduling_stays_off_on_a_cpu() -> None:
    service = "services:\n  a:\n    image: vllm/{}:v0.12.0\n    command: --model org/m --max-model-len 8192\n"
    for image, names in (("vllm-openai", {"async-scheduling-default"}), ("vllm-cpu-release-repo", set())):
        found = {f.name for f in lint(files={"compose.yaml": service.format(image)}).findings}
        assert found & {"async-scheduling-default"} == names


def test_the_kernels_of_cuda_are_none_of_another_platform() -> None:
    script = """python3 -m verl.trainer.main_ppo actor_rollout_ref.rollout.name=vllm trainer.device={} \\
        actor_rollout_ref.rollout.tensor_model_parallel_size=4 algorithm.rollout_is=true
"""
    cuda, npu = (
        {f.name for f in lint(files={"a.sh": script.format(on)}, from_="0.9.0").findings} for on in ("cuda", "npu")
    )
    assert cuda - npu == {"allreduce-rms-fusion", "allreduce-symm-mem"}


def test_more_ranks_than_gpus_are_of_cuda() -> None:
    command = "vllm serve org/m --tensor-parallel-size 16\n"
    for script, codes in ((command, {"VM220"}), (f"export HCCL_CONNECT_TIMEOUT=1500\n{command}", set())):
        assert {f.code for f in lint(files={"a.sh": script}, from_="0.10.0").findings} & {"VM220"} == codes


def test_it_is_a_part_of_the_situation() -> None:
    script = "#SBATCH --gres=gpu:v100:8\nvllm serve org/m --max-model-len 8192\n"
    names = {finding.name for finding in lint(files={"serve.sh": script}).findings}
    assert "engine-v0-removed" in names, "V1 of 0.8.5 asks for compute capability 8.0"
    assert "engine-v0-removed" not in {f.name for f in lint(files={"serve.sh": script}, gpu="h100").findings}


@pytest.mark.parametrize(
    "text",
    [
        'case "$DEVICE" in\n  gpu) ;;\n  npu)\n    export HCCL_CONNECT_TIMEOUT=7200\n    ;;\nesac\n',
        'if [ "$DEVICE" = npu ]; then\n  export HCCL_CONNECT_TIMEOUT=7200\nfi\n',
        'if [ -n "$A" ]; then\n  if [ -n "$B" ]; then\n    export HCCL_CONNECT_TIMEOUT=7200\n  fi\nelse\n  export HCCL_IF_IP=1\nfi\n',
    ],
)
def test_what_a_branch_of_a_script_says_is_not_decided(text: str) -> None:
    gpus = load().gpus
    assert accelerator_of("run.sh", text.encode() + b"vllm serve m\n", gpus) is None
    whole = text.encode() + b"export HCCL_EXEC_TIMEOUT=600\nvllm serve m\n"
    found = accelerator_of("run.sh", whole, gpus)
    line = whole.count(b"\n") - 1
    assert found is not None and found.value == "npu" and found.because == f"run.sh:{line} asks for it"
    one_line = b'if [ "$X" ]; then echo yes; fi\nexport HCCL_EXEC_TIMEOUT=600\nvllm serve m\n'
    assert accelerator_of("run.sh", one_line, gpus) is not None


def test_what_a_script_unsets_is_no_sign_of_a_platform() -> None:
    text = b"unset ROCR_VISIBLE_DEVICES\nunset HIP_VISIBLE_DEVICES\nvllm serve m\n"
    assert accelerator_of("run.sh", text, load().gpus) is None
