"""A configuration tree in which every value remembers the file and the place it was written in.

One file is a tree; composition (Hydra defaults, parent files, overrides on a command line) merges trees into one,
later over earlier, as OmegaConf merges: mappings deeply, everything else replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.documents.interface import MAP, SEQ, DataDocument, Node, Path, Source
from vllm_migrate.documents.steps import spend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vllm_migrate.dialects.env_files import EnvSource
    from vllm_migrate.documents.shell.document import ShellDocument


class Inside(NamedTuple):
    """Where a document stands in another one: at `path` of document number `document` of `host`.

    kind: "shell", "words" or "yaml" (the text of a scalar), "container" (a mapping whose lists are a command),
    "nested" (a string or heredoc of a script), "list" (a list of arguments in a program; `document` counts them),
    "string" (a command in a string of a program), "cell" (code of a notebook's cells). refused: why it cannot be edited,
    "" when it can.
    """

    host: File
    document: int
    path: Path
    refused: str
    kind: str


class File:
    """A document that takes part in a run: a tree (`data`) or a shell script (`shell`).

    `requested`: it was among the PATHs of the call, so a fix may be written. `inside`: where it stands in another document
    (then path and source are those of the file on disk); `variables`: the environment that a script is run in, by name, with
    the value and what an edit takes away; `env_sources`: where more of it stands.
    """

    __slots__ = ("_words", "data", "env_sources", "inside", "path", "requested", "shell", "source", "variables")

    def __init__(self, source: Source, document: DataDocument | ShellDocument | None, requested: bool) -> None:
        self.path = source.path
        self.source = source
        self.requested = requested
        self.data = document if isinstance(document, DataDocument) else None
        self.shell = document if document is not None and not isinstance(document, DataDocument) else None
        self.inside: Inside | None = None
        self.variables: list[tuple[str, Tree, Tree]] = []
        self.env_sources: Sequence[EnvSource] = ()
        self._words: dict[str, bool] = {}

    def may_have(self, key: str) -> bool:
        """False only when no key of the document is `key`, which a look at its text says; remembered, as many trees ask."""
        found = self._words.get(key)
        if found is None:
            text = self.source.text
            unknown = self.data is None or self.inside is not None or "\\" in text
            found = self._words[key] = unknown or has_word(text, key)
        return found

    @property
    def outermost(self) -> File:
        """The file on disk."""
        return self if self.inside is None else self.inside.host.outermost

    @classmethod
    def bare(cls, source: Source) -> File:
        """A file that was read but not parsed: something to point at."""
        return cls(source, None, True)


class Place:
    """Where a tree value stands: a node of document `index` of a file, at `path`; `key_start`, `key_end` span its key."""

    __slots__ = ("file", "index", "key_end", "key_start", "node", "path")

    def __init__(self, file: File, index: int, path: Path, node: Node, key_start: int, key_end: int) -> None:
        self.file = file
        self.index = index
        self.path = path
        self.node = node
        self.key_start = key_start
        self.key_end = key_end


class Tree:
    """A mapping, sequence or scalar of a composed configuration. `places` are the nodes it was merged from, last wins.

    mounted: some of its keys stand in no text, because a file was put below them.
    """

    __slots__ = ("_children", "_items", "_walked", "mounted", "places")

    def __init__(self, places: list[Place], children: dict[str, Tree] | None = None, mounted: bool = False) -> None:
        self.places = places
        self.mounted = mounted
        self._children = children
        self._items: list[Tree] | None = None
        self._walked: list[tuple[str, Tree]] | None = None

    @property
    def place(self) -> Place:
        return self.places[-1]

    @property
    def is_map(self) -> bool:
        return self._children is not None or self.place.node.kind == MAP

    @property
    def is_seq(self) -> bool:
        return self._children is None and self.place.node.kind == SEQ

    @property
    def children(self) -> dict[str, Tree]:
        if self._children is None:
            self._children = self._expand()
        return self._children

    def _expand(self) -> dict[str, Tree]:
        place, out = self.place, dict[str, Tree]()
        if place.node.kind != MAP:
            return out
        for key, start, end, value, merged in place.node.keyed():
            if not (merged and key in out):
                out[key] = Tree([Place(place.file, place.index, (*place.path, key), value, start, end)])
        return out

    @property
    def items(self) -> list[Tree]:
        if self._items is None:
            place = self.place
            nodes = place.node.items if place.node.kind == SEQ and self._children is None else []
            self._items = [
                Tree([Place(place.file, place.index, (*place.path, i), node, node.start, node.end)])
                for i, node in enumerate(nodes)
            ]
        return self._items

    @property
    def value(self) -> object:
        """The scalar written here; None for null; Unknown where the file does not decide. Containers: see plain()."""
        node = self.place.node
        return None if self.is_map or node.kind == SEQ else node.value

    def get(self, key: str) -> Tree | None:
        if self._children is not None:
            return self._children.get(key)
        return self.children.get(key) if self.places[-1].node.kind == MAP else None

    def at(self, dotted: str) -> Tree | None:
        """The tree at a dotted path ("" is the root itself)."""
        tree: Tree | None = self
        for key in dotted.split(".") if dotted else ():
            if tree is None:
                return None
            tree = tree.get(key) or (tree._item(key) if tree.is_seq else None)
        return tree

    def _item(self, number: str) -> Tree | None:
        return self.items[int(number)] if number.isdigit() and int(number) < len(self.items) else None

    def plain(self) -> object:
        if self.is_map:
            return {key: child.plain() for key, child in self.children.items()}
        if self.is_seq:
            return [item.plain() for item in self.items]
        return self.value

    def may_have(self, key: str) -> bool:
        """False only when the key stands nowhere in the tree. A look at the texts saves a walk through all of it."""
        return self.mounted or not key or key.isdigit() or any(place.file.may_have(key) for place in self.places)

    def walk(self) -> list[tuple[str, Tree]]:
        """Every mapping and sequence below, itself included, with its dotted path, in the order of the file."""
        if self._walked is None:
            self._walked = out = []
            stack = [("", self)]
            while stack:
                path, tree = stack.pop()
                out.append((path, tree))
                if tree.is_map:
                    below = list(tree.children.items())
                else:
                    below = [(str(number), item) for number, item in enumerate(tree.items)]
                for key, child in reversed(below):
                    if child.is_map or child.is_seq:
                        stack.append((f"{path}.{key}" if path else key, child))
        return self._walked


def has_word(text: str, word: str) -> bool:
    """Whether a text has a word, not as a part of another one."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        around = (text[at - 1 : at] + text[end : end + 1]).replace("_", "x")
        # Neither side is a part of a word.
        if not around[:1].isalnum() and not around[1:].isalnum():
            return True
        at = text.find(word, at + 1)
    return False


def tree_of(file: File, index: int = 0) -> Tree | None:
    """The tree of one document of a file; None when it is empty."""
    roots = file.data.roots if file.data is not None else []
    if index >= len(roots):
        return None
    node = roots[index]
    return Tree([Place(file, index, (), node, node.start, node.start)])


def merge(under: Tree | None, over: Tree | None) -> Tree | None:
    """`over` laid on `under`: mappings deeply, else replaced; `???` (OmegaConf's "missing") replaces nothing."""
    if under is None or over is None:
        return over if under is None else under
    if over.is_map and under.is_map:
        children = dict(under.children)
        spend(1 + len(children))
        for key, child in over.children.items():
            merged = merge(children.get(key), child)
            assert merged is not None
            children[key] = merged
        return Tree(under.places + over.places, children, under.mounted or over.mounted)
    if not over.is_map and over.value == "???" and not over.is_seq:
        return under
    return over


def mount(tree: Tree, dotted: str) -> Tree:
    """The tree moved under a package: mount(t, "a.b") has t at a.b."""
    for key in reversed(dotted.split(".") if dotted else []):
        tree = Tree([tree.places[0]], {key: tree}, mounted=True)
    return tree


def without(tree: Tree, key: str) -> Tree:
    """A mapping less one of its keys."""
    if not tree.is_map or key not in tree.children:
        return tree
    return Tree(tree.places, {k: child for k, child in tree.children.items() if k != key}, tree.mounted)
