"""The read-back proof: the edited files are read again the same way, and must give the values that were intended."""

from __future__ import annotations

import os

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.discover import discover
from vllm_migrate.dialects.model import Engine
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.documents.interface import ProofFailed
from vllm_migrate.knowledge.expr import Undetermined, same
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.resolve.view import View
from vllm_migrate.rules.finding import Act
from vllm_migrate.run.judging import Question


class Prover:
    """Reads edited texts back. `texts` maps normalised paths to the new text of each edited file."""

    def __init__(
        self, question: Question, catalog: Catalog, knowledge: Knowledge, texts: dict[str, str], disk: Disk = DISK
    ) -> None:
        self.question = question
        self.catalog = catalog
        self.knowledge = knowledge
        self.workspace = Workspace([], texts, disk=disk)

    def check(self, engine: Engine, before: View, acts: list[Act], changed: set[str]) -> None:
        """Raise ProofFailed unless `engine`, read again, has what `acts` intend and nothing but `changed` is different.

        before: the engine at the target as it is written now.
        """
        again = self._again(engine)
        after = View(again, self.question.target, self.catalog, self.knowledge, self.question.assumptions)
        for act in acts:
            if act.kind == "set":
                self._arrived(after, act)
            elif act.kind == "drop":
                self._gone(again, after, act)
            elif act.kind.endswith("argument"):
                _argument(again, act)
        self._others(before, after, changed)

    def _again(self, engine: Engine) -> Engine:
        self.workspace.target = self.question.target
        if engine.framework is not None:
            self.workspace.frameworks[str(engine.dialect.get("framework", ""))] = engine.framework
        file = self.workspace.load(engine.file.path)
        if file is None:
            reason = self.workspace.problems[-1].message if self.workspace.problems else "it is gone"
            raise ProofFailed(f"{engine.file.path} cannot be read back: {reason}")
        found = discover(file, self.knowledge.dialects, self.catalog, self.workspace)
        for candidate in found.engines:
            if candidate.id == engine.id and os.path.normpath(candidate.file.path) == os.path.normpath(
                engine.file.path
            ):
                return candidate
        raise ProofFailed(f"the engine {engine.id} is not found in the edited file")

    @staticmethod
    def _arrived(view: View, act: Act) -> None:
        value = view.value(act.option)
        if isinstance(value.value, Undetermined):
            raise ProofFailed(f"whether {act.option} arrives depends on " + "; ".join(value.value.reasons))
        if value.written is None or not same(_plain(value.value), _plain(act.value)):
            raise ProofFailed(f"{act.option} reads back as {value.value!r}, not {act.value!r}")

    @staticmethod
    def _gone(engine: Engine, view: View, act: Act) -> None:
        key = act.written.key if act.written is not None else ""
        still = any(t.option == act.option and t.written.key == key for t in view.delivery.diagnostics)
        if still and not _elsewhere(engine, act):
            raise ProofFailed(f"{act.option} is still written")

    @staticmethod
    def _others(before: View, after: View, changed: set[str]) -> None:
        for option in {*before.delivery.values, *after.delivery.values} - changed:
            old, new = before.delivery.values.get(option), after.delivery.values.get(option)
            if old is None or new is None or not _alike(old.value, new.value):
                raise ProofFailed(f"{option} would change too")


def _argument(engine: Engine, act: Act) -> None:
    """Raise ProofFailed unless the call, found again by its number among the program's uses, passes what was intended."""
    tree = act.written.tree if act.written is not None else None
    calls = [
        use
        for use in engine.uses
        if use.tree is not None and tree is not None and use.tree.place.index == tree.place.index
    ]
    if not calls:
        raise ProofFailed(f"the call that gets {act.option} is not found in the edited file")
    passed = calls[0].arguments
    if act.kind == "argument" and not same(passed.get(act.option), act.value):
        raise ProofFailed(f"{act.option} reads back as {passed.get(act.option)!r}, not {act.value!r}")
    if act.kind == "remove-argument" and act.option in passed:
        raise ProofFailed(f"{act.option} is still passed")


def _elsewhere(engine: Engine, act: Act) -> bool:
    """Whether what is dropped in one file is written again in another of the chain."""
    assert act.written is not None
    key, path = act.written.key, act.written.spot.file.path
    return any(written.key == key and written.spot.file.path != path for written in engine.options)


def _alike(old: object, new: object) -> bool:
    if isinstance(old, Undetermined) or isinstance(new, Undetermined):
        return isinstance(old, Undetermined) and isinstance(new, Undetermined)
    return same(old, new)


def _plain(value: object) -> object:
    """Numbers given as text on a command line compare as numbers, and a list of one as its item."""
    if isinstance(value, list):
        return _plain(value[0]) if len(value) == 1 else [_plain(item) for item in value]
    if isinstance(value, str):
        try:
            return float(value) if "." in value or "e" in value else int(value)
        except ValueError:
            return value
    return value
