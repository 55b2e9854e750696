"""What is wrong with a command line before any option is read: overrides that are lost, written twice, or refused by Hydra."""

from __future__ import annotations

from vllm_migrate.dialects.model import Engine, Spot, Written
from vllm_migrate.dialects.overrides import split
from vllm_migrate.dialects.own_flags import flag_name
from vllm_migrate.dialects.tree import File, Tree
from vllm_migrate.documents.shell.document import Broken, Command, Word

REASONS = {
    "blank": "a blank line after the backslash",
    "comment": "a comment line after the backslash",
    "space": "a blank behind the backslash",
    "missing": "a line without a backslash",
}


def remarks_of(engine: Engine, file: File, command: Command, named: Tree | None = None) -> list[Written]:
    """The remarks on the command that starts an engine. `option` is `remark.KIND`, `key` what it is about, `value` more of it.

    lost: words after a broken continuation; repeated: an override that a later one replaces; refused: an override
    without `+` of a key that the framework's configuration lacks. named: the configuration that the command names.
    """
    out = [_lost(file, command, broken) for broken in command.lost]
    if engine.argv is not None and engine.argv[1] == 0:
        out.extend(_repeated(file, command, engine.site_path, _override))
        out.extend(_refused(engine, file, command, named))
    else:
        out.extend(_repeated(file, command, "", _flag, engine.argv[1] if engine.argv else 0))
    return out


def _remark(kind: str, key: str, value: object, file: File, start: int, end: int) -> Written:
    spot = Spot(file, start, end)
    return Written(key, f"remark.{kind}", value, spot, spot, -1)


def _lost(file: File, command: Command, broken: Broken) -> Written:
    words = ", ".join(word.raw for word in broken.lost)
    return _remark("lost", REASONS[broken.reason], words, file, broken.at, broken.at + 1)


def _override(words: list[Word], at: int) -> tuple[str, str] | None:
    found = split(words[at])
    return (found[1], words[at].raw.partition("=")[2]) if found is not None and found[0] != "~" else None


def _flag(words: list[Word], at: int) -> tuple[str, str] | None:
    name = flag_name(words[at])
    if name is None:
        return None
    if "=" in words[at].raw:
        return name, words[at].raw.partition("=")[2]
    values = []
    while at + 1 < len(words) and flag_name(words[at + 1]) is None:
        at += 1
        values.append(words[at].raw)
    return name, " ".join(values)


def _repeated(file: File, command: Command, below: str, read: object, start: int = 0) -> list[Written]:
    """Each override from word `start` on (before it stand a launcher's) that a later one of the same key replaces with
    another value."""
    assert callable(read)
    seen: dict[str, tuple[Word, str]] = {}
    out: list[Written] = []
    for at, word in enumerate(command.words):
        found = read(command.words, at) if at >= start else None
        if found is None or word.maybe or (below and not found[0].startswith(f"{below}.")):
            continue
        earlier = seen.get(found[0])
        if earlier is not None and earlier[1] != found[1] and earlier[0].start != word.start:
            out.append(_remark("repeated", found[0], found[1], file, earlier[0].start, earlier[0].end))
        seen[found[0]] = (word, found[1])
    return out


def _refused(engine: Engine, file: File, command: Command, named: Tree | None) -> list[Written]:
    """Overrides without `+` below a mapping that is empty in the framework's configuration."""
    closed = engine.dialect.get("closed")
    out: list[Written] = []
    for entry in closed if isinstance(closed, list) else []:
        path, known = f"{engine.site_path}.{entry['path']}", entry.get("known", [])
        for word in command.words:
            found = split(word)
            if found is None or found[0] or not found[1].startswith(path + "."):
                continue
            key = found[1][len(path) + 1 :].partition(".")[0]
            if key in known or (named is not None and named.at(f"{path}.{key}") is not None):
                continue
            out.append(_remark("refused", found[1], None, file, word.start, word.end))
    return out
