"""Which operations on a tree are independent of each other: planned on one text, they come to what they would one by one."""

from __future__ import annotations

from vllm_migrate.documents.interface import DELETE, INSERT, MAP, SEQ, Node, Op, Path


class Claims:
    """The places that operations change. One that shares a place with an earlier one waits, and what it would change is taken.

    An operation changes its container, the last mapping or sequence on its path that is there, and all below its path;
    one that moves the items of a sequence, all of the sequence.
    """

    def __init__(self) -> None:
        self._containers: set[Path] = set()
        self._below: set[Path] = set()  # whole subtrees
        self._above: set[Path] = set()  # every container with those around it, and every path

    def take(self, op: Op, root: Node) -> bool:
        """Whether an operation is independent of all before it."""
        container = _container(op.path, root)
        moves = op.kind in (DELETE, INSERT) and isinstance(op.path[-1], int)
        changed = container if moves else op.path[: len(container) + 1]
        around = {op.path[:length] for length in range(len(op.path) + 1)}
        free = container not in self._containers and self._below.isdisjoint(around) and changed not in self._above
        self._containers.add(container)
        self._below.add(changed)
        self._above |= around
        return free


def _container(path: Path, root: Node) -> Path:
    node = root
    for number, key in enumerate(path[:-1]):
        inside = node.at((key,))
        if inside is None or inside.kind not in (MAP, SEQ):
            return path[:number]
        node = inside
    return path[:-1]
