"""What a log tells of the engine that it is of: `args:`, `non-default args:`, the printed configuration, and single messages.

A line cut off tells nothing. Where several engines of one log differ in an option, it is not told. Ray's and vLLM's prefixes
and colours do not matter.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vllm_migrate.opening import loads
from vllm_migrate.report.mask import mask_value
from vllm_migrate.verify.config import Reader
from vllm_migrate.verify.model import CONFIG, Reported, Running
from vllm_migrate.verify.releases import known, shown
from vllm_migrate.verify.values import mapping, pairs

SOURCE = "log"
ARGUMENTS = ("args", "non-default args")
MESSAGES = ("log", "message", "msg", "text", "textPayload", "MESSAGE", "event", "body")
LONGEST = 1_000_000  # characters of a line that are looked at
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_REPEATED = re.compile(r"\s*\[repeated \d+x across cluster\].*\Z")
_VERSION = re.compile(r"(?:vLLM (?:API )?server version|\u2588\s+version) v?(\d+\.\d+\S*)")
_ENGINE = re.compile(
    r"(?:Initializing an?|input data for|\]) (?:(V[01]) )?LLM engine \(v([^)\s]+)\) with config: ?(.*)"
)
_ARGUMENTS = re.compile(r"(?:\A|[\]\s:])(non-default args|args): (?=\{|Namespace\()")
_CHUNKED = re.compile(r"Chunked prefill is enabled with max_num_batched_tokens=(\d{1,18})(?=\.)")
_ASYNC = re.compile(r"Asynchronous scheduling is (enabled|disabled)\.")
_LENGTH = re.compile(r"Using max model len (\d{1,18})\s*\Z")
_DIGITS = re.compile(r"\d+\s*\Z")
_UNKNOWN = re.compile(r"Unknown vLLM environment variable detected: (\w+)")
_ATTENTION = re.compile(
    r"Using (\w+) attention backend out of potential|Using (\w[\w ]*?) backend(?: on V1 engine)?\.\s*\Z"
)
_SAMPLING = re.compile(r"sampling parameters have been overridden by [^:]*: `?(\{.*?\})`?\.")
_CHAT = re.compile(r"Using default (?:chat|completion) sampling params from [^:]+: (\{.*\})")
_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
_CLEARED = "Successfully reset prefix cache"
_NOT_CLEARED = "Failed to reset prefix cache"
# A line without one of these is not looked at.
_HINTS = (
    "\u2588",  # the banner
    "args: ",
    "vLLM",
    "LLM engine",
    "prefill",
    "cheduling",
    "max model len",
    "backend",
    "sampling param",
    "prefix cache",
)


class Seen(NamedTuple):
    """One thing that a line shows, and the number of the line."""

    kind: str
    text: str
    line: int


def running(lines: Iterable[str], where: str, target: str | None = None) -> Running:
    """The engine of a log. `target`: its release, where the log does not tell. Raises UsageError."""
    seen, release, core = _gathered(lines)
    release = shown(release, target)
    reader = Reader(known(release or target or "", f"{where} does not show the release"))
    return _reported(reader, seen, where, core, bool(release))


def holds_engine(lines: Iterable[str]) -> bool:
    """Whether a text has a line by which an engine shows what it was started with."""
    return any(one.kind in ("config", *ARGUMENTS) for line in lines for one in _of_line(_message(line), 0))


def release_of(lines: Iterable[str]) -> str:
    """The release that a log tells last; "" where it does not."""
    return _gathered(lines)[1]


def _gathered(lines: Iterable[str]) -> tuple[list[Seen], str, str]:
    """What the log shows since the last change of release; the release; v0 or v1."""
    seen: list[Seen] = []
    release = core = ""
    for number, line in enumerate(lines, 1):
        if seen and seen[-1] == ("length", seen[-1].text, number - 1) and _DIGITS.match(line):
            seen.pop()  # the terminal's last column
        for one in _of_line(_message(line[:LONGEST]), number):
            if one.kind == "release":
                if release and one.text != release:
                    seen = _of_new_start(seen)
                release = one.text
            elif one.kind == "core":
                core = one.text
            else:
                seen.append(one)
    return seen, release, core


def _of_new_start(seen: list[Seen]) -> list[Seen]:
    """What belongs to the start whose release was just shown: arguments after the last configuration, and what follows."""
    kinds = [one.kind for one in seen]
    after = len(kinds) - kinds[::-1].index("config") if "config" in kinds else len(kinds)
    first = next((at for at in range(after, len(kinds)) if kinds[at] in ARGUMENTS), len(kinds))
    return seen[first:]


def _message(line: str) -> str:
    """The text of a line as it was printed: without the escapes of a web page and the quotes of a word processor."""
    text = _recorded(line)
    if "&#" in text or "&quot;" in text:
        text = html.unescape(text)
    return text.translate(_QUOTES)


def _recorded(line: str) -> str:
    """The message of a line that is a JSON record, as Docker and loggers write them; else the line."""
    if not line.lstrip().startswith('{"') or not line.rstrip().endswith("}"):
        return line
    try:
        record = loads(line)
    except ValueError:
        return line
    texts = [record.get(name) for name in MESSAGES] if isinstance(record, dict) else []
    return next((text for text in texts if isinstance(text, str)), line)


def _of_line(line: str, number: int) -> Iterator[Seen]:
    if not any(hint in line for hint in _HINTS):
        return
    text = _REPEATED.sub("", _COLOUR.sub("", line)).rstrip()
    engine = _ENGINE.search(text)
    if engine is not None:
        yield Seen("release", engine[2], number)
        if engine[1]:
            yield Seen("core", engine[1].lower(), number)
        yield Seen("config", engine[3], number)
        return
    arguments = _ARGUMENTS.search(text)
    if arguments is not None:
        yield Seen(arguments[1], text[arguments.end() :], number)
        return
    version = _VERSION.search(text)
    if version is not None:
        yield Seen("release", version[1], number)
    for kind, pattern in _SINGLE.items():
        match = pattern.search(text)
        if match is not None:
            yield Seen(kind, next(group for group in match.groups() if group), number)
    if _CLEARED in text or _NOT_CLEARED in text:
        yield Seen("cleared", "yes" if _CLEARED in text else "no", number)


_SINGLE = {
    "chunked": _CHUNKED,
    "async": _ASYNC,
    "length": _LENGTH,
    "unknown": _UNKNOWN,
    "attention": _ATTENTION,
    "sampling": _SAMPLING,
    "chat": _CHAT,
}


def _reported(reader: Reader, seen: list[Seen], where: str, core: str, tells_release: bool) -> Running:
    notes: list[str] = []
    configs = [reader.line(pairs(one.text), _at(where, one)) for one in seen if one.kind == "config"]
    arguments = []
    for one in seen:
        if one.kind in ARGUMENTS:
            values = mapping(one.text)
            if values is not None and not _of_vllm(one.kind, values, reader):
                continue  # another program's
            if values is None:
                notes.append(f"{_at(where, one)}: the line with the arguments is cut off, so it shows nothing")
            else:
                # As Python prints it: a line that somebody edited need not be complete.
                whole = one.kind == "non-default args" and one.text.startswith(("{'", "{}"))
                arguments.append(reader.arguments(values, _at(where, one), whole))
    on_cpu = any("device_config=cpu" in one.text for one in seen if one.kind == "config")
    single = [_single(one, _at(where, one)) for one in seen if not (on_cpu and one.kind == "async")]
    if on_cpu and any(one.kind == "async" for one in seen):
        notes.append(
            "asynchronous scheduling: the message is logged before the CPU platform switches it off, so it proves nothing"
        )
    found: dict[str, Reported] = {}
    for several, whole in ((arguments, True), (single, False), (configs, True)):
        merged, differing = _merged(several, whole)
        found = {**{name: value for name, value in found.items() if name not in differing}, **merged}
        notes += [f"the engines in this log differ in {name}, so it is not reported" for name in sorted(differing)]
    if reader.catalog.ordinal(reader.release) >= reader.catalog.ordinal("0.11.0"):
        core = "v1"
    if core:
        found["engine"] = Reported(core, CONFIG, where)
    notes += dict.fromkeys(f"attention backend: {one.text}" for one in seen if one.kind == "attention")
    if not configs and not arguments:
        notes.append("no line shows how the engine was started: is the log level INFO? (verl and others log at WARN)")
    cleared = [one.text for one in seen if one.kind == "cleared"]
    unknown = tuple(dict.fromkeys(one.text for one in seen if one.kind == "unknown"))
    masked = {name: one._replace(value=mask_value(name, one.value)) for name, one in found.items()}
    release = reader.release if tells_release else ""
    return Running(SOURCE, where, release, masked, unknown, cleared[-1] if cleared else "", tuple(notes))


def _of_vllm(kind: str, values: dict[str, object], reader: Reader) -> bool:
    if kind == "args":
        return "served_model_name" in values
    return not values or any(reader.takes(name) for name in values)


def _at(where: str, one: Seen) -> str:
    return f"{where}:{one.line}"


def _single(one: Seen, where: str) -> dict[str, Reported]:
    """What a message of one fact tells."""
    if one.kind == "chunked":
        return {
            "enable_chunked_prefill": Reported(True, CONFIG, where),
            "max_num_batched_tokens": Reported(int(one.text), CONFIG, where),
        }
    if one.kind == "async":
        return {"async_scheduling": Reported(one.text == "enabled", CONFIG, where)}
    if one.kind == "length":
        return {"max_model_len": Reported(int(one.text), CONFIG, where)}
    if one.kind in ("sampling", "chat"):
        values = mapping(one.text) or {}
        return {f"sampling.{name}": Reported(value, CONFIG, where) for name, value in values.items()}
    return {}


def _merged(several: list[dict[str, Reported]], whole: bool) -> tuple[dict[str, Reported], set[str]]:
    """What all tell alike, and the options in which they differ. `whole`: each shows all that it has, so that an option
    in one of two alone is a difference."""
    found: dict[str, Reported] = {}
    differing: set[str] = set()
    for one in several:
        for name, value in one.items():
            if found.setdefault(name, value).value != value.value:
                differing.add(name)
    if whole:
        differing |= {name for name in found if any(name not in one for one in several)}
    return {name: value for name, value in found.items() if name not in differing}, differing
