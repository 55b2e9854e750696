"""What people call an engine that stands in a file with others: the service of a compose file, the workload, its container."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_migrate.dialects.model import Subject
    from vllm_migrate.dialects.tree import File, Inside
    from vllm_migrate.documents.interface import Node

SERVICES = "services"


def holders(engine: Subject) -> tuple[str, ...]:
    """Names from the outermost to the innermost: `("policy", "vllm")`; empty if the file gives its engine none."""
    inside = _outermost(engine.file)
    if inside is None or inside.host.data is None or inside.document >= len(inside.host.data.roots):
        return ()
    root, path = inside.host.data.roots[inside.document], inside.path
    if len(path) > 1 and path[0] == SERVICES:
        return (str(path[1]),)
    found = [_text(root, "metadata", "name")]
    found += [_text(root, *path[:end], "name") for end in range(1, len(path) + 1) if isinstance(path[end - 1], int)]
    return tuple(name for name in found if name)


def _outermost(file: File) -> Inside | None:
    """Where a document stands in the data document that is a file of its own."""
    found = None
    while file.inside is not None:
        found, file = file.inside, file.inside.host
    return found


def _text(root: Node | None, *path: str | int) -> str:
    node = root.at(path) if root is not None else None
    return node.value if node is not None and isinstance(node.value, str) else ""
