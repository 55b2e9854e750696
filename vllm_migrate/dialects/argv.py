"""What a release's own command-line parser makes of an argument list, from the catalog's flag table.

Simulates argparse as vLLM's FlexibleArgumentParser runs it: `_` read as `-` in option names, `--a=b`, dotted keys of
JSON options, `--no-x` of boolean options, unique abbreviations, last one wins. `tests/real/` holds it against the real
parsers.
"""

from __future__ import annotations

from typing import NamedTuple

from vllm_migrate.catalog.store import Flag, FlagTable
from vllm_migrate.documents.interface import Unknown


class Token(NamedTuple):
    """One argument: its text (or Unknown), and the number of the written setting it came from."""

    text: object
    source: int


class Arrival(NamedTuple):
    """A value that the parser stored: under which option, and which written setting (by number) gave it."""

    dest: str
    value: object
    source: int


class Refusal(NamedTuple):
    """Why the parser exits with 2. kind: unknown, ambiguous, value, choice, missing."""

    kind: str
    option: str
    text: str
    source: int
    candidates: tuple[str, ...] = ()


class Parsed(NamedTuple):
    """arrivals in order (a later one of the same dest wins), refusals, arguments that no option took."""

    arrivals: list[Arrival]
    refusals: list[Refusal]
    positional: list[Token]


def parse(tokens: list[Token], flags: FlagTable) -> Parsed:
    """The parser's result for the arguments after the sub-command."""
    return _Parser(tokens, flags).run()


def option_text(word: str) -> str:
    """An option word as the parser compares it: `--max_model_len` is `--max-model-len`."""
    head, eq, tail = word.partition("=")
    name, dot, rest = head.partition(".")
    return name.replace("_", "-") + dot + rest + eq + tail if word.startswith("--") else word


class _Parser:
    def __init__(self, tokens: list[Token], flags: FlagTable) -> None:
        self.tokens = tokens
        self.flags = flags
        self.out = Parsed([], [], [])
        self.dotted: dict[str, Arrival] = {}

    def run(self) -> Parsed:
        at, tokens = 0, self.tokens
        while at < len(tokens):
            text = tokens[at].text
            if isinstance(text, str) and is_option(text):
                at = self._option(at, text)
            else:
                self.out.positional.append(tokens[at])
                at += 1
        return self.out

    def _option(self, at: int, text: str) -> int:
        source = self.tokens[at].source
        head, eq, attached = option_text(text).partition("=")
        name, dot, key = head.partition(".")
        flag = self._find(head if not dot else name, source, text)
        if flag is None:
            return self._skip_values(at + 1)
        value: object = attached if eq else None
        if flag.action in ("store", "append") or (dot and key):
            return self._store(at, flag, value, key)
        if eq:
            self._refuse("value", text, f"{head} takes no value", source)
            return at + 1
        self._switch(flag, source)
        return at + 1

    def _switch(self, flag: Flag, source: int) -> None:
        if flag.action in ("help", "version"):
            return
        value: object = not flag.negative
        if flag.action == "store_false":
            value = False
        elif flag.action == "store_const":
            value = flag.const
        self.out.arrivals.append(Arrival(flag.dest, value, source))

    def _find(self, head: str, source: int, text: str) -> Flag | None:
        flag = self.flags.get(head)
        if flag is not None:
            return flag
        if not head.startswith("--"):
            # Single-dash options may carry their value: -tp4, -O3.
            for cut in range(len(head) - 1, 1, -1):
                flag = self.flags.get(head[:cut])
                if flag is not None and flag.action == "store":
                    return flag
            self._refuse("unknown", head, text, source)
            return None
        candidates = self.flags.matching(head)
        found: dict[str, Flag] = {}
        for candidate in candidates:
            match = self.flags.get(candidate)
            if match is not None:
                found[candidate] = match
        if len(found) == 1:
            return next(iter(found.values()))
        kind = "ambiguous" if found else "unknown"
        self._refuse(kind, head, text, source, tuple(sorted(found)))
        return None

    def _store(self, at: int, flag: Flag, attached: object, key: str) -> int:
        token = self.tokens[at]
        text = token.text
        if attached is None and isinstance(text, str) and not text.startswith("--"):
            attached = _glued(text, self.flags)
        values: list[object] = []
        end = at + 1
        if attached is not None:
            values.append(attached)
        else:
            low, high = _arity(flag.nargs)
            while end < len(self.tokens) and len(values) < high and not self._starts_option(end):
                values.append(self.tokens[end].text)
                end += 1
            if len(values) < low:
                self._refuse("missing", flag.name, f"{flag.name} expects a value", token.source)
                return end
            if not values and flag.nargs == "?":
                values.append(flag.const)
        self._arrive(flag, values, key, token.source)
        return end

    def _arrive(self, flag: Flag, values: list[object], key: str, source: int) -> None:
        many = flag.nargs in ("*", "+") or (isinstance(flag.nargs, int) and flag.nargs > 1)
        converted: list[object] = []
        for value in values:
            good, result = convert(value, flag) if not key else (True, value)
            if not good:
                shown = f"invalid {_type_name(flag)} value: {value!r}"
                self._refuse("value", flag.name, f"{flag.name}: {shown}", source)
                return
            if isinstance(flag.choices, (list, tuple)) and not isinstance(result, Unknown) and not key:
                if not any(str(result) == str(choice) for choice in flag.choices):
                    shown = ", ".join(str(c) for c in flag.choices)
                    self._refuse("choice", flag.name, f"{flag.name}: {result!r} is not one of {shown}", source)
                    return
            converted.append(result)
        if key:
            self._dotted(flag, key, converted[0] if converted else True, source)
            return
        self.out.arrivals.append(Arrival(flag.dest, converted if many else converted[0], source))

    def _dotted(self, flag: Flag, key: str, value: object, source: int) -> None:
        """`--compilation-config.mode 3` adds one key to the option's mapping."""
        old = self.dotted.get(flag.dest)
        mapping: dict[str, object] = dict(old.value) if old and isinstance(old.value, dict) else {}
        at = mapping
        *outer, last = key.split(".")
        for part in outer:
            inner = at.setdefault(part, {})
            at = inner if isinstance(inner, dict) else {}
        at[last] = _literal(value)
        arrival = Arrival(flag.dest, mapping, source)
        self.dotted[flag.dest] = arrival
        self.out.arrivals.append(arrival)

    def _starts_option(self, at: int) -> bool:
        text = self.tokens[at].text
        return isinstance(text, str) and is_option(text)

    def _skip_values(self, at: int) -> int:
        """Past what belongs to an option the parser does not know."""
        while at < len(self.tokens) and not self._starts_option(at):
            at += 1
        return at

    def _refuse(self, kind: str, option: str, text: str, source: int, candidates: tuple[str, ...] = ()) -> None:
        self.out.refusals.append(Refusal(kind, option, text, source, candidates))


def is_option(text: str) -> bool:
    """Whether argparse takes a word for an option (negative numbers are values)."""
    if len(text) < 2 or text[0] != "-" or " " in text.partition("=")[0]:
        return False
    return not _is_number(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _glued(text: str, flags: FlagTable) -> str | None:
    """The value stuck to a short option (-O3, -tp=4 is cut before); None when the word is the option itself."""
    if flags.get(text) is not None:
        return None
    for cut in range(len(text) - 1, 1, -1):
        if flags.get(text[:cut]) is not None:
            return text[cut:].removeprefix("=")
    return None


def _arity(nargs: object) -> tuple[int, int]:
    if nargs is None:
        return 1, 1
    if nargs == "?":
        return 0, 1
    if nargs == "*":
        return 0, 1 << 30
    if nargs == "+":
        return 1, 1 << 30
    return (nargs, nargs) if isinstance(nargs, int) else (1, 1)


def _type_name(flag: Flag) -> str:
    return str(flag.type or "str")


def convert(value: object, flag: Flag) -> tuple[bool, object]:
    """(accepted, converted) of one argument's text by the flag's type; types we do not model keep their text."""
    if not isinstance(value, str):
        return True, value
    kind = str(flag.type or "")
    if kind.startswith("optional_") or kind.startswith("union_"):
        if value in ("", "None"):
            return True, None
        kind = kind.partition("_")[2]
    if kind == "int":
        return _number(value, int)
    if kind == "float":
        return _number(value, float)
    if kind == "human_readable_int":
        return _human(value)
    if kind == "json" or (kind.startswith("dataclass:") and value.startswith("{")):
        return _json(value)
    return True, value


def _number(text: str, kind: type[int] | type[float]) -> tuple[bool, object]:
    try:
        return True, kind(text)
    except ValueError:
        return False, text


_SCALES = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def _human(text: str) -> tuple[bool, object]:
    """2k is 2,000 and 2K is 2,048; fractions with the decimal letters only."""
    scale = _SCALES.get(text.strip()[-1:])
    if scale is None:
        return _number(text, int)
    number = text.strip()[:-1]
    try:
        return True, (int(float(number) * scale) if text.strip()[-1].islower() else int(number) * scale)
    except ValueError:
        return False, text


def _json(text: str) -> tuple[bool, object]:
    import json

    try:
        return True, json.loads(text)
    except ValueError:
        return False, text


def _literal(value: object) -> object:
    if not isinstance(value, str):
        return value
    good, parsed = _json(value)
    return parsed if good else value
