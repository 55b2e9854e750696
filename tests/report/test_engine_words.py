"""Where several engines stand in one file, each place of a text report names its own."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main

NAMES = ("policy", "judge", "ref-2")
ARGS = "[--model, m, --disable-log-requests]"


def compose(names: tuple[str, ...]) -> str:
    services = "".join(f"  {name}:\n    image: vllm/vllm-openai:v0.8.5\n    command: {ARGS}\n" for name in names)
    return f"services:\n{services}"


def workload(name: str, containers: tuple[str, ...]) -> str:
    inner = "".join(
        f"        - name: {each}\n          image: vllm/vllm-openai:v0.8.5\n          args: {ARGS}\n"
        for each in containers
    )
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\n"
        f"spec:\n  template:\n    spec:\n      containers:\n{inner}"
    )


def said(folder: Path, text: str, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """What follows the place of each finding about swap_space."""
    (folder / "engines.yaml").write_text(text, encoding="utf-8")
    main(
        [
            "lint",
            "--isolated",
            "--no-cache",
            "--all",
            "--select",
            "arg-disable-log-requests",
            *words,
            str(folder / "engines.yaml"),
        ]
    )
    out = capsys.readouterr().out
    return [line.split("engines.yaml:")[1] for line in out.splitlines() if "--> " in line]


@pytest.mark.parametrize("names", [*itertools.permutations(NAMES, 2), NAMES])
def test_services(names: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = said(tmp_path, compose(names), capsys)
    assert [place.split()[1] for place in places] == [f"({name})" for name in names]


@pytest.mark.parametrize("name", NAMES)
def test_one_engine_needs_no_name(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in (compose((name,)), workload(name, (name,))):
        (place,) = said(tmp_path, text, capsys)
        assert name not in place


def test_workloads_and_containers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The part that differs is the word: the workload, the container, or both."""
    two = "---\n".join(workload(name, ("vllm",)) for name in NAMES)
    assert [place.split()[1] for place in said(tmp_path, two, capsys)] == [f"({name})" for name in NAMES]
    pod = workload("pod", ("policy", "judge"))
    assert [place.split()[1] for place in said(tmp_path, pod, capsys)] == ["(policy)", "(judge)"]
    both = "---\n".join(workload(name, ("a", "b")) for name in NAMES[:2])
    expected = [f"({name}/{container})" for name in NAMES[:2] for container in "ab"]
    assert [place.split()[1] for place in said(tmp_path, both, capsys)] == expected


def test_only_text_names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "engines.yaml").write_text(compose(NAMES), encoding="utf-8")
    main(["lint", "--isolated", "--no-cache", "--output-format", "concise", str(tmp_path / "engines.yaml")])
    assert "(judge)" not in capsys.readouterr().out
