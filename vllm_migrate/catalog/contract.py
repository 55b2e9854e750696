"""The Python interface of each release: what a class has, what a call takes, which names a subclass must not use.

contract = load()
contract.signature("vllm.LLM.generate", "0.18.1").names()
contract.taken("update_weights", "0.8.5", "0.18.1")     # "0.16.0": a worker extension that defines it is refused
contract.call_changes("vllm.AsyncLLMEngine.abort", "0.8.5", "0.18.1")
"""

from __future__ import annotations

import ast
from typing import NamedTuple

from vllm_migrate.catalog import sheets, store

# What `worker_extension_cls` is mixed into, on CUDA: the V0 engine's worker and the V1 engine's.
WORKERS = {"v0": "vllm.worker.worker.Worker", "v1": "vllm.v1.worker.gpu_worker.Worker"}
_OF_THE_CLASS = ("method", "static", "class", "property", "value")
_HOPS = 12  # steps from a name to its home
_BASE_NAMES = {"object", "abc.ABC", "ABC", "typing.Generic", "Generic", "typing.Protocol", "Protocol"}


class Parameter(NamedTuple):
    """One parameter. `kind` is positional (only), plain, keyword (only), args or kwargs; `default` is source text or None,
    `...` where source does not decide it."""

    name: str
    kind: str
    default: str | None

    @property
    def required(self) -> bool:
        return self.default is None and self.kind in ("positional", "plain", "keyword")


class Signature(NamedTuple):
    """What a call takes at one release. `flavour` is "" or async, generator, async generator."""

    parameters: tuple[Parameter, ...]
    flavour: str = ""
    deprecated: str = ""

    def names(self) -> list[str]:
        """Names that can be passed by keyword."""
        return [p.name for p in self.parameters if p.kind in ("plain", "keyword")]

    def named(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)

    @property
    def open(self) -> bool:
        """True when any keyword is taken."""
        return any(p.kind == "kwargs" for p in self.parameters)

    def refuses(self, positional: int, keywords: frozenset[str], more: bool) -> str:
        """Why a call with so many positional arguments and these keywords is a TypeError, "" where it is none.

        more: it passes others besides, by `*` or `**`.
        """
        names, places = self.names(), self.positions()
        unknown = sorted(keywords.difference(names))
        if unknown and not self.open:
            return f"takes no {unknown[0]}"
        if positional > len(places) and not any(p.kind == "args" for p in self.parameters):
            return f"takes at most {len(places)} arguments by position"
        filled = keywords.union(places[:positional])
        missing = [p.name for p in self.parameters if p.required and p.name not in filled]
        return f"asks for {missing[0]}" if missing and not more else ""

    def positions(self) -> list[str]:
        """Names in the order in which positional arguments fill them."""
        return [p.name for p in self.parameters if p.kind in ("positional", "plain")]


class Member(NamedTuple):
    """An attribute of a class. `kind` is method, static, class, property, value, field, declared or instance; abstract: a
    subclass has to define it."""

    name: str
    kind: str
    owner: str
    abstract: bool = False

    @property
    def of_the_class(self) -> bool:
        """True when `hasattr(Class, name)` holds (a field, or what instances set, need not be there)."""
        return self.kind in _OF_THE_CLASS


class CallChange(NamedTuple):
    """A difference between two signatures. `kind`: removed, added, required, optional, default, keyword_only, position,
    flavour."""

    kind: str
    name: str
    old: str = ""
    new: str = ""


class Contract:
    """Reads `contract.json`. Names are dotted (`vllm.v1.worker.gpu_worker.Worker`); `vllm.LLM` is followed to its home."""

    def __init__(self, sheet: sheets.Sheet) -> None:
        self._sheet = sheet
        self._members: dict[tuple[str, str], dict[str, Member]] = {}

    def home(self, dotted: str, release: str) -> str | None:
        """The class, function or `Class.method` that a name stands for at a release; None where it is not known. Attributes on
        the way stand for their classes (`vllm.LLM.llm_engine.abort_request` for `LLMEngine.abort_request`)."""
        prefix, rest = dotted, ""
        for _ in range(_HOPS):
            moved = self._sheet.at("export", prefix, release)
            if moved is not None:
                prefix = moved["to"]
                continue
            for section in ("class", "function"):
                if self._sheet.at(section, prefix, release) is not None:
                    return self._through(prefix, rest, release)
            prefix, _, last = prefix.rpartition(".")
            if not prefix:
                return None
            rest = f".{last}{rest}"
        return None

    def _through(self, owner: str, rest: str, release: str) -> str:
        """`.a.b.c` of a class, as far as the classes of its attributes are known."""
        parts = rest.split(".")[1:]
        while len(parts) > 1 and (member := (self.members(owner, release) or {}).get(parts[0])) is not None:
            facts = self._sheet.at(member.owner, member.name, release)
            if facts.get("t") is None:
                break
            owner, parts = facts["t"], parts[1:]
        return ".".join((owner, *parts))

    def functions(self, release: str) -> list[str]:
        """Functions at the top of the modules that other programs use."""
        return sorted(self._sheet.entries("function", release))

    def classes(self, release: str) -> list[str]:
        """Classes of the modules that other programs use, and those that they inherit from."""
        return sorted(self._sheet.entries("class", release))

    # -- classes ---------------------------------------------------------------------------------

    def bases(self, dotted: str, release: str) -> list[str]:
        """Bases in the order of look-up, those outside vLLM included."""
        facts = self._sheet.at("class", self.home(dotted, release) or dotted, release)
        return list(facts.get("bases", ())) if facts else []

    def members(self, dotted: str, release: str) -> dict[str, Member] | None:
        """Attributes of a class, those it inherits inside vLLM included; None where the class is not known."""
        home = self.home(dotted, release)
        if home is None or self._sheet.at("class", home, release) is None:
            return None
        key = (home, release)
        if key not in self._members:
            found: dict[str, Member] = {}
            for owner in [home, *self.bases(home, release)]:
                for name, facts in self._sheet.entries(owner, release).items():
                    found.setdefault(name, Member(name, facts["k"], owner, "abstract" in facts))
            self._members[key] = found
        return self._members[key]

    def is_closed(self, dotted: str, release: str) -> bool:
        """True when everything a class inherits is known: no base outside vLLM but the standard library's plain ones."""
        bases = self.bases(dotted, release)
        return all(base.startswith("vllm.") or base in _BASE_NAMES for base in bases)

    def has(self, dotted: str, release: str) -> bool | None:
        """Whether a class has an attribute (`vllm.LLM.sleep`), or a module a function; None where that is not known."""
        home = self.home(dotted, release)
        owner, _, name = (home or dotted).rpartition(".")
        members = self.members(owner, release)
        if members is None:
            return True if home is not None else None
        if name in members:
            return True
        return False if self.is_closed(owner, release) else None

    # -- names that vLLM took --------------------------------------------------------------------

    def collides(self, name: str, release: str, engine: str = "v1") -> bool | None:
        """Whether vLLM refuses a worker extension that defines this name; None where the worker is not known.

        vLLM asserts that its worker has no attribute of that name (names with two leading underscores are not looked at).
        """
        members = self.members(WORKERS[engine], release)
        if members is None or name.startswith("__"):
            return None if members is None else False
        return name in members and members[name].of_the_class

    def taken(self, name: str, source: str, target: str, engine: str = "v1") -> str:
        """The release after `source` and up to `target` since which the name collides; "" when it does not."""
        return self.appeared(WORKERS[engine], name, source, target, of_the_class=True)

    def appeared(self, dotted: str, name: str, source: str, target: str, *, of_the_class: bool = False) -> str:
        """The release after `source` and up to `target` since which a class has an attribute that it had not before; "" also
        where the class itself is no older."""
        catalog = self._sheet.catalog
        low, high = catalog.ordinal(source), catalog.ordinal(target)

        def there(release: str) -> bool:
            member = (self.members(dotted, release) or {}).get(name)
            return member is not None and (member.of_the_class or not of_the_class)

        if there(source) or not there(target):
            return ""
        since = target
        for position in range(high, low, -1):
            if not there(catalog.releases[position]):
                break
            since = catalog.releases[position]
        return since if self.members(dotted, catalog.releases[catalog.ordinal(since) - 1]) is not None else ""

    # -- signatures ------------------------------------------------------------------------------

    def signature(self, dotted: str, release: str) -> Signature | None:
        """What a call of a function, class or method takes; None where that is not known.

        A method's first parameter is left out.
        """
        home = self.home(dotted, release)
        if home is None:
            return None
        facts = self._sheet.at("function", home, release) or self._sheet.at("class", home, release)
        if facts is None:
            owner, _, name = home.rpartition(".")
            member = (self.members(owner, release) or {}).get(name)
            facts = self._sheet.at(member.owner, name, release) if member is not None else None
        if facts is None or "p" not in facts:
            return None
        return Signature(_parameters(facts["p"]), facts.get("a", ""), facts.get("x", ""))

    def call_changes(self, dotted: str, old: str, new: str, moved: str = "") -> list[CallChange] | None:
        """How a call changed between two releases; None where one of them is not known. moved: its name at the new one."""
        before, after = self.signature(dotted, old), self.signature(moved or dotted, new)
        if before is None or after is None:
            return None
        return list(_differences(before, after))


def _parameters(text: str) -> tuple[Parameter, ...]:
    spec = ast.parse(f"def f({text}): pass").body[0]
    assert isinstance(spec, ast.FunctionDef)
    arguments = spec.args
    positional = [*arguments.posonlyargs, *arguments.args]
    blank: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    found = []
    for position, (arg, default) in enumerate(zip(positional, [*blank, *arguments.defaults], strict=True)):
        kind = "positional" if position < len(arguments.posonlyargs) else "plain"
        found.append(Parameter(arg.arg, kind, _text(default)))
    if arguments.vararg:
        found.append(Parameter(arguments.vararg.arg, "args", None))
    for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append(Parameter(arg.arg, "keyword", _text(default)))
    if arguments.kwarg:
        found.append(Parameter(arguments.kwarg.arg, "kwargs", None))
    return tuple(found)


def _text(default: ast.expr | None) -> str | None:
    if default is None:
        return None
    return "..." if isinstance(default, ast.Constant) and default.value is ... else ast.unparse(default)


def _differences(before: Signature, after: Signature) -> list[CallChange]:
    found: list[CallChange] = []
    old = {p.name: p for p in before.parameters if p.kind not in ("args", "kwargs")}
    new = {p.name: p for p in after.parameters if p.kind not in ("args", "kwargs")}
    found += [CallChange("removed", name) for name in old if name not in new and not after.open]
    for name, parameter in new.items():
        known = old.get(name)
        if known is None:
            found.append(CallChange("required" if parameter.required else "added", name, "", parameter.default or ""))
            continue
        if known.required != parameter.required:
            found.append(CallChange("required" if parameter.required else "optional", name))
        elif known.default != parameter.default and "..." not in (known.default, parameter.default):
            found.append(CallChange("default", name, known.default or "", parameter.default or ""))
        if known.kind == "plain" and parameter.kind == "keyword":
            found.append(CallChange("keyword_only", name))
    order = [name for name in before.positions() if name in after.positions()]
    for name in order:
        if before.positions().index(name) != after.positions().index(name):
            where = (str(before.positions().index(name)), str(after.positions().index(name)))
            found.append(CallChange("position", name, *where))
    if before.flavour != after.flavour:
        found.append(CallChange("flavour", "", before.flavour, after.flavour))
    return found


def load(catalog: store.Catalog | None = None) -> Contract:
    """The shipped contract, read once for each loaded catalog."""
    sheet = sheets.load("contract", catalog)
    known = sheet.reader
    if not isinstance(known, Contract):
        known = sheet.reader = Contract(sheet)
    return known
