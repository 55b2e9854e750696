"""Several processes give what one gives: the same findings in the same order, and the same stamps."""

from __future__ import annotations

from pathlib import Path

import pytest

from vllm_migrate.run import parallel
from vllm_migrate.run.lint import FEW, how_many, lint
from vllm_migrate.run.settings import Options
from vllm_migrate.run.walk import Input

BASE = "vllm_config:\n  use_v1: false\n  vllm_kwargs:\n    dtype: bfloat16\n    num-scheduler-steps: {steps}\n"
CHILD = "defaults:\n  - base{number}\n  - _self_\nvllm_config:\n  use_v1: {v1}\n"
SERVE = "model: m\nenable-prefix-caching: false\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Parents with children on either side of them, scripts that name configurations, and files that cannot be read."""
    monkeypatch.chdir(tmp_path)
    for number in range(6):
        folder = tmp_path / f"group{number % 3}"
        folder.mkdir(exist_ok=True)
        (folder / f"base{number}.yaml").write_text(BASE.format(steps=number + 1))
        for side in ("a", "z"):
            text = CHILD.format(number=number, v1=str(side == "a").lower())
            (folder / f"{side}{number}.yaml").write_text(text)
        (folder / f"serve{number}.yaml").write_text(SERVE)
        (folder / f"run{number}.sh").write_text(f"vllm serve --config serve{number}.yaml\n")
    (tmp_path / "broken.yaml").write_text("vllm_kwargs: [\n")
    (tmp_path / "marked.sh").write_text("vllm serve a  # vllm-migrate: ignore[VM102, VM201]\n")
    return tmp_path


@pytest.mark.parametrize("jobs", [2, 3])
@pytest.mark.usefixtures("project")
def test_the_report_is_the_same(jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, stamps = lint(Options(paths=(".",)))
    assert len({finding.path for finding in alone.findings}) > 12 and alone.suppressed and alone.problems
    assert any(finding.children for finding in alone.findings)
    monkeypatch.setattr(parallel, "PIECES_PER_JOB", 5)
    shared, shared_stamps = lint(Options(paths=(".",)), jobs=jobs)
    assert shared == alone
    assert dict(shared_stamps.items()) == dict(stamps.items())


def test_a_configuration_that_a_later_piece_holds_and_no_script_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command in YAML names a file that another process has judged by itself: one process judges them all then."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(
        "services:\n  vllm:\n    image: vllm/vllm-openai:v0.8.5\n    command: [--config, z.yaml]\n"
    )
    (tmp_path / "z.yaml").write_text(SERVE)
    alone, _ = lint(Options(paths=(".",)))
    shared, _ = lint(Options(paths=(".",)), jobs=2)
    assert shared == alone


def test_how_many() -> None:
    few, many = ([Input(f"{n}.yaml", False) for n in range(count)] for count in (FEW - 1, FEW))
    assert how_many(None, few) == 1 and how_many(None, many) >= 1
    assert (how_many(2, few), how_many(1000, few), how_many(3, [*few, Input("-", True)])) == (2, FEW - 1, 1)
