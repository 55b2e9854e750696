"""What is wrong with a command line before any option is read: overrides that are cut off, written twice, or refused by Hydra."""

from __future__ import annotations

from collections.abc import Iterable

from vllm_migrate.dialects.model import Engine, Spot, Written
from vllm_migrate.dialects.overrides import Override
from vllm_migrate.dialects.own_flags import flag_name
from vllm_migrate.dialects.tree import File, Tree
from vllm_migrate.documents.shell.document import Broken, Command, Word

SHOWN_WORDS = 4
REASONS = {
    "blank": "a blank line after the backslash",
    "comment": "a comment line after the backslash",
    "note": "a comment that takes the backslash with it",
    "space": "a space after the backslash",
    "missing": "a line without a backslash",
}

# The word, the key it sets, and the text of its value.
Assignment = tuple[Word, str, str]


def remarks_on_overrides(
    engine: Engine, command: Command, overrides: list[Override], named: Tree | None = None
) -> list[Written]:
    """The remarks on a command that sets a framework's configuration. `option` is `remark.KIND`, `key` what it is about,
    `value` more of it.

    lost: words after a broken continuation; repeated: an override that a later one replaces; refused: an override
    without `+` of a key that the framework's configuration lacks; taken: one with `+` of a key that the configuration has.
    named: the configuration that the command names.
    """
    file, below = engine.file, f"{engine.site_path}." if engine.site_path else ""
    written = [
        (item.word, item.key, (item.word.assumed or item.word.raw).partition("=")[2])
        for item in overrides
        if item.prefix != "~" and item.key.startswith(below)
    ]
    remarks = [*_lost(file, command), *_repeated(file, written), *_refused(engine, overrides, named)]
    return remarks if named is None else [*remarks, *_taken(engine, overrides, named)]


def remarks_on_options(file: File, command: Command, start: int) -> list[Written]:
    """The remarks on a command with options of its own, from word `start` on: before it stand a launcher's."""
    return [*_lost(file, command), *_repeated(file, _flags(command.words, start))]


def _remark(kind: str, key: str, value: object, file: File, start: int, end: int) -> Written:
    spot = Spot(file, start, end)
    return Written(key, f"remark.{kind}", value, spot, spot)


def _lost(file: File, command: Command) -> list[Written]:
    return [_cut_off(file, broken) for broken in command.lost]


def _cut_off(file: File, broken: Broken) -> Written:
    more = len(broken.lost) - SHOWN_WORDS
    words = ", ".join(word.raw for word in broken.lost[:SHOWN_WORDS]) + (f" and {more} more" if more > 0 else "")
    return _remark("lost", REASONS[broken.reason], words, file, broken.at, broken.at + 1)


def _flags(words: list[Word], start: int) -> list[Assignment]:
    """Each flag with the words behind it up to the next one."""
    out: list[Assignment] = []
    names = [flag_name(word) for word in words]
    at = start
    while at < len(words):
        word, name = words[at], names[at]
        at += 1
        if name is None:
            continue
        if "=" in word.raw:
            out.append((word, name, word.raw.partition("=")[2]))
            continue
        end = at
        while end < len(words) and names[end] is None:
            end += 1
        out.append((word, name, " ".join(value.raw for value in words[at:end])))
    return out


def _repeated(file: File, written: Iterable[Assignment]) -> list[Written]:
    """Each assignment that a later one of the same key replaces with another value."""
    seen: dict[str, tuple[Word, str]] = {}
    out: list[Written] = []
    for word, key, value in written:
        if word.maybe:
            continue
        earlier = seen.get(key)
        if earlier is not None and _plain(earlier[1]) != _plain(value) and earlier[0].start != word.start:
            out.append(_remark("repeated", key, value, file, earlier[0].start, earlier[0].end))
        seen[key] = (word, value)
    return out


def _taken(engine: Engine, overrides: list[Override], named: Tree) -> list[Written]:
    """Overrides with `+` of a key that the named configuration has: Hydra appends to nothing that is there."""
    below = f"{engine.site_path}." if engine.site_path else ""
    return [
        _remark("taken", item.key, None, engine.file, item.word.start, item.word.end)
        for item in overrides
        if item.prefix == "+" and item.key.startswith(below) and named.at(item.key) is not None
    ]


def _plain(value: str) -> str:
    """A value's text without quotes, a boolean's in lower case: "True" and true are one value."""
    bare = value.strip("\"'")
    return bare.lower() if bare.lower() in ("true", "false") else bare


def _refused(engine: Engine, overrides: list[Override], named: Tree | None) -> list[Written]:
    """Overrides without `+` below a mapping that is empty in the framework's configuration."""
    out: list[Written] = []
    for entry in engine.dialect.closed:
        path = f"{engine.site_path}.{entry.path}"
        for item in overrides:
            if item.prefix or not item.key.startswith(path + "."):
                continue
            key = item.key[len(path) + 1 :].partition(".")[0]
            if key in entry.known or (named is not None and named.at(f"{path}.{key}") is not None):
                continue
            out.append(_remark("refused", item.key, None, engine.file, item.word.start, item.word.end))
    return out
