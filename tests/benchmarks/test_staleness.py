"""Whether the code that a dialect was read from has changed: over a repository of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks import staleness
from vllm_migrate.knowledge.records import Evidence

CODE = "import a\n\n\nclass Engine:\n    def start(self):\n        return LLM(model=1)  # {note}\n\n    def stop(self): {stop}\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    commit(tmp_path, CODE.format(note="old", stop="pass"))
    return tmp_path


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path, text: str | None, name: str = "engine.py") -> str:
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


def verdict(folder: Path, symbol: str = "Engine.start", name: str = "engine.py") -> str:
    first = git(folder, "rev-list", "--max-parents=0", "HEAD")
    entry = Evidence(commit=first, file=name, symbol=symbol)
    return staleness.look(entry, staleness.Repository(folder), "HEAD").verdict


def test_comments_and_other_functions_do_not_count(clone: Path) -> None:
    commit(clone, "# moved down\n" + CODE.format(note="new", stop="return 1"))
    assert verdict(clone) == staleness.SAME
    assert verdict(clone, "Engine") == staleness.CHANGED


def test_another_argument_counts(clone: Path) -> None:
    commit(clone, CODE.format(note="old", stop="pass").replace("model=1", "model=1, seed=0"))
    assert verdict(clone) == staleness.CHANGED


def test_a_name_that_is_no_definition_stands_for_the_function_around_it(clone: Path) -> None:
    commit(clone, CODE.format(note="new", stop="return 1"))
    assert verdict(clone, "LLM(model") == staleness.SAME


@pytest.mark.parametrize("text", [None, "class Other: pass\n"])
def test_what_is_gone(clone: Path, text: str | None) -> None:
    commit(clone, text)
    assert verdict(clone) == staleness.GONE


def test_lines_around_a_symbol_of_another_file(clone: Path) -> None:
    lines = [f"key{number}: {number}" for number in range(60)]
    git(clone, "commit", "-q", "--allow-empty", "-m", "x")
    entry = Evidence(commit=commit(clone, "\n".join(lines), "values.yaml"), file="values.yaml", symbol="key30")
    commit(clone, "\n".join(["key0: other", *lines[1:]]), "values.yaml")
    assert staleness.look(entry, staleness.Repository(clone), "HEAD").verdict == staleness.SAME
    commit(clone, "\n".join(lines).replace("key31: 31", "key31: 1"), "values.yaml")
    assert staleness.look(entry, staleness.Repository(clone), "HEAD").verdict == staleness.CHANGED


def test_a_commit_from_elsewhere_says_nothing(clone: Path) -> None:
    entry = Evidence(commit="0" * 40, file="engine.py", symbol="Engine")
    assert staleness.look(entry, staleness.Repository(clone), "HEAD").verdict == staleness.UNREAD
