"""What a rule can ask about one use of vLLM's interfaces by a program, at both releases; knowledge/vocabulary.py says what."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING

from vllm_migrate.dialects.model import Program, Use, determined
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.expr import Undetermined
from vllm_migrate.resolve.view import View

if TYPE_CHECKING:
    from vllm_migrate.catalog.contract import Contract
    from vllm_migrate.catalog.store import Catalog, Rename

HIDDEN = "what the call passes besides"


@lru_cache(64)
def _in_text(pattern: str, text: str) -> bool:
    """Whether a pattern is in a text; many uses of a module ask the same."""
    return re.search(pattern, text) is not None


class Using:
    """One use, seen at both releases."""

    __slots__ = ("program", "source", "target", "use")

    def __init__(self, use: Use, program: Program, source: View, target: View) -> None:
        self.use = use
        self.program = program
        self.source = source
        self.target = target

    @property
    def path(self) -> str:
        """The place in words that survive edits elsewhere in the file, for the fingerprint."""
        before = [
            u
            for u in takewhile(lambda u: u is not self.use, self._all())
            if (u.key, u.function) == (self.use.key, self.use.function)
        ]
        return ".".join(part for part in (self.use.function, self.use.key) if part) + (
            f"#{len(before) + 1}" if before else ""
        )

    @property
    def text(self) -> str:
        """The value of the keyword at hand as the file has it."""
        tree = self.use.written.tree
        child = tree.get(self.use.key) if tree is not None else None
        if child is None:
            return ""
        node = child.place.node
        return child.place.file.source.text[node.start : node.end]

    def shape(self) -> str:
        """Whether the value at hand is a list of lists ("many") or of numbers ("one"); "" where that is not plain."""
        from vllm_migrate.documents.python.document import PythonData
        from vllm_migrate.documents.python.shapes import shape_of

        data, start = self.use.spot.file.data, self.use.spot.start
        if not isinstance(data, PythonData):
            return ""
        for call in data.code.calls:
            for keyword in call.node.keywords:
                if keyword.arg == self.use.key and data.code.span(keyword)[0] == start:
                    return shape_of(keyword.value, data.code.tree)
        return ""

    def fact(self, name: str) -> object:
        """The value of `use.<name>` in a condition."""
        word = FACTS.get(name)
        return getattr(self.use, name) if word is None else word(self)

    def _passes(self, name: str) -> object:
        if name in self.use.arguments or not self.use.more:
            return name in self.use.arguments
        return Undetermined((f"whether {HIDDEN} passes {name}",), (True, False))

    def _ends(self, name: str, *ends: str) -> bool:
        return _ends(self.use.arguments.get(name), ends)

    def _items(self, name: str) -> int:
        value = self.use.arguments.get(name)
        return len(value) if isinstance(value, (list, tuple)) else 0

    def _having(self, name: str, argument: str, value: object) -> bool:
        return any(use.arguments.get(argument) == value for use in self.named(name))

    def gone(self) -> str:
        from vllm_migrate.catalog.modules import load

        for release in reversed(self._before_target()):
            found = load().gone(self.use.key, release, self.target.release)
            if found:
                return found
        return ""

    def _before_target(self) -> Sequence[str]:
        """The releases that the program may have been written for: the source, or where no other release is compared those
        before it, the oldest first."""
        source, target = self.source.release, self.target.release
        catalog = self.source.catalog
        return catalog.releases[: catalog.ordinal(target)] if source == target else (source,)

    def _existed(self) -> bool:
        """Whether the source has what is used; where no other release is compared, whether it or an earlier one has it."""
        if self.source.release == self.target.release and self._known(self.target.release):
            return True
        return any(map(self._known, self._before_target()))

    def _runs(self) -> bool:
        from vllm_migrate.catalog.modules import load

        catalog = self.source.catalog
        imports = [use.key for use in self._all() if use.name == "import" and not use.guarded and not use.function]
        first, last = catalog.ordinal(self.source.release), catalog.ordinal(self.target.release)
        # What came after the source shows that the source is not the release it ran on.
        before = catalog.releases[min(first, last) : max(first, last)] or self._before_target()
        return any(all(load().has(key, release) is not False for key in imports) for release in before)

    def home(self) -> str:
        """Where an imported name is at the target, as a part of a sentence; "" when that is not plain."""
        from vllm_migrate.catalog.modules import load

        name = self.use.key.rpartition(".")[2]
        found = load().homes(name, self.target.release)
        return "; import " + " or ".join(f"{module}.{name}" for module in found) + " instead" if found else ""

    def taken(self) -> str:
        """The release since which vLLM's class has a name that the program's class defines too; "" when it has none.

        For what is mixed into the worker, also where V1's worker had it all along and V0's had not.
        """
        name, owner = self.use.key, self.use.method
        known, source, target = _contract(self.target), self.source.release, self.target.release
        if owner:
            member = (known.members(owner, target) or {}).get(name)
            if name.startswith("__") or (member is not None and member.abstract):
                return ""
            since = known.appeared(owner, name, source, target, of_the_class=True)
            return since if since and not any(map(self._answers, self._siblings())) else ""
        if known.collides(name, target) is not True:
            return ""
        was = known.collides(name, source)
        if was and known.collides(name, source, "v0") is not False:
            return ""
        return known.taken(name, source, target) if not was else f"V1 ({source} on V0 had not)"

    def _siblings(self) -> list[Use]:
        """What the same class overrides of the same class of vLLM's."""
        mine = (self.use.name, self.use.method, self.use.function)
        return [use for use in self._all() if (use.name, use.method, use.function) == mine]

    def _answers(self, use: Use) -> bool:
        """Whether an override is written for what the target calls: a name that is new, with the parameters that it has there."""
        known = _contract(self.target)
        if not known.appeared(use.method, use.key, self.source.release, self.target.release, of_the_class=True):
            return False
        signature = known.signature(f"{use.method}.{use.key}", self.target.release)
        if signature is None or use.more:
            return False
        passed = {parameter.name for parameter in signature.parameters if parameter.kind not in ("args", "kwargs")}
        required = {name for name, needed in use.arguments.items() if needed}
        return bool(passed) and passed <= set(use.arguments) and required <= passed

    def unfit(self) -> str:
        """What vLLM's own call of an overridden method passes, or no longer passes, that the override cannot take so; "" where it
        fits, where it did not fit before, and where vLLM's call is not known."""
        use, known = self.use, _contract(self.target)
        made = use.key == "__init__"
        if not use.method or use.more or (made and not CONSTRUCTED.match(use.method)):
            return ""
        dotted = use.method if made else f"{use.method}.{use.key}"
        before = known.signature(dotted, self.source.release)
        after = known.signature(dotted, self.target.release)
        if before is None or after is None or after.open:
            return ""
        old = {parameter.name for parameter in before.parameters}
        places = after.positions()
        for parameter in after.parameters:
            passed = parameter.required or made
            fits = parameter.name in use.arguments or (
                parameter.name in places and len(use.positional) > places.index(parameter.name)
            )
            if passed and not fits and parameter.name not in old and parameter.kind not in ("args", "kwargs"):
                return f"passes {parameter.name} to it, which it does not accept"
        new = {parameter.name for parameter in after.parameters}
        for name, required in use.arguments.items():
            if required and name in old and name not in new and len(use.positional) > len(places):
                return f"no longer passes {name}, which it requires"
        return ""

    def refuses(self, release: str) -> str:
        """Why a release refuses the call, or the value of a configuration class's keyword; "" where it takes it or where that is
        not known."""
        if self.use.section == "config":
            return self._value_refused(release)
        signature = _contract(self.target).signature(self.use.method, release)
        if signature is None:
            return GONE if _contract(self.target).has(self.use.method, release) is False else ""
        return signature.refuses(len(self.use.positional), frozenset(self.use.arguments), self.use.more)

    def fitted(self) -> bool:
        """Whether the source (of several that may be it, one) knows what is called, and takes the call."""
        known = _contract(self.source)
        return any(
            known.signature(self.use.method, release) is not None and not self.refuses(release)
            for release in self._before_target()
        )

    def _streamed(self) -> bool:
        """Whether these sampling parameters reach a generate of which a loop keeps the last item alone."""
        start, text = self.use.spot.start, self.use.spot.file.source.text
        name = ASSIGNED.search(text[max(0, start - 200) : start])
        if name is not None and _in_text(rf"(?<![\w.]){re.escape(name[1])}\.output_kind\s*=[^=]", text):
            return False
        for stream in self.named("stream"):
            if stream.spot.start <= start < stream.spot.end:
                return True
            given = stream.arguments.get(
                "sampling_params", stream.positional[1] if len(stream.positional) > 1 else None
            )
            if name is not None and isinstance(given, Unknown) and given.text == name[1]:
                return True
        return False

    def _mentions(self, name: str) -> bool:
        return _in_text(rf"\b{re.escape(name)}\b", self.use.spot.file.source.text)

    def _varies(self, name: str, position: int) -> bool:
        """Whether the loops around the call may pass another value each time: a call, an attribute, a name that they assign."""
        positional = self.use.positional
        value = self.use.arguments.get(name, positional[position] if position < len(positional) else None)
        if not isinstance(value, Unknown):
            return False
        return bool(CHANGING.search(value.text)) or not self.use.rebound.isdisjoint(
            re.findall(r"[A-Za-z_]\w*", value.text)
        )

    def renamed_field(self) -> Rename | None:
        """The curated rename of a configuration class's field that is gone."""
        catalog, name = self.target.catalog, f"{self.method()}.{self.use.key}"
        found = (rename for rename in catalog.renames if rename.section == self.use.section == "config")
        return next((rename for rename in found if rename.old == name and rename.new), None)

    def successor(self) -> str:
        """What takes its place, as a part of a sentence."""
        rename = self.renamed_field()
        if rename is None or rename.new is None:
            return ""
        return f"; use {rename.new.rpartition('.')[2]} instead" + (f" ({rename.note})" if rename.note else "")

    def _others(self, names: tuple[str, ...]) -> list[Use]:
        return [use for use in self._all() if use.name in names and use is not self.use]

    def _beside(self, names: tuple[str, ...]) -> list[Use]:
        """Other uses of these names in the same function."""
        return [use for use in self._others(names) if use.function == self.use.function]

    def _before(self, names: tuple[str, ...]) -> list[Use]:
        return [use for use in self._beside(names) if use.spot.start < self.use.spot.start]

    def _stops(self) -> bool:
        """Whether the module ends the program here in the target, and does not in a source that something shows."""
        from vllm_migrate.dialects.gates import stops
        from vllm_migrate.documents.python.document import PythonData

        data, situation = self.use.spot.file.data, self.target.situation
        if not isinstance(data, PythonData):
            return False

        def reached(release: str) -> bool:
            starts = (data.code.span(statement)[0] for statement in stops(data.code, release))
            return self.use.spot.start in starts

        unknown = situation.open is not None or situation.pinned
        return reached(self.target.release) and bool(unknown or not reached(self.source.release))

    def _misread(self) -> bool:
        """Whether the comparison of texts comes out wrong in the target, and right in a source that something shows."""
        from vllm_migrate.dialects.gates import misread
        from vllm_migrate.documents.python.document import PythonData

        data, situation = self.use.spot.file.data, self.target.situation
        if not isinstance(data, PythonData) or not misread(data.code, self.use.spot.start, self.target.release):
            return False
        unknown = situation.open is not None or situation.pinned
        return bool(unknown or not misread(data.code, self.use.spot.start, self.source.release))

    def _later(self, *names: str) -> bool:
        return any(use.spot.start > self.use.spot.start for use in self._beside(names))

    def _nearest(self, *names: str) -> str:
        before = self._before(names)
        return before[-1].name if before else ""

    def named(self, name: str) -> list[Use]:
        return [use for use in self._all() if use.name == name]

    def _all(self) -> Sequence[Use]:
        return self.program.uses

    def _argument(self, name: str, position: int | None = None) -> object:
        use = self.use
        if name in use.arguments:
            return determined(name, use.arguments[name])
        if position is not None and position < len(use.positional):
            return determined(name, use.positional[position])
        if use.more:
            return Undetermined((f"whether {HIDDEN} sets {name}",))
        return None

    def method(self) -> str:
        """The bare name of what is called."""
        return self.use.method or self.use.key.rpartition(".")[2]

    def _known(self, release: str) -> bool:
        """Whether a release has the method, for one keyword of a call the parameter, or the metric."""
        section, use, catalog = self.use.section, self.use, self.target.catalog
        if section == "metric":
            from vllm_migrate.catalog import startup

            return startup.load(catalog).metric(use.key, release)
        if section == "env":
            return use.key in catalog.names("env", release)
        if not use.method:
            return any(name.rpartition(".")[2] == self.method() for name in _methods(catalog, release))
        if section == "sampling":
            return use.key in catalog.names("sampling", release)
        if section == "config":
            return self._becomes(release) == ""
        return self._takes(release, use.key)

    def _becomes(self, release: str) -> str:
        """What becomes of a keyword of a configuration class: "" where it arrives, or where that is not known."""
        if self.use.section != "config":
            return ""
        from vllm_migrate.catalog import nested

        known = nested.load(self.target.catalog)
        if not known.fields_of(self.method(), release) or known.field(self.method(), self.use.key, release):
            return ""
        return {"refused": "unknown", "dropped": "lost"}.get(known.constructed(self.method(), release) or "", "")

    def _value_refused(self, release: str) -> str:
        from vllm_migrate.catalog import nested
        from vllm_migrate.dialects.inner import not_a_choice

        known, cls = nested.load(self.target.catalog), self.method()
        facts = known.field(cls, self.use.key, release)
        if facts is None or not known.is_checked(cls, release):
            return ""
        return not_a_choice(facts, self.use.written.value)

    def _takes(self, release: str, parameter: str) -> bool:
        wanted = f".{self.method()}.{parameter}"
        return any(name.endswith(wanted) for name in self.target.catalog.names("api", release))

    def _route(self, view: View) -> object:
        for name in view.catalog.names("route", view.release):
            if name.partition(" ")[2] == self.use.key:
                facts = view.catalog.get("route", name, view.release)
                gate = facts.extra("gate") if facts is not None else None
                return str(gate) if gate else ""
        return None


GONE = "has no such method"
# Classes that vLLM itself makes objects of, so that their constructors have to fit.
CONSTRUCTED = re.compile(
    r"vllm\.(?:v1\.(?:core\.sched|executor|worker|metrics\.loggers)\.|(?:entrypoints\.openai\.)?tool_parsers\.|reasoning\."
    r"|distributed\.kv_transfer\.kv_connector\.v1\.|v1\.sample\.logits_processor\.)"
)
# What a call is assigned to, in the text before it.
ASSIGNED = re.compile(r"([A-Za-z_][\w.]*)\s*(?::[^=\n]+)?=\s*(?:[\w.]+\.)?\Z")


CHANGING = re.compile(r"\w\s*[.(]\s*\w|\(\)")


def _contract(view: View) -> Contract:
    from vllm_migrate.catalog import contract

    return contract.load(view.catalog)


def _methods(catalog: Catalog, release: str) -> list[str]:
    return [name for name in catalog.names("api", release) if name.count(".") == 1]


def _ends(value: object, names: tuple[str, ...]) -> bool:
    """Whether an expression, or one of those in a list, is a dotted name whose last part is one of `names`."""
    if isinstance(value, (list, tuple)):
        return any(_ends(item, names) for item in value)
    dotted = isinstance(value, Unknown) and value.text.replace(".", "").replace("_", "").isalnum()
    return isinstance(value, Unknown) and dotted and value.text.rpartition(".")[2] in names


FACTS: dict[str, Callable[[Using], object]] = {
    "value": lambda using: determined(using.use.key, using.use.written.value),
    "positional": lambda using: len(using.use.positional),
    "exists": lambda using: using._known(using.target.release),
    "existed": Using._existed,
    "assigned": lambda using: using.use.written.attribute,
    "becomes": lambda using: using._becomes(using.target.release),
    "shape": Using.shape,
    "taken": Using.taken,
    "unfit": Using.unfit,
    "refused": lambda using: using.refuses(using.target.release),
    "fitted": lambda using: using.fitted(),
}
FUNCTIONS: dict[str, Callable[..., object]] = {
    "arg": Using._argument,
    "passes": Using._passes,
    "ends": Using._ends,
    "items": Using._items,
    "takes": lambda using, parameter: using._takes(using.target.release, parameter),
    "from_takes": lambda using, parameter: any(using._takes(release, parameter) for release in using._before_target()),
    "earlier": lambda using, *names: bool(using._before(names)),
    "later": Using._later,
    "nearest": Using._nearest,
    "anywhere": lambda using, *names: bool(using._others(names)),
    "having": Using._having,
    "beside": lambda using, text: using.target.situation.around.says(text),
    "route": lambda using: using._route(using.target),
    "from_route": lambda using: using._route(using.source),
    "runs": Using._runs,
    "gone": Using.gone,
    "streamed": Using._streamed,
    "stops": Using._stops,
    "misread": Using._misread,
    "mentions": Using._mentions,
    "varies": Using._varies,
}
