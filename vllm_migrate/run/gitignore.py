"""The rules of one .gitignore (or of any list of patterns written in its language).

Most patterns are a plain name (`build`), an ending (`*.log`) or a plain path (`/docs/_build`); these become set
look-ups. The rest is matched one by one, after a look for a stretch of text that it cannot do without. Paths handed in
are relative to the folder of the rules, with `/`, no slash at the end, and one character per byte (`octets`).
"""

from __future__ import annotations

from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.run.wildmatch import SPECIAL, octets, wildmatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_BYTES = 1_000_000


class Glob:
    """One pattern that needs matching. prefix: how the path must begin; needles: what the rest must hold."""

    __slots__ = ("by_name", "dir_only", "needles", "pattern", "prefix")

    def __init__(self, pattern: str, by_name: bool, dir_only: bool) -> None:
        cut = 0 if by_name else _plain_length(pattern)
        self.prefix = pattern[:cut]
        self.pattern = pattern[cut:]
        self.by_name = by_name
        self.dir_only = dir_only
        self.needles = _needles(self.pattern)

    def matches(self, path: str, name: str) -> bool:
        text = name if self.by_name else path
        for needle in self.needles:
            if needle not in text:
                return False
        if self.by_name:
            return wildmatch(self.pattern, name, False)
        return path.startswith(self.prefix) and wildmatch(self.pattern, path[len(self.prefix) :], True)


class Group:
    """Neighbouring patterns of one sign: within it, any order gives the same answer."""

    __slots__ = ("dir_names", "dir_paths", "dir_suffixes", "globs", "names", "negated", "paths", "suffixes")

    def __init__(self, negated: bool) -> None:
        self.negated = negated
        self.names: set[str] = set()
        self.dir_names: set[str] = set()
        self.paths: set[str] = set()
        self.dir_paths: set[str] = set()
        self.suffixes: tuple[str, ...] = ()
        self.dir_suffixes: tuple[str, ...] = ()
        self.globs: list[Glob] = []

    def add(self, pattern: str) -> None:
        dir_only = pattern.endswith("/")
        if dir_only:
            pattern = pattern[:-1]
        if "/" in pattern:
            pattern = pattern[1:] if pattern.startswith("/") else pattern
            if _plain_length(pattern) == len(pattern):
                (self.dir_paths if dir_only else self.paths).add(pattern)
            else:
                self.globs.append(Glob(pattern, False, dir_only))
        elif _plain_length(pattern) == len(pattern):
            (self.dir_names if dir_only else self.names).add(pattern)
        elif pattern.startswith("*") and _plain_length(pattern[1:]) == len(pattern) - 1:
            if dir_only:
                self.dir_suffixes += (pattern[1:],)
            else:
                self.suffixes += (pattern[1:],)
        else:
            self.globs.append(Glob(pattern, True, dir_only))

    def matches(self, path: str, name: str, is_dir: bool) -> bool:
        if name in self.names or path in self.paths or name.endswith(self.suffixes):
            return True
        if is_dir and (name in self.dir_names or path in self.dir_paths or name.endswith(self.dir_suffixes)):
            return True
        for glob in self.globs:  # noqa: SIM110 - a generator costs as much as the match
            if (is_dir or not glob.dir_only) and glob.matches(path, name):
                return True
        return False


class Rules:
    """Patterns in order; the last that matches decides."""

    __slots__ = ("_groups",)

    def __init__(self, patterns: Iterable[str]) -> None:
        groups: list[Group] = []
        for pattern in patterns:
            negated = pattern.startswith("!")
            if not groups or groups[-1].negated != negated:
                groups.append(Group(negated))
            groups[-1].add(pattern[1:] if negated else pattern)
        self._groups = groups[::-1]

    def __bool__(self) -> bool:
        return bool(self._groups)

    def verdict(self, path: str, name: str, is_dir: bool) -> bool | None:
        """True: ignored; False: taken back by a `!` pattern; None: nothing is said. Parent folders do not count."""
        for group in self._groups:
            if group.matches(path, name, is_dir):
                return not group.negated
        return None

    def covers(self, path: str) -> bool:
        """Whether a file at that path, or a folder on the way to it, is ignored."""
        path = octets(path)
        at = path.find("/")
        while at >= 0:
            folder = path[:at]
            if self.verdict(folder, folder.rpartition("/")[2], True):
                return True
            at = path.find("/", at + 1)
        return bool(self.verdict(path, path.rpartition("/")[2], False))


def rules_of(lines: Iterable[str]) -> Rules:
    """Rules of patterns that a configuration lists."""
    return Rules([octets(line) for line in lines if line])


def read_rules(path: str, disk: Disk = DISK) -> Rules | None:
    """The rules of a .gitignore; None when it has none or cannot be read."""
    try:
        data = disk.bytes_of(path)[:MAX_BYTES]
    except OSError:
        return None
    return Rules(patterns_of(data)) or None


def patterns_of(data: bytes) -> list[str]:
    """The patterns of a .gitignore's bytes, without comments, blank lines and trailing spaces."""
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("latin-1").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    out = []
    for line in lines:
        line = line.partition("\0")[0].removesuffix("\r")
        if line and not line.startswith("#"):
            line = _trim(line)
            if line:
                out.append(line)
    return out


def _trim(line: str) -> str:
    """Without the spaces at the end, unless a backslash keeps one."""
    bare = line.rstrip(" ")
    if len(bare) == len(line):
        return line
    backslashes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if backslashes % 2 else bare


def _plain_length(pattern: str) -> int:
    """How many characters stand before the first special one."""
    for i, c in enumerate(pattern):
        if c in SPECIAL:
            return i
    return len(pattern)


def _needles(pattern: str) -> list[str]:
    """Stretches that every match must hold."""
    for stop in "[\\":
        pattern = pattern.partition(stop)[0]
    for split in "?/":
        pattern = pattern.replace(split, "*")
    return [part for part in pattern.split("*") if part]
