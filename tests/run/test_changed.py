"""Findings on the lines that a diff changes: diffs by git and by diff(1), and what is no diff."""

from __future__ import annotations

import difflib
import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.errors import UsageError
from vllm_migrate.report.finding import Region
from vllm_migrate.run.changed import changed_lines, read_diff

OLD = "[Unit]\na\nb\nc\nd\ne\nf\n"
CONFIG = "vllm_config:\n  use_v1: true\n  vllm_kwargs:\n    num-scheduler-steps: 1\n    dtype: bfloat16\n"


def git(folder: Path, *words: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *settings, *words], cwd=folder, capture_output=True, text=True, check=True, errors="surrogateescape"
    )
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("needs git")
    git(tmp_path, "init", "-q")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "a.yaml").write_text(CONFIG)
    (tmp_path / "requirements.txt").write_text("# pins\nvllm==0.8.5\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


def codes(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    main(["lint", "--no-cache", "--output-format", "json", *words])
    return [finding["code"] for finding in json.loads(capsys.readouterr().out)["findings"]]


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (OLD.replace("b\n", "B\n"), {3}),
        (OLD.replace("b\nc\n", "b\nx\ny\nc\n"), {4, 5}),
        (OLD + "no newline", {8}),
        (OLD.replace("c\n", ""), {3, 4}),  # nothing is new: the lines around the gap
        (OLD.replace("[Unit]\n", "-- x\n"), {1}),
        (OLD.replace("a\n", "++ x\n"), {2}),
        (OLD, None),
    ],
)
@pytest.mark.parametrize("context", [0, 3])
def test_lines_of_gits_diff(repository: Path, new: str, expected: set[int] | None, context: int) -> None:
    file = repository / "some file.yaml"
    file.write_text(OLD)
    git(repository, "add", ".")
    file.write_text(new)
    diff = git(repository, "diff", f"-U{context}")
    assert changed_lines(diff.split("\n")) == ({} if expected is None else {"some file.yaml": expected})


@pytest.mark.parametrize("option", ["--no-prefix", "--src-prefix=i/", "--default-prefix"])
def test_prefixes_and_quoted_names(repository: Path, option: str) -> None:
    names = ["b/x.yaml", 'quote".yaml', "tab\t.yaml", "über.yaml"]
    (repository / "b").mkdir()
    for name in names:
        (repository / name).write_text("x: 1\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "two")
    for name in names:
        (repository / name).write_text("x: 1\ny: 2\n")
    if option == "--default-prefix":
        option = "--dst-prefix=b/"
    assert changed_lines(git(repository, "diff", option).split("\n")) == {name: {2} for name in names}


def test_a_new_and_a_deleted_file(repository: Path) -> None:
    (repository / "new.yaml").write_text("a\nb\n")
    (repository / "conf" / "a.yaml").unlink()
    git(repository, "add", "-A")
    assert changed_lines(git(repository, "diff", "--cached").split("\n")) == {"new.yaml": {1, 2}}


def test_a_diff_of_another_tool(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n2\n")
    (tmp_path / "b").write_text("1\n2\n3\n")
    diff = subprocess.run(["diff", "-u", "a", "b"], cwd=tmp_path, capture_output=True, text=True).stdout
    assert changed_lines(diff.split("\n")) == {"b": {3}}


@pytest.mark.parametrize(
    "text",
    [
        "hello\n",
        "@@ -1 +1 @@\n-a\n+b\n",
        "--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n",
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\nxx\n",
    ],
)
def test_what_is_no_unified_diff(text: str) -> None:
    with pytest.raises(UsageError, match="unified diff"):
        changed_lines(text.split("\n"))


def test_a_combined_diff() -> None:
    with pytest.raises(UsageError, match="combined"):
        changed_lines(["diff --cc x", "--- a/x", "+++ b/x", "@@@ -1,1 -1,1 +1,1 @@@"])


def test_lint_keeps_findings_on_changed_lines(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the repository's folder and from one below, whose paths the diff does not know."""
    every = codes(capsys, str(repository))
    (repository / "conf" / "a.yaml").write_text(CONFIG.replace("bfloat16", "float16"))
    (repository / "one.diff").write_text(git(repository, "diff"))
    (repository / "conf" / "a.yaml").write_text(CONFIG.replace("steps: 1", "steps: 1  # as before"))
    (repository / "two.diff").write_text(git(repository, "diff"))
    for folder, up in ((repository, ""), (repository / "conf", "../")):
        monkeypatch.chdir(folder)
        assert len(every) > 1 and "VM203" in every
        assert codes(capsys, ".", "--diff", f"{up}two.diff") == ["VM203"]
        assert codes(capsys, ".", "--diff", f"{up}one.diff") == []


def test_what_is_left_out_is_counted(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    Path("empty.diff").write_text("")
    main(["lint", "--no-cache", "--output-format", "concise", "conf"])
    count = len(capsys.readouterr().out.splitlines())
    assert main(["lint", "--no-cache", "--diff", "empty.diff", "conf"]) == 0
    out = capsys.readouterr().out
    assert "on lines that the diff does not change are left out" in out and count > 1


def test_a_moved_pin_brings_every_finding_of_its_project(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    Path("requirements.txt").write_text("# pins\nvllm==0.9.0\n")
    Path("pin.diff").write_text(git(repository, "diff"))
    assert codes(capsys, ".", "--diff", "pin.diff") == codes(capsys, ".", "--from", "0.8.5") != []


@pytest.mark.parametrize("stated", ['from = "0.8.5"\nto = "0.18.1"\n', 'from = "0.8.5"\n', 'to = "0.18.1"\n'])
@pytest.mark.parametrize("path", ["requirements.txt", "requirements/prod.txt"])
def test_a_moved_pin_counts_whatever_the_configuration_states(
    stated: str, path: str, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    Path("vllm-migrate.toml").write_text(stated)
    Path("requirements.txt").unlink(missing_ok=True)
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text("vllm==0.8.5\n")
    git(repository, "add", ".")
    git(repository, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "pin")
    Path(path).write_text("vllm==0.18.1\n")
    Path("pin.diff").write_text(git(repository, "diff"))
    assert "VM203" in codes(capsys, ".", "--diff", "pin.diff")
    Path(path).write_text("vllm==0.8.5\nother\n")
    Path("other.diff").write_text(git(repository, "diff"))
    assert codes(capsys, ".", "--diff", "other.diff") == []


def test_the_diff_on_standard_input(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    Path("conf/a.yaml").write_text(CONFIG.replace("steps: 1", "steps: 1  # as before"))
    diff = git(repository, "diff").encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(diff)))
    assert codes(capsys, ".", "--diff", "-") == ["VM203"]
    assert main(["lint", "-", "--diff", "-"]) == 2
    assert main(["lint", ".", "--diff", "nowhere.diff"]) == 2
    assert main(["lint", ".", "--diff", os.devnull, "--baseline", "x.json", "--write-baseline"]) == 2


def test_a_changed_result_is_not_kept_from_another_diff(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cache: the same words, another diff in the file."""
    monkeypatch.chdir(repository)
    monkeypatch.setenv("XDG_CACHE_HOME", str(repository / "cache"))
    words = ["lint", "conf", "--output-format", "concise", "--diff", "d.diff"]
    Path("d.diff").write_text("")
    assert main(words) == 0
    assert "VM203" not in capsys.readouterr().out
    Path("d.diff").write_text("--- a/conf/a.yaml\n+++ b/conf/a.yaml\n@@ -4 +4 @@\n-x\n+y\n")
    assert main(words) == 1
    assert "VM203" in capsys.readouterr().out


def test_a_region_of_several_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_text("")
    Path("d").write_text("--- x.yaml\n+++ x.yaml\n@@ -4 +4 @@\n-x\n+y\n")
    changed = read_diff(Path("d").read_text())
    assert changed.holds(Region("x.yaml", 3, 1, 5, 1)) and changed.holds(Region(str(tmp_path / "x.yaml"), 4, 1, 4, 1))
    assert not changed.holds(Region("x.yaml", 5, 1, 6, 1)) and not changed.holds(Region("y.yaml", 4, 1, 4, 1))
    assert (
        changed.names("x.yaml:4 pins it")
        and not changed.names("x.yaml:40 pins it")
        and not changed.names("the default")
    )


PINS = {
    "requirements.txt": "vllm=={}\ntorch\n",
    "pyproject.toml": '[project]\nname = "p"\ndependencies = ["vllm=={}", "torch"]\n',
    "Dockerfile": "FROM python:3.12\nRUN pip install vllm=={}\n",
    "docker/Dockerfile": "FROM vllm/vllm-openai:v{}\n",
    "requirements/gpu.txt": "torch\nvllm=={}\n",
    "uv.lock": 'version = 1\n\n[[package]]\nname = "vllm"\nversion = "{}"\nsource = {{ registry = "x" }}\n',
    "compose.yaml": "services:\n  a:\n    image: vllm/vllm-openai:v{}\n    command: --model m --disable-log-requests\n",
}


@pytest.mark.parametrize("way", ["changed", "moved", "below"])
@pytest.mark.parametrize("name", PINS)
def test_the_source_of_a_bump_is_the_release_that_the_diff_removes(
    name: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    below = "a/" if way == "below" else ""
    old, new = (PINS[name].format(release).splitlines(True) for release in ("0.8.5.post1", "0.18.1"))
    to = name if way == "changed" or name == "compose.yaml" else "setup.cfg" if way == "moved" else name
    texts = {to: "".join(new) if to == name else "[options]\ninstall_requires =\n  vllm==0.18.1\n"}
    diff = difflib.unified_diff(
        old, new if to == name else [], f"a/{below}{name}", f"b/{below}{name}" if to == name else os.devnull
    )
    patch = "".join(diff)
    if to != name:
        patch += "".join(difflib.unified_diff([], texts[to].splitlines(True), os.devnull, f"b/{to}"))
    for path, text in {**texts, "serve.sh": "vllm serve m --disable-log-requests\n"}.items():
        at = tmp_path / below / path
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(text)
    (tmp_path / "pr.diff").write_text(patch)
    assert main(["lint", "--no-cache", "--isolated", ".", "--diff", "pr.diff"]) == 1
    shown = capsys.readouterr().out
    assert "0.8.5.post1" in shown and "the diff removes" in shown and "VM204" in shown


@pytest.mark.parametrize(
    "diff",
    [
        "--- a/requirements.txt\n+++ b/requirements.txt\n@@ -1,2 +1,2 @@\n vllm==0.18.1\n-torch\n+numpy\n",
        "--- a/other/requirements.txt\n+++ b/other/requirements.txt\n@@ -1 +1 @@\n-vllm==0.8.5\n+vllm==0.18.1\n",
        "--- a/requirements.txt\n+++ b/requirements.txt\n@@ -1 +1 @@\n-vllm==0.33.0\n+vllm==0.18.1\n",
    ],
)
def test_a_diff_that_moves_no_pin_forward_shows_no_source(
    diff: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    Path("requirements.txt").write_text("vllm==0.18.1\nnumpy\n")
    Path("serve.sh").write_text("vllm serve m\n")
    Path("pr.diff").write_text(diff)
    main(["lint", "--no-cache", "--isolated", ".", "--diff", "pr.diff"])
    assert "the diff removes" not in capsys.readouterr().out
