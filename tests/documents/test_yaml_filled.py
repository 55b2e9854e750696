"""YAML in which a template fills in values alone is read; where it decides what is there, it is not."""

from __future__ import annotations

import pytest

from vllm_migrate import fix, lint

POD = """\
kind: Pod
metadata:
  name: {{ .Values.name | default "a" }}-vllm
spec:
  containers:
    - name: vllm
      image: vllm/vllm-openai:v0.8.5
      env:
        - name: TOKEN
          value: {{ env "TOKEN" | quote }}
      args: ["--model", "org/m", "--disable-log-requests"]
"""


def codes(text: str) -> set[str]:
    return {finding.code for finding in lint(["pod.yaml"], files={"pod.yaml": text}).findings}


def test_values_are_filled_in() -> None:
    assert {"VM204", "VM905"} <= codes(POD)
    planned = fix(["pod.yaml"], files={"pod.yaml": POD})
    assert not planned.texts, "a template is not written"


@pytest.mark.parametrize(
    "line",
    [
        "{{- if .Values.gpu }}",
        "{{- range .Values.models }}",
        '{{ include "labels" . }}',
        "{{- with .Values.args }}",
    ],
)
def test_what_a_template_decides_is_not_read(line: str) -> None:
    assert codes(POD.replace("spec:\n", f"spec:\n{line}\n", 1)) == {"VM905"}
