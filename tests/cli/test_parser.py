"""One table of options: what it parses, what its mistakes say, what a shell completes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vllm_migrate.cli import catalog, smoke
from vllm_migrate.cli.calls import options_of
from vllm_migrate.cli.main import main
from vllm_migrate.cli.options import COMMANDS, FLAG, INTEGER, LIST, NUMBER, VALUE, CommandTable
from vllm_migrate.cli.parser import HelpWanted, parse
from vllm_migrate.errors import UsageError
from vllm_migrate.run.settings import Options

LINT = COMMANDS["lint"]
EVERY = [*COMMANDS.values(), *smoke.COMMANDS.values(), *catalog.COMMANDS.values()]


def test_options_and_paths_stand_in_any_order() -> None:
    words = ["a", "--select", "A, B", "-q", "b", "--select=C", "--to", "0.18.1", "-", "--", "-x", "--to"]
    call = parse(LINT, words)
    assert call.paths == ["a", "b", "-", "-x", "--to"]
    assert (call.select, call.quiet, call.target, call.source) == (["A", "B", "C"], True, "0.18.1", None)
    options = options_of(call)
    assert options == Options(paths=tuple(call.paths), target="0.18.1", select=("A", "B", "C"))


@pytest.mark.parametrize(
    ("words", "message", "remedy"),
    [
        (["--outputformat", "json"], "no option --outputformat", "did you mean --output-format"),
        (["--quit=1"], "no option --quit", "did you mean --quiet"),
        (["--nothing-like-it"], "no option --nothing-like-it", "--help` lists"),
        (["--color", "alway"], "'alway' is not one of auto, always, never; did you mean always?", ""),
        (["--output-format", "papyrus"], "'papyrus' is not one of text, concise, json", ""),
        (["--config"], "--config: expected one argument", ""),
        (["--quiet=yes"], "--quiet: ignored explicit argument", ""),
        (["-j", "0"], "0 is less than 1", ""),
        (["-j", "many"], "'many' is not a whole number", ""),
        (["--conf", "x"], "no option --conf", "did you mean --config"),
    ],
)
def test_a_mistake_says_what_was_meant(words: list[str], message: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(LINT, words)
    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_arguments_that_are_missing_or_too_many() -> None:
    with pytest.raises(UsageError, match="PATH"):
        parse(COMMANDS["effective"], [])
    with pytest.raises(UsageError, match="--reference"):
        parse(smoke.COMMANDS["run"], ["config.yaml"])
    with pytest.raises(UsageError, match="extra"):
        parse(smoke.COMMANDS["score"], ["a.jsonl", "extra"])


def test_on_and_off() -> None:
    record = smoke.COMMANDS["record"]
    assert [parse(record, ["c", *words]).probe for words in ([], ["--probe"], ["--no-probe"])] == [True, True, False]
    update = smoke.COMMANDS["update"]
    values = [parse(update, ["c", *words]).clear_cache for words in ([], ["--clear-cache"], ["--keep-cache"])]
    assert values == [None, True, False]
    assert parse(update, ["c"]).max_tokens == 32 and parse(record, ["c"]).max_tokens == 64
    assert parse(record, ["c", "--set", "a=1,2", "--set", "b=3"]).overrides == ["a=1,2", "b=3"]


@pytest.mark.parametrize("command", EVERY, ids=lambda command: command.name)
def test_tables_are_sound(command: CommandTable) -> None:
    fields = [option.destination for option in command.options]
    words = [word for option in command.options for word in (option.name, option.short, option.off) if word]
    assert len(set(fields)) == len(fields) and len(set(words)) == len(words)
    assert all(option.kind in (FLAG, VALUE, LIST, INTEGER, NUMBER) for option in command.options)
    assert all(option.metavar for option in command.options if option.kind != FLAG and not option.hidden)
    with pytest.raises(HelpWanted) as caught:
        parse(command, ["--help"])
    shown = [option for option in command.options if not option.hidden]
    assert all(" ".join(option.help.split()[:3]) in " ".join(caught.value.text.split()) for option in shown)
    assert all(option.name in caught.value.text for option in shown)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("vllm-migrate li", {"lint"}),
        ("vllm-migrate lint --output", {"--output-format", "--output-file"}),
        ("vllm-migrate fix --uns", {"--unsafe"}),
        ("vllm-migrate smoke upd", {"update"}),
        ("vllm-migrate smoke update --keep", {"--keep-cache"}),
    ],
)
def test_a_shell_completes_from_the_tables(line: str, expected: set[str], tmp_path: Path) -> None:
    words = line.split()
    env = {
        **os.environ,
        "_VLLM_MIGRATE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    command = [sys.executable, "-c", "from vllm_migrate.cli.main import entry; entry()"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert set(done.stdout.split()) == expected, done.stderr


def test_every_command_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for command in COMMANDS.values():
        assert f"\n  {command.name}" in out
    assert main(["smoke", "--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name}" in out for name in smoke.COMMANDS)
    assert main(["lnt"]) == 2


@pytest.mark.parametrize("command", smoke.COMMANDS.values(), ids=smoke.COMMANDS)
def test_a_help_speaks_of_what_the_command_has(command: CommandTable) -> None:
    """An option that a text names is one of this command, and a command that scores says so of its model."""
    names = {word for option in command.options for word in (option.name, option.off)}
    for option in command.options:
        assert set(re.findall(r"--[a-z][a-z-]+", option.help)) <= names, option
        assert "REC" not in option.help or "REC" in names or "recording" in {o.field for o in command.options}, option
    texts = {option.field: option.help for option in command.options}
    if "model" in texts:
        assert ("scor" in texts["model"]) is ("head_dtype" in texts)
