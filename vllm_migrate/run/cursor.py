"""Where a cursor stands in a text that is being typed: at a key or at a value, which part is typed, and what belongs around it."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

# A word that is none of vLLM's or a framework's, and plain in every kind of file.
MARK = "vllmmigratemark"
WORD = re.compile(r"[\w.-]*")


class Cursor(NamedTuple):
    """What is being typed.

    start, end: offsets of the part that a completion replaces; marked: the text with the mark in its place, whole again;
    is_value: it is a value; before, after: what belongs around a key here; dotted: the key is a whole path; prefixed: it has
    a sign of Hydra's in front; quote: what a text has to be in, "" for nothing; literals: true, false and null here; plain_yaml:
    a text that YAML reads as something else needs quotes; flag: the key begins with two dashes.
    """

    start: int
    end: int
    marked: str
    is_value: bool = False
    before: str = ""
    after: str = ""
    dotted: bool = False
    prefixed: bool = False
    quote: str = ""
    literals: tuple[str, str, str] = ("true", "false", "null")
    plain_yaml: bool = False
    flag: bool = False

    def spelled(self, value: object) -> str:
        """A value as it is written here."""
        if isinstance(value, bool) or value is None:
            return self.literals[2 if value is None else 0 if value else 1]
        text = str(value)
        if self.plain_yaml and isinstance(value, str) and _is_no_text(text):
            return json.dumps(text)
        if not isinstance(value, str) or not self.quote:
            return text
        return f"{self.quote}{text}{self.quote}"


def _is_no_text(text: str) -> bool:
    from vllm_migrate.documents.yaml.scalars import read_plain

    return not isinstance(read_plain(text, True), str)


class _Line(NamedTuple):
    """The line of a cursor: the text before it and behind it, and the offset of the cursor."""

    text: str
    before: str
    behind: str
    at: int

    def marked(self, start: int, end: int, mark: str) -> str:
        return self.text[:start] + mark + self.text[end:]


def cursor_at(kind: str, text: str, offset: int) -> Cursor | None:
    """What is being typed at an offset of a text of this kind; None where nothing can be completed."""
    begin = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    end = next((at for at in range(offset, len(text)) if text[at] in "\r\n"), len(text))
    line = _Line(text, text[begin:offset], text[offset:end], offset)
    finders = {
        "yaml": (_flag, _flag_value, _yaml_value, _yaml_key),
        "toml": (_toml_value, _toml_key),
        "json": (_json_value, _json_key),
        "shell": (_flag, _flag_value, _override_value, _override),
        "python": (_python_value, _python_key, _python_dict_key),
    }
    return next((found for find in finders.get(kind, ()) if (found := find(line)) is not None), None)


def _span(line: _Line, typed: str) -> tuple[int, int]:
    """The part that is replaced: what is typed, and what of the same word stands behind the cursor."""
    rest = WORD.match(line.behind)
    return line.at - len(typed), line.at + (rest.end() if rest else 0)


def _after(line: _Line, end: int) -> str:
    return line.behind[end - line.at :]


def _flag(line: _Line) -> Cursor | None:
    """An option of a command: `--max-mo`, in a script, or in a list of arguments."""
    found = re.search(r"(?:^|[\s\"'\[,])(--?[\w.-]*)$", line.before)
    if found is None or re.match(r"\s*- ?$", line.before):
        return None
    start, end = _span(line, found[1])
    return Cursor(start, end, line.marked(start, end, f"--{MARK}"), dotted=True, flag=True)


def _flag_value(line: _Line) -> Cursor | None:
    found = re.search(r"(?:^|[\s\"'\[,])--[\w.-]+(?: +|=|[\"'], *[\"'])([\w.-]*)$", line.before)
    if found is None:
        return None
    start, end = _span(line, found[1])
    return Cursor(start, end, line.marked(start, end, MARK), is_value=True)


def _override_value(line: _Line) -> Cursor | None:
    found = re.search(r"(?:^|[\s\"'])[+~]*[\w.-]+\.[\w.-]+=([\w.-]*)$", line.before)
    if found is None:
        return None
    start, end = _span(line, found[1])
    return Cursor(start, end, line.marked(start, end, MARK), is_value=True, literals=("True", "False", "null"))


def _override(line: _Line) -> Cursor | None:
    """A Hydra override: the path as far as it is typed."""
    found = re.search(r"(?:^|[\s\"'])([+~]*)([A-Za-z_][\w.]*)$", line.before)
    if found is None or "." not in found[2]:
        return None
    start, end = _span(line, found[2])
    head = found[2].rpartition(".")[0]
    after = "" if _after(line, end).startswith("=") else "="
    mark = f"{head}.{MARK}" + (f"{after}0" if after else "")
    marked = line.marked(start - len(found[1]), end, f"+{mark}")
    return Cursor(start, end, marked, after=after, dotted=True, prefixed=bool(found[1]))


def _yaml_value(line: _Line) -> Cursor | None:
    found = re.search(r"[\w\"'\]]:\s+([\"']?)([\w.-]*)$", line.before)
    if found is None or line.before.lstrip().startswith("#"):
        return None
    start, end = _span(line, found[2])
    close = found[1] if found[1] and not _after(line, end).startswith(found[1]) else ""
    return Cursor(start, end, line.marked(start, end, MARK + close), is_value=True, plain_yaml=not found[1])


def _yaml_key(line: _Line) -> Cursor | None:
    return _key(line, r"(?:^\s*(?:- +)*|[{,]\s*)([\w.-]*)$", ": ")


def _key(line: _Line, pattern: str, separator: str) -> Cursor | None:
    found = re.search(pattern, line.before)
    if found is None:
        return None
    start, end = _span(line, found[1])
    after = "" if _after(line, end).lstrip().startswith(separator.strip()) else separator
    return Cursor(start, end, line.marked(start, end, MARK + (f"{after}0" if after else "")), after=after)


def _toml_value(line: _Line) -> Cursor | None:
    found = re.search(r"=\s*([\"']?)([\w.-]*)$", line.before)
    if found is None:
        return None
    start, end = _span(line, found[2])
    close = found[1] if found[1] and not _after(line, end).startswith(found[1]) else ""
    mark = f"{MARK}{close}" if found[1] else f'"{MARK}"'
    return Cursor(start, end, line.marked(start, end, mark), is_value=True, quote="" if found[1] else '"')


def _toml_key(line: _Line) -> Cursor | None:
    return _key(line, r"(?:^\s*|[{,]\s*)([\w-]*)$", " = ")


def _json_value(line: _Line) -> Cursor | None:
    found = re.search(r"\"\s*:\s*(\"?)([\w.-]*)$", line.before)
    if found is None:
        return None
    start, end = _span(line, found[2])
    close = '"' if found[1] and not _after(line, end).startswith('"') else ""
    mark = f"{MARK}{close}" if found[1] else f'"{MARK}"'
    return Cursor(start, end, line.marked(start, end, mark), is_value=True, quote="" if found[1] else '"')


def _json_key(line: _Line) -> Cursor | None:
    found = re.search(r"(?:^\s*|[{,]\s*)(\"?)([\w.-]*)$", line.before)
    if found is None:
        return None
    start, end = _span(line, found[2])
    behind = _after(line, end)
    opened, closed = bool(found[1]), behind.startswith('"')
    has_value = behind.lstrip('"').lstrip().startswith(":")
    before = "" if opened else '"'
    after = "" if closed else '"'
    if not has_value:
        more = line.text[end:].lstrip('"' if closed else "").lstrip()
        mark = f'{before}{MARK}": 0' + ("," if more.startswith('"') else "")
        marked = line.marked(start, end + (1 if closed else 0), mark)
        return Cursor(start, end, marked, before=before, after=after + (": " if not closed else ""))
    return Cursor(start, end, line.marked(start, end, before + MARK + after), before=before, after=after)


def _python_value(line: _Line) -> Cursor | None:
    found = re.search(r"(?:\w\s*=|[\"']\s*:)\s*([\"']?)([\w.-]*)$", line.before)
    if found is None:
        return None
    start, end = _span(line, found[2])
    close = found[1] if found[1] and not _after(line, end).startswith(found[1]) else ""
    mark = f"{MARK}{close}" if found[1] else f'"{MARK}"'
    literals = ("True", "False", "None")
    quote = "" if found[1] else '"'
    return Cursor(start, end, line.marked(start, end, mark), is_value=True, quote=quote, literals=literals)


def _python_key(line: _Line) -> Cursor | None:
    """A keyword of a call."""
    found = re.search(r"(?:^\s*|[(,]\s*)([A-Za-z_]\w*)?$", line.before)
    if found is None:
        return None
    start, end = _span(line, found[1] or "")
    after = "" if _after(line, end).lstrip().startswith("=") else "="
    more = line.text[end:].lstrip()
    comma = "" if not after or more[:1] in ("", ")", ",") else ","
    mark = MARK + (f"{after}0{comma}" if after else "")
    return Cursor(start, end, line.marked(start, end, mark), after=after)


def _python_dict_key(line: _Line) -> Cursor | None:
    found = re.search(r"[{,]\s*([\"'])(\w*)$", line.before)
    if found is None:
        return None
    start, end = _span(line, found[2])
    closed = _after(line, end).startswith(found[1])
    after = "" if closed else f"{found[1]}: "
    marked = line.marked(start, end + (1 if closed else 0), f"{MARK}{found[1]}: 0")
    return Cursor(start, end, marked, after=after)
