"""What became of each use between two releases, from the catalog; what the catalog does not know is not spoken of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from vllm_migrate.bump.model import (
    ATTRIBUTE,
    CALL,
    EXTENSION,
    FIELD,
    IMPORT,
    METRIC,
    OPTION,
    PATCH,
    ROUTE,
    SUBCLASS,
    VARIABLE,
    Place,
    Use,
)
from vllm_migrate.catalog import contract, diff, modules, startup, store
from vllm_migrate.catalog.changes import Change
from vllm_migrate.catalog.contract import CallChange

# The classes whose parameters are engine arguments, and those whose are of a request.
ENGINES = ("LLM", "EngineArgs", "AsyncEngineArgs")
BREAKS, CHANGES = "breaks", "changes"
# Kinds of change of an option that concern one that is written. Its default does not; whether its value is one of the
# choices is what `lint` says.
WRITTEN = ("removed", "renamed", "deprecated")


class Became(NamedTuple):
    """What became of one name. effect: breaks or changes; since: the first release of the new state, "" where that is not
    known."""

    effect: str
    kind: str
    name: str
    what: str
    since: str
    places: tuple[Place, ...]


class Patched(NamedTuple):
    """A monkey patch or a subclass: its target, and what became of that ("" for nothing that the catalog knows)."""

    kind: str
    name: str
    what: str
    breaks: bool
    places: tuple[Place, ...]


class Releases:
    """The catalog at two releases."""

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new
        self.catalog = store.load()
        self.contract = contract.load()
        self.modules = modules.load()
        self.startup = startup.load()
        self._changes: dict[tuple[str, str], list[Change]] = {}
        for change in diff.diff(self.catalog, old, new):
            self._changes.setdefault((change.section, change.option.casefold()), []).append(change)

    def of(self, section: str, name: str) -> list[Change]:
        return self._changes.get((section, name.casefold()), [])

    def metric_gone(self, name: str) -> bool:
        return self.startup.metric(name, self.old) and not self.startup.metric(name, self.new)

    # -- names of Python

    def gone(self, dotted: str) -> str | None:
        """The release since which a module, or a name in one, cannot be imported; None where it can, or nobody knows."""
        if self.modules.has(dotted, self.old) is False:
            return None
        return self.modules.gone(dotted, self.old, self.new) or None

    def moved(self, dotted: str) -> str:
        """A name at the new release: that of its class, where only one module defines that class now; else the same."""
        parts = dotted.split(".")
        size = next((at for at, part in enumerate(parts) if part[:1].isupper()), len(parts) - 1)
        if self.modules.has(".".join(parts[: size + 1]), self.new) is not False:
            return dotted
        homes = self.modules.homes(parts[size], self.new)
        return ".".join((homes[0], *parts[size:])) if len(homes) == 1 else dotted

    def lost(self, dotted: str) -> str:
        """The shortest part of a dotted name that a class or module had at the old release and has no more; "" for none."""
        parts = dotted.split(".")
        names = (".".join(parts[:size]) for size in range(3, len(parts) + 1))
        has = self.contract.has
        return next((one for one in names if has(one, self.old) and has(self.moved(one), self.new) is False), "")

    def call_changes(self, dotted: str) -> list[CallChange]:
        return self.contract.call_changes(dotted, self.old, self.new, self.moved(dotted)) or []

    def moved_to(self, name: str) -> str:
        homes = self.modules.homes(name, self.new)
        return f"; {' or '.join(f'`{home}`' for home in homes)} defines {name}" if homes else ""

    def import_gone(self, dotted: str) -> tuple[str, str] | None:
        """(what, since) of the longest part of a dotted name that cannot be imported any more."""
        parts = dotted.split(".")
        for size in range(2, len(parts) + 1):
            name = ".".join(parts[:size])
            since = self.gone(name)
            if since:
                left = parts[size:]
                lost = next((part for part in left if part[:1].isupper()), left[-1] if left else parts[-1])
                return f"`{name}` is gone{self.moved_to(lost)}", since
        return None


def became(uses: list[Use], old: str, new: str) -> tuple[list[Became], list[Patched]]:
    """What changed for uses, and every monkey patch and subclass."""
    releases = Releases(old, new)
    found: dict[tuple[str, str, str, str, str], list[Place]] = {}
    patched: dict[tuple[str, str, str, bool], list[Place]] = {}
    for use in uses:
        if use.kind in (PATCH, SUBCLASS):
            what, breaks = _of_target(use, releases)
            patched.setdefault((use.kind, use.name, what, breaks), []).append(use.place)
        for effect, name, what, since in _of_use(use, releases):
            found.setdefault((effect, use.kind, name, what, since), []).append(use.place)
    changes = [Became(*key, tuple(dict.fromkeys(places))) for key, places in found.items()]
    targets = [Patched(*key, tuple(dict.fromkeys(places))) for key, places in patched.items()]
    return (
        sorted(_without_repeats(changes), key=lambda one: (one.effect, one.kind, one.name)),
        sorted(targets, key=lambda one: (not one.breaks, not one.what, one.kind, one.name)),
    )


Finding = tuple[str, str, str, str]


def _of_use(use: Use, releases: Releases) -> Iterator[Finding]:
    """(effect, name, what, since) of what changed for one use."""
    if use.kind in (IMPORT, ATTRIBUTE):
        yield from _of_name(use, releases)
    elif use.kind == CALL:
        yield from _of_call(use, releases)
    elif use.kind == OPTION:
        yield from _of_option(use.section, use.name, releases)
    elif use.kind == FIELD:
        yield from _of_option("config", use.name, releases)
    elif use.kind == VARIABLE:
        for section in ("env", "env_other"):
            yield from _of_option(section, use.name, releases)
    elif use.kind == EXTENSION:
        for method, _ in use.methods:
            since = releases.contract.taken(method, releases.old, releases.new)
            if since:
                what = "vLLM's own worker has an attribute of that name, so it rejects the extension at startup"
                yield BREAKS, f"{use.name}.{method}", what, since
    elif use.kind == ROUTE:
        yield from _of_route(use.name, releases)
    elif use.kind == METRIC and releases.metric_gone(use.name):
        yield BREAKS, use.name, "the metric was removed", ""


def _of_name(use: Use, releases: Releases) -> Iterator[Finding]:
    gone = releases.import_gone(use.name)
    if gone is not None:
        yield BREAKS, use.name, *gone
    if lost := releases.lost(use.name):
        yield BREAKS, lost, "the attribute was removed", ""


def _of_call(use: Use, releases: Releases) -> Iterator[Finding]:
    yield from _of_name(use, releases)
    last = use.name.rpartition(".")[2]
    section = "engine" if last in ENGINES else "sampling" if last == "SamplingParams" else ""
    if section:
        for keyword in use.keywords:
            yield from _of_option(section, keyword, releases)
        return
    found = False
    new = releases.contract.signature(releases.moved(use.name), releases.new)
    for change in releases.call_changes(use.name):
        texts = _of_parameter(change, use, new.positions()[: use.positional] if new else [])
        if texts is not None:
            found = found or texts[0] == BREAKS
            yield texts[0], use.name, texts[1], ""
    old = releases.contract.signature(use.name, releases.old)
    passed = use.positional, frozenset(use.keywords), use.more
    if old and new and not found and not old.refuses(*passed) and (refused := new.refuses(*passed)):
        yield BREAKS, use.name, f"the call {refused}", ""


def _of_parameter(change: CallChange, use: Use, filled: list[str]) -> tuple[str, str] | None:
    """(effect, what) of a changed parameter for one call; None where it does not concern the call. filled: the parameters
    that it passes by place."""
    passed = change.name in use.keywords
    if change.kind == "removed" and passed:
        return BREAKS, f"the parameter `{change.name}` was removed"
    if change.kind == "required" and not passed and not use.more and change.name not in filled:
        return BREAKS, f"the parameter `{change.name}` is required"
    if change.kind == "keyword_only" and not passed and use.positional:
        return CHANGES, f"the parameter `{change.name}` is now keyword-only"
    if change.kind == "position" and use.positional > int(min(change.old, change.new, key=int)) and not passed:
        return CHANGES, f"the parameter `{change.name}` has moved ({change.old} -> {change.new})"
    if change.kind == "default" and not passed and change.name not in filled:
        return CHANGES, f"the default of `{change.name}` is {change.new or 'none'}, was {change.old or 'none'}"
    if change.kind == "flavour":
        return BREAKS, f"the call is {change.new or 'plain'}, was {change.old or 'plain'}"
    return None


def _of_option(section: str, name: str, releases: Releases) -> Iterator[Finding]:
    for change in releases.of(section, name):
        if change.kind in WRITTEN:
            yield (CHANGES if change.kind == "deprecated" else BREAKS), change.option, _text(change), change.since


def _text(change: Change) -> str:
    what = diff.describe(change).strip()
    return f"{change.kind}{',' if what.startswith('was ') else ''} {what}".strip()


def _of_route(path: str, releases: Releases) -> Iterator[Finding]:
    catalog = releases.catalog
    names = [name for name in catalog.names("route", releases.old) if name.partition(" ")[2] == path]
    for name in names:
        for change in releases.of("route", name):
            if change.kind != "added":
                effect = BREAKS if change.kind in ("removed", "renamed") else CHANGES
                yield effect, name, _text(change), change.since


def _of_target(use: Use, releases: Releases) -> tuple[str, bool]:
    """What became of the target of a patch or the base of a subclass, and whether that breaks it."""
    gone = releases.import_gone(use.name)
    texts = [] if gone is None else [f"{gone[0]} (since {gone[1]})"]
    breaks = gone is not None
    if use.kind == PATCH:
        if releases.lost(use.name):
            return "; ".join((*texts, "the attribute was removed, so the patch has no effect")), True
        return "; ".join(filter(None, (*texts, _signature_changes(use.name, releases)))), breaks
    for method, _ in use.methods:
        dotted = f"{use.name}.{method}"
        if releases.lost(dotted):
            texts.append(f"`{method}` is no longer a method of the base class, so nothing calls it")
            breaks = True
        elif changed := _signature_changes(dotted, releases):
            texts.append(f"`{method}`: {changed}")
    return "; ".join(texts), breaks


def _signature_changes(dotted: str, releases: Releases) -> str:
    found = releases.call_changes(dotted)
    parts = [f"{change.kind.replace('_', ' ')} {change.name}".strip() for change in found]
    return f"its signature changed ({', '.join(parts)})" if parts else ""


def _without_repeats(found: list[Became]) -> list[Became]:
    """An attribute whose import is in the list already is not listed twice."""
    imports = {(one.what.partition("` is gone")[0], one.since) for one in found if one.kind == IMPORT}
    return [
        one for one in found if one.kind == IMPORT or (one.what.partition("` is gone")[0], one.since) not in imports
    ]
