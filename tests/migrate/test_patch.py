"""The diff of a migration as a file: git applies it, and where it quotes secrets it is its owner's alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main

SECRET = "hf_aB3dE5fG7hJ9kL2mN4pQ6rS8"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.sh").write_text(f"export HF_TOKEN={SECRET}\nvllm serve m --swap-space 4 --num-scheduler-steps 8\n")
    return tmp_path


def test_a_patch_with_secrets(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["migrate", "--isolated", "--patch", "out.patch", "run.sh"])
    out, err = capsys.readouterr()
    assert SECRET not in out + err and "out.patch holds lines with secrets" in err
    assert (project / "out.patch").stat().st_mode & 0o777 == 0o600
    subprocess.run(["git", "apply", "out.patch"], check=True, cwd=project)
    assert SECRET in (project / "run.sh").read_text() and "swap-space" not in (project / "run.sh").read_text()


def test_a_diff_with_secrets_on_the_terminal(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["migrate", "--isolated", "run.sh"])
    out, err = capsys.readouterr()
    assert SECRET not in out + err and "cannot be applied as shown" in err


def test_a_patch_without_secrets(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "run.sh").write_text("vllm serve m --swap-space 4 --num-scheduler-steps 8\n")
    main(["migrate", "--isolated", "--patch", "out.patch", "run.sh"])
    assert "secret" not in capsys.readouterr().err
    assert (project / "out.patch").stat().st_mode & 0o044 == 0o044
