"""Which release broke the rollout: between a good and a bad one, an adjacent pair, both tested again.

Parity is not monotone over releases: the pair that is found is one step from good to bad, and there may be others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from vllm_migrate.errors import UsageError

GOOD, BAD, SKIP = "good", "bad", "skip"
OF = {"pass": GOOD, "fail": BAD, "invalid": BAD, "inconclusive": SKIP}
PLACE = "{release}"
SHOWN = 15
# What changes a rollout by itself: not what one must write differently, and of what is new only what a logprob means.
KINDS = ("removed", "renamed", "default", "resolves", "added")
SECTIONS = ("engine", "sampling", "env")

Test = Callable[[str], str]
Tell = Callable[[str], None]


class Trial(NamedTuple):
    """One run: a release, and whether it was good, bad or skipped; again: it was to confirm an end of the pair."""

    release: str
    state: str
    again: bool = False


class Bisected(NamedTuple):
    """An adjacent pair. releases: those between the ends that were asked for and could be tried; skipped: between the pair,
    of which nothing is known; sure: both ends gave the same again."""

    good: str
    bad: str
    skipped: tuple[str, ...]
    sure: bool
    trials: tuple[Trial, ...]


def between(releases: Sequence[str], good: str, bad: str) -> list[str]:
    """The releases from one end to the other, both included. Raises UsageError."""
    for name in (good, bad):
        if name not in releases:
            raise UsageError(f"{name} is not one of the releases", f"known: {', '.join(releases)}")
    first, last = releases.index(good), releases.index(bad)
    if first == last:
        raise UsageError("--good and --bad are one release", "name two")
    step = 1 if first < last else -1
    return list(releases[first : last + step if last + step >= 0 else None : step])


def bisect(releases: Sequence[str], test: Test, tell: Tell = lambda line: None) -> Bisected:
    """The pair of neighbours between the first release, which is good, and the last, which is bad.

    A release whose test is inconclusive, or does not run, is skipped: the nearest to it is tried instead. Raises UsageError
    where an end is not what the caller calls it.
    """
    trials: list[Trial] = []

    def tried(at: int, again: bool = False) -> str:
        state = test(releases[at])
        trials.append(Trial(releases[at], state, again))
        tell(f"{releases[at]}: {state}{' (again)' if again else ''}")
        return state

    low, high = 0, len(releases) - 1
    _ends(tried(low), tried(high), releases)
    skipped: set[int] = set()
    while (middle := _middle(low, high, skipped)) is not None:
        state = tried(middle)
        if state == SKIP:
            skipped.add(middle)
        elif state == GOOD:
            low = middle
        else:
            high = middle
    sure = tried(low, again=True) == GOOD and tried(high, again=True) == BAD
    left = tuple(releases[at] for at in sorted(skipped) if low < at < high)
    return Bisected(releases[low], releases[high], left, sure, tuple(trials))


def _ends(first: str, last: str, releases: Sequence[str]) -> None:
    for state, expected, release in ((first, GOOD, releases[0]), (last, BAD, releases[-1])):
        if state != expected:
            raise UsageError(
                f"{release} was given as {expected}, but its test is {state}",
                "use more --num-prompts if it is skipped; otherwise --good and --bad are not what you think",
            )


def _middle(low: int, high: int, skipped: set[int]) -> int | None:
    """The untried release nearest to the middle; None where there is none."""
    open_ = [at for at in range(low + 1, high) if at not in skipped]
    return min(open_, key=lambda at: (abs(2 * at - low - high), at), default=None)


def changed(good: str, bad: str) -> list[str]:
    """What the catalog knows to have changed between two releases that can move this run's logprobs, a line each, the most
    telling first."""
    from vllm_migrate.catalog import diff, relevance, store

    catalog = store.load()
    if catalog.ordinal(good) > catalog.ordinal(bad):
        good, bad = bad, good
    found = diff.select(diff.diff(catalog, good, bad), KINDS, rl=True)
    table = relevance.layers()
    layers = [(diff.layer_of(change, table) or "", change) for change in found if change.section in SECTIONS]
    reported = [(layer, change) for layer, change in layers if change.kind != "added" or layer == "semantic"]
    reported.sort(key=lambda each: diff.LAYERS.index(each[0]) if each[0] in diff.LAYERS else len(diff.LAYERS))
    return [f"{change.kind} {change.option}: {diff.describe(change)}".rstrip(": ") for _, change in reported]


def as_json(found: Bisected, changes: list[str]) -> dict[str, Any]:
    """The contract of `smoke bisect --output-format json`."""
    return {
        "schema": 1,
        "good": found.good,
        "bad": found.bad,
        "skipped": list(found.skipped),
        "sure": found.sure,
        "trials": [trial._asdict() for trial in found.trials],
        "changes": changes,
    }


def as_text(found: Bisected, changes: list[str]) -> list[str]:
    """What was found, and what it does not show."""
    lines = [f"{found.good} is good, {found.bad} is bad ({len(found.trials)} runs)"]
    if found.skipped:
        lines.append(f"nothing is known about {', '.join(found.skipped)}, which lie between them")
    if not found.sure:
        lines.append("a second run of the two gave a different result: use more --num-prompts")
    lines.append("parity need not change only once: this is one step from good to bad, and there may be others")
    if changes:
        lines.append(f"changes in the catalog between them that can affect a rollout ({len(changes)}):")
        lines += [f"  {change}" for change in changes[:SHOWN]]
        if len(changes) > SHOWN:
            lines.append(f"  and {len(changes) - SHOWN} more: vllm-migrate diff {found.good} {found.bad} --rl")
    return lines
