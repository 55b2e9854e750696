"""What is not known at either release, but the same at both: a rule that asks for a change has nothing to say there.

`from.async_scheduling == False and to.async_scheduling == True` is undetermined where the executor is not known. Where both sides
depend on the same, and both releases make the same of it, they are one unknown: whatever it is, it has not changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.knowledge.expr import Condition, Env, Undetermined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vllm_migrate.knowledge.records import EffectiveEntry
    from vllm_migrate.resolve.view import View

ALIASES = {"executor": "distributed_executor_backend"}


def unmoved(when: Condition, env: Env, resolves_alike: Callable[[str], bool]) -> bool:
    """Whether an undetermined condition is false for every value that one unknown of both releases may have.

    resolves_alike: whether a name is resolved alike at both releases.
    """
    for name in _names_of_both(when):
        before, after = env.name(f"from.{name}"), env.name(f"to.{name}")
        if not (isinstance(before, Undetermined) and isinstance(after, Undetermined)):
            continue
        if before.reasons != after.reasons or before.options != after.options or not resolves_alike(name):
            continue
        values = before.options or (object(),)  # one that equals itself alone stands for all
        if all(when.evaluate(_Pinned(env, name, value)) is False for value in values):
            return True
    return False


def resolves_alike(name: str, source: View, target: View) -> bool:
    """Whether no release that rules/effective/ names for an option, or for what decides it, lies between the two."""
    ordinal = target.catalog.ordinal
    low, high = ordinal(source.release), ordinal(target.release)
    return not any(low < ordinal(release) <= high for release in _turns(name, (source, target), set()))


def _turns(name: str, views: tuple[View, View], seen: set[str]) -> Iterator[str]:
    """The releases at which the resolution of an option turns."""
    option, effective = ALIASES.get(name, name), views[1].knowledge.effective
    if option in seen or option not in effective:
        return
    seen.add(option)
    for part in _parts(effective[option], views):
        if part[0] == "name":
            yield from _turns(str(part[1]), views, seen)
        elif part[1] == "since":
            yield str(part[2])
        elif len(part) > 2:
            yield from _turns(str(part[2]), views, seen)


def _parts(entry: EffectiveEntry, views: tuple[View, View]) -> Iterator[list[object]]:
    """Names and calls of all conditions of an entry, but of cases that hold at neither release."""
    for case in (*entry.fixed, *entry.forced, *entry.cases):
        if case.when is not None and _holds_nowhere(case.when, views):
            continue
        for condition in (case.when, case.value_of):
            if condition is not None:
                yield from condition.parts("name", "call")


def _holds_nowhere(when: Condition, views: tuple[View, View]) -> bool:
    # surely() is false of what is not known.
    return not any(when.parts("surely")) and all(when.evaluate(view) is False for view in views)


class _Pinned:
    """An environment in which one name has the same known value at both releases."""

    __slots__ = ("_env", "_names", "_value")

    def __init__(self, env: Env, name: str, value: object) -> None:
        self._env = env
        self._names = (f"from.{name}", f"to.{name}")
        self._value = value

    def name(self, dotted: str) -> object:
        return self._value if dotted in self._names else self._env.name(dotted)

    def call(self, function: str, args: list[object]) -> object:
        return self._env.call(function, args)


def _names_of_both(when: Condition) -> tuple[str, ...]:
    """Names that a condition compares, as `from.X` and `to.X`; one that says X asks for the target's state alone."""
    names = {str(part[1]) for part in when.parts("name")}
    both = sorted(name[5:] for name in names if name.startswith("from.") and f"to.{name[5:]}" in names)
    return tuple(name for name in both if name != "release")
