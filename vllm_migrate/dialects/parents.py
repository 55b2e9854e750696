"""Composition over parent files: `defaults: parent.yaml`, or a list of them, as paths relative to the file.

Parents are merged in order, a file over its parents. A mapping at the top with `_override_: true` replaces what its
parents have there. Agrees with NeMo-RL's own loader (a test composes both ways).
"""

from __future__ import annotations

import os

from vllm_migrate.dialects.composition import MAX_DEPTH, Composed, Compositions, Loader, UnreadInput, circle
from vllm_migrate.dialects.tree import File, Tree, merge, tree_of, without
from vllm_migrate.documents.steps import spend

MARKER = "_override_"


def uses_parents(tree: Tree) -> bool:
    """Whether a file names parents: one path, or a list of paths and nothing else."""
    node = tree.get("defaults")
    if node is None or node.is_map:
        return False
    names = [item.value for item in node.items] if node.is_seq else [node.value]
    return bool(names) and all(isinstance(name, str) and name.endswith((".yaml", ".yml")) for name in names)


def compose(file: File, tree: Tree, load: Loader, shared: Compositions | None = None) -> Composed:
    """The configuration that `file` and its parents make. shared: what parents that others share came to."""
    return _inherit(file, tree, load, shared or Compositions(), (file,))


def _inherit(file: File, tree: Tree, load: Loader, shared: Compositions, chain: tuple[File, ...]) -> Composed:
    """`chain`: the files from the child on that led here, this one last."""
    depth = len(chain) - 1
    if file.data is not None:
        file.data.read_as_omegaconf()
    files: dict[File, None] = {}
    missing: list[UnreadInput] = []
    base: Tree | None = None
    for item in _parents(tree) if depth <= MAX_DEPTH else []:
        name = str(item.value)
        path = name if name.startswith("/") else os.path.join(os.path.dirname(file.path), name)
        parent = load(os.path.normpath(path))
        root = tree_of(parent) if parent is not None else None
        if parent is None or root is None or not root.is_map:
            missing.append(UnreadInput(name, item.place))
            continue
        if parent in chain:
            raise circle(item.place)
        above = shared.get(depth, parent)
        if above is None:
            above = shared.keep(depth, parent, _inherit(parent, root, load, shared, (*chain, parent)))
        base = _over(base, above.tree)
        files.update(dict.fromkeys(above.files))
        missing.extend(above.missing)
        spend(1 + len(above.files) + len(above.missing))
    return Composed(_over(base, without(tree, "defaults")), [*files, file], missing)


def _parents(tree: Tree) -> list[Tree]:
    node = tree.get("defaults")
    if node is None or not uses_parents(tree):
        return []
    return node.items if node.is_seq else [node]


def _over(base: Tree | None, tree: Tree) -> Tree:
    replaced = [key for key, child in tree.children.items() if child.is_map and _marked(child)]
    for key in replaced:
        base = without(base, key) if base is not None else None
    if replaced:
        children = {k: without(c, MARKER) if k in replaced else c for k, c in tree.children.items()}
        tree = Tree(tree.places, children, tree.mounted)
    merged = merge(base, tree)
    assert merged is not None
    return merged


def _marked(child: Tree) -> bool:
    marker = child.get(MARKER)
    return marker is not None and marker.value is True
