"""Every command that a page, a rule, a message or another command's help tells people to run is one that there is."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from vllm_migrate.cli import catalog, smoke
from vllm_migrate.cli.options import COMMANDS, LIST, VALUE, CommandTable, Option
from vllm_migrate.cli.parser import HelpWanted, help_text, parse
from vllm_migrate.errors import UsageError

ROOT = Path(__file__).parents[2]
GROUPS = {"smoke": smoke.COMMANDS, "catalog": catalog.COMMANDS}
PROGRAM = "vllm-migrate"
ENDS = re.compile(r"&&|\|\||[|;>]|2>|\s#\s|\.\.\.(?=\s|$)")
COMMAND = "|".join([*COMMANDS, *GROUPS])
SPAN = re.compile(
    rf"(?<![^\s(\[\"'])`(?:\w+=\S+ )*(?:(?:[^`\s]*/)?{PROGRAM} ([^`\n<]+)|((?:{COMMAND}) [^`\n<]*--[^`\n<]+))`"
)
LINE = re.compile(rf"^\s*(?:\$ |run: |entry: |\w+=\S+ )*(?:\S*/)?{PROGRAM} +(\S.*?)\s*\\?$")


def written() -> Iterator[tuple[str, str]]:
    """(where it is written, the words after the program's name)."""
    pages = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *ROOT.glob("*/README.md"),
        ROOT / ".pre-commit-hooks.yaml",
    ]
    for page in sorted(pages):
        yield from _of_page(page.relative_to(ROOT).as_posix(), page.read_text(encoding="utf-8"))
    for file in sorted((ROOT / "rules").rglob("*.yaml")):
        yield from ((file.name, found) for found in spans(file.read_text(encoding="utf-8")))
    for file in sorted((ROOT / "vllm_migrate").rglob("*.py")):
        yield from ((file.name, found) for text in _texts(file) for found in spans(text))
    for command, program in every():
        yield from _of_page(f"{program} {command.name} --help", help_text(command, program))


def spans(text: str) -> list[str]:
    """Calls between backticks, with the program's name or, of one with options, without it."""
    return [whole or short for whole, short in SPAN.findall(text)]


def _of_page(name: str, text: str) -> Iterator[tuple[str, str]]:
    yield from ((name, found) for found in spans(text))
    fenced = False
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        fenced ^= line.lstrip().startswith("```")
        found = LINE.match(line) if fenced or line.startswith("  ") else None
        if found and "<Tab>" not in line:
            yield name, found[1]


def _texts(file: Path) -> Iterator[str]:
    """The strings of a module; what is filled in is X."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def every() -> list[tuple[CommandTable, str]]:
    found = [(command, PROGRAM) for command in COMMANDS.values()]
    return found + [(command, f"{PROGRAM} {name}") for name, table in GROUPS.items() for command in table.values()]


def fault(words: list[str]) -> str:
    """Why a call is none; "" for one that its table parses. What is missing at its end is the reader's to add."""
    if not words or words[0].startswith("-"):
        return (
            ""
            if set(words) <= {"--help", "-h", "--version", "--install-completion", "--show-completion", "bash"}
            else "root"
        )
    table, program = COMMANDS, PROGRAM
    if words[0] in GROUPS:
        if len(words) == 1:
            return ""
        table, program, words = GROUPS[words[0]], f"{PROGRAM} {words[0]}", words[1:]
    if words[0] not in table:
        return f"no command {words[0]}"
    command = table[words[0]]
    loose = command._replace(options=tuple(_loose(option) for option in command.options))
    try:
        parse(loose, words[1:], program)
    except HelpWanted:
        return ""
    except UsageError as error:
        return "" if "expected one argument" in error.message else error.message  # `verify --record`, of the option
    return ""


def _loose(option: Option) -> Option:
    """An option that the page may leave out."""
    return option._replace(required=False)


def words_of(text: str) -> list[str]:
    """The words of one command, without what the shell does with its output."""
    text = ENDS.split(text, maxsplit=1)[0]
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def test_every_command_that_is_written_down_is_one() -> None:
    found = [(where, text) for where, text in written()]
    faults = {(where, text): said for where, text in found if (said := fault(words_of(text)))}
    assert not faults, "\n".join(f"{where}: {PROGRAM} {text}: {said}" for (where, text), said in faults.items())
    assert {words_of(text)[0] for _, text in found if words_of(text)} >= set(COMMANDS) - {"recorder"}


@pytest.mark.parametrize(
    "call",
    ["diff A B --sction config", "lnt .", "lint --selct VM1", "smoke recrod x", "catalog ad x", "diff A B --kind gone"],
)
def test_a_call_that_is_none_is_found(call: str) -> None:
    assert fault(words_of(call))


@pytest.mark.parametrize(("command", "program"), every(), ids=lambda each: getattr(each, "name", each))
def test_an_option_that_is_misspelt_is_found(command: CommandTable, program: str) -> None:
    group = [program.split()[1]] if " " in program else []
    for option in command.options:
        if option.is_argument or option.hidden or command.takes_flags:
            continue
        value = [option.choices[0] if option.choices else "1"] if option.kind in (VALUE, LIST) else []
        assert not fault([*group, command.name, option.name, *value]) or option.kind not in (VALUE, LIST)
        assert fault([*group, command.name, f"{option.name}x", *value])
