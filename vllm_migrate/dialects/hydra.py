"""Hydra composition over files: `defaults` lists, groups, packages, `override`, `_self_`.

Agrees with hydra-core 1.3 (a test composes both ways). What cannot be found is listed, not guessed: the
tree then lacks that part, and what depends on it is undetermined.
"""

from __future__ import annotations

from typing import NamedTuple

from vllm_migrate.dialects.composition import MAX_DEPTH, Composed, Loader, UnreadInput, circle
from vllm_migrate.dialects.tree import File, Place, Tree, merge, mount, tree_of, without
from vllm_migrate.documents.interface import SEQ
from vllm_migrate.documents.steps import spend


class _Default(NamedTuple):
    group: str  # "" for a plain config name
    option: str
    package: str | None
    absolute: bool
    optional: bool
    place: Place


def _join(*parts: str) -> str:
    return "/".join(part for part in parts if part)


def _directory(path: str) -> str:
    return path.rpartition("/")[0]


def uses_defaults(tree: Tree) -> bool:
    """Whether a file has a Hydra defaults list at its top."""
    node = tree.get("defaults")
    return node is not None and node.is_seq


def compose(file: File, tree: Tree, load: Loader) -> Composed:
    """The configuration that Hydra builds with `file` as the primary config."""
    return _DefaultsList(file, tree, load).run()


class _DefaultsList:
    def __init__(self, file: File, tree: Tree, load: Loader) -> None:
        self.file = file
        self.load = load
        self.primary = tree
        self.files: list[File] = []
        self.missing: list[UnreadInput] = []
        self.overrides: dict[str, _Default] = {}
        self.choices: dict[str, str] = {}
        self.merged: Tree | None = None
        self.root, self.group = self._find_root()
        self.search = _search_path(file, tree)

    def run(self) -> Composed:
        package = _header(self.file)
        if package is None or package == "_group_":
            package = self.group.replace("/", ".")
        self._config(self.file, self.primary, self.group, package, ())
        assert self.merged is not None
        return Composed(self.merged, self.files, self.missing)

    def _find_root(self) -> tuple[str, str]:
        """The configuration folder and the primary's group below it, known by where absolute names are found."""
        here = _directory(self.file.path)
        names = [
            _join(entry.group, entry.option)
            for entry in self._entries(self.primary)[0]
            if entry.absolute and entry.option
        ]
        folder, group = here, ""
        for _ in range(4):
            if not names or any(self.load(_join(folder, name) + ".yaml") for name in names):
                return folder, group
            parent, _, last = folder.rpartition("/")
            if not last or last in (".", ".."):
                break
            folder, group = parent or ".", _join(last, group)
        return here, ""

    def _config(self, file: File, tree: Tree, group: str, package: str, chain: tuple[File, ...]) -> None:
        """Lay a configuration over what came before it, file by file in Hydra's order: what is in between may put a scalar in
        place of a map. `chain`: those whose defaults led to it."""
        spend()
        chain = (*chain, file)
        entries, overrides, self_at = self._entries(tree)
        for entry in overrides:
            key = entry.group if entry.absolute else _join(group, entry.group)
            self.overrides.setdefault(key, entry)
        for entry in entries:
            if entry.group and "${" not in entry.option:
                key = entry.group if entry.absolute else _join(group, entry.group)
                chosen = self.overrides.get(key, entry)
                self.choices.setdefault(key, chosen.option)
        if file.data is not None:
            file.data.read_as_omegaconf()
        own = mount(without(tree, "defaults"), package)
        for position, entry in enumerate(entries):
            if position == self_at:
                self.merged = merge(self.merged, own)
            self._default(entry, group, package, chain)
        if self_at >= len(entries):
            self.merged = merge(self.merged, own)
        self.files.append(file)

    def _default(self, entry: _Default, group: str, package: str, chain: tuple[File, ...]) -> None:
        target = entry.group if entry.absolute else _join(group, entry.group)
        option = entry.option
        if entry.group:
            override = self.overrides.get(target)
            option = override.option if override else option
        option = self._chosen(option)
        if not option or len(chain) > MAX_DEPTH:
            return
        folder = target if entry.group or not entry.absolute else ""
        name = _join(folder, option.lstrip("/"))
        file = self._load(name)
        tree = tree_of(file) if file else None
        if file is None:
            if not entry.optional:
                self.missing.append(UnreadInput(name, entry.place))
            return
        if tree is None or not tree.is_map:
            return
        if file in chain:
            raise circle(entry.place)
        self._config(file, tree, _directory(name), self._package(entry, file, package, name), chain)

    def _chosen(self, option: str) -> str:
        """An option with `${group}` replaced by what is chosen for that group."""
        for group, choice in self.choices.items() if "${" in option else ():
            option = option.replace("${" + group + "}", choice)
        return option

    def _load(self, name: str) -> File | None:
        """A config by name: in the configuration folder, else in the folders of `hydra.searchpath`."""
        name = name if name.endswith((".yaml", ".yml")) else name + ".yaml"
        for folder in (self.root, *self.search):
            found = self.load(_join(folder, name))
            if found is not None:
                return found
        return None

    def _package(self, entry: _Default, file: File, parent: str, name: str) -> str:
        if entry.package is not None:
            if entry.package.startswith("_global_"):
                return entry.package[len("_global_") :].lstrip(".")
            own = entry.package.removeprefix("_here_").strip(".")
            own = own.replace("_group_", entry.group.replace("/", "."))
            return own if entry.absolute and not parent else ".".join(p for p in (parent, own) if p)
        header = _header(file)
        if header == "_group_":
            return _directory(name).replace("/", ".")
        if header is not None:
            return header
        if not entry.group:
            below = _directory(entry.option.lstrip("/")).replace("/", ".")
            return ".".join(p for p in (parent, below) if p)
        return ".".join(p for p in (parent, entry.group.replace("/", ".")) if p)

    def _entries(self, tree: Tree) -> tuple[list[_Default], list[_Default], int]:
        """Entries to load, overrides, and where `_self_` stands among the entries (at the end when it is not written)."""
        entries: list[_Default] = []
        overrides: list[_Default] = []
        self_at = -1
        node = tree.get("defaults")
        for item in node.items if node is not None and node.is_seq else []:
            if not item.is_map:
                if item.value == "_self_":
                    self_at = len(entries)
                elif isinstance(item.value, str):
                    entries.append(_entry("", item.value, item.place))
                continue
            for key, value in item.children.items():
                words = key.split() or [""]
                target = overrides if "override" in words[:-1] else entries
                for option in _options(value):
                    target.append(_entry(words[-1], option, value.place, optional="optional" in words[:-1]))
        return entries, overrides, self_at if self_at >= 0 else len(entries)


def _search_path(file: File, tree: Tree) -> list[str]:
    """Folders that `hydra.searchpath` may mean: `file://a/b` and `pkg://a.b` below any folder above the file."""
    node = tree.at("hydra.searchpath")
    out: list[str] = []
    for item in node.items if node is not None and node.is_seq else []:
        kind, _, path = str(item.value).partition("://")
        if kind not in ("file", "pkg"):
            continue
        folder = _directory(file.path)
        while folder:
            out.append(_join(folder, path.strip("/") if kind == "file" else path.replace(".", "/")))
            folder = _directory(folder)
    return out


def _options(value: Tree) -> list[str]:
    if value.place.node.kind == SEQ:
        return [item.value for item in value.items if isinstance(item.value, str)]
    return [value.value] if isinstance(value.value, str) else [""]


def _entry(group: str, option: str, place: Place, optional: bool = False) -> _Default:
    absolute = group.startswith("/") or (not group and option.startswith("/"))
    name, _, package = (group or option).partition("@")
    if not group:
        if name.startswith("optional "):
            name, optional = name[len("optional ") :], True
        return _Default("", name.lstrip("/"), package or None, absolute, optional, place)
    return _Default(name.lstrip("/"), option, package or None, absolute, optional, place)


def _header(file: File) -> str | None:
    """The package named by a `# @package NAME` comment at the head of a file; None without one."""
    for line in file.source.text[:400].split("\n")[:5]:
        text = line.strip()
        if text.startswith("#"):
            words = text[1:].split()
            if len(words) >= 2 and words[0] == "@package":
                return "" if words[1] == "_global_" else words[1]
        elif text:
            break
    return None
