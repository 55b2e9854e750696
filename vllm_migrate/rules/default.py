"""Options that nobody sets and whose declared default another release has changed: what rules with `each: default` are asked of."""

from __future__ import annotations

from collections.abc import Callable

from vllm_migrate.catalog import changes, relevance
from vllm_migrate.catalog.store import Catalog, OptionFacts
from vllm_migrate.knowledge.expr import Undetermined
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.resolve.view import View, decides

SECTIONS = {"engine": "", "sampling": "sampling.", "env": "env."}


class Default:
    """An option of relevance to RL with another declared default at the target.

    option: as rules name it (`env.X`, `sampling.x`); key: its bare name; layer: what of an RL run it can move; since: the
    first release with the new default.
    """

    __slots__ = ("facts", "key", "layer", "new", "old", "option", "section", "since")

    def __init__(
        self, section: str, name: str, layer: str, before: OptionFacts, after: OptionFacts, since: str
    ) -> None:
        self.section = section
        self.key = name
        self.option = SECTIONS[section] + name
        self.layer = layer
        self.old: object = before.default
        self.new: object = after.default
        self.facts = after
        self.since = since

    def fact(self, name: str, source: View, target: View) -> object:
        """The value of `default.<name>` in a condition."""
        word = FACTS.get(name)
        return getattr(self, name) if word is None else word(self, source, target)

    def accepted(self) -> bool:
        """Whether the target takes the old default."""
        return self.section == "engine" and not changes.refused_choice(self.facts, self.old)

    def _is_unset(self, view: View) -> bool:
        return view.value(self.option).origin in ("default", "resolved", "unknown")

    def _effective(self, view: View, declared: object) -> object:
        """What the engine runs with: the declared default where nothing resolves it later."""
        value = view.value(self.option)
        if value.origin == "unknown" and not isinstance(value.value, Undetermined):
            return Undetermined((value.because,))
        return declared if value.origin == "default" else value.value


FACTS: dict[str, Callable[[Default, View, View], object]] = {
    "unset": lambda default, source, target: default._is_unset(source) and default._is_unset(target),
    "before": lambda default, source, target: default._effective(source, default.old),
    "after": lambda default, source, target: default._effective(target, default.new),
    "accepted": lambda default, source, target: default.accepted(),
}


_moved: dict[tuple[Catalog, Knowledge, str, str], list[Default]] = {}


def moved(catalog: Catalog, knowledge: Knowledge, source: str, target: str) -> list[Default]:
    """Every option of relevance whose declared default says another thing at the target, and of which no rule knows.

    A rule that names an option knows what the shipped releases did to it; a release that the user added is news to it.
    """
    key = (catalog, knowledge, source, target)
    if key not in _moved:
        _moved[key] = list(_between(catalog, named(knowledge), source, target)) if source != target else []
    return _moved[key]


def _between(catalog: Catalog, known: frozenset[str], source: str, target: str) -> list[Default]:
    out = []
    for name, layer in relevance.layers().items():
        for section in ("env",) if name.isupper() else ("engine", "sampling"):
            before, after = catalog.get(section, name, source), catalog.get(section, name, target)
            if before is None or after is None or not (decides(before) and decides(after)):
                continue
            if changes.same(before.default, after.default):
                continue
            since = _since(catalog, section, name, target, after.default)
            if catalog.is_added(since) or SECTIONS[section] + name not in known:
                out.append(Default(section, name, layer, before, after, since))
    return sorted(out, key=lambda default: default.option)


def _since(catalog: Catalog, section: str, name: str, release: str, value: object) -> str:
    return changes.since(catalog, section, name, release, lambda f: f is not None and changes.same(f.default, value))


def named(knowledge: Knowledge) -> frozenset[str]:
    """The options that rules name as theirs."""
    out: set[str] = set()
    for rule in knowledge.rules:
        if not rule.derived:
            out.update((rule.option, *rule.options))
    return frozenset(out)
