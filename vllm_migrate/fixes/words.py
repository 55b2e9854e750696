"""Fixes on a command line: options as words, environment variables as assignments in front of it."""

from __future__ import annotations

import re

from vllm_migrate.dialects.model import Engine, Spot, Written
from vllm_migrate.dialects.tree import File, Place
from vllm_migrate.documents.interface import DELETE, CannotEdit, Edit, Op, ProofFailed, Unknown
from vllm_migrate.documents.shell.document import ShellDocument, WordOp
from vllm_migrate.documents.shell.proof import reread
from vllm_migrate.documents.shell.scan import DECLARE
from vllm_migrate.fixes.launcher import DropVariable, launcher_words
from vllm_migrate.fixes.plan import Change, Spelling, place_of, respell, spell, text_of
from vllm_migrate.rules.finding import Act

# A block without a command, which is a syntax error: `then` directly before `fi`, `{` before `}`.
_EMPTY_BLOCK = re.compile(
    r"(?:\b(?:then|do|else)\b|\{(?=\s))(?:[ \t]*(?:#[^\n]*)?\r?\n)+[ \t]*(?:(?:fi|done|else|elif)\b|\})"
)
SWITCHES = frozenset(("store_true", "store_false", "store_const", "bool_optional"))


def plan_words(act: Act, engine: Engine) -> list[Change]:
    """Operations of one act on an engine that a command line starts. Raises CannotEdit."""
    assert engine.argv is not None
    if act.kind == "core":
        given = engine.given.get("env.VLLM_USE_V1")
        return [drop_variable(given.written)] if given and given.written else []
    written = act.written
    if act.kind == "drop":
        if written is None:
            raise CannotEdit("it is not written here")
        if written.option.startswith("env."):
            return [drop_variable(written)]
        if written.words is None:
            place = place_of(written)
            return [Change(place.file, place.index, Op(DELETE, place.path))]
        return [_delete(engine, at) for at in own_words(written, engine)]
    spelling = spell(engine, act.option, act.value)
    texts = texts_of(spelling.key, spelling.value)
    if written is not None and written.words is None:
        if written.tree is None:
            raise CannotEdit("it is not written in a file that can be edited")
        return respell(written, spell_file(engine, act.option, act.value), engine)
    if written is not None and written.words is not None:
        if len(written.words) > 1 and act.value is written.value:  # only its name changes
            return [Change(engine.file, 0, WordOp("replace", engine.argv[0], written.words[0], texts[:1]))]
        return _replace(engine, own_words(written, engine), texts)
    return [_append(engine, texts)]


def spell_file(engine: Engine, option: str, value: object) -> Spelling:
    """The spelling inside a --config file: keys have no dashes in front."""
    spelling = spell(engine, option, value)
    return Spelling(spelling.key.lstrip("-"), spelling.value)


def texts_of(key: str, value: object) -> tuple[str, ...]:
    """The words that say key = value. Raises CannotEdit for a value that the file does not decide."""
    if _undecided(value):
        raise CannotEdit("a part of its value comes from outside the file")
    if value is True:
        return (key,)
    return key, text_of(value)


def own_words(written: Written, engine: Engine) -> list[int]:
    """The words of an option that are surely its own: what a variable behind its values holds is another's.

    Raises CannotEdit where the number of its values is not decided.
    """
    assert written.words is not None
    head, *values = written.words
    if written.attached or not values:
        return [head]
    takes = _takes(written.key, engine.target)
    if takes is None or takes < 0:
        if _undecided(written.value) or (takes is None and len(values) > 1):
            raise CannotEdit(f"how many of the words behind {written.key} are its own is not decided")
        takes = len(values)
    if not takes:  # a word behind a switch (`--enable-prefix-caching False`) is taken for its value by whoever wrote it
        said = written.value if isinstance(written.value, list) else [written.value]
        takes = next((number for number, value in enumerate(said) if _undecided(value)), len(values))
    return [head, *values[:takes]]


def _takes(key: str, target: str) -> int | None:
    """How many values an option takes; -1 for any number, None for an option that no release has."""
    from vllm_migrate.catalog import store
    from vllm_migrate.dialects.argv_words import option_text

    catalog, name = store.load(), option_text(key)
    lives = [facts for section in ("cli", "frontend") for _, _, facts in catalog.life(section, name)]
    if lives:
        switch, count = lives[-1].extra("a") in SWITCHES, lives[-1].extra("n")
    else:
        tables = [catalog.flags(release) for release in (catalog.releases[0], target)]
        flag = next((table[found[0]] for table in tables if len(found := table.matching(name)) == 1), None)
        if flag is None:
            return None
        switch, count = not flag.takes_value, flag.nargs
    if switch:
        return 0
    return 1 if count is None else count if isinstance(count, int) else -1


def _undecided(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_undecided, value.values()))
    return any(map(_undecided, value)) if isinstance(value, list) else isinstance(value, Unknown)


def _delete(engine: Engine, at: int) -> Change:
    assert engine.argv is not None
    return Change(engine.file, 0, WordOp("delete", engine.argv[0], at))


def _replace(engine: Engine, words: list[int], texts: tuple[str, ...]) -> list[Change]:
    """The option's own words become `texts`; values that are no longer needed go."""
    assert engine.argv is not None
    command = engine.argv[0]
    out = [Change(engine.file, 0, WordOp("replace", command, words[0], texts[:1]))]
    if len(words) > 1 and len(texts) > 1:
        out.append(Change(engine.file, 0, WordOp("replace", command, words[1], texts[1:])))
        out.extend(_delete(engine, at) for at in words[2:])
    elif len(texts) > 1:
        out[0] = Change(engine.file, 0, WordOp("replace", command, words[0], texts))
    else:
        out.extend(_delete(engine, at) for at in words[1:])
    return out


def _append(engine: Engine, texts: tuple[str, ...]) -> Change:
    """After the last word of the last option that stands in the command itself."""
    assert engine.argv is not None and engine.file.shell is not None
    command, start = engine.argv
    words = engine.file.shell.commands[command].words
    last = start - 1
    for written in engine.options:
        for at in written.words or ():
            if words[at].value is not None or at > start:
                last = max(last, at)
    while last > start and words[last].raw.strip('"') in ("$@", "$*", "${@}"):
        last -= 1
    return Change(engine.file, 0, WordOp("insert_after", command, last, texts))


def drop_variable(written: Written) -> Change:
    """Take an environment variable's assignment away."""
    if written.tree is not None:
        place = place_of(written)
        return Change(place.file, place.index, Op(DELETE, place.path))
    spot: Spot = written.spot
    return Change(spot.file, 0, DropVariable(written.key, spot.start, spot.end))


def delete_override(place: Place) -> Change:
    """Take an override word away."""
    return Change(place.file, 0, WordOp("delete", place.index, _word(place)))


def replace_override(engine: Engine, place: Place, spelling: Spelling) -> Change:
    """The override word becomes the spelling's."""
    return Change(place.file, 0, WordOp("replace", place.index, _word(place), (_override(engine, spelling),)))


def insert_override(engine: Engine, spelling: Spelling) -> Change:
    """A new override after the last one below the same mapping."""
    assert engine.argv is not None and engine.file.shell is not None
    command = engine.argv[0]
    last, prefix = -1, engine.site_path + "."
    for at, word in enumerate(engine.file.shell.commands[command].words):
        text = (word.value or word.prefix).lstrip("+~")
        if text.startswith(prefix) and not word.maybe:
            last = at
    if last < 0:
        raise CannotEdit("no override of this engine stands in the command")
    return Change(engine.file, 0, WordOp("insert_after", command, last, (_override(engine, spelling),)))


def _word(place: Place) -> int:
    at = place.path[0]
    assert isinstance(at, int)
    return at


def _override(engine: Engine, spelling: Spelling) -> str:
    """`prefix path=value` as Hydra reads it back."""
    value = spelling.value
    if value is None:
        text = "null"
    else:
        text = text_of(value).replace('"', "") if isinstance(value, (dict, list)) else text_of(value)
    path = f"{engine.site_path}.{spelling.key}" if engine.site_path else spelling.key
    return f"{spelling.prefix}{path}={text}"


def word_edits(file: File, ops: list[object]) -> list[Edit]:
    """Edits of a script, proved: only the asked for arguments and assignments changed. Raises CannotEdit, ProofFailed."""
    assert file.shell is not None
    word_ops = [op for op in ops if isinstance(op, WordOp)]
    drops: list[DropVariable] = []
    for op in ops:
        if isinstance(op, DropVariable):
            handed = launcher_words(file.shell, op)
            word_ops += handed
            drops += [] if handed else [op]
    edits: list[Edit] = []
    if word_ops:
        edits = file.shell.plan(word_ops)
        file.shell.prove(word_ops, edits)
    removals = [_removal(file, drop) for drop in drops]
    if removals:
        _prove_removed(file, drops, removals, edits)
    return sorted([*edits, *removals])


def _removal(file: File, drop: DropVariable) -> Edit:
    assert file.shell is not None
    text = file.shell.source.text
    line = text.rfind("\n", 0, drop.start) + 1
    end = text.find("\n", drop.end)
    end = len(text) if end < 0 else end
    head, tail = text[line : drop.start].strip(), text[drop.end : end].strip()
    if head in ("", "export") and (not tail or tail.startswith("#")):
        return Edit(line, min(end + 1, len(text)), "")
    stop = drop.end
    while stop < len(text) and text[stop] in " \t":
        stop += 1
    if text.startswith("\\\n", stop):
        stop += 2
        while stop < len(text) and text[stop] in " \t":
            stop += 1
    return Edit(drop.start, stop, "")


def _prove_removed(file: File, drops: list[DropVariable], removals: list[Edit], others: list[Edit]) -> None:
    """Raise ProofFailed unless `removals` take the assignments of `drops` away and nothing else; `others` are edits of
    the same text that are proved by themselves."""
    assert file.shell is not None
    gone = {drop.name for drop in drops}
    before, after = _edited(file, others), _edited(file, [*others, *removals])
    had, counted = _shape(before, gone)
    has, left = _shape(after, gone)
    if _empty_blocks(after) > _empty_blocks(before):
        raise ProofFailed("nothing would be left between `then` and `fi`, which no shell reads")
    if had != has or counted - left != len(set(drops)):
        raise ProofFailed("taking the variable away would change the command")


def _empty_blocks(document: ShellDocument) -> int:
    return len(_EMPTY_BLOCK.findall(document.source.text))


def _edited(file: File, edits: list[Edit]) -> ShellDocument:
    assert file.shell is not None
    return reread(file.shell.source, sorted(edits))


def _shape(document: ShellDocument, gone: set[str]) -> tuple[list[list[str]], int]:
    """All words of all commands, with what is assigned in front of them, but for assignments to `gone`; and how many
    those are. Only `export` and its like assign by their words: of any other command every word is compared."""
    rows: list[list[str]] = []
    count = 0
    for command in document.commands:
        exported = command.written[0].raw in DECLARE
        in_front = [(name, f"{name}={word.raw}") for name, word in command.assignments]
        words = [(word.raw.partition("=")[0] if exported else "", word.raw) for word in command.written]
        row = [raw for name, raw in (*in_front, *words) if name not in gone or "=" not in raw]
        count += len(in_front) + len(words) - len(row)
        if row not in ([], ["export"]):
            rows.append(row)
    return rows, count
