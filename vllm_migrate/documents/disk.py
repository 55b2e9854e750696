"""Where files are read from: the disk, or a project in memory. Readers take one, so that nothing else is looked at."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from vllm_migrate.documents.interface import Unreadable
from vllm_migrate.opening import NotRegular, at_most, opened, read_bytes

if TYPE_CHECKING:
    from typing import IO, Protocol, Self

    class Entry(Protocol):
        """What a walk asks of an entry, as os.DirEntry answers it."""

        @property
        def name(self) -> str: ...
        def is_dir(self, *, follow_symlinks: bool = True) -> bool: ...
        def is_file(self, *, follow_symlinks: bool = True) -> bool: ...
        def is_symlink(self) -> bool: ...


T = TypeVar("T")


class Outside(OSError):
    """A path leads out of what a run may read."""

    def __init__(self, path: str) -> None:
        from errno import EACCES

        super().__init__(EACCES, OUTSIDE, path)


OUTSIDE = "leads outside the project; --allow-outside DIR allows it"
INSIDE, ABOVE, ELSEWHERE = range(3)


class Fence:
    """What a run may read and write: below its `roots`, and the very `files` that are named, both real paths.

    Evidence that is looked for upward may stand directly in a folder above a root, or in one of that folder's: never behind
    a link.
    """

    __slots__ = ("_files", "_folders", "_roots")

    def __init__(self, roots: Iterable[str], files: Iterable[str] = ()) -> None:
        self._roots = tuple(os.path.join(root, "") for root in dict.fromkeys(roots))
        self._files = frozenset(files)
        self._folders: dict[str, int] = {}

    def holds(self, real: str) -> bool:
        """Whether a real path is below a root."""
        return os.path.join(real, "").startswith(self._roots)

    def names(self, real: str) -> bool:
        """Whether the user named the file at a real path."""
        return real in self._files

    def side(self, folder: str) -> int:
        """Where a folder is: INSIDE, ABOVE a root, or ELSEWHERE."""
        known = self._folders.get(folder)
        if known is None:
            real = os.path.realpath(folder)
            above = (os.path.join(real, ""), os.path.join(os.path.dirname(real), ""))
            near = any(root.startswith(above) for root in self._roots)
            known = self._folders[folder] = INSIDE if self.holds(real) else ABOVE if near else ELSEWHERE
        return known


class Disk:
    """The files of this machine, within a fence where there is one. Reading never waits, and only for regular files."""

    fence: Fence | None = None

    def within(self, fence: Fence) -> Self:
        """The same disk, of which only what the fence holds is read and written."""
        disk = object.__new__(type(self))
        disk.__dict__.update(self.__dict__)
        disk.fence = fence
        return disk

    def outside(self, path: str) -> bool:
        """Whether a path that a file names leads out of the fence."""
        if self.fence is None:
            return False
        real = self.real(path)
        return not (self.fence.holds(real) or self.fence.names(real))

    def writable(self, path: str) -> bool:
        """Whether a path may be written: where its link leads is inside, too."""
        return self.fence is None or self.fence.holds(self.real(path))

    def read(self, path: str, limit: int) -> bytes:
        """The bytes of a regular file, one more than `limit` where there are more.

        Raises Unreadable("vanished", "unreadable", "outside").
        """
        try:
            return self._guarded(path, lambda way, follow: at_most(way, limit, follow))
        except FileNotFoundError:
            raise Unreadable("vanished", "no such file") from None
        except NotRegular:
            raise Unreadable("unreadable", "not a regular file; `-` reads standard input") from None
        except Outside:
            raise Unreadable("outside", OUTSIDE) from None
        except OSError as error:
            raise Unreadable("unreadable", error.strerror or str(error)) from None

    def bytes_of(self, path: str) -> bytes:
        """The bytes of a regular file. Raises OSError, also for too many."""
        return self._guarded(path, lambda way, follow: read_bytes(way, follow=follow))

    def named(self, path: str) -> bytes:
        """The bytes of what the user names on the command line: wherever it is, and a pipe is waited for. Raises OSError."""
        return read_bytes(path, wait=True)

    def anywhere(self, path: str) -> bytes:
        """The bytes of a regular file of a folder that the user names, or of Git's own (of a worktree, they are elsewhere).

        Raises OSError.
        """
        return read_bytes(path)

    def stream(self, path: str) -> IO[bytes]:
        """The bytes, to be read in blocks. Raises OSError."""
        return self._guarded(path, lambda way, follow: opened(way, follow=follow))

    def _guarded(self, path: str, read: Callable[[str, bool], T]) -> T:
        """What `read` gives of a path and whether it may follow a link. Raises OSError; Outside where the path leads out."""
        fence = self.fence
        if fence is None:
            return read(path, True)
        if fence.side(os.path.dirname(path)) == ELSEWHERE:
            if not os.path.lexists(path):  # as in the folders above a link that a run was given
                raise FileNotFoundError(path)
            raise Outside(path)
        try:
            return read(path, False)
        except OSError as error:
            if not os.path.islink(path):
                raise error from None
        if self.outside(path):
            raise Outside(path)
        return read(os.path.realpath(path), False)

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


def similar(path: str, disk: Disk) -> str:
    """What to say of a path that leads nowhere: a name beside it that is nearly the same; "" where there is none."""
    if disk.is_link(path):
        return "is it a broken symbolic link?"
    from difflib import get_close_matches

    folder, name = os.path.split(path.rstrip("/"))
    try:
        near = get_close_matches(name, disk.names(folder or os.curdir), n=1)
    except OSError:
        return ""
    return f"did you mean {os.path.join(folder, near[0])}?" if near else ""


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

    def bytes_of(self, path: str) -> bytes:
        data = self._files.get(os.path.abspath(path))
        if data is None:
            raise FileNotFoundError(path)
        return data

    def named(self, path: str) -> bytes:
        return self.bytes_of(path)

    def anywhere(self, path: str) -> bytes:
        return self.bytes_of(path)

    def outside(self, path: str) -> bool:
        return False

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

    def bytes_of(self, path: str) -> bytes:
        data = self._other(path)
        return super().bytes_of(path) if data is None else data

    def named(self, path: str) -> bytes:
        data = self._other(path)
        return super().named(path) if data is None else data

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
