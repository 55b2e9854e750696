"""What composing a configuration from several files gives, whatever the rules by which a framework composes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from vllm_migrate.dialects.tree import File, Place, Tree

# Reads a file by path: the File, or None when there is none or it cannot be read.
Loader = Callable[[str], "File | None"]

MAX_DEPTH = 20


class UnreadInput(NamedTuple):
    """What may set more than is seen: a configuration that is named and not on disk, as written, and where; or, `inline`,
    the `**name` of a call, a `$ARGS` or a `--config FILE` of a command, which are common and no finding of their own."""

    name: str
    place: Place
    inline: bool = False


def unseen(missing: Sequence[UnreadInput]) -> str:
    """What may set more than is seen, in words."""
    parents = ", ".join(item.name for item in missing if not item.inline)
    calls = list(dict.fromkeys(item.name for item in missing if item.inline))
    return " or ".join(([f"a parent that was not found ({parents})"] if parents else []) + calls)


class Composed(NamedTuple):
    """The merged tree, the files it came from (root of the chain first, the primary last), what was not found."""

    tree: Tree
    files: list[File]
    missing: list[UnreadInput]
