"""Fetch the source of every release from a package index (JSON simple API): Python files of vllm/, and those that
declare what the release requires.

The sdist where there is one, checked against the index's sha256. For a release without an sdist the wheel:
only its .py files and its metadata are read, by ranges, and each is checked against the wheel's own RECORD.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import re
import tarfile
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from packaging.version import InvalidVersion, Version

from vllm_migrate.opening import read_bytes

FIRST = Version("0.8.5")
BLOCK = 4 << 20  # bytes read at once from a remote wheel
_JSON = "application/vnd.pypi.simple.v1+json"
File = dict[str, Any]  # one file of the index: filename, url, hashes, size


class SourceError(RuntimeError):
    """The index does not have what was asked for, or what came does not match its hash."""


def index(index_url: str, project: str = "vllm") -> list[File]:
    """Files of a project. Raises SourceError."""
    request = urllib.request.Request(f"{index_url.rstrip('/')}/{project}/", headers={"Accept": _JSON})
    try:
        with urllib.request.urlopen(request) as answer:
            files: list[File] = json.load(answer)["files"]
    except (OSError, ValueError, KeyError) as error:
        raise SourceError(f"{index_url}: no JSON index of {project}: {error}") from error
    return files


def releases(files: list[File]) -> list[str]:
    """Final releases from 0.8.5 on, oldest first."""
    found = set()
    for file in files:
        try:
            version = Version(_version(file["filename"]))
        except InvalidVersion:
            continue
        if version >= FIRST and not version.is_prerelease and version.local is None:
            found.add(version)
    return [str(version) for version in sorted(found)]


def _version(filename: str) -> str:
    if filename.endswith(".tar.gz"):
        return filename[: -len(".tar.gz")].rpartition("-")[2]
    return filename.split("-")[1] if filename.count("-") > 1 else ""


def choose(files: list[File], release: str) -> File:
    """The sdist of a release, else its x86_64 wheel, else any wheel. Raises SourceError."""
    mine = [f for f in files if _version(f["filename"]) == release]
    for suffix in (".tar.gz", "x86_64.whl", ".whl"):
        for file in sorted(mine, key=lambda f: str(f["filename"])):
            if str(file["filename"]).endswith(suffix):
                return file
    raise SourceError(f"the index has no source of vllm {release}")


def fetch(file: File, folder: str) -> dict[str, str]:
    """Write vllm/**/*.py of an artefact below `folder`; returns its origin. Raises SourceError."""
    name, digest = file["filename"], file["hashes"]["sha256"]
    members = _sdist(file) if name.endswith(".tar.gz") else _wheel(file)
    for path, data in members:
        target = os.path.join(folder, *path.split("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as stream:
            stream.write(data)
    return {"artefact": name, "artefact_sha256": digest}


_DECLARES = re.compile(r"(?:setup\.py|pyproject\.toml|PKG-INFO|requirements/[\w.-]+\.(?:txt|in)|docker/Dockerfile)\Z")


def wanted(path: str) -> bool:
    """Python files of the package, and those at the top that declare what a release requires."""
    if ".." in path.split("/"):
        return False
    return (path.startswith("vllm/") and path.endswith(".py")) or _DECLARES.match(path) is not None


def in_tree(path: str) -> str:
    """Where a member of a wheel lies in a source tree: the metadata stands where an sdist has PKG-INFO."""
    return "PKG-INFO" if re.fullmatch(r"[^/]+\.dist-info/METADATA", path) else path


def _sdist(file: File) -> Iterator[tuple[str, bytes]]:
    with urllib.request.urlopen(file["url"]) as answer:
        data = answer.read()
    if hashlib.sha256(data).hexdigest() != file["hashes"]["sha256"]:
        raise SourceError(f"{file['filename']} does not match its sha256")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            path = member.name.partition("/")[2]
            stream = archive.extractfile(member) if member.isfile() and wanted(path) else None
            if stream is not None:
                yield path, stream.read()


def _wheel(file: File) -> Iterator[tuple[str, bytes]]:
    raw = io.BufferedReader(_Remote(file["url"], _size(file["url"])), BLOCK)
    with zipfile.ZipFile(raw) as archive:
        record = next(n for n in archive.namelist() if n.endswith(".dist-info/RECORD"))
        sums = {row[0]: row[1] for row in csv.reader(io.StringIO(archive.read(record).decode()))}
        chosen = [i for i in archive.infolist() if wanted(in_tree(i.filename))]
        for info in sorted(chosen, key=lambda i: i.header_offset):
            data = archive.read(info)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            if sums.get(info.filename) != f"sha256={digest}":
                raise SourceError(f"{file['filename']}: {info.filename} does not match RECORD")
            yield in_tree(info.filename), data


def _size(url: str) -> int:
    with urllib.request.urlopen(urllib.request.Request(url, method="HEAD")) as answer:
        return int(answer.headers["Content-Length"])


class _Remote(io.RawIOBase):
    """A file on a server that answers range requests."""

    def __init__(self, url: str, size: int) -> None:
        self.url = url
        self.size = size
        self.position = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        self.position = base + offset
        return self.position

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self.size - self.position)
        if count <= 0:
            return 0
        span = f"bytes={self.position}-{self.position + count - 1}"
        with urllib.request.urlopen(urllib.request.Request(self.url, headers={"Range": span})) as answer:
            if answer.status != 206:
                raise SourceError(f"{self.url} does not answer range requests")
            data = answer.read()
        buffer[: len(data)] = data
        self.position += len(data)
        return len(data)


def fetch_all(index_url: str, folder: str, only: list[str] | None, tell: Callable[[str], None]) -> list[str]:
    """Fetch releases below `folder` (those already there are left alone); returns their names in order."""
    files = index(index_url)
    path = os.path.join(folder, "origins.json")
    origins: dict[str, Any] = {}
    if os.path.exists(path):
        origins = json.loads(read_bytes(path))
    names = only or releases(files)
    for number, release in enumerate(names, 1):
        if release not in origins:
            file = choose(files, release)
            tell(f"fetching {file['filename']} ({number}/{len(names)})")
            origins[release] = fetch(file, os.path.join(folder, release))
            os.makedirs(folder, exist_ok=True)
            with open(path, "w", encoding="utf-8") as stream:
                json.dump(origins, stream, indent=1, sort_keys=True)
    return names
