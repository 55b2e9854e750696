"""A repository's own history, read from Git's files: loose objects and packs, with zlib alone. No Git runs, and no hook.

Everything is bounded. What is missing (a shallow or partial clone, objects elsewhere) is said as a NoHistory.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

from vllm_migrate.documents.disk import Disk, Memory
from vllm_migrate.documents.interface import Unreadable

MAX_OBJECT = 16_000_000  # bytes; no commit, folder or file that names a release is larger
MAX_READ = 400_000_000  # bytes inflated for one history
MAX_COMMITS = 20_000
MAX_DELTAS = 256  # Git itself makes chains of 50, in the tightest packs of 250
MAX_PACKS = 512
SMALL = 1_000_000  # bytes of a reference file, or of the list of packed ones
COMMIT, TREE, BLOB, OFFSET, REFERENCE = 1, 2, 3, 6, 7
KINDS = {b"commit": COMMIT, b"tree": TREE, b"blob": BLOB, b"tag": 4}
FOLDER, LINK = "40000", "120000"
_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NAME = re.compile(r"refs/[\w./@{}+#=-]+")


class NoHistory(Exception):
    """Why a history cannot be read, or not further, in words."""


class Commit(NamedTuple):
    """id: in full; tree: of its files; parent: the first, "" for none."""

    id: str
    tree: str
    parent: str


class Blob(NamedTuple):
    """An entry of a folder: its mode as Git writes it, and the object."""

    mode: str
    id: str


class History:
    """The commits of the repository whose files lie in `folder`, and their files. Raises NoHistory."""

    def __init__(self, folder: str, disk: Disk) -> None:
        self._disk = disk
        self._home = self._git_folder(os.path.join(folder, ".git"))
        self._shared = self._common()
        self._read = 0
        self._packs: list[_Pack] | None = None
        self._trees: dict[str, dict[str, Blob]] = {}
        self._shallow = frozenset(self._text(os.path.join(self._shared, "shallow")).split())

    # -- where things are

    def _git_folder(self, path: str) -> str:
        if self._disk.is_folder(path) and not self._disk.is_link(path):
            return path
        text = self._text(path)
        if not text.startswith("gitdir:"):
            raise NoHistory("the files are not in a Git repository")
        found = os.path.normpath(os.path.join(os.path.dirname(path), text.partition(":")[2].strip()))
        if self._disk.outside(found):
            raise NoHistory(f"its Git folder {found} is outside the project; --allow-outside allows it")
        return found

    def _common(self) -> str:
        """The folder of what the worktrees of one repository share."""
        named = self._text(os.path.join(self._home, "commondir")).strip()
        found = os.path.normpath(os.path.join(self._home, named)) if named else self._home
        if self._disk.outside(found):
            raise NoHistory(f"its Git folder {found} is outside the project; --allow-outside allows it")
        return found

    def _text(self, path: str) -> str:
        """A small file of Git's; "" where there is none."""
        try:
            return self._disk.read(path, SMALL)[:SMALL].decode("utf-8", "replace")
        except Unreadable:
            return ""

    # -- commits

    def head(self) -> str:
        """The commit that is checked out."""
        text = self._text(os.path.join(self._home, "HEAD")).strip()
        for _ in range(8):
            if _ID.fullmatch(text):
                return text
            name = text.removeprefix("ref:").strip()
            if not text.startswith("ref:") or not _NAME.fullmatch(name) or ".." in name:
                break
            found = (self._text(os.path.join(base, *name.split("/"))).strip() for base in (self._home, self._shared))
            text = next(filter(None, found), "") or self._packed(name)
        raise NoHistory("it has no commit, or keeps its references in a form that is not read")

    def _packed(self, name: str) -> str:
        for line in self._text(os.path.join(self._shared, "packed-refs")).splitlines():
            ident, _, named = line.partition(" ")
            if named == name and _ID.fullmatch(ident):
                return ident
        return ""

    def commits(self) -> Iterator[Commit]:
        """The commits from what is checked out back along first parents.

        Raises NoHistory where it ends too early: the clone is shallow, or there are too many.
        """
        ident = self.head()
        for _ in range(MAX_COMMITS):
            commit = self._commit(ident)
            yield commit
            if ident in self._shallow:
                raise NoHistory(
                    "the clone is shallow, and its commits end before that: `git fetch --unshallow` brings them"
                )
            if not commit.parent:
                return
            ident = commit.parent
        raise NoHistory(f"its last {MAX_COMMITS} commits do not show it")

    def _commit(self, ident: str) -> Commit:
        kind, data = self.object(ident)
        fields: dict[str, str] = {}
        for line in data.partition(b"\n\n")[0].decode("utf-8", "replace").split("\n"):
            name, _, value = line.partition(" ")
            fields.setdefault(name, value)
        tree, parent = fields.get("tree", ""), fields.get("parent", "")
        if kind != COMMIT or not _ID.fullmatch(tree) or (parent and not _ID.fullmatch(parent)):
            raise NoHistory(f"{ident[:12]} is no commit")
        return Commit(ident, tree, parent)

    # -- files of a commit

    def entries(self, tree: str, folder: str = "") -> dict[str, Blob]:
        """What is in a folder of a commit's files, by name; empty where there is no such folder."""
        for part in filter(None, folder.split("/")):
            entry = self._listed(tree).get(part)
            if entry is None or entry.mode != FOLDER:
                return {}
            tree = entry.id
        return self._listed(tree)

    def _listed(self, tree: str) -> dict[str, Blob]:
        known = self._trees.get(tree)
        if known is None:
            kind, data = self.object(tree)
            if kind != TREE:
                raise NoHistory(f"{tree[:12]} is no folder")
            known = self._trees[tree] = _tree(data, len(tree) // 2)
        return known

    def blob(self, ident: str) -> bytes:
        """The bytes of a file."""
        return self.object(ident)[1]

    # -- objects

    def object(self, ident: str) -> tuple[int, bytes]:
        """The kind and the content of an object. Raises NoHistory."""
        try:
            found = self._loose(ident) or self._in_packs(ident)
        except (OSError, Unreadable, zlib.error, ValueError, IndexError, RecursionError):
            raise NoHistory(f"its object {ident[:12]} is damaged") from None
        if found is None:
            alternates = self._disk.exists(os.path.join(self._shared, "objects", "info", "alternates"))
            where = "it borrows objects from another repository" if alternates else "it is a partial clone, or damaged"
            raise NoHistory(f"its object {ident[:12]} is missing: {where}")
        return found

    def _spend(self, size: int) -> None:
        self._read += size
        if size > MAX_OBJECT or self._read > MAX_READ:
            raise NoHistory("there is too much of it to be read")

    def _loose(self, ident: str) -> tuple[int, bytes] | None:
        path = os.path.join(self._shared, "objects", ident[:2], ident[2:])
        if not self._disk.is_file(path):
            return None
        data = zlib.decompressobj().decompress(self._disk.read(path, MAX_OBJECT), MAX_OBJECT + 1)
        self._spend(len(data))
        head, _, content = data.partition(b"\0")
        kind, _, size = head.partition(b" ")
        if int(size) != len(content):
            raise ValueError(ident)
        return KINDS.get(kind, 0), content

    def _in_packs(self, ident: str) -> tuple[int, bytes] | None:
        wanted = bytes.fromhex(ident)
        for pack in self._all_packs():
            at = pack.find(wanted)
            if at >= 0:
                return self._packed_object(pack, at)
        return None

    def _all_packs(self) -> list[_Pack]:
        if self._packs is None:
            folder = os.path.join(self._shared, "objects", "pack")
            names = self._disk.names(folder) if self._disk.is_folder(folder) else []
            indexes = sorted(name for name in names if name.endswith(".idx"))[:MAX_PACKS]
            width = len(self.head()) // 2
            self._packs = [_Pack(os.path.join(folder, name[: -len(".idx")]), width, self._disk) for name in indexes]
        return self._packs

    def _packed_object(self, pack: _Pack, at: int) -> tuple[int, bytes]:
        """An entry of a pack, with the deltas that lead to it applied."""
        deltas: list[bytes] = []
        for _ in range(MAX_DELTAS):
            kind, base, content = pack.entry(at)
            self._spend(len(content))
            if kind not in (OFFSET, REFERENCE):
                for delta in reversed(deltas):
                    content = _patched(content, delta)
                    self._spend(len(content))
                return kind, content
            deltas.append(content)
            if isinstance(base, bytes):
                inside = pack.find(base)
                if inside < 0:
                    kind, content = self.object(base.hex())
                    for delta in reversed(deltas):
                        content = _patched(content, delta)
                    return kind, content
                base = inside
            at = base
        raise NoHistory("an object is packed in too many steps")

    def close(self) -> None:
        """Let the packs go."""
        for pack in self._packs or ():
            pack.close()


def _tree(data: bytes, width: int) -> dict[str, Blob]:
    """The entries of a folder. width: bytes of an object's name."""
    out: dict[str, Blob] = {}
    at = 0
    while at < len(data):
        middle = data.index(b"\0", at)
        mode, _, name = data[at:middle].partition(b" ")
        at = middle + 1 + width
        out[name.decode("utf-8", "surrogateescape")] = Blob(mode.decode().lstrip("0"), data[middle + 1 : at].hex())
    return out


class _Pack:
    """One pack with its index (version 2)."""

    def __init__(self, path: str, width: int, disk: Disk) -> None:
        self._path, self._width, self._disk = path, width, disk
        self._index: IO[bytes] | None = None
        self._data: IO[bytes] | None = None
        self._fan: tuple[int, ...] = ()

    def close(self) -> None:
        for file in (self._index, self._data):
            if file is not None:
                file.close()

    def _at(self, offset: int, size: int) -> bytes:
        assert self._index is not None
        self._index.seek(offset)
        return self._index.read(size)

    def _opened(self) -> None:
        if self._index is None:
            self._index = self._disk.stream(self._path + ".idx")
            head = self._at(0, 8 + 1024)
            if head[:8] != b"\xfftOc\0\0\0\2":
                raise NoHistory("its packs have an index of a form that is not read")
            self._fan = tuple(int.from_bytes(head[at : at + 4], "big") for at in range(8, 8 + 1024, 4))

    def find(self, name: bytes) -> int:
        """The offset of an object in the pack; -1 where it is not there."""
        self._opened()
        width, count = self._width, self._fan[255]
        first, last = self._fan[name[0] - 1] if name[0] else 0, self._fan[name[0]]
        if not 0 <= first <= last <= count:
            raise ValueError(self._path)
        names = self._at(8 + 1024 + first * width, min((last - first) * width, MAX_OBJECT))
        at = names.find(name)
        while at % width and at >= 0:
            at = names.find(name, at + 1)
        if at < 0:
            return -1
        number = first + at // width
        offsets = 8 + 1024 + count * (width + 4)
        offset = int.from_bytes(self._at(offsets + number * 4, 4), "big")
        if offset >> 31:
            offset = int.from_bytes(self._at(offsets + count * 4 + (offset & 0x7FFFFFFF) * 8, 8), "big")
        return offset

    def entry(self, at: int) -> tuple[int, int | bytes, bytes]:
        """The kind of an entry, where its base is (of a delta: an offset, or a name), and its content."""
        if self._data is None:
            self._data = self._disk.stream(self._path + ".pack")
        self._data.seek(at)
        head = self._data.read(64)
        kind, size, used = head[0] >> 4 & 7, head[0] & 15, 1
        shift = 4
        while head[used - 1] & 0x80:
            size |= (head[used] & 0x7F) << shift
            shift, used = shift + 7, used + 1
        base: int | bytes = 0
        if kind == OFFSET:
            back = head[used] & 0x7F
            used += 1
            while head[used - 1] & 0x80:
                back = (back + 1) << 7 | (head[used] & 0x7F)
                used += 1
            base = at - back
            if not 0 < back <= at:
                raise ValueError(self._path)
        elif kind == REFERENCE:
            base = head[used : used + self._width]
            used += self._width
        return kind, base, self._inflated(at + used, size)

    def _inflated(self, at: int, size: int) -> bytes:
        if size > MAX_OBJECT:
            raise NoHistory("there is too much of it to be read")
        assert self._data is not None
        self._data.seek(at)
        inflater, out = zlib.decompressobj(), b""
        while not inflater.eof and len(out) <= size:
            more = inflater.unconsumed_tail or self._data.read(65_536)
            if not more:
                break
            out += inflater.decompress(more, size + 1 - len(out))
        if len(out) != size:
            raise ValueError(self._path)
        return out


def _patched(base: bytes, delta: bytes) -> bytes:
    """What a delta makes of its base. Raises ValueError, IndexError for a damaged one."""
    expected, at = _number(delta, 0)
    size, at = _number(delta, at)
    if expected != len(base) or size > MAX_OBJECT:
        raise ValueError("delta")
    out = bytearray()
    while at < len(delta):
        step = delta[at]
        at += 1
        if not step & 0x80:  # so many bytes of the delta itself
            if not step:
                raise ValueError("delta")
            out += delta[at : at + step]
            at += step
            continue
        offset = length = 0
        for place in range(4):
            if step >> place & 1:
                offset |= delta[at] << 8 * place
                at += 1
        for place in range(3):
            if step >> 4 + place & 1:
                length |= delta[at] << 8 * place
                at += 1
        length = length or 0x10000
        if offset + length > len(base) or len(out) + length > size:
            raise ValueError("delta")
        out += base[offset : offset + length]
    if len(out) != size:
        raise ValueError("delta")
    return bytes(out)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
        if shift > 63:
            raise ValueError("delta")


class Snapshot(Memory):
    """The files of one commit that lie in some folders, as a disk with the repository at `root`.

    folders: relative to the repository, with `/`. same: what tells two commits apart whose files there differ.
    """

    def __init__(self, history: History, commit: Commit, root: str, folders: tuple[str, ...]) -> None:
        super().__init__({})
        self._history, self._root = history, os.path.abspath(root)
        self._blobs: dict[str, str] = {}
        for folder in folders:
            for name, entry in history.entries(commit.tree, folder).items():
                if entry.mode not in (FOLDER, LINK) and not entry.mode.startswith("16"):
                    path = os.path.join(self._root, *filter(None, folder.split("/")), name)
                    self._blobs[path] = entry.id
                    self._folders.setdefault(os.path.dirname(path), {})[name] = None
        self.same = frozenset(self._blobs.items())

    def is_file(self, path: str) -> bool:
        return os.path.abspath(path) in self._blobs

    def bytes_of(self, path: str) -> bytes:
        ident = self._blobs.get(os.path.abspath(path))
        if ident is None:
            raise FileNotFoundError(path)
        return self._history.blob(ident)

    def read(self, path: str, limit: int) -> bytes:
        try:
            return self.bytes_of(path)[: limit + 1]
        except FileNotFoundError:
            raise Unreadable("vanished", "no such file") from None
