"""Which files a call means: PATHs to input files, in an order that is the same on every machine.

What a walk leaves out, and why:

- what .gitignore leaves out (nested files, those above the given folder up to the repository's root, and
  .git/info/exclude; not the user's global excludes file, or two people would see two results). It counts outside a
  repository too, as in an unpacked archive;
- version control, virtual environments, node_modules and caches: other people's files, never the user's settings;
- the records of finished runs (`.hydra/`, `outputs/`, `multirun/`, `wandb/`): they hold the resolved configuration of a
  run that is over. A pin written there changes nothing, and a finding there repeats one about the file it came from. A
  PATH that is one of them, or lies in one, is walked with them: yesterday's run is what is asked about;
- vLLM's own source, a clone or a copy in a project: its programs run with that very vLLM, and no pin says which it is;
- symbolic links to folders: their files are linted where they are, if at all, and no link can make a loop.

A PATH that the user names is always taken, even when it is ignored or of no kind we know: being asked for by name must
be answered.
"""

from __future__ import annotations

import os

from vllm_migrate.documents.disk import DISK, Disk, similar
from vllm_migrate.documents.kinds import kind_of
from vllm_migrate.errors import UsageError
from vllm_migrate.run.gitignore import Rules, read_rules, rules_of
from vllm_migrate.run.wildmatch import octets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vllm_migrate.documents.disk import Entry
    from vllm_migrate.run.dependencies import Dependencies

STDIN = "-"
SKIPPED = frozenset(
    (
        *(".git", ".hg", ".svn", ".jj", ".bzr"),
        *(".venv", "venv", ".tox", ".nox", "node_modules"),
        *("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".ipynb_checkpoints", ".eggs"),
    )
)
RECORDS = frozenset((".hydra", "outputs", "multirun", "wandb"))
# A folder that holds one of these is an environment, whatever its name.
ENVIRONMENT = ("pyvenv.cfg", "conda-meta")
# A folder that holds these is a source tree of vLLM.
PACKAGE, INSIDE = "vllm", os.path.join("vllm", "engine", "arg_utils.py")


class Input:
    """One file to lint. path: as given, or the given folder joined with what was found; named: given by itself."""

    __slots__ = ("named", "path")

    def __init__(self, path: str, named: bool) -> None:
        self.path = path
        self.named = named

    @property
    def stdin(self) -> bool:
        return self.path == STDIN

    def __repr__(self) -> str:
        return f"Input({self.path!r}, named={self.named})"


class Level:
    """Rules and where their folder's path ends in an absolute path."""

    __slots__ = ("offset", "rules")

    def __init__(self, rules: Rules, offset: int) -> None:
        self.rules = rules
        self.offset = offset


class Folder:
    """A folder to visit: its path as shown ("" or ending in a slash) and absolute, in octets; the rules above it.

    Rules are in the order in which they are asked: inner first. records: those of finished runs are walked, too.
    """

    __slots__ = ("absolute", "levels", "records", "shown", "top")

    def __init__(self, shown: str, absolute: str, levels: list[Level], top: bool, records: bool) -> None:
        self.records = records
        self.shown = shown
        self.absolute = absolute
        self.levels = levels
        self.top = top


def walk(
    paths: Sequence[str],
    exclude: Sequence[str] = (),
    respect_gitignore: bool = True,
    root: str = ".",
    force_exclude: bool = False,
    unreadable: list[str] | None = None,
    dependencies: Dependencies | None = None,
    disk: Disk = DISK,
    sources: list[str] | None = None,
) -> Iterator[Input]:
    """The input files of PATHs, each once, in the order of the PATHs; of a folder, first its files, then its folders.

    exclude: patterns in the language of .gitignore, relative to `root`; `force_exclude` holds named files to them too.
    unreadable: gets the folders that could not be listed, sources those that are left out as vLLM's own source;
    dependencies: notes what is looked at, and the files. Raises
    UsageError, before anything is read, for a PATH that does not exist.
    """
    for path in paths:
        if path != STDIN and not disk.leads_somewhere(path):
            raise UsageError(
                f"no such file or folder: {path}",
                similar(path, disk) or "a PATH is a file, a folder, or - for standard input",
            )
    return _inputs(
        paths,
        _Walker(rules_of(exclude), root, respect_gitignore, unreadable, dependencies, disk, sources),
        force_exclude,
    )


def _inputs(paths: Sequence[str], walker: _Walker, force_exclude: bool) -> Iterator[Input]:
    folders = {path for path in paths if path != STDIN and walker.disk.is_folder(path)}
    named = {_identity(path) for path in paths if path not in folders}
    repeats = len(paths) > 1 or bool(named)  # a single folder gives each file once by itself
    seen: set[str] = set()
    for path in paths:
        for file in walker.files(path) if path in folders else (path,):
            absolute = _identity(file) if repeats else ""
            if absolute in seen or (force_exclude and absolute in named and walker.excludes(file)):
                continue
            if repeats:
                seen.add(absolute)
            walker.note_input(file)
            yield Input(file, absolute in named)


def _identity(path: str) -> str:
    return path if path == STDIN else os.path.abspath(path)


class _Walker:
    def __init__(
        self,
        exclude: Rules,
        root: str,
        respect_gitignore: bool,
        unreadable: list[str] | None,
        dependencies: Dependencies | None,
        disk: Disk,
        sources: list[str] | None,
    ) -> None:
        self.disk = disk
        self.sources = sources
        self.exclude = exclude
        self.root = _absolute(disk.real(root)) if exclude else ""
        self.respect_gitignore = respect_gitignore
        self.unreadable = unreadable
        self.dependencies = dependencies

    def excludes(self, path: str) -> bool:
        """Whether the patterns of `exclude` mean this path."""
        if path == STDIN or not self.exclude:
            return False
        absolute = _absolute(self.disk.real(path))[:-1]
        return absolute.startswith(self.root) and self.exclude.covers(absolute[len(self.root) :])

    def note_input(self, path: str) -> None:
        if self.dependencies is None:
            return
        if path == STDIN:
            self.dependencies.settled = False
        else:
            self.dependencies.note(path)

    def files(self, top: str) -> Iterator[str]:
        """Every file of a known kind under the folder."""
        shown = "" if top == os.curdir else os.path.join(top, "")
        real = self.disk.real(top)
        absolute = _absolute(real)
        exclude = []
        if self.exclude:
            exclude.append(Level(self.exclude, len(self.root if absolute.startswith(self.root) else absolute)))
        records = not RECORDS.isdisjoint(top.split(os.sep))
        stack = [Folder(shown, absolute, self._levels_above(real), True, records)]
        while stack:
            folder = stack.pop()
            entries = self._entries(folder)
            names = {entry.name for entry in entries}
            if self._is_vllm(folder, names):
                if self.sources is not None:
                    self.sources.append(folder.shown or os.curdir)
            elif folder.top or not any(sign in names for sign in ENVIRONMENT):
                files, folders = _sort_out(folder, entries, self._levels(folder, names), exclude, self.dependencies)
                yield from files
                stack.extend(reversed(folders))

    def _is_vllm(self, folder: Folder, names: set[str]) -> bool:
        if PACKAGE not in names:
            return False
        if self.dependencies is not None:
            self.dependencies.note_presence(folder.shown + INSIDE)
        return self.disk.is_file(folder.shown + INSIDE)

    def _entries(self, folder: Folder) -> list[Entry]:
        if self.dependencies is not None:
            self.dependencies.note(folder.shown or os.curdir)
        try:
            return self.disk.entries(folder.shown or os.curdir)
        except (FileNotFoundError, NotADirectoryError):
            return []  # it vanished while we walked
        except OSError:
            if self.dependencies is not None:
                self.dependencies.settled = False
            if self.unreadable is not None:
                self.unreadable.append(folder.shown or os.curdir)
            return []

    def _levels(self, folder: Folder, names: set[str]) -> list[Level]:
        """The .gitignore rules that hold for what is in the folder, inner first."""
        if not self.respect_gitignore:
            return []
        levels = folder.levels
        if ".git" in names and not folder.top:  # a repository within: the rules of the outer one end here
            levels = self._exclude_rules(folder.shown, folder.absolute)
        if ".gitignore" in names:
            levels = self._read(folder.shown + ".gitignore", folder.absolute) + levels
        return levels

    def _levels_above(self, real: str) -> list[Level]:
        """The rules that hold for a folder given by the user, without its own .gitignore."""
        repository = find_repository(real, self.dependencies, self.disk) if self.respect_gitignore else None
        if repository is None:
            return []
        levels = self._exclude_rules(repository, _absolute(repository))
        at = repository
        for name in os.path.relpath(real, repository).split(os.sep) if real != repository else ():
            levels = self._read(os.path.join(at, ".gitignore"), _absolute(at)) + levels
            at = os.path.join(at, name)
        return levels

    def _exclude_rules(self, repository: str, absolute: str) -> list[Level]:
        git = os.path.join(repository, ".git")
        if self.dependencies is not None and self.disk.is_file(git):
            self.dependencies.note(git)
        return self._read(os.path.join(_common_folder(git, self.disk), "info", "exclude"), absolute)

    def _read(self, path: str, absolute: str) -> list[Level]:
        """The rules in a file, for the folder with that absolute path; none when it has none."""
        if self.dependencies is not None:
            self.dependencies.note(path)
        # As git: a .gitignore that is a symbolic link is not read.
        linked = path.endswith(".gitignore") and self.disk.is_link(path)
        rules = None if linked else read_rules(path, self.disk)
        return [Level(rules, len(absolute))] if rules else []


def _sort_out(
    folder: Folder,
    entries: list[Entry],
    levels: list[Level],
    exclude: list[Level],
    dependencies: Dependencies | None,
) -> tuple[list[str], list[Folder]]:
    """The files and the folders of a folder that count, each sorted by name."""
    files, folders = [], []
    for entry in entries:
        name = entry.name
        try:
            if entry.is_dir(follow_symlinks=False):
                is_dir = True
                if name in SKIPPED or (name in RECORDS and not folder.records):
                    continue
            elif kind_of(name) and entry.is_file():
                is_dir = False
            else:
                if dependencies is not None and entry.is_symlink():
                    dependencies.note(folder.shown + name)  # where it leads may become a file
                continue
        except OSError:  # a link to itself; a file system that fails
            continue
        if _ignored(levels, folder.absolute, name, is_dir) or _ignored(exclude, folder.absolute, name, is_dir):
            continue
        if is_dir:
            absolute = folder.absolute + octets(name) + "/"
            folders.append(Folder(_shown_below(folder, name, absolute), absolute, levels, False, folder.records))
        else:
            files.append(folder.shown + name)
    files.sort()
    folders.sort(key=lambda below: below.shown)
    return files, folders


def _shown_below(folder: Folder, name: str, absolute: str) -> str:
    """How a folder in another is shown: on the way down from `..` the one we are in is none that is left and entered again."""
    shown = folder.shown + name + os.sep
    if not shown.startswith(os.pardir):
        return shown
    here = _absolute(os.path.realpath(os.curdir))
    if not here.startswith(absolute):
        return shown
    return (os.pardir + os.sep) * here[len(absolute) :].count("/")


def find_repository(folder: str, dependencies: Dependencies | None = None, disk: Disk = DISK) -> str | None:
    """The nearest folder, from an absolute one upward, that holds `.git`; None when there is none."""
    while True:
        git = os.path.join(folder, ".git")
        if dependencies is not None:
            dependencies.note_presence(git)
        if disk.exists(git):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def _ignored(levels: list[Level], folder: str, name: str, is_dir: bool) -> bool:
    """Whether the innermost rules that say anything say ignored."""
    if not levels:
        return False
    name = octets(name)
    path = folder + name
    for level in levels:
        verdict = level.rules.verdict(path[level.offset :], name, is_dir)
        if verdict is not None:
            return verdict
    return False


def _common_folder(git: str, disk: Disk) -> str:
    """Where a repository keeps what its worktrees share: `.git`, or where the file `.git` leads."""
    line = _first_line(git, disk)
    if not line.startswith("gitdir:"):
        return git
    folder = os.path.join(os.path.dirname(git), line[7:].strip())
    return os.path.join(folder, _first_line(os.path.join(folder, "commondir"), disk).strip())


def _first_line(path: str, disk: Disk) -> str:
    """The first line of a small file; "" when it cannot be read."""
    try:
        return disk.anywhere(path)[:4096].partition(b"\n")[0].decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def _absolute(real: str) -> str:
    """An absolute path as octets with forward slashes and one at the end."""
    return octets(real.replace(os.sep, "/").rstrip("/")) + "/"
