"""Scripts that bash refuses because of placeholders: said, their engines judged all the same, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialects.reading import Reading

SERVE = "vllm serve {} --max-num-seqs 8 --swap-space 4 --disable-log-requests\n"
SCRIPTS = [
    "conda activate < your env name >\n" + SERVE.format("org/m"),
    "ROOT=<ROOT_PATH>\n" + SERVE.format("$ROOT/m"),
    "ROOT=<ROOT_PATH>\n" + SERVE.format("<MODEL>"),
    "source < /path/to/conda >/bin/activate\nconda activate < env >\n" + SERVE.format('"< /path/to >/m"'),
    "export HF_TOKEN=<your-token>\n" + SERVE.format("org/m"),
    "cd <path/to/dir>\ncat <<EOF > x.txt\na\nEOF\n" + SERVE.format("org/m < in.txt > out.txt"),
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_engines_beside_a_placeholder(script: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"run.sh": script})
    assert [problem.reason for problem in reading.result.problems] == ["placeholders"]
    assert "nothing is written in it" in reading.result.problems[0].message
    spot = reading.named("arg-disable-log-requests").spot
    line = spot.file.source.position(spot.start).line
    assert "vllm serve" in script.splitlines()[line - 1]
    plan = reading.fix()
    assert plan.refused and not plan.applied and all("does not parse" in why for _, why in plan.refused)
    assert reading.text("run.sh") == script


WRONG = [
    "if true; then\n" + SERVE.format("org/m"),
    "ROOT=<ROOT_PATH>\nif true; then\n" + SERVE.format("org/m"),
    "echo (\n" + SERVE.format("org/m"),
    "MODEL='a\n" + SERVE.format("org/m"),
]


@pytest.mark.parametrize("script", WRONG)
def test_what_is_wrong_besides_is_not_read(script: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"run.sh": script})
    assert [problem.reason for problem in reading.result.problems] == ["syntax"]
    assert not reading.engines


def test_redirections_are_no_placeholders(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"run.sh": "cat < a.txt > b.txt\n" + SERVE.format("org/m") + "sort <in.txt>out.txt\n"})
    assert not reading.result.problems and reading.engines
