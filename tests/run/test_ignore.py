"""A .gitignore means here what it means to git: git itself is the judge."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from vllm_migrate.run.gitignore import Rules, patterns_of, rules_of
from vllm_migrate.run.walk import walk
from vllm_migrate.run.wildmatch import octets, wildmatch

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is the judge")
ENV = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "XDG_CONFIG_HOME": os.devnull}


def git(root: Path, *args: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(["git", "-C", str(root), *args], input=stdin, capture_output=True, env=ENV)
    assert done.returncode in (0, 1), done.stderr.decode()
    return done.stdout


def untracked(root: Path) -> list[str]:
    """What git finds in a work tree by its standard rules, of the kind we lint."""
    found = git(root, "ls-files", "-z", "--others", "--exclude-standard").split(b"\0")
    return sorted(os.fsdecode(path) for path in found if path.endswith(b".yaml"))


def walked(root: Path) -> list[str]:
    return sorted(os.path.relpath(found.path, root) for found in walk([str(root)]))


def grow(root: Path, files: Iterable[str]) -> None:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a: 1\n")


TREE = [
    f"{folder}{name}.yaml"
    for folder in ("", "a/", "b/", "a/b/", "a/b/c/", "conf/", "conf/a/", "z.yaml/", "a b/", "deep/a/b/c/d/")
    for name in ("a", "b", "ab", "abc", "b-1", "x", "[z]", "a b", "é")
]
ATOMS = ["a", "b", "c", "ab", "x", "é", ".", "-", "*", "**", "***", "?", "/", "/", "conf", "deep", "*.yaml", ".yaml"]
ATOMS += [
    " ",
    *[
        "[ab]",
        "[!a]",
        "[^b]",
        "[a-c]",
        "[]a]",
        "[[:alpha:]]",
        "[[:nope:]]",
        "[a",
        "]",
        "[z]",
        "\\",
        "\\*",
        "\\[",
        "!",
        "#",
    ],
]
PLAIN = ["a", "b", "conf", "a/b", "/a", "*.yaml", "a/*", "**/b", "deep/**", "a/**/c", "/*", "*", "a/b/*"]


def random_pattern(dice: random.Random) -> str:
    shape = dice.random()
    body = "".join(dice.choices(ATOMS, k=dice.randint(1, 6)))
    if shape < 0.25:
        body = dice.choice(PLAIN)
    sign = "!" if dice.random() < 0.3 else ""
    return sign + body + dice.choice(["", "", "", "/", " ", "\\ ", "\r", ".yaml"])


@needs_git
def test_random_patterns_agree_with_git(tmp_path: Path) -> None:
    grow(tmp_path, TREE)
    git(tmp_path, "init", "-q")
    dice = random.Random(20)
    for round_ in range(80):
        texts = {}
        for place in (".gitignore", "a/.gitignore", "conf/.gitignore", ".git/info/exclude"):
            amount = dice.randint(1, 5) if place == ".gitignore" or dice.random() < 0.4 else 0
            texts[place] = "\n".join(random_pattern(dice) for _ in range(amount)) + dice.choice(["", "\n"])
            (tmp_path / place).write_bytes(texts[place].encode())
        assert walked(tmp_path) == untracked(tmp_path), (round_, texts)


@needs_git
def test_single_random_patterns_agree_with_git(tmp_path: Path) -> None:
    """One pattern at a time: nothing hides behind another."""
    grow(tmp_path, TREE)
    git(tmp_path, "init", "-q")
    dice = random.Random(3)
    paths = [*TREE, *sorted({os.path.dirname(path) for path in TREE if "/" in path})]
    asked = "\0".join(paths).encode()
    for _ in range(220):
        pattern = random_pattern(dice)
        (tmp_path / ".gitignore").write_bytes(pattern.encode())
        ignored = set(git(tmp_path, "check-ignore", "--no-index", "-z", "--stdin", stdin=asked).decode().split("\0"))
        rules = Rules(patterns_of(pattern.encode()))
        ours = {path for path in paths if _ignored(rules, tmp_path, path)}
        assert ours == ignored - {""}, pattern


def _ignored(rules: Rules, root: Path, path: str) -> bool:
    parts = path.split("/")
    for i in range(1, len(parts) + 1):
        at = "/".join(parts[:i])
        if rules.verdict(octets(at), octets(parts[i - 1]), (root / at).is_dir()):
            return True
    return False


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("a*b*c", "aXbXc", True),
        ("*a*a*a*a*a*a*a*a*b", "a" * 60, False),  # no blow-up
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a**b", "a/b", False),
        ("[a-]", "-", True),
        ("[!a-c]", "d", True),
        ("[[:digit:]]x", "7x", True),
        ("a\\", "a", False),
        ("[a", "a", False),
        ("*" * 5000, "a", True),
        ("*a" * 5000, "a" * 5001, False),
    ],
)
def test_wildmatch(pattern: str, text: str, expected: bool) -> None:
    assert wildmatch(pattern, text, True) is expected


def test_lines_that_are_no_patterns() -> None:
    data = b"\xef\xbb\xbf# comment\n\n   \n\\#kept\na  \nb\\ \nc\r\n!d\ne"
    assert patterns_of(data) == ["\\#kept", "a", "b\\ ", "c", "!d", "e"]


def test_covers_looks_at_the_folders_on_the_way() -> None:
    rules = rules_of(["old/", "*.json", "!keep.json"])
    assert rules.covers("conf/old/a.yaml")
    assert rules.covers("x.json")
    assert not rules.covers("keep.json")
    assert not rules.covers("conf/a.yaml")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("**/a*/" * 12 + "x", "ab/" * 60 + "y"), ("*a" * 40, "a" * 200 + "b"), ("**/*a" * 40 + "c", "a/a" * 300)],
)
def test_many_stars_match_each_part_once(pattern: str, text: str) -> None:
    """Without that, none of these would end."""
    assert wildmatch(pattern, text, True) is False
    assert wildmatch(pattern, text, False) is False
