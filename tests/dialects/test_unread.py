"""What a command names and nobody here can read leaves every option open that it could set; what the project holds is read."""

from __future__ import annotations

import pytest

from vllm_migrate import effective, fix, lint


def depends(files: dict[str, str], path: str, option: str) -> str:
    (engine,) = effective([path], files=files)
    row = next(row for row in engine.settings if row.option == option)
    return row.target.depends_on or ""


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("vllm serve m $EXTRA", "$EXTRA"),
        ('vllm serve m "$@"', '"$@"'),
        ('vllm serve m "${ARGS[@]}"', '"${ARGS[@]}"'),
        ("vllm serve m $(cat args.txt)", "$(cat args.txt)"),
        ("vllm serve m --port 80 $EXTRA", "$EXTRA"),
        ("vllm serve m --enable-prefix-caching $EXTRA", "$EXTRA"),
        ("vllm serve m --config /etc/vllm/serve.yaml", "--config /etc/vllm/serve.yaml"),
        ("vllm serve --config /etc/vllm/serve.yaml", "--config /etc/vllm/serve.yaml"),
        # a word by itself: a model, a value, a word in quotes
        ("vllm serve $MODEL", ""),
        ('vllm serve "$MODEL" --port $PORT', ""),
        ('vllm serve m --port "$PORT"', ""),
        ('vllm serve m "$ONE"', ""),
        # known all the same
        ("ARGS=(--port 80)\nvllm serve m ${ARGS[@]}", ""),
    ],
)
def test_what_a_command_brings_unseen(command: str, named: str) -> None:
    files = {"run.sh": command + "\n"}
    assert depends(files, "run.sh", "async_scheduling") == (f"whether {named} sets it" if named else "")
    report = lint(["run.sh"], files=files)
    assert not any(finding.severity == "error" for finding in report.findings), "no false `no model`"
    assert bool(fix(["run.sh"], files=files).texts) is False, "nothing safe to write"


SERVE = "model: org/m\nswap-space: 4\n"
COMPOSE = """\
services:
  a:
    image: vllm/vllm-openai:v0.9.2
    volumes:
      - VOLUME
    command: --config /etc/vllm/serve.yaml
"""


@pytest.mark.parametrize(
    ("volume", "read"),
    [
        ("./conf/serve.yaml:/etc/vllm/serve.yaml:ro", True),
        ("./conf:/etc/vllm", True),
        ("{type: bind, source: ./conf, target: /etc/vllm}", True),
        ("./other:/etc/vllm", False),
        ("/srv/conf:/etc/vllm", False),
        ("conf:/data", False),
    ],
)
def test_a_file_that_compose_mounts(volume: str, read: bool) -> None:
    files = {"compose.yaml": COMPOSE.replace("VOLUME", volume), "conf/serve.yaml": SERVE}
    found = [(finding.path, finding.name) for finding in lint(["compose.yaml"], files=files).findings]
    assert (("conf/serve.yaml", "scheduler-policy-preemption") in found) is read
    assert bool(depends(files, "compose.yaml", "async_scheduling")) is not read


MANIFESTS = """\
kind: ConfigMap
metadata: {name: serve}
data:
  serve.yaml: |
    model: org/m
    swap-space: 4
---
kind: Deployment
spec:
  template:
    spec:
      containers:
        - name: vllm
          image: vllm/vllm-openai:v0.9.2
          args: [--config, /etc/vllm/serve.yaml]
          volumeMounts:
            - {name: conf, mountPath: /etc/vllm}
      volumes:
        - name: conf
          configMap: {name: NAME}
"""


@pytest.mark.parametrize("name", ["serve", "another"])
def test_a_config_map_of_the_same_manifests(name: str) -> None:
    files = {"k8s.yaml": MANIFESTS.replace("NAME", name)}
    found = [finding for finding in lint(files=files).findings if finding.name == "scheduler-policy-preemption"]
    assert [finding.line for finding in found] == ([6] if name == "serve" else [])
    texts = fix(files=files).texts
    assert ("swap-space" not in texts["k8s.yaml"] and "model: org/m" in texts["k8s.yaml"]) if found else not texts


def test_a_script_that_is_sourced_exports_for_the_command() -> None:
    files = {
        "env.sh": "export VLLM_ATTENTION_BACKEND=XFORMERS\n",
        "run.sh": 'source "$(dirname "$0")/env.sh"\nvllm serve m --seed 1\n',
    }
    found = {(finding.path, finding.name) for finding in lint(["run.sh"], files=files).findings}
    assert {("env.sh", "attention-backend-env"), ("run.sh", "engine-v0-removed")} <= found
