"""The action's scripts, run as GitHub runs them: on a pull request in a real repository, with a `gh` that only notes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = "vllm_config:\n  use_v1: true\n  vllm_kwargs:\n    dtype: bfloat16\n    num-scheduler-steps: 1\n"
GH = """#!/usr/bin/env bash
printf '%s\\n' "$*" >>"$GH_LOG"
case "$*" in
    *--paginate*) [[ -n ${GH_FOUND:-} ]] && echo "$GH_FOUND"; exit 0 ;;
    *) exit "${GH_EXIT:-0}" ;;
esac
"""


def git(folder: Path, *words: str) -> str:
    settings = (
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "init.defaultBranch=main",
    )
    done = subprocess.run(["git", *settings, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Job:
    """A job of GitHub Actions in a checkout."""

    def __init__(self, folder: Path, temporary: Path) -> None:
        self.folder = folder
        self.temporary = temporary
        self.output = temporary / "output"
        self.summary = temporary / "summary"
        program = temporary / "vllm-migrate"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vllm_migrate "$@"\n')
        program.chmod(0o755)
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "RUNNER_TEMP": str(temporary),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_REPOSITORY": "someone/project",
            "VLLM_MIGRATE": str(program),
            "XDG_CACHE_HOME": str(temporary / "cache"),
        }

    def run(self, script: str, **environment: str) -> str:
        for file in (self.output, self.summary):
            file.unlink(missing_ok=True)
        done = subprocess.run(
            ["bash", str(ROOT / "action" / script)],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.output.read_text().splitlines())


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A shallow checkout of a branch that changes one line; the base is only at the origin."""
    if shutil.which("git") is None or shutil.which("bash") is None:
        pytest.skip("needs git and bash")
    origin = tmp_path / "origin"
    (origin / "conf").mkdir(parents=True)
    git(origin, "init", "-q")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    (origin / "conf" / "a.yaml").write_text(CONFIG)
    (origin / "conf" / "b.yaml").write_text(CONFIG)
    git(origin, "add", ".")
    git(origin, "commit", "-q", "-m", "base")
    git(origin, "checkout", "-q", "-b", "work")
    (origin / "conf" / "a.yaml").write_text(CONFIG.replace("steps: 1", "steps: 1 # kept"))
    git(origin, "commit", "-q", "-a", "-m", "change")
    git(tmp_path, "clone", "-q", "--depth=1", "--branch=work", f"file://{origin}", "checkout")
    temporary = tmp_path / "runner"
    temporary.mkdir()
    made = Job(tmp_path / "checkout", temporary)
    made.environment["BASE"] = git(origin, "rev-parse", "main")
    return made


def test_only_changed_lines(job: Job) -> None:
    out = job.run("lint.sh", INPUT_CHANGED_LINES="true", INPUT_PATHS="conf")
    marked = [line for line in out.splitlines() if line.startswith("::")]
    assert len(marked) == 1 and marked[0].startswith("::error file=conf/a.yaml,line=5,") and "VM203" in marked[0]
    outputs = job.outputs()
    assert outputs["status"] == "1"
    sarif = json.loads(Path(outputs["sarif-file"]).read_text())
    assert [result["ruleId"] for result in sarif["runs"][0]["results"]] == ["VM203"]
    comment = Path(outputs["comment-file"]).read_text()
    assert comment.startswith("<!-- vllm-migrate -->") and job.summary.read_text() == comment


def test_everything(job: Job) -> None:
    out = job.run(
        "lint.sh",
        INPUT_CHANGED_LINES="false",
        INPUT_PATHS="\n conf/a.yaml \n\n  conf/b.yaml\n",
        INPUT_ANNOTATIONS="false",
    )
    assert "::" not in out and "conf/a.yaml:5" in out and "conf/b.yaml:5" in out


def test_inputs_become_options(job: Job) -> None:
    job.run("lint.sh", INPUT_PATHS="conf", INPUT_FROM="0.9.0", INPUT_TO="0.10.0", INPUT_FAIL_ON="never")
    outputs = job.outputs()
    assert outputs["status"] == "0"
    properties = json.loads(Path(outputs["sarif-file"]).read_text())["runs"][0]["properties"]
    assert (properties["from"], properties["to"]) == ("0.9.0", "0.10.0")


@pytest.mark.parametrize("field", ["INPUT_PATHS", "INPUT_FROM", "INPUT_TO", "INPUT_FAIL_ON"])
def test_an_input_is_one_word(job: Job, field: str) -> None:
    """Nothing of it is run or taken for an option; a wrong call is the job's failure."""
    job.run("lint.sh", **{"INPUT_PATHS": "conf", field: "--write-baseline $(touch ran) `touch ran`; touch ran"})
    assert job.outputs() == {"status": "2"}
    assert not (job.folder / "ran").exists()


@pytest.fixture
def gh(job: Job) -> Path:
    """A `gh` that notes its words."""
    folder = job.temporary / "bin"
    folder.mkdir()
    (folder / "gh").write_text(GH)
    (folder / "gh").chmod(0o755)
    log = job.temporary / "gh.log"
    comment = job.temporary / "comment.md"
    comment.write_text("<!-- vllm-migrate -->\n")
    job.environment |= {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "GH_LOG": str(log),
        "NUMBER": "7",
        "COMMENT": str(comment),
    }
    return log


def test_the_first_comment(job: Job, gh: Path) -> None:
    job.run("comment.sh")
    assert "--method POST repos/someone/project/issues/7/comments" in gh.read_text().splitlines()[-1]


def test_the_comment_is_changed(job: Job, gh: Path) -> None:
    job.run("comment.sh", GH_FOUND="123")
    last = gh.read_text().splitlines()[-1]
    assert "--method PATCH repos/someone/project/issues/comments/123" in last and "body=@" in last


def test_a_fork_cannot_comment(job: Job, gh: Path) -> None:
    assert "::notice" in job.run("comment.sh", GH_EXIT="1")
