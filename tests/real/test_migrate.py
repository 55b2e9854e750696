"""What `migrate` says starts at 0.18.1 is accepted by 0.18.1's own parser, and what it says does not is refused by it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.real.oracles.client import RELEASES, run_oracle
from tests.real.test_refusals import SILENT, TOGETHER, commands
from vllm_migrate.migrate.plan import migrate
from vllm_migrate.run.settings import Options

SOURCE, TARGET = RELEASES[0], RELEASES[-1]
FILES = 240
# What the target still takes, or refuses only later than the parser does.
LATER = tuple(f" {name}:" for name in SILENT)


def test_the_parser_agrees_after_the_change(
    vllm_pythons: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "requirements.txt").write_text(f"vllm=={SOURCE}\n")
    asked = [words for words in commands() if not words[0].startswith(TOGETHER)]
    chosen = asked[:: len(asked) // FILES]
    for number, words in enumerate(chosen):
        (tmp_path / f"{number}.sh").write_text(shlex.join(["vllm", "serve", "m", *words]) + "\n")
    found = migrate(Options((".",), isolated=True))
    assert [error for _, error in found.write() if error is not None] == []
    assert (tmp_path / "requirements.txt").read_text() == f"vllm=={TARGET}\n"
    starts = {start.path: start.reasons for start in found.starts}
    assert len(starts) > 150
    after = {path: shlex.split(Path(path).read_text())[1:] for path in starts}
    answers = run_oracle(vllm_pythons[TARGET], "serve_parser.py", [{"argv": after[path]} for path in starts])
    wrong = [
        (after[path], reasons, answer["error"][-1:])
        for (path, reasons), answer in zip(starts.items(), answers, strict=True)
        if bool(reasons) is answer["ok"] and not any(late in reason for reason in reasons for late in LATER)
    ]
    assert wrong == []
    assert {bool(reasons) for reasons in starts.values()} == {True, False}
