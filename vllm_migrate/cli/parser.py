"""The parser of a command, made from its options with argparse; mistakes are errors that name what was meant."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import NoReturn

from vllm_migrate.cli.options import FLAG, INTEGER, LIST, NUMBER, CommandTable, Option
from vllm_migrate.cli.terminal import width
from vllm_migrate.errors import UsageError

WIDTH = 100  # at most


class HelpWanted(Exception):
    """--help was given. `text` is what it prints."""

    text = ""


class _Formatter(argparse.HelpFormatter):
    """Help in the form that the list of commands has."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=min(width(), WIDTH))

    def add_usage(self, usage, actions, groups, prefix=None):  # type: ignore[no-untyped-def]
        super().add_usage(usage, actions, groups, "Usage: ")

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Paragraphs filled one by one; an indented one, which holds commands, stays as it is."""
        fill = super()._fill_text
        return "\n\n".join(part if part.startswith(" ") else fill(part, width, indent) for part in text.split("\n\n"))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message.removeprefix("argument "), f"`{self.prog} --help` lists the options")


class _Help(argparse.Action):
    def __call__(self, *_: object, **__: object) -> NoReturn:
        raise HelpWanted


def _parser(command: CommandTable, prog: str, options: bool = True, arguments: bool = True) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=prog,
        usage=" ".join((prog, "[OPTIONS]", *(_shown(option) for option in command.options if option.is_argument))),
        description=command.help,
        formatter_class=_Formatter,
        add_help=False,
        allow_abbrev=False,
    )
    above, below = parser.add_argument_group("Arguments"), parser.add_argument_group("Options")
    for option in command.options:
        if arguments if option.is_argument else options:
            _add(above if option.is_argument else below, option)
    if options:
        below.add_argument("-h", "--help", action=_Help, nargs=0, default=argparse.SUPPRESS, help="Show this text.")
    return parser


def _shown(option: Option) -> str:
    if option.many:
        return f"{option.name}..." if option.required else f"[{option.name}]..."
    return option.name if option.required else f"[{option.name}]"


def _add(group: argparse._ArgumentGroup, option: Option) -> None:
    text = argparse.SUPPRESS if option.hidden else option.help.replace("%", "%%")
    if option.choices:
        text += f" One of: {', '.join(option.choices)}."
    dest, metavar = option.destination, option.metavar or None
    if option.is_argument:
        nargs = ("+" if option.required else "*") if option.many else None if option.required else "?"
        group.add_argument(dest, nargs=nargs, default=option.default, metavar=metavar, help=text)
        return
    names = (option.short, option.name) if option.short else (option.name,)
    if option.kind == FLAG:
        default = option.default if option.off else False
        group.add_argument(*names, dest=dest, action="store_true", default=default, help=text)
        if option.off:
            group.add_argument(
                option.off, dest=dest, action="store_false", default=default, help=f"The opposite of {option.name}."
            )
        return
    group.add_argument(
        *names,
        dest=dest,
        action="extend" if option.kind == LIST else "store",
        type=_reader(option),
        default=option.default,
        required=option.required,
        metavar=metavar,
        help=text,
    )


def _reader(option: Option) -> Callable[[str], object]:
    """Turns a word into the option's value. Raises argparse.ArgumentTypeError with what is wrong."""

    def read(word: str) -> object:
        if option.kind == LIST:
            items = [word] if option.words else [item.strip() for item in word.split(",") if item.strip()]
            return [_chosen(option, item) for item in items]
        return _number(option, word) if option.kind in (INTEGER, NUMBER) else _chosen(option, word)

    return read


def _chosen(option: Option, word: str) -> str:
    if option.choices and word not in option.choices:
        raise argparse.ArgumentTypeError(f"{word!r} is not one of {', '.join(option.choices)}{_meant(word, option)}")
    return word


def _number(option: Option, word: str) -> float:
    try:
        value: float = int(word) if option.kind == INTEGER else float(word)
    except ValueError:
        kind = "a whole number" if option.kind == INTEGER else "a number"
        raise argparse.ArgumentTypeError(f"{word!r} is not {kind}") from None
    if option.least is not None and not value >= option.least:
        raise argparse.ArgumentTypeError(f"{word} is less than {option.least:g}")
    return value


def _meant(word: str, option: Option) -> str:
    near = close_to(word, option.choices)
    return f"; did you mean {near}?" if near else ""


def close_to(word: str, known: Sequence[str]) -> str:
    """What was probably meant by a word; "" where nothing is close."""
    from difflib import get_close_matches

    return " or ".join(get_close_matches(word, known, n=2))


def parse(command: CommandTable, words: Sequence[str], program: str = "vllm-migrate") -> argparse.Namespace:
    """The values of a call by field; what was not given has its default.

    Raises UsageError for a call that is wrong, HelpWanted for --help.
    """
    # Options first, then what they leave: argparse itself takes arguments between options, and `--`, only in part.
    end = words.index("--") if "--" in words else len(words)
    prog = f"{program} {command.name}"
    known = {"--help", *(name for option in command.options for name in (option.name, option.off))}
    for word in words[:end]:  # before argparse says that another one is missing
        if not command.takes_flags and word.startswith("--") and word.partition("=")[0] not in known:
            raise _unknown(command, prog, word.partition("=")[0])
    try:
        values, rest = _parser(command, prog, arguments=False).parse_known_args(words[:end])
    except HelpWanted as wanted:
        wanted.text = help_text(command, program)
        raise
    for word in rest:
        if not command.takes_flags and word.startswith("-") and word != "-":
            raise _unknown(command, prog, word.partition("=")[0])
    left = [*rest, *words[end + 1 :]]
    _parser(command, prog, options=False).parse_args(["--", *left] if left else [], values)
    return values


def _unknown(command: CommandTable, prog: str, name: str) -> UsageError:
    if prog.endswith(" lint") and name == "--fix":
        return UsageError(
            f"{prog}: no option {name}", f"{prog.removesuffix('lint')}fix PATH shows the edits; --write writes them"
        )
    near = close_to(name, [option.name for option in command.options if not option.is_argument and not option.hidden])
    return UsageError(f"{prog}: no option {name}", f"did you mean {near}?" if near else f"`{prog} --help` lists them")


def help_text(command: CommandTable, program: str = "vllm-migrate") -> str:
    """What --help prints."""
    return _parser(command, f"{program} {command.name}").format_help()
