"""Where in a tree something stands, by a dotted pattern: `*` is any key or item, `**` any number of levels."""

from __future__ import annotations

from vllm_migrate.dialects.tree import Tree


def sites(tree: Tree, pattern: str) -> list[tuple[str, Tree]]:
    """The mappings that a pattern finds, each with its dotted path, in the order of the file."""
    keys = pattern.split(".") if pattern else []
    if not all(tree.may_have(key) for key in keys if key not in ("*", "**")):
        return []
    at: list[tuple[str, Tree]] = [("", tree)]
    for key in keys:
        if key == "**":
            at = _once([(_join(path, below), node) for path, start in at for below, node in start.walk()])
        else:
            at = [(_join(path, name), child) for path, node in at for name, child in _below(node, key)]
    return [(path, node) for path, node in at if node.is_map]


def values_at(tree: Tree, pattern: str) -> list[tuple[str, Tree]]:
    """Whatever a pattern without `**` finds, each with its dotted path."""
    at = [("", tree)]
    for key in pattern.split(".") if pattern else ():
        at = [(_join(path, name), child) for path, node in at for name, child in _below(node, key)]
    return at


def _below(node: Tree, key: str) -> list[tuple[str, Tree]]:
    if key == "*":
        return list(node.children.items()) if node.is_map else [(str(i), item) for i, item in enumerate(node.items)]
    child = node.at(key)
    return [(key, child)] if child is not None else []


def _once(found: list[tuple[str, Tree]]) -> list[tuple[str, Tree]]:
    return list(dict(found).items())


def _join(left: str, right: str) -> str:
    return f"{left}.{right}" if left and right else left or right
