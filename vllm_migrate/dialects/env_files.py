"""Environment variables that stand elsewhere: `--env-file FILE`, compose's `env_file`, Kubernetes' `envFrom`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vllm_migrate.dialects.model import Fact, Spot, Written
from vllm_migrate.dialects.mounts import manifests, text_at
from vllm_migrate.dialects.tree import File, Tree
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.expr import Undetermined

_LINE = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)=([^\r\n]*)", re.MULTILINE)
_QUOTED = re.compile(r"""(['"])(.*)\1[ \t]*(?:#.*)?""")
_REFERENCES = (("configMapRef", "ConfigMap"), ("secretRef", "Secret"))
_GENERATORS = {"ConfigMap": "configMapGenerator", "Secret": "secretGenerator"}
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml")


class EnvSource(NamedTuple):
    """What a container takes variables from. kind: "file", "ConfigMap" or "Secret"; name: its path or name; file: that names
    it; prefix: goes in front of each variable's name."""

    kind: str
    name: str
    file: File
    prefix: str = ""

    @property
    def shown(self) -> str:
        """How a report names it."""
        return self.name if self.kind == "file" else f"the {self.kind} {self.name}"


def sources_of(container: Tree) -> list[EnvSource]:
    """What a compose service or a Kubernetes container takes variables from, the last wins."""
    out: list[EnvSource] = []
    for item in _items(container.get("env_file")):
        path = item.at("path") if item.is_map else item
        if path is not None and isinstance(path.value, str):
            out.append(EnvSource("file", path.value, item.place.file))
    for item in _items(container.get("envFrom")):
        for key, kind in _REFERENCES:
            name = text_at(item, f"{key}.name")
            if name:
                out.append(EnvSource(kind, name, item.place.file, text_at(item, "prefix")))
    return out


def variables_from(source: EnvSource, workspace: Workspace) -> list[Fact] | None:
    """The variables of a source, each where it stands; None where the project does not hold it."""
    if source.kind == "file":
        return _of_file(source.name, source.file, workspace)
    found = next(manifests(source.file.outermost, source.kind, source.name, workspace), None)
    if found is not None:
        return [fact for key in ("data", "stringData") for fact in _of_mapping(found, key, source)]
    return _generated(source, workspace)


def _of_file(name: str, file: File, workspace: Workspace) -> list[Fact] | None:
    if not name or name.startswith(("/", "~")) or "$" in name:
        return None  # another place of the machine that it runs on
    beside = os.path.normpath(os.path.join(os.path.dirname(file.path), name))
    for path in dict.fromkeys((beside, os.path.normpath(name))):
        found = workspace.text(path)
        if found is not None:
            return list(_of_text(found))
    return None


def _of_text(file: File) -> Iterator[Fact]:
    for line in _LINE.finditer(file.source.text):
        value = line[2].strip()
        quoted = _QUOTED.fullmatch(value)
        value = quoted[2] if quoted is not None else value.partition(" #")[0].rstrip()
        yield _fact(line[1], value, Spot(file, line.start(1), line.start(2) + len(line[2].rstrip())))


def _of_mapping(manifest: Tree, key: str, source: EnvSource) -> Iterator[Fact]:
    data = manifest.get(key)
    for name, value in data.children.items() if data is not None and data.is_map else ():
        place = value.place
        text = (
            value.value if isinstance(value.value, str) else place.file.source.text[place.node.start : place.node.end]
        )
        coded = source.kind == "Secret" and key == "data"
        spot = Spot(place.file, place.key_start, place.node.end)
        yield _fact(source.prefix + name, "$" if coded else text, spot, value)


def _generated(source: EnvSource, workspace: Workspace) -> list[Fact] | None:
    """The variables of a ConfigMap or Secret that kustomize makes."""
    folder = os.path.dirname(source.file.path)
    for name in _KUSTOMIZATIONS:
        file = workspace.load(os.path.join(folder, name))
        for tree in manifests(file, "", "", workspace) if file is not None else ():
            for item in _items(tree.get(_GENERATORS[source.kind])):
                if text_at(item, "name") == source.name:
                    return list(_of_generator(item, workspace))
    return None


def _of_generator(item: Tree, workspace: Workspace) -> Iterator[Fact]:
    for literal in _items(item.get("literals")):
        name, equals, value = str(literal.value).partition("=")
        place = literal.place
        if equals:
            yield _fact(name, value, Spot(place.file, place.node.start, place.node.end), literal)
    for path in (*_items(item.get("envs")), *_items(item.get("env"))):
        yield from _of_file(str(path.value), path.place.file, workspace) or ()


def _fact(name: str, value: str, spot: Spot, tree: Tree | None = None) -> Fact:
    option = f"env.{name}"
    if "$" in value:
        return Fact(
            Undetermined((f"the value of {name}",)), Written(name, option, Unknown(value), spot, spot, tree=tree)
        )
    return Fact(value, Written(name, option, value, spot, spot, tree=tree))


def _items(node: Tree | None) -> Sequence[Tree]:
    return () if node is None or node.is_map else node.items if node.is_seq else [node]
