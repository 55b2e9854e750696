"""From a proposal to operations on files: in which file a pin belongs, under which key, in which spelling.

Raises CannotEdit with the reason where a dialect cannot express it or the file cannot take it.
"""

from __future__ import annotations

from typing import NamedTuple

from vllm_migrate.dialects.environment import DialectEnv
from vllm_migrate.dialects.model import Engine, Subject, Written
from vllm_migrate.dialects.tree import File, Place
from vllm_migrate.documents.interface import DELETE, INSERT, RENAME, SET, CannotEdit, Op, Unknown
from vllm_migrate.knowledge.expr import evaluate
from vllm_migrate.rules.finding import Act, Finding


class Change(NamedTuple):
    """One operation on document number `document` of a file; for a shell script `op` is a word operation."""

    file: File
    document: int
    op: object


class Spelling(NamedTuple):
    """How a dialect writes a setting: its key below the engine's mapping (dots between levels) and the value.

    prefix: what a Hydra override of a key that may be missing needs in front: "+" or "++". argument: the option, where
    the key is a list of arguments that it is added to.
    """

    key: str
    value: object
    prefix: str = ""
    argument: str = ""


def plan(finding: Finding) -> list[Change]:
    """The operations that make a finding's proposal. Raises CannotEdit."""
    assert finding.engine is not None and finding.proposal is not None
    out: list[Change] = []
    for act in finding.proposal.acts:
        for change in _act(act, finding.engine):
            if change not in out:
                out.append(change)
    return out


def text_of(value: object) -> str:
    """A value as a word of a command line; mappings and lists as JSON. Raises CannotEdit where a part of it is unknown."""
    if isinstance(value, (dict, list)):
        import json

        return json.dumps(value, default=_refuse)
    return _refuse(value) if isinstance(value, Unknown) else str(value)


def _refuse(value: object) -> str:
    raise CannotEdit(f"its value ({getattr(value, 'text', value)}) is not decided in this file")


def _act(act: Act, engine: Subject) -> list[Change]:
    if engine.argv is not None and engine.site is None:
        from vllm_migrate.fixes.words import plan_words

        return plan_words(act, engine)
    if act.kind == "core":
        return _core(engine)
    if act.kind.endswith("argument"):
        return _argument(act)
    if act.written is not None and act.written.words is not None and act.written.tree is not None:
        return _in_list(act, engine)
    if act.kind == "drop":
        if act.written is not None and act.written.tree is None and act.written.option.startswith("env."):
            if engine.file.data is not None:
                raise CannotEdit("the program sets it: take the assignment out")
            from vllm_migrate.fixes.words import drop_variable

            return [drop_variable(act.written)]
        place = place_of(act.written)
        if place.file.shell is not None and flags_of_engine(engine):
            from vllm_migrate.fixes.flags import delete_flag

            return delete_flag(place)
        return [_delete(place)]
    return _set(act, engine)


def _argument(act: Act) -> list[Change]:
    """A change of one keyword of a call."""
    place = place_of(act.written)
    if act.kind == "remove-argument":
        return [Change(place.file, place.index, Op(DELETE, (act.option,)))]
    return [Change(place.file, place.index, Op(SET, (act.option,), act.value))]


def flags_of_engine(engine: Subject) -> bool:
    """Whether the engine's settings are flags of its framework on a command line."""
    return "flags" in engine.dialect and engine.argv is not None and engine.file.shell is not None


def _in_list(act: Act, engine: Subject) -> list[Change]:
    """A setting in a list of arguments: dropped, or written anew in its place."""
    from vllm_migrate.fixes.words import own_words, texts_of

    place = place_of(act.written)
    assert act.written is not None and act.written.words is not None
    words = [(*place.path[:-1], number) for number in own_words(act.written, engine)]
    out = [Change(place.file, place.index, Op(DELETE, path)) for path in reversed(words)]
    if act.kind == "drop":
        return out
    spelling = spell(engine, act.option, act.value)
    if not spelling.argument:
        return [*out, Change(place.file, place.index, Op(SET, _below(engine, spelling), spelling.value))]
    return [
        *out,
        Change(place.file, place.index, Op(INSERT, words[0], "=".join(texts_of(spelling.argument, spelling.value)))),
    ]


def _append_arguments(engine: Subject, spelling: Spelling) -> list[Change]:
    """New arguments at the end of a list, which is made when there is none."""
    from vllm_migrate.fixes.words import texts_of

    file, index, path = pin_site(engine)
    text = "=".join(texts_of(spelling.argument, spelling.value))
    assert engine.site is not None
    items = engine.site.at(spelling.key)
    below = (*path, *spelling.key.split("."))
    if items is None or not items.is_seq:
        return [Change(file, index, Op(INSERT, (*below, 0), text))]
    if items.place.file is not file:
        raise CannotEdit("its list of arguments stands in another file")
    return [Change(file, index, Op(INSERT, (*below, len(items.items)), text))]


def _delete(place: Place) -> Change:
    if place.file.shell is not None:
        from vllm_migrate.fixes.words import delete_override

        return delete_override(place)
    return Change(place.file, place.index, Op(DELETE, place.path))


def place_of(written: Written | None) -> Place:
    """Where a written setting stands in a tree. Raises CannotEdit for one that an anchor shares."""
    if written is None or written.tree is None:
        raise CannotEdit("it is not written in a file that can be edited")
    if written.tree.place.node.shared:
        raise CannotEdit("it stands under a YAML anchor that other settings share")
    return written.tree.place


def spell(engine: Subject, option: str, value: object) -> Spelling:
    """The dialect's spelling of option = value. Raises CannotEdit where it has none."""
    env = DialectEnv(engine.origin, engine.facts, engine.target, {"value": value, "option": option})
    pins = engine.dialect.get("pins")
    for pin in pins if isinstance(pins, list) else []:
        if evaluate(pin.get("when", True), env) is not True:
            continue
        if "say" in pin:
            raise CannotEdit(str(pin["say"]))
        key = str(pin["key"]).replace("{kebab}", _kebab(engine, option)).replace("{snake}", option)
        if "{typed}" in key:
            typed, inverted = _typed(engine, option)
            if not typed:
                continue
            key = key.replace("{typed}", typed)
            if inverted:
                return Spelling(key, not value, str(pin.get("prefix", "")))
        if "_" in key and key.startswith("no-"):
            key = "no_" + key[3:]
        argument = str(pin.get("argument", "")).replace("{kebab}", option.replace("_", "-"))
        return Spelling(key, pin.get("write", value), str(pin.get("prefix", "")), argument)
    raise CannotEdit(f"{engine.dialect['title']} has no way to set {option}")


def _typed(engine: Subject, option: str) -> tuple[str, bool]:
    """The framework's own key for an option, and whether it says the opposite; "" when it has none at its release."""
    for key, target in engine.origin.keys.items():
        entry = target if isinstance(target, dict) else {"to": target}
        if (
            entry["to"] == option
            and evaluate(entry.get("when", True), DialectEnv(engine.origin, engine.facts, engine.target)) is True
        ):
            return str(key), bool(entry.get("invert"))
    return "", False


def _kebab(engine: Subject, option: str) -> str:
    """Dashes, unless the keys beside it are written with underscores."""
    keys = [written.key for written in engine.options] if isinstance(engine, Engine) else []
    snake = sum(1 for key in keys if "_" in key and "-" not in key)
    dashed = sum(1 for key in keys if "-" in key)
    return option if snake > dashed else option.replace("_", "-")


def _set(act: Act, engine: Subject) -> list[Change]:
    spelling = spell(engine, act.option, act.value)
    if act.written is not None:
        return respell(act.written, spelling, engine)
    if spelling.argument:
        return _append_arguments(engine, spelling)
    file, index, path = pin_site(engine)
    if file.shell is not None and flags_of_engine(engine):
        from vllm_migrate.fixes.flags import set_flag

        return set_flag(engine, spelling)
    if file.shell is not None:
        from vllm_migrate.fixes.words import insert_override

        return [insert_override(engine, spelling)]
    return [Change(file, index, Op(SET, (*path, *spelling.key.split(".")), spelling.value))]


def respell(written: Written, spelling: Spelling, engine: Subject) -> list[Change]:
    """The written setting under another key, with another value, in its place."""
    place = place_of(written)
    if place.file.shell is not None and flags_of_engine(engine):
        from vllm_migrate.fixes.flags import replace_flag

        return replace_flag(engine, place, spelling)
    if place.file.shell is not None:
        from vllm_migrate.fixes.words import replace_override

        return [replace_override(engine, place, spelling)]
    if "." in spelling.key and written.key == spelling.key:
        return [Change(place.file, place.index, Op(SET, place.path, spelling.value))]
    if "." in spelling.key:
        return [_delete(place), Change(place.file, place.index, Op(SET, _below(engine, spelling), spelling.value))]
    out = []
    path = place.path
    if written.key != spelling.key:
        out.append(Change(place.file, place.index, Op(RENAME, path, new_key=spelling.key)))
        path = (*path[:-1], spelling.key)
        if spelling.value is written.value and spelling.value is written.raw:
            return out  # only its name changes
    out.append(Change(place.file, place.index, Op(SET, path, spelling.value)))
    return out


def _below(engine: Subject, spelling: Spelling) -> tuple[str | int, ...]:
    return (*pin_site(engine)[2], *spelling.key.split("."))


def pin_site(engine: Subject) -> tuple[File, int, tuple[str | int, ...]]:
    """Where a new setting of this engine is written. Raises CannotEdit."""
    place = engine.home()
    if place is None:
        raise CannotEdit("the engine has no mapping to write in")
    if place.node.shared:
        raise CannotEdit("its settings stand under a YAML anchor that others share")
    return place.file, place.index, place.path


def _core(engine: Subject) -> list[Change]:
    """The edit that takes the evidence of the old engine away."""
    pin = engine.dialect.get("engine_core_pin")
    if isinstance(pin, dict):
        root = engine.root
        tree = root.at(str(pin["path"])) if root is not None else None
        if tree is None or tree.place.node.shared:
            return []
        return [Change(tree.place.file, tree.place.index, Op(SET, tree.place.path, pin["write"]))]
    fact = engine.facts.get("env.VLLM_USE_V1")
    if fact is not None and fact.written is not None:
        if fact.written.tree is None:  # exported in the script
            from vllm_migrate.fixes.words import drop_variable

            return [drop_variable(fact.written)]
        return [_delete(place_of(fact.written))]
    return []
