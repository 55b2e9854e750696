"""Variables that stand in another file: read where the project holds it, open for everything they could set where it does not."""

from __future__ import annotations

import pytest

from vllm_migrate import effective, fix, lint

RUN = "docker run --gpus all {} vllm/vllm-openai:v0.9.2 --model org/m --max-model-len 8192\n"
COMPOSE = """\
services:
  a:
    image: vllm/vllm-openai:v0.9.2
    env_file: {}
    environment: {{HF_HOME: /hf}}
    command: --model org/m --max-model-len 8192
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: vllm/vllm-openai:v0.9.2
      args: [--model, org/m, --max-model-len, "8192"]
      envFrom:
        - REFERENCE
"""
MAP = "---\napiVersion: v1\nkind: {}\nmetadata: {{name: settings}}\n{}:\n  VLLM_USE_RAY_SPMD_WORKER: '1'\n"
VARIABLES = "HF_TOKEN=x\n# why\nVLLM_USE_RAY_SPMD_WORKER=1\n"


def pod(reference: str) -> str:
    return POD.replace("REFERENCE", reference)


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"run.sh": RUN.format("--env-file vllm.env"), "vllm.env": VARIABLES}, "vllm.env:3"),
        ({"run.sh": RUN.format("--env-file=vllm.env"), "vllm.env": VARIABLES}, "vllm.env:3"),
        ({"a/run.sh": RUN.format("--env-file a/vllm.env"), "a/vllm.env": VARIABLES}, "a/vllm.env:3"),
        ({"run.sh": "uv run --env-file .env vllm serve org/m --max-model-len 8192\n", ".env": VARIABLES}, ".env:3"),
        ({"run.sh": RUN.format("--env-file e"), "e": "export VLLM_USE_RAY_SPMD_WORKER='1' # x\n"}, "e:1"),
        ({"compose.yaml": COMPOSE.format("vllm.env"), "vllm.env": VARIABLES}, "vllm.env:3"),
        ({"compose.yaml": COMPOSE.format("[none.env, ./vllm.env]"), "vllm.env": VARIABLES}, "vllm.env:3"),
        ({"compose.yaml": COMPOSE.format("[{path: vllm.env, required: false}]"), "vllm.env": VARIABLES}, "vllm.env:3"),
        ({"pod.yaml": pod("configMapRef: {name: settings}") + MAP.format("ConfigMap", "data")}, "pod.yaml:16"),
        (
            {"pod.yaml": pod("configMapRef: {name: settings}"), "map.yaml": MAP.format("ConfigMap", "data")},
            "map.yaml:6",
        ),
        ({"pod.yaml": pod("secretRef: {name: settings}"), "map.yml": MAP.format("Secret", "stringData")}, "map.yml:6"),
        (
            {
                "pod.yaml": pod("configMapRef: {name: settings}"),
                "kustomization.yaml": "configMapGenerator:\n- name: settings\n  literals:\n  - VLLM_USE_RAY_SPMD_WORKER=1\n",
            },
            "kustomization.yaml:4",
        ),
        (
            {
                "pod.yaml": pod("configMapRef: {name: settings}"),
                "kustomization.yaml": "configMapGenerator:\n- name: settings\n  envs: [vllm.env]\n",
                "vllm.env": VARIABLES,
            },
            "vllm.env:3",
        ),
    ],
)
def test_a_finding_stands_where_the_variable_does(files: dict[str, str], place: str) -> None:
    paths = [name for name in files if name.endswith((".sh", "compose.yaml", "pod.yaml"))]
    found = [f for f in lint(paths, files=files).findings if f.name == "env-var-removed"]
    assert [f"{f.path}:{f.line}" for f in found] == [place]
    assert not fix(paths, files=files).texts.keys() & {"vllm.env", ".env", "e"}, "a file of variables is not written"


def test_a_variable_of_the_container_goes_before_its_file() -> None:
    files = {
        "compose.yaml": COMPOSE.format("vllm.env").replace("HF_HOME: /hf", "VLLM_USE_V1: '1'"),
        "vllm.env": "VLLM_USE_V1=0\n",
    }
    (engine,) = effective(["compose.yaml"], files=files)
    assert next(row for row in engine.settings if row.option == "engine").source.value == "v1"


UNREAD = [
    {"run.sh": RUN.format("--env-file secret.env")},
    {"run.sh": RUN.format("--env-file $ENV_FILE")},
    {"run.sh": RUN.format("--env-file /etc/vllm.env")},
    {"compose.yaml": COMPOSE.format("secret.env")},
    {"pod.yaml": pod("configMapRef: {name: settings}")},
    {"pod.yaml": pod("secretRef: {name: settings}"), "map.yaml": MAP.format("ConfigMap", "data")},
]


@pytest.mark.parametrize("files", UNREAD)
def test_what_is_not_here_decides_nothing_and_makes_nothing_fire(files: dict[str, str]) -> None:
    path = next(iter(files))
    named = {"--env-file": "--label", "env_file": "x-file", "envFrom": "xFrom"}
    known = dict(files)
    for word, other in named.items():
        known = {name: text.replace(word, other) for name, text in known.items()}
    before = {(f.code, f.line) for f in lint([path], files=known).findings}
    report = lint([path], files=files)
    assert {(f.code, f.line) for f in report.findings} <= before
    assert not any(f.code == "VM120" for f in report.findings), "nothing points to V0"


def test_what_a_variable_would_decide_depends_on_the_file() -> None:
    files = {"run.sh": RUN.format("--env-file secret.env").replace("0.9.2", "0.20.0")}
    plain = {"run.sh": files["run.sh"].replace("--env-file secret.env", "")}
    sure, found = (
        [f for f in lint(["run.sh"], files=each, to="0.30.0").findings if f.name == "model-runner-v2-default"]
        for each in (plain, files)
    )
    assert [bool(f.depends_on) for f in sure] == [False]
    assert ["secret.env" in str(f.depends_on) for f in found] == [True]
