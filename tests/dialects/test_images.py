"""Containers that a command runs: docker's own words are none of vLLM's, and only `run` and `create` start an engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialects.reading import Reading

STARTS = [
    "docker run --gpus all -p 8000:8000 --ipc=host vllm/vllm-openai:v0.8.5",
    "docker run -d --rm -it --name vllm -e A=1 -v ~/.cache:/root/.cache vllm/vllm-openai:v0.8.5",
    "docker create -p8000:8000 vllm/vllm-openai:v0.8.5",
    "docker container run --read-only vllm/vllm-openai:v0.8.5",
    "sudo -E docker --context far run vllm/vllm-openai:v0.8.5",
    "sudo podman run --replace --device nvidia.com/gpu=all docker.io/vllm/vllm-openai:v0.8.5",
    "/usr/bin/nerdctl --namespace k8s.io run --tls-verify=false vllm/vllm-openai:v0.8.5",
    "IMAGE=vllm/vllm-openai:v0.8.5\ndocker run -p 8000:8000 $IMAGE",
    "IMAGE_TAG=${IMAGE_TAG:-vllm/vllm-openai:v0.8.5}\ndocker run -p 8000:8000 ${IMAGE_TAG}",
    'IMAGE_TAG="${IMAGE_TAG:-vllm/vllm-openai:v0.8.5}"\ndocker run -d --name vllm -p 8000:8000 "$IMAGE_TAG"',
    'TAG=v0.8.5\ndocker run -p 8000:8000 "vllm/vllm-openai:${TAG}"',
    'OPTS="--rm --gpus all -p 8000:8000"\ndocker run $OPTS vllm/vllm-openai:v0.8.5',
    'OPTS=(--rm -p 8000:8000)\ndocker run "${OPTS[@]}" vllm/vllm-openai:v0.8.5',
    "docker run $DOCKER_OPTS -p 8000:8000 vllm/vllm-openai:v0.8.5",
    'docker run "$@" vllm/vllm-openai:v0.8.5',
    "docker run -p 8000:8000 $IMAGE",  # known by what its program gets
    'docker run --rm "$IMAGE"',
    "docker run -it registry.example/team/llm:7",
]


@pytest.mark.parametrize("line", STARTS)
def test_the_options_behind_the_image_are_the_servers(line: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"run.sh": f"{line} --model org/m --max-num-seqs 8 --gpu-memory-utilization 0.9\n"})
    assert [option.key for option in reading.engine.options] == [
        "--model",
        "--max-num-seqs",
        "--gpu-memory-utilization",
    ]
    assert not reading.diagnostics("0.18.1")


SILENT = [
    *(
        f"{program} {verb} {rest}"
        for program in ("docker", "podman", "nerdctl", "sudo docker")
        for verb, rest in (
            ("build .", "--build-arg A=1 --build-arg B=2 -t vllm/vllm-openai:deploy --model m"),
            ("buildx build", "--platform linux/amd64 -t vllm/vllm-openai:deploy . --model m"),
            ("pull", "vllm/vllm-openai:v0.9.0 --platform linux/amd64"),
            ("push", "vllm/vllm-openai:v0.9.0 --all-tags"),
            ("tag", "vllm/vllm-openai:v0.9.0 mine/vllm:1"),
            ("save", "vllm/vllm-openai:v0.9.0 -o vllm.tar"),
            ("load", "-i vllm.tar vllm/vllm-openai"),
            ("inspect", "vllm/vllm-openai:v0.9.0 --format '{{.Id}}'"),
            ("image inspect", "vllm/vllm-openai:v0.9.0 --format x"),
            ("image rm", "vllm/vllm-openai:v0.9.0 --force"),
            ("history", "vllm/vllm-openai:v0.9.0 --no-trunc"),
            ("logs", "vllm --tail 5 --model m"),
            ("exec", "vllm --model m --max-num-seqs 8 --max-model-len 8"),
            ("compose run", "vllm --model m"),
            ("compose", "-f vllm/vllm-openai up --build"),
        )
    ),
    "docker run --name vllm-openai mine/app:1 --model m",
    "docker run -e IMAGE=vllm/vllm-openai --name vllm mine/app:1 --model m --max-model-len 4 --temperature 1",
    "docker run $IMAGE --model-path m --tp-size 2 --max-running-requests 8 --tensor-parallel-size 2",
    "docker run lmsysorg/sglang:v1 --model m --max-model-len 8 --gpu-memory-utilization 0.9",
    "docker run $IMAGE --model-id m --max-batch-prefill-tokens 8 --max-model-len 4 --max-num-seqs 8",
    "docker run $IMAGE --model m --tensor-parallel-size 2 --trust-remote-code --served-model-name n",
    "docker run $IMAGE python train.py --max-model-len 8 --gpu-memory-utilization 0.9",
    "docker run $IMAGE ./train.sh --max-model-len 8 --gpu-memory-utilization 0.9",
    "echo docker run vllm/vllm-openai --model m",
]  # fmt: skip


@pytest.mark.parametrize("line", SILENT)
def test_what_starts_no_server_of_vllm_is_none(line: str, tmp_path: Path) -> None:
    assert not Reading(tmp_path, {"run.sh": f"{line}\n"}).engines


def container(image: str, arguments: list[str], env: list[str], command: str = "") -> str:
    """A Deployment's container."""
    lines = [f"image: {image}", *([f"command: {command}"] if command else []), f"args: {arguments}", "env:"]
    lines += [f"- {{name: {name}, value: '1'}}" for name in env]
    body = "".join(f"        {line}\n" for line in lines)
    return (
        "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n      - name: a\n"
        + body
    )


SHOWN = [
    (["--model=$(MODEL)", "--tensor-parallel-size=2"], ["VLLM_ALLOW_LONG_MAX_MODEL_LEN", "VLLM_ATTENTION_BACKEND"]),
    (["--model=m", "--max-model-len=8"], ["VLLM_USE_V1"]),
    (["--model", "m", "--max-num-seqs", "8", "--enforce-eager"], []),
    (["org/model", "--max-num-seqs", "8", "--no-enable_prefix_caching"], []),
]


@pytest.mark.parametrize(
    "image", ["V_VLLM_IMAGE_URL", "registry.example/team/llm:1", "'{{ .Values.image }}'", "$(IMAGE)"]
)
@pytest.mark.parametrize(("arguments", "env"), SHOWN)
def test_a_container_is_known_by_its_arguments_and_variables(
    image: str, arguments: list[str], env: list[str], tmp_path: Path
) -> None:
    reading = Reading(tmp_path, {"d.yaml": container(image, arguments, env)})
    assert reading.engine.origin.entrypoint == "image"


HIDDEN = [
    (["--host", "0.0.0.0", "--port", "80"], ["VLLM_USE_V1", "VLLM_ATTENTION_BACKEND", "VLLM_URL"]),
    (["--model", "m", "--port", "80"], ["VLLM_API_KEY", "VLLM_URL", "VLLM_PORT", "VLLM_HOST_IP"]),
    (["--model-path", "m", "--tensor-parallel-size", "2", "--max-model-len", "8", "--max-num-seqs", "8"], []),
    (["--model", "m", "--tensor-parallel-size", "2", "--kv-cache-dtype", "fp8", "--tool-call-parser", "a"], []),
    (["--model-id", "m", "--max-total-tokens", "2", "--num-shard", "2"], ["VLLM_USE_V1"]),
    (["python3", "train.py", "--max-model-len", "8", "--gpu-memory-utilization", "0.9"], []),
    (["m", "--max-model-len", "8", "--gpu-memory-utilization", "0.9"], []),
    ([], ["VLLM_USE_V1", "VLLM_ATTENTION_BACKEND"]),
]


@pytest.mark.parametrize(("arguments", "env"), HIDDEN)
def test_what_other_programs_have_too_shows_nothing(arguments: list[str], env: list[str], tmp_path: Path) -> None:
    assert not Reading(tmp_path, {"d.yaml": container("V_IMAGE_URL", arguments, env)}).engines


@pytest.mark.parametrize(
    "image", ["lmsysorg/sglang:v1", "ghcr.io/huggingface/text-generation-inference:3", "nvcr.io/nvidia/tensorrt-llm:1"]
)
def test_an_image_of_another_server_is_none_of_vllms(image: str, tmp_path: Path) -> None:
    text = container(image, ["--model=m", "--max-model-len=8", "--max-num-seqs=8"], ["VLLM_USE_V1"])
    assert not Reading(tmp_path, {"d.yaml": text}).engines


@pytest.mark.parametrize("command", ["[/entrypoint.sh]", "[python3, -m, app]", "[sglang, serve]"])
def test_a_program_of_its_own_is_none_of_the_images(command: str, tmp_path: Path) -> None:
    text = container("x/y", ["--model=m", "--max-model-len=8", "--max-num-seqs=8"], ["VLLM_USE_V1"], command)
    assert not Reading(tmp_path, {"d.yaml": text}).engines


def values(arguments: str, key: str = "extraArgs") -> str:
    """Values of somebody's own chart."""
    return f"model:\n  name: m\nvllm:\n  tensorParallelSize: 4\n  {key}: {arguments}\n"


CHARTS = [
    "[--disable-log-requests, --swap-space, '4', --enforce-eager]",
    "\n  - --disable-log-requests\n  - --max-num-seqs=8\n  - --no-enable-prefix-caching",
]


@pytest.mark.parametrize("arguments", CHARTS)
def test_arguments_in_the_values_of_a_chart(arguments: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"values.yaml": values(arguments)})
    assert "arg-disable-log-requests" in reading.names_of()
    assert "async-scheduling-default" not in reading.names_of()  # what the template passes is not seen
    assert reading.fix().applied
    assert "--disable-log-requests" not in reading.text("values.yaml")


@pytest.mark.parametrize(
    "arguments",
    [
        "[--tensor-parallel-size, '2', --trust-remote-code]",
        "[--mem-fraction-static, '0.8', --max-model-len, '8', --max-num-seqs, '8']",
        "[--v=2, --leader-elect]",
        "{max-model-len: 8, max-num-seqs: 8}",
        "--max-model-len",
        "[]",
    ],
)
def test_other_arguments_in_values_are_none_of_vllms(arguments: str, tmp_path: Path) -> None:
    text = values(arguments) + "# vllm\n"
    assert not Reading(tmp_path, {"values.yaml": text}).engines
    assert not Reading(tmp_path, {"values.yaml": values(CHARTS[0], "description")}).engines


NAMES = ["vllm", "/usr/local/bin/vllm"]
IMAGES = ["img:1", '"${IMAGE}"', "registry/other@sha256:1f2e", "vllm/vllm-openai:v0.8.5"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("joint", [" ", "="])
def test_the_program_of_the_image_by_its_name(name: str, image: str, joint: str, tmp_path: Path) -> None:
    text = f"docker run --rm --entrypoint{joint}{name} -e A=b {image} serve a/b --max-num-seqs 8\n"
    assert Reading(tmp_path, {"a.sh": text}).arrives("0.18.1")["max_num_seqs"] == 8


@pytest.mark.parametrize("program", ["sglang", "/opt/serve", "ollama"])
def test_another_program_in_its_place(program: str, tmp_path: Path) -> None:
    text = f"docker run --rm --entrypoint {program} img:1 serve a/b --max-num-seqs 8\n"
    assert not Reading(tmp_path, {"a.sh": text}).engines
