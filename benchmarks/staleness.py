"""Say whether the launch code that a dialect was read from has changed since.

    python -m benchmarks.staleness DIALECT REPOSITORY [REVISION]
    python -m benchmarks.staleness --all FOLDER

REPOSITORY is a clone (a bare one does) of the framework, REVISION what to compare with (HEAD). Every entry of the dialect's
evidence names a commit or a release, a file and a symbol: of Python the symbol's own syntax tree is compared, without comments
and positions, of other files the lines around it. Entries of older commits are history, which may differ. Then comes the
dialect's matrix of framework and vLLM releases, beside what the revision itself asks for. With --all, FOLDER holds clones as
OWNER+NAME/repo or OWNER+NAME, and one line a dialect is printed.

The exit code is 1 when something of the newest commit that the evidence names has changed, was moved, or is gone.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from vllm_migrate.knowledge.build import DialectFile, read_dialects, rules_folder
from vllm_migrate.knowledge.records import Evidence

AROUND = 12  # lines before and after a symbol of a file that is no Python
PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "requirements-vllm.txt")
_VLLM = re.compile(r"""["'\s]vllm(?:\[[\w,-]*\])?\s*[<>=!~]=?[^"'#;\n]*""")

SAME, CHANGED, GONE, UNREAD, HISTORY = "same", "changed", "gone", "not in this repository", "history"


class Looked(NamedTuple):
    """One entry of the evidence, and what became of it."""

    entry: Evidence
    verdict: str
    detail: str = ""


class Repository:
    """A clone, read with git and never changed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def text(self, revision: str, file: str) -> str | None:
        """A file at a revision; None where either is not there."""
        found = subprocess.run(
            ["git", "-C", str(self.path), "show", f"{revision}:{file}"], capture_output=True, check=False
        )
        return found.stdout.decode("utf-8", "replace") if found.returncode == 0 else None

    def revision(self, entry: Evidence) -> str | None:
        """The commit that an entry names, or the tag of its release."""
        names = [entry.commit] if entry.commit else [f"v{entry.release}", entry.release]
        return next((name for name in names if name and self._has(name)), None)

    def time(self, revision: str) -> int:
        """When a commit was made, in seconds since 1970."""
        found = subprocess.run(
            ["git", "-C", str(self.path), "show", "-s", "--format=%ct", f"{revision}^{{commit}}"],
            capture_output=True,
            check=True,
        )
        return int(found.stdout.split()[-1])

    def _has(self, name: str) -> bool:
        found = subprocess.run(
            ["git", "-C", str(self.path), "rev-parse", "-q", "--verify", f"{name}^{{commit}}"],
            capture_output=True,
            check=False,
        )
        return found.returncode == 0


def look_at_all(file: DialectFile, repository: Repository, revision: str) -> list[Looked]:
    """What became of every entry of a dialect's evidence."""
    entries = [entry for entry in file.page.evidence if entry.file]
    times = {id(entry): repository.time(found) if (found := repository.revision(entry)) else 0 for entry in entries}
    newest = max(times.values(), default=0)
    looked = [look(entry, repository, revision) for entry in entries]
    return [
        found._replace(verdict=HISTORY)
        if found.verdict in (CHANGED, GONE) and times[id(found.entry)] < newest
        else found
        for found in looked
    ]


def look(entry: Evidence, repository: Repository, revision: str) -> Looked:
    """What became of one entry at a revision."""
    old_revision = repository.revision(entry)
    old = repository.text(old_revision, entry.file) if old_revision is not None else None
    if old is None:
        return Looked(entry, UNREAD)
    new = repository.text(revision, entry.file)
    if new is None:
        return Looked(entry, GONE, "the file is gone or has another name")
    if entry.file.endswith(".py"):
        before, after = part_of(old, entry), part_of(new, entry)
    else:
        before, after = around(old, entry), around(new, entry)
    if before is not None and after is None:
        return Looked(entry, GONE, f"{entry.symbol} is gone from the file")
    if before == after:
        return Looked(entry, SAME)
    return Looked(entry, CHANGED, f"git diff {old_revision}..{revision} -- {entry.file}")


def part_of(text: str, entry: Evidence) -> str | None:
    """The syntax of the function or class that an entry names, else of what surrounds its first mention; None: not there."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return around(text, entry)
    found: ast.AST | None = tree
    for name in entry.symbol.split("."):
        found = next((node for node in ast.walk(found) if getattr(node, "name", None) == name), None) if found else None
    if found is None or found is tree:
        last = entry.symbol.rpartition(".")[2]
        holders = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and last in (ast.get_source_segment(text, node) or "")
        ]
        found = min(holders, key=lambda node: (node.end_lineno or 0) - node.lineno) if holders else None
    return ast.dump(found) if found is not None else around(text, entry)


def around(text: str, entry: Evidence) -> str | None:
    """The lines around the first mention of a symbol, without blanks at their ends; None where it is not mentioned."""
    lines = [line.strip() for line in text.splitlines()]
    at = next((number for number, line in enumerate(lines) if entry.symbol and entry.symbol in line), None)
    if at is None:
        return None if entry.symbol else "\n".join(lines)
    return "\n".join(lines[max(0, at - AROUND) : at + AROUND + 1])


def asks_for(repository: Repository, revision: str) -> list[str]:
    """What the project files of a revision say of vLLM."""
    texts = [repository.text(revision, name) or "" for name in PROJECT_FILES]
    return list(dict.fromkeys(found.strip(" \"'\t") for text in texts for found in _VLLM.findall(text)))


def report(file: DialectFile, repository: Repository, revision: str) -> bool:
    """Print all of one dialect; whether everything is as it was read."""
    looked = look_at_all(file, repository, revision)
    for found in looked:
        entry = found.entry
        where = f"{entry.release or entry.commit} {entry.file} {entry.symbol}"
        print(f"{found.verdict:24}{where}{': ' * bool(found.detail)}{found.detail}")
    for framework, vllm in file.dialect.requires.items():
        print(f"matrix                  {file.dialect.framework} {framework}: vLLM {vllm}")
    for text in asks_for(repository, revision):
        print(f"{revision:24}{text}")
    return all(found.verdict not in (CHANGED, GONE) for found in looked)


def main(argv: list[str]) -> int:
    files = {file.dialect.id: file for file in read_dialects(rules_folder())}
    if argv[:1] == ["--all"] and len(argv) == 2:
        fresh = [_line(file, Path(argv[1])) for file in files.values()]
        return 0 if all(fresh) else 1
    if len(argv) not in (2, 3) or argv[0] not in files:
        sys.exit(__doc__)
    return 0 if report(files[argv[0]], Repository(Path(argv[1])), argv[2] if len(argv) == 3 else "HEAD") else 1


def _line(file: DialectFile, folder: Path) -> bool:
    name = file.dialect.repository.replace("/", "+")
    path = next((path for path in (folder / name / "repo", folder / name) if path.exists()), None)
    if path is None:
        print(f"{file.dialect.id:26}no clone of {file.dialect.repository}")
        return True
    looked = look_at_all(file, Repository(path), "HEAD")
    counts = {
        verdict: sum(found.verdict == verdict for found in looked) for verdict in (SAME, CHANGED, GONE, UNREAD, HISTORY)
    }
    print(f"{file.dialect.id:26}" + ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count))
    return not counts[CHANGED] and not counts[GONE]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
