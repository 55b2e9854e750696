"""What changed between two releases for what a repository uses, as Markdown for a pull request, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from vllm_migrate.bump import files
from vllm_migrate.bump.changes import BREAKS, CHANGES, Became, Patched, became

SHOWN = 3  # places of one use that are written out


class Bump(NamedTuple):
    """The uses of a repository between two releases. uses: how many names it uses."""

    old: str
    new: str
    uses: int
    changes: tuple[Became, ...]
    patches: tuple[Patched, ...]


def changes_for(paths: tuple[str, ...], old: str, new: str) -> Bump:
    """What changed for what is used below the paths. Raises UsageError."""
    uses = files.uses(paths, old, new)
    changes, patches = became(uses, old, new)
    return Bump(old, new, len({(use.kind, use.name) for use in uses}), tuple(changes), tuple(patches))


def as_json(bump: Bump) -> dict[str, Any]:
    """The contract of `diff A B PATH --output-format json`."""
    return {
        "schema": 1,
        "from": bump.old,
        "to": bump.new,
        "uses": bump.uses,
        "changes": [{**one._asdict(), "places": _plain(one)} for one in bump.changes],
        "patches": [{**one._asdict(), "places": _plain(one)} for one in bump.patches],
    }


def _plain(one: Became | Patched) -> list[dict[str, Any]]:
    return [place._asdict() for place in one.places]


def as_markdown(bump: Bump) -> str:
    """What breaks, what changes, what only versions guard, and every patch of vLLM's names."""
    lines = [f"# vLLM {bump.old} to {bump.new}: what this repository uses", ""]
    lines.append(f"{bump.uses} vLLM names are used; {len(bump.changes)} of them changed.")
    open_, guarded = (list(_where(bump.changes, guarded)) for guarded in (False, True))
    for title, mine in (
        ("Breaks", [one for one in open_ if one.effect == BREAKS]),
        ("Changes", [one for one in open_ if one.effect == CHANGES]),
        ("Already guarded (by a version check or a caught exception)", guarded),
    ):
        if mine:
            lines += ["", f"## {title}", "", "| kind | name | what | since | where |", "|---|---|---|---|---|"]
            lines += [
                f"| {one.kind} | `{one.name}` | {_cell(one.what)} | {one.since or 'not known'} | {_places(one)} |"
                for one in mine
            ]
    if bump.patches:
        lines += [
            "",
            "## Monkey patches and subclasses",
            "",
            "Only signatures are compared; check what each body does.",
            "",
        ]
        lines += ["| kind | target | what became of it | where |", "|---|---|---|---|"]
        lines += [
            f"| {one.kind} | `{one.name}` | {_cell(one.what) or 'its signature is unchanged'} | {_places(one)} |"
            for one in bump.patches
        ]
    return "\n".join(lines)


def _where(changes: tuple[Became, ...], guarded: bool) -> Iterator[Became]:
    """The changes with their places that are guarded, or that are not; those that have such places."""
    for one in changes:
        places = tuple(place for place in one.places if place.guarded is guarded)
        if places:
            yield one._replace(places=places)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _places(one: Became | Patched) -> str:
    left = len(one.places) - SHOWN
    return ", ".join(map(str, one.places[:SHOWN])) + (f" and {left} more" if left > 0 else "")
