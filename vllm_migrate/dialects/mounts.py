"""What a container finds at a path: a file that a compose service mounts, a ConfigMap of the same manifests, or what the
Dockerfile of its image copies there."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator

from vllm_migrate.dialects.embedded import embedded
from vllm_migrate.dialects.tree import File, Tree, tree_of
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import Unreadable
from vllm_migrate.documents.kinds import kind_of


def mounted(file: File, path: str, workspace: Workspace) -> File | None:
    """The file at an absolute path of the container that a command runs in; None where nothing here says what stands there.

    It is what the container mounts, else what the Dockerfile of its image copies; for a script, what a compose file or a
    Dockerfile beside it puts there, where all of them agree.
    """
    if not path.startswith("/"):
        return None
    if file.inside is None:
        return _beside(file, path, workspace) if file.shell is not None else None
    if file.outermost.data is not None and file.outermost.data.carrier == "dockerfile":
        return _of_image(file.outermost, os.path.dirname(file.outermost.path), path, workspace)
    for container, pod in _containers(file):
        for target, source in _mounts(container, pod):
            rest = _below(path, target)
            found = _read(file.outermost, source, rest, workspace) if rest is not None else None
            if found is not None:
                return found
        build = container.get("build")
        if build is not None:
            return _of_build(file.outermost, build, path, workspace)
    return None


def _of_build(host: File, build: Tree, path: str, workspace: Workspace) -> File | None:
    """The file at a path of the image that a compose service is built to."""
    context, dockerfile = build_of(build)
    name = dockerfile_of(host.path, context, dockerfile)
    built = workspace.load(name) if name else None
    folder = os.path.normpath(os.path.join(os.path.dirname(host.path), context))
    return _of_image(built, folder, path, workspace) if built is not None else None


# How far above a Dockerfile the context of its build may lie.
_ABOVE = 3


def _of_image(dockerfile: File, context: str, path: str, workspace: Workspace) -> File | None:
    """The file of the project that a Dockerfile copies to a path. context: folder of the build, or one below that."""
    document = dockerfile.data
    if document is None or document.carrier != "dockerfile" or not path:
        return None
    from vllm_migrate.documents.dockerfile.copies import copied
    from vllm_migrate.documents.dockerfile.document import Dockerfile

    assert isinstance(document, Dockerfile)
    for target, source in reversed(copied(document).items()):
        rest = _below(path, target)
        if rest is None:
            continue
        folder = context
        for _ in range(_ABOVE):
            found = workspace.load(os.path.normpath(os.path.join(folder, source.lstrip("/"), rest)))
            if found is not None:
                return found
            if folder in ("", os.curdir) or folder == os.path.dirname(folder):
                break
            folder = os.path.dirname(folder)
    return None


def _beside(script: File, path: str, workspace: Workspace) -> File | None:
    """The file that compose files and Dockerfiles beside a script put at a path of a container."""
    found: list[File] = []
    word = posixpath.basename(posixpath.dirname(path)) or path
    for other in workspace.beside(script.path, ("",)):
        if kind_of(other) not in ("dockerfile", "yaml") or not _speaks(workspace, other, word):
            continue
        host = workspace.load(other)
        if host is None or host.data is None:
            continue
        if host.data.carrier == "dockerfile":
            each = _of_image(host, os.path.dirname(host.path), path, workspace)
            found += [each] if each is not None else []
        for index in range(len(host.data.roots)) if host.data.carrier == "yaml" else ():
            tree = tree_of(host, index)
            services = tree.get("services") if tree is not None and tree.is_map else None
            for service in services.children.values() if services is not None and services.is_map else ():
                sources = [(_below(path, target), source) for target, source in _mounts(service, []) if service.is_map]
                placed = [_read(host, source, rest, workspace) for rest, source in sources if rest is not None]
                found += [each for each in placed if each is not None]
    return found[0] if len({each.path for each in found}) == 1 else None


def build_of(build: Tree) -> tuple[str, str]:
    """The context and the Dockerfile that `build` of a compose service names."""
    context = build.value if isinstance(build.value, str) else text_at(build, "context") or os.curdir
    return context, text_at(build, "dockerfile") if build.is_map else ""


def dockerfile_of(path: str, context: str, name: str) -> str:
    """The Dockerfile of a build that a compose file describes; "" where it is no file beside it."""
    if "$" in context + name or "://" in context or os.path.isabs(context) or os.path.isabs(name):
        return ""
    return os.path.normpath(os.path.join(os.path.dirname(path), context, name or "Dockerfile"))


def _containers(file: File) -> Iterator[tuple[Tree, list[Tree]]]:
    """The mappings around a command that may mount something, the nearest first, each with those above it."""
    inside = file.inside
    while inside is not None and inside.host.inside is not None:
        inside = inside.host.inside
    root = tree_of(inside.host, inside.document) if inside is not None else None
    if inside is None or root is None:
        return
    chain, node = [root], root
    for key in inside.path:
        below = node.items[key] if isinstance(key, int) and key < len(node.items) else node.get(str(key))
        if below is None:
            break
        chain.append(below)
        node = below
    for at in range(len(chain) - 1, -1, -1):
        if chain[at].is_map:
            yield chain[at], chain[:at]


# Where a mount comes from: a path of this machine, or the name of a ConfigMap with the key that is mounted alone.
_Source = tuple[str, str, str]


def _mounts(container: Tree, above: list[Tree]) -> Iterator[tuple[str, _Source]]:
    """Paths in the container, each with what stands there."""
    volumes = container.get("volumes")
    for item in volumes.items if volumes is not None else ():
        short = item.value
        if isinstance(short, str) and ":" in short:
            source, target = short.split(":")[:2]
            yield target, ("path", source, "")
        else:
            source, target = text_at(item, "source"), text_at(item, "target")
            if source and target:
                yield target, ("path", source, "")
    mounts = container.get("volumeMounts")
    for item in mounts.items if mounts is not None else ():
        name, target = text_at(item, "name"), text_at(item, "mountPath")
        for config in (_config_map(tree, name) for tree in above if tree.is_map):
            if config and target:
                yield target, ("map", config, text_at(item, "subPath"))


def _config_map(pod: Tree, volume: str) -> str:
    """The name of the ConfigMap that a volume of a pod holds."""
    volumes = pod.get("volumes")
    for item in volumes.items if volumes is not None else ():
        if text_at(item, "name") == volume:
            return text_at(item, "configMap.name")
    return ""


def _below(path: str, target: str) -> str | None:
    """The rest of a path below where something is mounted; "" for the place itself, None for another one."""
    path, target = posixpath.normpath(path), posixpath.normpath(target)
    if path == target:
        return ""
    return path[len(target) + 1 :] if path.startswith(target.rstrip("/") + "/") else None


def _read(host: File, source: _Source, rest: str, workspace: Workspace) -> File | None:
    kind, name, key = source
    if kind == "path":
        if name.startswith(("/", "~", "$")) or not name:
            return None  # another place of the machine that it runs on
        return workspace.load(os.path.normpath(os.path.join(os.path.dirname(host.path), name, rest)))
    for tree in manifests(host, "ConfigMap", name, workspace):
        data = tree.get("data")
        node = data.get(key or rest) if data is not None else None
        return embedded(node.place, "yaml") if node is not None and isinstance(node.value, str) else None
    return None


# How many files beside a manifest are looked at.
MAX_FILES = 60


def manifests(host: File, kind: str, name: str, workspace: Workspace) -> Iterator[Tree]:
    """The objects of a kind and name among the manifests of a file, then of those beside it; all of the file for no kind."""
    yield from _documents(host, kind, name)
    if not kind:
        return
    for path in workspace.beside(host.path, (".yaml", ".yml"))[:MAX_FILES]:
        other = workspace.load(path) if _speaks(workspace, path, kind, name) else None
        if other is not None and other is not host:
            yield from _documents(other, kind, name)


def _documents(file: File, kind: str, name: str) -> Iterator[Tree]:
    for index in range(len(file.data.roots) if file.data is not None else 0):
        tree = tree_of(file, index)
        if tree is None or not tree.is_map:
            continue
        if not kind or (text_at(tree, "kind") == kind and text_at(tree, "metadata.name") == name):
            yield tree


def _speaks(workspace: Workspace, path: str, *words: str) -> bool:
    """Whether a file has all of these words, so that others are not parsed."""
    try:
        data = workspace.read(path)
    except Unreadable:
        return False
    return all(word.encode() in data for word in words)


def text_at(tree: Tree, path: str) -> str:
    """The text at a path of a mapping; "" where none stands there."""
    found = tree.at(path) if tree.is_map else None
    return found.value if found is not None and isinstance(found.value, str) else ""
