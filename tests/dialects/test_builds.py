"""Services of a compose file that are built from a Dockerfile of the project."""

from __future__ import annotations

import pytest

from vllm_migrate import effective, fix, lint

ARGUMENTS = '    command: ["--model", "org/m", "--max-model-len", "8192"]\n'
FROM = "FROM vllm/vllm-openai:v0.9.2\n"


def compose(build: str, more: str = ARGUMENTS) -> str:
    return f"services:\n  server:\n    build:{build}\n{more}"


@pytest.mark.parametrize(
    ("build", "path"),
    [
        (" ./server", "server/Dockerfile"),
        (" server", "server/Dockerfile"),
        (" .", "Dockerfile"),
        (' "server"  # ours', "server/Dockerfile"),
        ("\n      context: server", "server/Dockerfile"),
        ("\n      context: server\n      dockerfile: Dockerfile.gpu", "server/Dockerfile.gpu"),
        ("\n      dockerfile: docker/Dockerfile\n      context: .", "docker/Dockerfile"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_service_runs_what_it_is_built_from(build: str, path: str, newline: str) -> None:
    files = {"compose.yaml": compose(build).replace("\n", newline), path: FROM}
    (engine,) = effective(files=files)
    assert engine.situation.source.value == "0.9.2" and path in engine.situation.source.because
    written = fix(files=files, unsafe=True).texts
    assert list(written) == ["compose.yaml"] and "--no-async-scheduling" in written["compose.yaml"]


@pytest.mark.parametrize(
    "dockerfile",
    [
        "ARG TAG=v0.9.2\nFROM vllm/vllm-openai:${TAG}\n",
        'FROM python:3.12 AS base\nRUN pip install vllm==0.9.2\nENTRYPOINT ["vllm", "serve"]\n',
        'FROM python:3.12\nRUN pip install vllm==0.9.2\nENTRYPOINT ["python3", "-m", "vllm.entrypoints.openai.api_server"]\n',
        "FROM vllm/vllm-openai:v0.9.2 AS one\nFROM one\nRUN pip install x\n",
    ],
)
def test_the_program_of_the_image(dockerfile: str) -> None:
    files = {"compose.yaml": compose(" server"), "server/Dockerfile": dockerfile}
    (engine,) = (engine for engine in effective(files=files) if engine.path == "compose.yaml")
    assert "max_model_len" in {row.option for row in engine.settings} and engine.situation.source.value == "0.9.2"


@pytest.mark.parametrize(
    ("build", "dockerfile", "more"),
    [
        (" server", 'FROM python:3.12\nENTRYPOINT ["python", "main.py"]\n', ARGUMENTS),
        (" server", "FROM python:3.12\n", ARGUMENTS),
        (" ../elsewhere", FROM, ARGUMENTS),
        (" https://example.org/repo.git", FROM, ARGUMENTS),
        (" ${WHERE}", FROM, ARGUMENTS),
        (" /srv/server", FROM, ARGUMENTS),
        (" server", FROM, ""),
        ("\n      context: server\n      target: other", FROM, ARGUMENTS),
    ],
)
def test_others_are_no_engines(build: str, dockerfile: str, more: str) -> None:
    files = {"compose.yaml": compose(build, more), "server/Dockerfile": dockerfile}
    assert not [engine for engine in effective(files=files) if engine.path == "compose.yaml"]


def test_each_service_moves_by_itself() -> None:
    two = compose(" a") + compose(" b").replace("services:\n", "").replace("server:", "other:")
    files = {"compose.yaml": two, "a/Dockerfile": FROM, "b/Dockerfile": "FROM vllm/vllm-openai:v0.10.2\n"}
    assert {engine.situation.source.value for engine in effective(files=files)} == {"0.9.2", "0.10.2"}
    assert {(found.path, found.releases[0]) for found in lint(files=files).findings if found.code == "VM102"} == {
        ("compose.yaml", "0.9.2"),
        ("compose.yaml", "0.10.2"),
    }
