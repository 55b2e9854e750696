"""The read-back proof: the edited files are read again the same way, and must give the values that were intended."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.discover import Discovery, discover
from vllm_migrate.dialects.model import Engine, Program, Subject, Use
from vllm_migrate.dialects.tree import File
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import ProofFailed, Unreadable
from vllm_migrate.documents.steps import limited
from vllm_migrate.knowledge.expr import Undetermined, same
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.resolve.view import View
from vllm_migrate.rules.finding import Action, is_inside

ANYWHERE = -1  # in place of the number of a document


class Prover:
    """Reads edited texts back. workspace: has the new text of each edited file."""

    def __init__(self, catalog: Catalog, knowledge: Knowledge, workspace: Workspace) -> None:
        self.catalog = catalog
        self.knowledge = knowledge
        self.workspace = workspace
        self.found: dict[str, tuple[File, Discovery]] = {}
        self._named: dict[str, dict[tuple[str, int | None], Subject]] = {}

    def check(self, engine: Subject, before: View, actions: list[Action], changed: set[str]) -> None:
        """Raise ProofFailed unless `engine`, read again, has what `actions` intend and nothing but `changed` is different.

        before: the engine at the target as it is written now.
        """
        again = self._again(engine)
        after = View(again, engine.target, self.catalog, self.knowledge)
        for action in actions:
            if isinstance(action.written, Use):
                _check_call(engine, again, action, action.written)
            elif action.kind in ("set", "respell"):
                self._arrived(after, action)
            elif action.kind == "drop":
                self._gone(again, after, action)
        self._others(before, after, changed)

    def _again(self, engine: Subject) -> Subject:
        """The engine as the edited files have it. Raises ProofFailed where it is not found in them."""
        path = os.path.normpath(engine.file.path)
        named = self._named.get(path)
        if named is None:
            named = self._named[path] = {}
            for one in self._discovered(path).subjects:
                if os.path.normpath(one.file.path) == path:
                    named.setdefault((one.id, _document(one)), one)
                    named.setdefault((one.id, ANYWHERE), one)
        again = named.get((engine.id, _document(engine))) or named.get((engine.id, ANYWHERE))
        if again is None:
            raise ProofFailed(f"the engine {engine.id} is not found in the edited file")
        return again

    def _discovered(self, path: str) -> Discovery:
        """What an edited file holds. Raises ProofFailed."""
        path = os.path.normpath(path)
        if path not in self.found:
            file = self.workspace.load(path)
            if file is None:
                reason = self.workspace.problems[-1].message if self.workspace.problems else "it is gone"
                raise ProofFailed(f"{path} cannot be read back: {reason}")
            try:
                with limited():
                    found = discover(file, self.knowledge.dialects, self.catalog, self.workspace)
            except Unreadable as error:
                raise ProofFailed(f"{path} cannot be read back: {error}") from None
            self.found[path] = (file, found)
        return self.found[path][1]

    @staticmethod
    def _arrived(view: View, action: Action) -> None:
        if is_inside(action):
            _arrived_inside(view, action)
            return
        value = view.value(action.option)
        if isinstance(value.value, Undetermined):
            raise ProofFailed(f"whether {action.option} arrives depends on " + "; ".join(value.value.reasons))
        # A flag without an opposite is switched off by leaving it out.
        off = action.value is False and action.written is not None
        if (value.written is None and not off) or not same(_plain(value.value), _plain(action.value)):
            raise ProofFailed(f"{action.option} reads back as {value.value!r}, not {action.value!r}")

    @staticmethod
    def _gone(engine: Subject, view: View, action: Action) -> None:
        key = action.written.key if action.written is not None else ""
        still = any(t.option == action.option and t.written.key == key for t in view.delivery.diagnostics)
        if still and not _elsewhere(engine, action):
            raise ProofFailed(f"{action.option} is still written")

    @staticmethod
    def _others(before: View, after: View, changed: set[str]) -> None:
        for option in sorted({*before.delivery.values, *after.delivery.values} - changed):
            old, new = before.delivery.values.get(option), after.delivery.values.get(option)
            if old is None or new is None or not _alike(old.value, new.value):
                raise ProofFailed(f"{option} would change too")


def _document(engine: Subject) -> int | None:
    """The number of the document that an engine stands in: those of several documents may have one name."""
    return engine.site.place.index if engine.site is not None else None


def _arrived_inside(view: View, action: Action) -> None:
    """Raise ProofFailed unless the key inside the mapping has what was intended."""
    option, *path = action.option.split(".")
    at = _plain(view.value(option).value)
    for key in path:
        at = at.get(key) if isinstance(at, dict) else None
    if not same(_plain(at), _plain(action.value)):
        raise ProofFailed(f"{action.option} reads back as {at!r}, not {action.value!r}")


def _check_call(engine: Subject, again: Subject, action: Action, call: Use) -> None:
    """Raise ProofFailed unless the call, found again among the program's uses, passes what was intended."""
    calls = _found_again(engine, again, call)
    if not calls and action.kind == "drop" and len(call.arguments) == 1:
        return  # it passes nothing now
    if not calls:
        raise ProofFailed(f"the call that gets {action.option} is not found in the edited file")
    why = [_differs(one.arguments, action, call) for one in calls]
    if all(why):
        raise ProofFailed(why[0])


def _found_again(engine: Subject, again: Subject, call: Use) -> list[Use]:
    """The call by its number among all calls of the module, and by its place among those of its name: an edit may have made a
    literal of `dict(...)` before it."""
    if not isinstance(engine, Program) or not isinstance(again, Program):
        return []
    number = _number(call)
    before, after = (
        {_number(use): use for use in program.uses if (use.name, use.method) == (call.name, call.method)}
        for program in (engine, again)
    )
    found = [after[number]] if number in after else []
    if len(before) == len(after):
        found.append(list(after.values())[list(before).index(number)])
    return found


def _differs(passed: Mapping[str, object], action: Action, call: Use) -> str:
    """How what a call passes is not what an action intends; "" where it is."""
    option = action.option
    if action.kind != "drop" and not same(passed.get(option), action.value):
        return f"{option} reads back as {passed.get(option)!r}, not {action.value!r}"
    gone = {"drop": option, "respell": call.key}.get(action.kind, "")
    return f"{gone} is still passed" if gone in passed else ""


def _number(use: Use) -> int | None:
    """The number of the call in its module."""
    tree = use.written.tree
    return tree.place.index if tree is not None else None


def _elsewhere(engine: Subject, action: Action) -> bool:
    """Whether what is dropped in one file is written again in another of the chain."""
    assert action.written is not None and isinstance(engine, Engine)
    key, path = action.written.key, action.written.spot.file.path
    return any(written.key == key and written.spot.file.path != path for written in engine.options)


def _alike(old: object, new: object) -> bool:
    if isinstance(old, Undetermined) or isinstance(new, Undetermined):
        return isinstance(old, Undetermined) and isinstance(new, Undetermined)
    return same(old, new)


def _plain(value: object) -> object:
    """Numbers given as text on a command line compare as numbers, mappings as what their JSON says, a list of one as its item."""
    if isinstance(value, list):
        return _plain(value[0]) if len(value) == 1 else [_plain(item) for item in value]
    if isinstance(value, str) and value.lstrip().startswith("{"):
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    if isinstance(value, str):
        try:
            return float(value) if "." in value or "e" in value else int(value)
        except ValueError:
            return value
    return value
