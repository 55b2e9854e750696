"""Where files are read from: the disk, or a project in memory. Readers take one, so that nothing else is looked at."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from stat import S_ISREG
from typing import TYPE_CHECKING

from vllm_migrate.documents.interface import Unreadable

if TYPE_CHECKING:
    from typing import IO, Protocol

    class Entry(Protocol):
        """What a walk asks of an entry, as os.DirEntry answers it."""

        @property
        def name(self) -> str: ...
        def is_dir(self, *, follow_symlinks: bool = True) -> bool: ...
        def is_file(self, *, follow_symlinks: bool = True) -> bool: ...
        def is_symlink(self) -> bool: ...


# No configuration, baseline or ignore file is larger.
MOST = 50_000_000
READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Disk:
    """The files of this machine. Reading never waits: a pipe that nobody writes to is no regular file."""

    def read(self, path: str, limit: int) -> bytes:
        """The bytes of a regular file, one more than `limit` where there are more.

        Raises Unreadable("vanished", "unreadable").
        """
        try:
            descriptor = os.open(path, READING)
            try:
                found = os.fstat(descriptor)
                if not S_ISREG(found.st_mode):
                    raise Unreadable("unreadable", "not a regular file; `-` reads standard input")
                size = min(found.st_size, limit)
                data = os.read(descriptor, size + 1)
                while len(data) != size and len(data) <= limit and (more := os.read(descriptor, limit)):
                    data += more
                return data
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            raise Unreadable("vanished", "no such file") from None
        except OSError as error:
            raise Unreadable("unreadable", error.strerror or str(error)) from None

    def bytes_of(self, path: str, wait: bool = False) -> bytes:
        """The bytes of whatever can be read there; `wait`: also for a pipe to be written to. Raises OSError, also for too many."""
        flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) if wait else READING
        with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as handle:
            data = handle.read(MOST + 1) or b""  # a device never ends
        if len(data) > MOST:
            from errno import EFBIG

            raise OSError(EFBIG, f"larger than {MOST // 1_000_000} MB", path)
        return data

    def stream(self, path: str) -> IO[bytes]:
        """The bytes, to be read in blocks. Raises OSError."""
        return open(path, "rb", buffering=0, opener=lambda name, _: os.open(name, READING))

    def is_file(self, path: str) -> bool:
        return os.path.isfile(path)

    def is_folder(self, path: str) -> bool:
        return os.path.isdir(path)

    def exists(self, path: str) -> bool:
        """Whether there is anything at a path, and be it a link to nothing."""
        return os.path.lexists(path)

    def leads_somewhere(self, path: str) -> bool:
        """Whether there is anything at a path, or where its link leads."""
        return os.path.exists(path)

    def names(self, folder: str) -> list[str]:
        """What is in a folder. Raises OSError."""
        return os.listdir(folder)

    def entries(self, folder: str) -> list[Entry]:
        """What is in a folder, each with its kind. Raises OSError."""
        with os.scandir(folder) as found:
            return list(found)

    def real(self, path: str) -> str:
        """The absolute path without links."""
        return os.path.realpath(path)

    def is_link(self, path: str) -> bool:
        return os.path.islink(path)


class Memory(Disk):
    """A project in memory: files by path, relative to the working folder or absolute. Nothing else exists."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = {
            os.path.abspath(path): text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
            for path, text in files.items()
        }
        self._folders: dict[str, dict[str, None]] = {}
        for path in self._files:
            while (folder := os.path.dirname(path)) != path:
                names = self._folders.setdefault(folder, {})
                names[os.path.basename(path)] = None
                path = folder

    def read(self, path: str, limit: int) -> bytes:
        data = self._files.get(os.path.abspath(path))
        if data is None:
            raise Unreadable("vanished", "no such file")
        return data[: limit + 1]

    def bytes_of(self, path: str, wait: bool = False) -> bytes:
        data = self._files.get(os.path.abspath(path))
        if data is None:
            raise FileNotFoundError(path)
        return data

    def stream(self, path: str) -> IO[bytes]:
        return io.BytesIO(self.bytes_of(path))

    def is_file(self, path: str) -> bool:
        return os.path.abspath(path) in self._files

    def is_folder(self, path: str) -> bool:
        return os.path.abspath(path) in self._folders

    def exists(self, path: str) -> bool:
        return self.is_file(path) or self.is_folder(path)

    def leads_somewhere(self, path: str) -> bool:
        return self.exists(path)

    def names(self, folder: str) -> list[str]:
        found = self._folders.get(os.path.abspath(folder))
        if found is None:
            raise FileNotFoundError(folder)
        return list(found)

    def entries(self, folder: str) -> list[Entry]:
        names = self.names(folder)
        return [_Entry(name, self.is_folder(os.path.join(folder, name))) for name in names]

    def real(self, path: str) -> str:
        return os.path.abspath(path)

    def is_link(self, path: str) -> bool:
        return False


class Overlay(Disk):
    """This machine's files, some of them with other contents: `texts` by path. No file comes or goes."""

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self._texts = {os.path.realpath(path): data for path, data in texts.items()}

    def _other(self, path: str) -> bytes | None:
        return self._texts.get(os.path.realpath(path)) if self._texts else None

    def read(self, path: str, limit: int) -> bytes:
        data = self._other(path)
        return super().read(path, limit) if data is None else data[: limit + 1]

    def bytes_of(self, path: str, wait: bool = False) -> bytes:
        data = self._other(path)
        return super().bytes_of(path, wait) if data is None else data

    def stream(self, path: str) -> IO[bytes]:
        data = self._other(path)
        return super().stream(path) if data is None else io.BytesIO(data)


class Unsaved(Overlay):
    """This machine's files with the texts that an editor holds, files that are not on the disk yet among them.

    reads: the real paths of all that was read, so that an editor knows what depends on what.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__({path: text.encode("utf-8", "surrogatepass") for path, text in texts.items()})
        self.reads: set[str] = set()

    def _other(self, path: str) -> bytes | None:
        real = os.path.realpath(path)
        self.reads.add(real)
        return self._texts.get(real)

    def is_file(self, path: str) -> bool:
        return super().is_file(path) or os.path.realpath(path) in self._texts

    def exists(self, path: str) -> bool:
        return super().exists(path) or os.path.realpath(path) in self._texts

    def leads_somewhere(self, path: str) -> bool:
        return super().leads_somewhere(path) or os.path.realpath(path) in self._texts


class _Entry:
    """An entry of a folder in memory."""

    __slots__ = ("_is_folder", "name")

    def __init__(self, name: str, is_folder: bool) -> None:
        self.name = name
        self._is_folder = is_folder

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return self._is_folder

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return not self._is_folder

    def is_symlink(self) -> bool:
        return False


DISK = Disk()
