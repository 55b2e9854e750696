"""What a release's own command-line parser makes of an argument list, from the catalog's flag table.

Simulates argparse as vLLM runs it, after `argv_words` has done to the words what the release does: option strings,
`--a=b`, `--no-x`, unique abbreviations, converters (`argv_types`), choices, the last one wins. `tests/real/` holds it
against the real parsers.
"""

from __future__ import annotations

from typing import NamedTuple

from vllm_migrate.catalog.store import Catalog, Flag, FlagTable
from vllm_migrate.dialects import argv_types
from vllm_migrate.dialects.argv_words import Stop, Token, assemble, era, option_text, rewrite
from vllm_migrate.documents.interface import Unknown

__all__ = ["Arrival", "Parsed", "Refusal", "Token", "is_option", "option_text", "parse"]

MODEL = "model"  # under which name the first word that no option takes is stored


class Arrival(NamedTuple):
    """A value that the parser stored: under which option, and which written setting (by number) gave it."""

    dest: str
    value: object
    source: int


class Refusal(NamedTuple):
    """Why the program exits.

    kind: unknown, ambiguous, value, choice, missing; refused, where it ends before or without parsing.
    """

    kind: str
    option: str
    text: str
    source: int
    candidates: tuple[str, ...] = ()


class Parsed(NamedTuple):
    """arrivals in order (a later one of the same dest wins), refusals, arguments that no option took (refused too).

    ignored: a word that the server's module takes for the model and never reads.
    """

    arrivals: list[Arrival]
    refusals: list[Refusal]
    positional: list[Token]
    ignored: list[Token]


def parse(
    command: list[Token],
    catalog: Catalog,
    release: str,
    entry: str = "serve",
    config: list[Token] | None = None,
    unread: bool = False,
) -> Parsed:
    """The parser's result. unread: more may be written, which is not seen: what is missing may stand there.

    command: the words after `vllm serve`, or after the server's module where `entry` is "api_server"; config: those
    that a configuration file stands for. Without a command the model is taken to be given elsewhere.
    """
    rules = era(catalog, release)
    serve = entry != "api_server"
    try:
        words = rewrite(assemble(command, config or [], serve, rules, unread), rules)
    except Stop as stop:
        return Parsed([], [Refusal("refused", "", stop.text, stop.source)], [], [])
    parser = _Argparse(words, catalog, release, bool(command) if serve else rules.bare, serve)
    if rules.level == "--optimization-level":
        parser.spelled_out = "-O"
    parser.open = unread
    return parser.run()


class _Argparse:
    def __init__(self, words: list[Token], catalog: Catalog, release: str, model_wanted: bool, serve: bool) -> None:
        self.words = words
        self.flags: FlagTable = catalog.flags(release)
        self.out = Parsed([], [], [], [])
        self.model_wanted = model_wanted
        self.serve = serve
        self.open = False
        self.model_doubtful = False
        self.spelled_out = ""  # an option of the catalog that argparse itself does not know: it was rewritten before
        self.lists: dict[str, list[object]] = {}

    def run(self) -> Parsed:
        at, words = 0, self.words
        while at < len(words):
            text = words[at].text
            if text == "--":
                for word in words[at + 1 :]:
                    self._positional(word)
                break
            if isinstance(text, str) and is_option(text):
                at = self._option(at, text)
            else:
                self._positional(words[at])
                at += 1
        return self.out

    def _positional(self, word: Token) -> None:
        if self.model_wanted:
            self.model_wanted = False
            if self.serve:
                self.out.arrivals.append(Arrival(MODEL, word.text, word.source))
            else:
                self.out.ignored.append(word)
            # A variable without quotes may hold nothing, so that what follows is the model; but that is no boolean.
            self.model_doubtful = isinstance(word.text, Unknown) and word.text.text[:1] not in ("'", '"')
        elif isinstance(word.text, Unknown):
            self.open = True  # it may hold anything, also an option that takes what follows
        elif not self.open and not (self.model_doubtful and str(word.text).lower() not in ("true", "false")):
            self.out.positional.append(word)

    # -- which option a word is

    def _option(self, at: int, text: str) -> int:
        word = self.words[at]
        found = self._find(text, word)
        if found is None:
            return self._skip_values(at + 1)
        flag, attached = found
        if flag.action in ("help", "version"):
            self._refuse("refused", flag.name, f"{flag.name} prints and exits", word)
            return at + 1
        if flag.takes_value:
            return self._store(at, flag, attached)
        if attached is not None:
            self._refuse("value", flag.name, f"{text.partition('=')[0]} takes no value", word)
        self._arrive(flag, flag.const if flag.action == "store_const" else _switched(flag), word)
        return at + 1

    def _lookup(self, text: str) -> tuple[Flag, str | None] | None:
        """An option by its whole name, with the value behind `=`."""
        flag = self.flags.get(text)
        if flag is not None and text != self.spelled_out:
            return flag, None
        head, eq, attached = text.partition("=")
        flag = self.flags.get(head) if eq else None
        return None if flag is None else (flag, attached)

    def _find(self, text: str, word: Token) -> tuple[Flag, str | None] | None:
        exact = self._lookup(text)
        if exact is not None:
            return exact
        found: dict[str, str | None] = {}
        if text.startswith("--"):
            head, eq, attached = text.partition("=")
            found = dict.fromkeys(self.flags.matching(head), attached if eq else None)
        else:
            head = text
            found = dict.fromkeys(option for option in self.flags.matching(text) if option != self.spelled_out)
            if text[:2] in self.flags and text[:2] != self.spelled_out:
                found[text[:2]] = text[2:]  # only options of one letter take a value glued on
        if len(found) == 1:
            option, value = next(iter(found.items()))
            return self.flags[option], value
        self._refuse("ambiguous" if found else "unknown", head, text, word, tuple(sorted(found)))
        return None

    # -- its values

    def _store(self, at: int, flag: Flag, attached: str | None) -> int:
        word = self.words[at]
        values: list[object] = []
        end = at + 1
        low, high = _arity(flag.nargs)
        if attached is not None:
            values.append(attached)
        else:
            while end < len(self.words) and len(values) < high and not self._starts_option(end):
                values.append(self.words[end].text)
                end += 1
        if len(values) < low:
            self._refuse("missing", flag.name, f"{flag.name} expects a value", word)
            return end
        if not values and flag.nargs == "?":
            self._arrive(flag, flag.const, word)
            return end
        try:
            converted = [self._converted(value, flag) for value in values]
        except _Wrong as wrong:
            self._refuse(wrong.kind, flag.name, f"{flag.name}: {wrong}", word)
            return end
        many = flag.nargs in ("*", "+") or isinstance(flag.nargs, int)
        self._arrive(flag, converted if many else converted[0], word)
        return end

    def _converted(self, value: object, flag: Flag) -> object:
        try:
            if flag.action.endswith("ParserAction") and isinstance(value, str):
                return argv_types.adapter(value)
            result = argv_types.convert(value, flag.type)
        except argv_types.Refused as error:
            raise _Wrong("value", f"invalid value {value!r} ({error})") from None
        if isinstance(flag.choices, list) and not isinstance(result, Unknown) and result not in flag.choices:
            raise _Wrong("choice", f"{result!r} is not one of {', '.join(str(c) for c in flag.choices)}")
        return result

    def _arrive(self, flag: Flag, value: object, word: Token) -> None:
        if flag.action == "append":
            start = flag.default if isinstance(flag.default, list) else []
            value = self.lists[flag.dest] = [*self.lists.get(flag.dest, start), value]
        for source in (*word.also, word.source):
            self.out.arrivals.append(Arrival(flag.dest, value, source))

    def _starts_option(self, at: int) -> bool:
        text = self.words[at].text
        return isinstance(text, str) and is_option(text)

    def _skip_values(self, at: int) -> int:
        """Past what belongs to an option the parser does not know."""
        while at < len(self.words) and not self._starts_option(at):
            at += 1
        return at

    def _refuse(self, kind: str, option: str, text: str, word: Token, candidates: tuple[str, ...] = ()) -> None:
        for source in (*word.also, word.source):
            self.out.refusals.append(Refusal(kind, option, text, source, candidates))


class _Wrong(Exception):
    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def is_option(text: str) -> bool:
    """Whether argparse takes a word for an option (negative numbers and words with a blank are values)."""
    if len(text) < 2 or text[0] != "-" or " " in text.partition("=")[0]:
        return False
    whole, dot, part = text[1:].partition(".")
    if dot:
        return not (part.isdecimal() and (whole.isdecimal() or not whole))
    return not whole.isdecimal()


def _switched(flag: Flag) -> bool:
    return flag.action != "store_false" and not flag.negative


def _arity(nargs: object) -> tuple[int, int]:
    if nargs == "?":
        return 0, 1
    if nargs == "*":
        return 0, 1 << 30
    if nargs == "+":
        return 1, 1 << 30
    return (nargs, nargs) if isinstance(nargs, int) else (1, 1)
