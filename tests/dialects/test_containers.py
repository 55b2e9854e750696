"""Command lines in YAML: where they are found, what arrives, and fixes that stay inside their scalar or list."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml

from tests.dialects.reading import Reading
from vllm_migrate import fix, lint

PINS = ["--no-enable-prefix-caching", "--no-async-scheduling", "--logprobs-mode", "processed_logprobs"]


def container(body: str, env: str = "") -> str:
    """A Deployment with one container."""
    lines = "".join(f"          {line}\n" for line in (body + env).splitlines())
    return (
        "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n"
        "        - name: model\n" + lines
    )


V0 = "env:\n  - name: VLLM_USE_V1\n    value: '0'\n  - name: KEPT\n    value: x\n"


def first(text: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(text)["spec"]["template"]["spec"]["containers"][0]
    return found


def test_arguments_of_vllms_own_image(tmp_path: Path) -> None:
    body = "image: vllm/vllm-openai:v0.8.5\nargs:\n  - --model=a/b\n  - --max-model-len\n  - '8192'  # long\n"
    reading = Reading(tmp_path, {"d.yaml": container(body, V0)})
    assert reading.arrives("0.18.1")["max_model_len"] == 8192
    assert reading.engine.facts["env.VLLM_USE_V1"].value == "0"
    reading.fix()
    after = first(reading.text("d.yaml"))
    assert after["args"] == ["--model=a/b", "--max-model-len", "8192", *PINS]
    assert after["env"] == [{"name": "KEPT", "value": "x"}]
    assert "'8192'  # long" in reading.text("d.yaml")


def test_a_program_of_its_own_and_a_flow_list(tmp_path: Path) -> None:
    body = 'image: x/y:1\ncommand: ["vllm", "serve", "a/b"]\nargs: ["--disable-log-requests", "--seed", "0"]\n'
    reading = Reading(tmp_path, {"d.yaml": container(body)}, engine="v1")
    assert "arg-disable-log-requests" in reading.names_of()
    reading.fix()
    assert first(reading.text("d.yaml"))["args"] == ["--seed", "0", "--no-async-scheduling"]


@pytest.mark.parametrize("shell", ['["/bin/sh", "-c"]', "[bash, -lc]", "[sh, -e, -c]"])
def test_a_script_in_a_block_keeps_its_indentation(shell: str, tmp_path: Path) -> None:
    body = (
        f"image: x/y:1\ncommand: {shell}\nargs:\n  - |\n    set -e  # stays\n    export VLLM_USE_V1=0\n"
        "    vllm serve a/b \\\n      --num-scheduler-steps 1 \\\n      --port 80\n"
    )
    reading = Reading(tmp_path, {"d.yaml": container(body)})
    reading.fix()
    script = first(reading.text("d.yaml"))["args"][0]
    assert script.startswith("set -e  # stays\nvllm serve a/b \\\n  --port 80 \\\n  --no-")
    assert "num-scheduler-steps" not in script and "VLLM_USE_V1" not in script


def test_a_script_in_quotes(tmp_path: Path) -> None:
    body = "image: x/y:1\ncommand: [sh, -c, 'vllm serve a/b --disable-log-requests --seed 0']\n"
    reading = Reading(tmp_path, {"d.yaml": container(body)}, engine="v1")
    reading.fix()
    assert first(reading.text("d.yaml"))["command"] == ["sh", "-c", "vllm serve a/b --seed 0 --no-async-scheduling"]


def test_a_scalar_with_escapes_is_read_and_left_alone(tmp_path: Path) -> None:
    body = 'image: x/y:1\ncommand: [sh, -c, "vllm serve a/b --seed 0 \\u002d-disable-log-requests"]\n'
    reading = Reading(tmp_path, {"d.yaml": container(body)}, engine="v1")
    assert "arg-disable-log-requests" in reading.names_of()
    outcome = reading.fix()
    assert not outcome.edits
    assert {why for _, why in outcome.refused if "escapes" in why}


def test_escaped_quotes_around_a_word(tmp_path: Path) -> None:
    compose = (
        "services:\n  a:\n    image: vllm/vllm-openai:v0.8.5\n"
        '    command: "--model a/b --disable-log-requests --seed 0 --served-model-name \\"b\\""\n'
    )
    reading = Reading(tmp_path, {"compose.yaml": compose}, engine="v1")
    assert reading.arrives("0.18.1")["served_model_name"] == ["b"]
    reading.fix()
    assert '"--model a/b --seed 0 --served-model-name \\"b\\" --no-async-scheduling"' in reading.text("compose.yaml")


def test_compose_string_map_and_list(tmp_path: Path) -> None:
    compose = (
        "services:\n  folded:\n    image: vllm/vllm-openai:v0.8.5\n    command: >\n      --model ${MODEL:-a/b}\n"
        "      --num-scheduler-steps 1\n    environment:\n      - VLLM_USE_V1=0\n      - KEPT=1\n"
        "  listed:\n    image: vllm/vllm-openai:v0.8.5\n    command: [--model, a/b, --seed, 1]\n"
        "    environment:\n      VLLM_USE_V1: '0'\n      KEPT: '1'\n"
        "  spelled:\n    image: x\n    entrypoint: [python3, -m, vllm.entrypoints.openai.api_server]\n    command: --model a/b\n"
        "  bystander:\n    image: lmsysorg/sglang:latest\n    command: --enable-prefix-caching --max-num-seqs 8\n"
    )
    reading = Reading(tmp_path, {"compose.yaml": compose})
    assert [engine.id.partition("@")[2] for engine in reading.engines] == [
        "0.services.folded",
        "0.services.listed",
        "0.services.spelled",
    ]
    reading.fix()
    after = yaml.safe_load(reading.text("compose.yaml"))["services"]
    assert after["folded"]["environment"] == ["KEPT=1"]
    assert after["folded"]["command"].split() == ["--model", "${MODEL:-a/b}", *PINS]
    assert after["listed"]["environment"] == {"KEPT": "1"}
    assert after["listed"]["command"] == ["--model", "a/b", "--seed", 1, *PINS]
    assert after["bystander"] == yaml.safe_load(compose)["services"]["bystander"]


def test_the_image_alone_gets_its_first_arguments(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"d.yaml": container("image: vllm/vllm-openai:v0.8.5\n", V0)})
    reading.fix()
    assert first(reading.text("d.yaml"))["args"] == PINS


def test_containers_nested_anywhere_and_every_document(tmp_path: Path) -> None:
    text = (
        "kind: Service\n---\nkind: LeaderWorkerSet\nspec:\n  leaderWorkerTemplate:\n    leaderTemplate:\n      spec:\n"
        "        containers:\n          - command: [vllm, serve, a/b]\n---\n"
        "apiVersion: kubeai.org/v1\nkind: Model\nspec:\n  engine: VLLM\n  args: [--seed=1]\n"
        "---\ndecode:\n  containers:\n    - modelCommand: vllmServe\n      args: [--seed=2]\n"
        "---\nkind: LLMInferenceService\nspec:\n  template:\n    containers:\n      - name: main\n        env:\n"
        "          - {name: VLLM_ADDITIONAL_ARGS, value: '--seed=3 --disable-log-requests'}\n"
    )
    reading = Reading(tmp_path, {"d.yaml": text}, engine="v1")
    assert len(reading.engines) == 4
    reading.fix()
    after = list(yaml.safe_load_all(reading.text("d.yaml")))
    assert after[2]["spec"]["args"] == ["--seed=1", "--no-async-scheduling"]
    assert after[3]["decode"]["containers"][0]["args"] == ["--seed=2", "--no-async-scheduling"]
    assert after[4]["spec"]["template"]["containers"][0]["env"][0]["value"] == "--seed=3 --no-async-scheduling"


KUBEAI = "apiVersion: kubeai.org/v1\nkind: Model\nspec:\n  engine: VLLM\n  args: [--seed=1]\n"


def test_engine_vllm_is_kubeais_only_in_kubeais_model(tmp_path: Path) -> None:
    others = {
        "kubeai.yaml": KUBEAI,
        "infer.yaml": "model:\n  model_name: a/b\nengine: VLLM\ngeneration:\n  max_new_tokens: 10\n",
        "other-kind.yaml": KUBEAI.replace("kind: Model", "kind: Job"),
        "other-group.yaml": KUBEAI.replace("kubeai.org/v1", "example.org/v1"),
    }
    reading = Reading(tmp_path, others, engine="v1")
    found = [(engine.name, engine.file.path.rpartition("/")[2]) for engine in reading.engines]
    assert found == [("vllm-argv", "kubeai.yaml"), ("oumi", "infer.yaml")]


def test_an_anchor_that_others_share_is_left_alone(tmp_path: Path) -> None:
    text = (
        "x-run: &run\n  image: vllm/vllm-openai:v0.8.5\n  command: [--model, a/b]\n"
        "services:\n  one: *run\n  two: *run\n"
    )
    reading = Reading(tmp_path, {"compose.yaml": text}, engine="v1")
    outcome = reading.fix()
    assert len(reading.engines) >= 1 and not outcome.edits


def test_skypilot_run(tmp_path: Path) -> None:
    text = "resources: {accelerators: A100}\nrun: |\n  conda activate v\n  vllm serve a/b --disable-log-requests\n"
    reading = Reading(tmp_path, {"s.yaml": text}, engine="v1")
    reading.fix()
    assert yaml.safe_load(reading.text("s.yaml"))["run"].splitlines()[1] == "vllm serve a/b --no-async-scheduling"


@pytest.mark.parametrize(
    "text",
    [
        container("image: lmsysorg/sglang:v0.4\nargs: [--model-path, a/b, --max-num-seqs, '8']\n"),
        container("image: ghcr.io/huggingface/text-generation-inference:3\nargs: [--model-id, a/b]\n"),
        container("image: vllm/router:1\nargs: [--vllm-port=8200]\n"),
        container("image: vllm/vllm-omni:1\ncommand: [vllm, serve, a/b, --omni, --enforce-eager]\n"),
        "services:\n  web:\n    image: nginx\n    command: echo vllm\n",
        "run: |\n  echo vllm\n",
        "containers: vllm\nservices: [vllm]\n",
    ],
)
def test_other_programs_are_silent(text: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"d.yaml": text})
    assert not reading.engines and not reading.findings


def test_new_items_are_quoted_like_their_neighbours(tmp_path: Path) -> None:
    body = "image: vllm/vllm-openai:v0.8.5\nargs: ['--model', 'a/b']\n"
    reading = Reading(tmp_path, {"d.yaml": container(body, V0)})
    reading.fix()
    assert "'--logprobs-mode', 'processed_logprobs']" in reading.text("d.yaml")


def test_a_script_runs_in_the_containers_environment(tmp_path: Path) -> None:
    body = "image: x/y:1\ncommand: [sh, -c]\nargs: ['vllm serve a/b --seed 0']\n"
    reading = Reading(tmp_path, {"d.yaml": container(body, V0)})
    assert reading.engine.facts["env.VLLM_USE_V1"].value == "0"
    reading.fix()
    after = first(reading.text("d.yaml"))
    assert after["env"] == [{"name": "KEPT", "value": "x"}]
    assert after["args"] == ["vllm serve a/b --seed 0 " + " ".join(PINS)]


def test_lines_of_a_compose_command_are_one_command(tmp_path: Path) -> None:
    compose = (
        "services:\n  a:\n    image: vllm/vllm-openai:v0.8.5\n    command: |\n      --model a/b\n"
        "      --disable-log-requests\n      --seed 0\n"
        "  b:\n    image: nvidia/cuda:12\n    command: [bash, -c, vllm serve a/b --seed 0]\n"
    )
    reading = Reading(tmp_path, {"compose.yaml": compose}, engine="v1")
    assert len(reading.engines) == 2
    reading.fix()
    after = yaml.safe_load(reading.text("compose.yaml"))["services"]
    assert after["a"]["command"].split() == ["--model", "a/b", "--seed", "0", "--no-async-scheduling"]
    assert after["b"]["command"][2] == "vllm serve a/b --seed 0 --no-async-scheduling"


def ray(body: str, sidecar: str = "") -> str:
    """A RayCluster whose head and workers have one container each, the head's with `body`; `sidecar` stands beside it."""
    head = "".join(f"            {line}\n" for line in body.splitlines())
    return (
        "apiVersion: ray.io/v1\nkind: RayCluster\nspec:\n  headGroupSpec:\n    rayStartParams: {}\n    template:\n      spec:\n"
        "        containers:\n          - name: ray-head\n            image: vllm/vllm-openai:v0.8.5\n"
        + head
        + sidecar
        + "  workerGroupSpecs:\n"
        "    - groupName: g\n      rayStartParams: {}\n      template:\n        spec:\n          containers:\n"
        "            - name: ray-worker\n              image: vllm/vllm-openai:v0.8.5\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        ray(""),
        ray("env:\n  - {name: VLLM_USE_V1, value: '0'}\n"),
        ray("args: [--seed, '1']\n"),
        "apiVersion: ray.io/v1\nkind: RayJob\nspec:\n  submitterPodTemplate:\n    spec:\n      containers:\n"
        "        - image: vllm/vllm-openai:v0.8.5\n  rayClusterSpec:\n"
        + "".join(f"  {line}\n" for line in ray("").splitlines()[3:]),
        "kind: RayClusterFleet\nspec:\n  template:\n" + "".join(f"    {line}\n" for line in ray("").splitlines()),
    ],
)
def test_ray_starts_in_kuberays_containers(text: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"d.yaml": text})
    assert not reading.result.engines
    assert not reading.result.findings


@pytest.mark.parametrize(
    "text",
    [
        ray("command: [vllm, serve, m]\n"),
        ray("args: [--model, m]\n"),
        ray("args: --model=m --seed 1\n"),
        ray("", "          - name: beside\n            image: vllm/vllm-openai:v0.8.5\n"),
        # The same container outside of KubeRay's groups.
        container("image: vllm/vllm-openai:v0.8.5\n"),
    ],
)
def test_a_server_in_a_ray_cluster_is_found(text: str, tmp_path: Path) -> None:
    assert Reading(tmp_path, {"d.yaml": text}).result.engines == 1


def test_what_a_template_fills_in_is_undecided(tmp_path: Path) -> None:
    script = "vllm serve /m {{- if .A }} --seed {{ .A }}{{- end }} --max-num-seqs 8 --num-scheduler-steps 1"
    body = f"image: x/y:1\ncommand: [bash, -c]\nargs:\n  - |\n    {script}\n"
    reading = Reading(tmp_path, {"d.yaml": container(body)}, engine="v1")
    assert reading.arrives("0.8.5")["max_num_seqs"] == 8
    assert reading.engine.origin.missing
    reading.fix()
    after = first(reading.text("d.yaml"))["args"][0]
    assert "{{- if .A }} --seed {{ .A }}{{- end }}" in after


RUNNERS = ["engineConfig", "decoderConfig", "engineConfig.leader", "engineConfig.worker", "engine"]


def runtime(kind: str, path: str, image: str, words: list[str], command: bool) -> str:
    """A runtime of OME."""
    keys = ["spec", *path.split("."), "runner"]
    lines = [f"{'  ' * depth}{key}:" for depth, key in enumerate(keys)]
    below = "  " * len(keys)
    lines += [
        f"{below}name: ome-container",
        f"{below}image: {image}",
        f"{below}{'command' if command else 'args'}: {words}",
    ]
    return f"apiVersion: ome.io/v1beta1\nkind: {kind}\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("kind", ["ClusterServingRuntime", "ServingRuntime", "InferenceService"])
@pytest.mark.parametrize("path", RUNNERS)
def test_the_runner_of_a_runtime_of_ome(kind: str, path: str, tmp_path: Path) -> None:
    words = [
        "python3",
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        "$(MODEL_PATH)",
        "--limit-mm-per-prompt",
        "image=1",
    ]
    reading = Reading(
        tmp_path, {"rt.yaml": runtime(kind, path, "docker.io/vllm/vllm-openai:v0.9.0.1", words, True)}, "0.9.0.1"
    )
    assert "value-not-a-choice" in reading.names_of()


def test_a_runner_with_arguments_of_the_images_program(tmp_path: Path) -> None:
    text = runtime(
        "ClusterServingRuntime",
        "engineConfig",
        "vllm/vllm-openai:v0.9.0.1",
        ["--model=$(MODEL_PATH)", "--seed=1"],
        False,
    )
    assert Reading(tmp_path, {"rt.yaml": text}).arrives("0.18.1")["seed"] == 1


@pytest.mark.parametrize(
    ("kind", "image", "words"),
    [
        ("ClusterServingRuntime", "lmsysorg/sglang:v0.4", ["--model-path", "$(MODEL_PATH)", "--tp-size", "2"]),
        (
            "ClusterServingRuntime",
            "lmsysorg/sglang:v0.4",
            ["python3", "-m", "sglang.launch_server", "--host", "0.0.0.0", "--port", "80"],
        ),
        ("Workflow", "vllm/vllm-openai:v0.9.0.1", ["--model", "m"]),
    ],
)
def test_another_runner_is_no_engine(kind: str, image: str, words: list[str], tmp_path: Path) -> None:
    assert not Reading(tmp_path, {"rt.yaml": runtime(kind, "engineConfig", image, words, False)}).engines


@pytest.mark.parametrize("image", ["vllm/vllm-openai:v0.8.5", "$(RUNTIME_IMAGE)", "registry.example/serving:3"])
@pytest.mark.parametrize("kind", ["ServingRuntime", "ClusterServingRuntime"])
def test_a_runtime_of_kserve_with_arguments_alone(image: str, kind: str, tmp_path: Path) -> None:
    text = (
        f"apiVersion: serving.kserve.io/v1alpha1\nkind: {kind}\nspec:\n  containers:\n  - name: kserve-container\n    image: {image}\n"
        "    args: [--model=/mnt/models, --max-model-len=8192, --gpu-memory-utilization=0.9]\n"
    )
    assert Reading(tmp_path, {"rt.yaml": text}).arrives("0.18.1")["max_model_len"] == 8192


@pytest.mark.parametrize(
    "word", ['"--tensor-parallel-size=$(TP)"', "--tensor-parallel-size=$(TP)", "'--tensor-parallel-size=$(TP)'"]
)
def test_what_is_filled_in_is_shown_without_quotes(word: str, tmp_path: Path) -> None:
    reading = Reading(
        tmp_path, {"d.yaml": container(f"image: vllm/vllm-openai:v0.8.5\nargs:\n  - --model=a\n  - {word}\n")}
    )
    assert [repr(option.value) for option in reading.engine.options][-1] == "Unknown('$(TP)')"


SCRIPT = "vllm serve m --swap-space 4 --max-model-len 4096"


@pytest.mark.parametrize("entrypoint", ["/bin/bash", '["/bin/bash"]', "sh", "/bin/bash -c", '["bash", "-lc"]'])
@pytest.mark.parametrize(
    "command", ['-c "{}"', "-c 'pip install x && {}'", '|\n      -c "{}"', '>-\n      -c\n      "{}"', '["-c", "{}"]']
)
def test_a_shell_as_entrypoint_runs_what_its_arguments_say(entrypoint: str, command: str) -> None:
    """The command of such a service is what stands behind `-c`, wherever that stands."""

    command = command.format(SCRIPT)
    if "c" in entrypoint.replace("/bin/bash", "").replace("bash", "").replace("sh", ""):
        command = command.replace('"-c", ', "").replace("-c ", "").replace("-c\n      ", "")
        command = command if command[0] in "[|>" else f"|\n      {command}"
    text = (
        f"services:\n  a:\n    image: vllm/vllm-openai:v0.8.5\n    entrypoint: {entrypoint}\n    command: {command}\n"
    )
    report = lint(files={"compose.yaml": text})
    assert report.engines == 1
    assert [finding.code for finding in report.findings if finding.option == "swap_space"] == ["VM202"]
    after = yaml.safe_load(fix(files={"compose.yaml": text}, unsafe=True).texts["compose.yaml"])["services"]["a"]
    words = after["command"] if isinstance(after["command"], list) else shlex.split(after["command"])
    assert "--swap-space" not in words[-1] and words[-1].endswith(("--max-model-len 4096", "--no-async-scheduling"))


@pytest.mark.parametrize("entrypoint", ["python3", '["tini", "--"]', "curl"])
def test_another_program_with_such_arguments_is_no_shell(entrypoint: str) -> None:
    text = f'services:\n  a:\n    image: busybox\n    entrypoint: {entrypoint}\n    command: -c "{SCRIPT}"\n'
    assert lint(files={"compose.yaml": text}).engines == 0
