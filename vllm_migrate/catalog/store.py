"""What every release accepts, read from the shipped catalog. Imports nothing but json, os and sys.

    cat = load()
    cat.get("engine", "swap_space", "0.8.5").default        # 4.0
    cat.flags("0.18.1")["--no-enable-prefix-caching"].dest  # "enable_prefix_caching"

Defaults are JSON values; `{"expr": "..."}` is one that source alone does not decide.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from typing import TYPE_CHECKING

from vllm_migrate.opening import read_bytes, read_own
from vllm_migrate.shipped import SHIPPED

if TYPE_CHECKING:
    from typing import Any

    from vllm_migrate.catalog.sheets import Sheet

SECTIONS = (
    "engine",
    "cli",
    "frontend",
    "llm",
    "sampling",
    "request",
    "env",
    "env_other",
    "route",
    "api",
    "config",
)
HOT = ("engine", "cli", "frontend", "llm", "sampling", "env")  # in catalog.json; the others in surface.json
DATA = SHIPPED.catalog


class UnknownRelease(LookupError):
    """A release the catalog does not hold. `release` is what was asked for, `nearest` the known neighbours."""

    def __init__(self, release: str, nearest: tuple[str, ...]) -> None:
        near = f"; nearest known: {', '.join(nearest)}" if nearest else ""
        super().__init__(f"vLLM {release} is not in the catalog{near}")
        self.release = release
        self.nearest = nearest


class OptionFacts:
    """Facts of one option over one interval of releases. `raw` is the stored dict."""

    __slots__ = ("raw",)

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OptionFacts) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(json.dumps(self.raw, sort_keys=True))

    def __repr__(self) -> str:
        return f"OptionFacts({self.raw})"

    @property
    def default(self) -> Any:
        """JSON value, or {"expr": text} when source does not decide it."""
        return self.raw.get("d")

    @property
    def decided(self) -> bool:
        """False when the default is an expression."""
        default = self.raw.get("d")
        return not (isinstance(default, dict) and set(default) == {"expr"})

    @property
    def type(self) -> str:
        """Annotation (fields) or what argparse converts with (flags), as text."""
        return str(self.raw.get("t", ""))

    @property
    def choices(self) -> list[Any] | None:
        """Values named by the annotation; for flags those argparse enforces. None: no such list."""
        found = self.raw.get("c")
        return found if isinstance(found, list) else None

    @property
    def open(self) -> bool:
        """True when any string is accepted beside `choices`."""
        return bool(self.raw.get("o"))

    @property
    def deprecated(self) -> str | None:
        found = self.raw.get("x")
        return str(found) if found else None

    @property
    def required(self) -> bool:
        return bool(self.raw.get("r"))

    def extra(self, name: str) -> Any:
        """A section's own fact (`forced`, `async_only`, `init`, `gate`, `module`, ...), None when absent."""
        return self.raw.get(name)


class Flag:
    """One option string of `vllm serve` at one release, as argparse treats it."""

    __slots__ = (
        "action",
        "choices",
        "const",
        "default",
        "deprecated",
        "dest",
        "name",
        "nargs",
        "negative",
        "option",
        "section",
        "type",
    )

    def __init__(self, option: str, name: str, section: str, raw: dict[str, Any], negative: bool) -> None:
        choices = raw.get("c")
        self.option = option
        self.name = name
        self.section = section
        self.dest: str = raw.get("D") or name.lstrip("-").replace("-", "_")
        self.action: str = raw.get("a", "store")
        self.nargs: str | int | None = raw.get("n")
        self.choices: list[Any] | None = choices if isinstance(choices, list) else None
        self.type: str = raw.get("t", "str")
        self.const: Any = raw.get("k")
        self.default: Any = raw.get("d")
        self.deprecated: str | None = raw.get("x")
        self.negative = negative

    @property
    def takes_value(self) -> bool:
        return self.action not in ("store_true", "store_false", "store_const", "bool_optional", "help", "version")

    def __repr__(self) -> str:
        return f"Flag({self.option})"


class FlagTable(dict[str, Flag]):
    """Every option string of `vllm serve` at one release, in the order argparse has them; filled once."""

    _numbers: dict[str, int] | None = None  # of each option string, sorted by these

    def matching(self, prefix: str) -> list[str]:
        """Long option strings argparse takes an abbreviation for; more than one is ambiguous."""
        if self._numbers is None:
            self._numbers = dict(sorted((option, number) for number, option in enumerate(self)))
            self._sorted = list(self._numbers)
        first = last = bisect_left(self._sorted, prefix)
        while last < len(self._sorted) and self._sorted[last].startswith(prefix):
            last += 1
        return sorted(self._sorted[first:last], key=self._numbers.__getitem__)


class Rename:
    """A curated pair. polarity: same | inverted | deleted (no successor); note says what a reader must know."""

    __slots__ = ("new", "note", "old", "polarity", "section", "since")

    def __init__(self, raw: dict[str, Any]) -> None:
        self.section: str = raw["section"]
        self.old: str = raw["old"]
        self.new: str | None = raw.get("new")
        self.since: str = raw["since"]
        self.polarity: str = raw.get("polarity", "same")
        self.note: str = raw.get("note", "")


Intervals = dict[str, list[list[int]]]
Life = list[tuple[str, "str | None", OptionFacts]]


class Catalog:
    """All releases. Positions and intervals count releases in order of version.

    `surface` is the path of the file with the sections linting seldom asks for, read when one is asked for.
    """

    def __init__(
        self, data: dict[str, Any], added: dict[str, dict[str, Any]] | None = None, surface: str | None = None
    ) -> None:
        self.shipped: tuple[str, ...] = tuple(data["releases"])
        self.version: str = data["version"]
        self._sections: dict[str, Intervals] = data["sections"]
        self._facts: list[dict[str, Any]] = data["facts"]
        self._surface = surface
        self._loaded_surface: dict[str, Any] | None = None
        self.added = added or {}
        self.releases: tuple[str, ...] = _ordered(self.shipped, self.added)
        self._position = {release: i for i, release in enumerate(self.releases)}
        self._shipped_position = {release: i for i, release in enumerate(self.shipped)}
        self._names: dict[tuple[str, str], frozenset[str]] = {}
        self._flags: dict[str, FlagTable] = {}
        self._renames: list[Rename] | None = None
        self._lives: dict[tuple[str, str], Life] = {}
        self.sheets: dict[str, Sheet] = {}  # files of catalog.sheets that were read

    # -- releases --------------------------------------------------------------------------------

    def canonical(self, release: str) -> str:
        """The catalog's spelling of a release; raises UnknownRelease."""
        if release in self._position:
            return release
        text = release.strip()
        if text[:1] in "vV" and text[1:] in self._position:
            return text[1:]
        return _by_version(text, self.releases)

    def knows(self, release: str) -> bool:
        try:
            self.canonical(release)
        except UnknownRelease:
            return False
        return True

    def ordinal(self, release: str) -> int:
        """Position of a release in `releases`; raises UnknownRelease."""
        return self._position[self.canonical(release)]

    def is_added(self, release: str) -> bool:
        """True for a release the user added to the shipped catalog."""
        return self.canonical(release) in self.added

    # -- options ---------------------------------------------------------------------------------

    def _section(self, section: str) -> tuple[Intervals, list[dict[str, Any]]]:
        """Intervals of a section, and the facts they number."""
        if section in self._sections or section in HOT or self._surface is None:
            return self._sections.get(section, {}), self._facts
        if self._loaded_surface is None:
            self._loaded_surface = _read(self._surface)
        found: Intervals = self._loaded_surface["sections"].get(section, {})
        return found, self._loaded_surface["facts"]

    def _raw(self, section: str, name: str, release: str) -> dict[str, Any] | None:
        if release in self.added:
            found: dict[str, Any] | None = self.added[release]["sections"].get(section, {}).get(name)
            return found
        position = self._shipped_position[release]
        intervals, facts = self._section(section)
        for since, until, fact in intervals.get(name, ()):
            if since <= position and (until < 0 or position < until):
                return facts[fact]
        return None

    def get(self, section: str, name: str, release: str) -> OptionFacts | None:
        """Facts of an option at a release, None when the release does not have it."""
        raw = self._raw(section, name, self.canonical(release))
        return None if raw is None else OptionFacts(raw)

    def is_async_only(self, name: str, release: str) -> bool:
        """True for an argument of AsyncEngineArgs that EngineArgs does not have."""
        facts = self.get("engine", name, release)
        return facts is not None and bool(facts.extra("async_only"))

    def names(self, section: str, release: str) -> frozenset[str]:
        """Option names of a section at a release."""
        release = self.canonical(release)
        key = (section, release)
        if key not in self._names:
            if release in self.added:
                self._names[key] = frozenset(self.added[release]["sections"].get(section, ()))
            else:
                position = self._shipped_position[release]
                self._names[key] = frozenset(
                    name
                    for name, intervals in self._section(section)[0].items()
                    if any(since <= position and (until < 0 or position < until) for since, until, _ in intervals)
                )
        return self._names[key]

    def all_names(self, section: str) -> list[str]:
        """Names a section ever had, in order."""
        found = set(self._section(section)[0])
        for added in self.added.values():
            found.update(added["sections"].get(section, ()))
        return sorted(found)

    def life(self, section: str, name: str) -> Life:
        """(since, until exclusive or None, facts) of an option, oldest first; empty when never there."""
        known = self._lives.get((section, name))
        if known is not None:
            return known
        found: Life = []
        current: dict[str, Any] | None = None
        for release in self.releases:
            raw = self._raw(section, name, release)
            if raw == current:
                continue
            if current is not None:
                found[-1] = (found[-1][0], release, found[-1][2])
            if raw is not None:
                found.append((release, None, OptionFacts(raw)))
            current = raw
        self._lives[section, name] = found
        return found

    def sections_of(self, name: str) -> list[str]:
        """Sections that ever had an option of exactly this name."""
        return [s for s in SECTIONS if name in self._section(s)[0] or self._in_added(s, name)]

    def _in_added(self, section: str, name: str) -> bool:
        return any(name in added["sections"].get(section, ()) for added in self.added.values())

    # -- flags -----------------------------------------------------------------------------------

    def flags(self, release: str) -> FlagTable:
        """Every option string of `vllm serve` at a release."""
        release = self.canonical(release)
        if release not in self._flags:
            self._flags[release] = self._flag_table(release)
        return self._flags[release]

    def _flag_table(self, release: str) -> FlagTable:
        table = FlagTable()
        for option in ("-h", "--help"):
            table[option] = Flag(option, "--help", "frontend", {"a": "help"}, False)
        for section in ("frontend", "cli"):
            for name in sorted(self.names(section, release)):
                raw = self._raw(section, name, release) or {}
                for option in [name, *raw.get("f", ()), *raw.get("spelled_out", ())]:
                    table[option] = Flag(option, name, section, raw, False)
                    if raw.get("a") == "bool_optional" and option.startswith("--"):
                        no = "--no-" + option[2:]
                        table[no] = Flag(no, name, section, raw, True)
        return table

    @property
    def renames(self) -> list[Rename]:
        """Curated pairs of renamed, split and deleted options."""
        if self._renames is None:
            self._renames = [Rename(raw) for raw in _read(os.path.join(DATA, "renames.json"))["renames"]]
        return self._renames


def _ordered(shipped: tuple[str, ...], added: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    if not added:
        return shipped
    from packaging.version import Version

    return tuple(sorted({*shipped, *added}, key=Version))


def _by_version(text: str, releases: tuple[str, ...]) -> str:
    from packaging.version import Version

    try:
        wanted = Version(text)
    except ValueError:  # or digits that are too many to count with
        raise UnknownRelease(text[:100], releases[-1:]) from None
    below: str | None = None
    above: str | None = None
    for release in releases:
        version = Version(release)
        if version == wanted:
            return release
        if version < wanted:
            below = release
        elif above is None:
            above = release
    raise UnknownRelease(text, tuple(r for r in (below, above) if r))


def _read(path: str) -> Any:
    return json.loads(read_bytes(path))


def cache_folder() -> str:
    """Where releases added by the user lie."""
    base = os.environ.get("VLLM_MIGRATE_CACHE")
    if not base:
        base = os.path.join(
            os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"), "vllm-migrate"
        )
    return os.path.join(base, "catalog")


def _added(folder: str) -> dict[str, dict[str, Any]]:
    """Releases of the cache folder; a file that is not one of ours is passed over."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return {}
    found = {}
    for name in names:
        if name.endswith(".json"):
            try:
                data = json.loads(read_own(os.path.join(folder, name)))
            except (OSError, ValueError, RecursionError):
                continue
            if _is_release(data):
                found[data["release"]] = data
    return found


def _is_release(data: object) -> bool:
    """Whether a file's contents have the shape of an added release."""
    if not isinstance(data, dict) or data.get("schema") != 1 or not isinstance(data.get("release"), str):
        return False
    from packaging.version import Version

    try:
        Version(data["release"])
    except ValueError:
        return False
    parts = (data.get("sections"), data.get("details", {}))
    sections = [section for part in parts for section in (part, *_values(part))]
    return all(isinstance(section, dict) for section in (*sections, data.get("origin", {}))) and all(
        isinstance(option, dict) for section in data["sections"].values() for option in section.values()
    )


def _values(table: object) -> list[object]:
    return list(table.values()) if isinstance(table, dict) else []


def added_sheets(release: str) -> dict[str, Any]:
    """What the files that are read on demand would hold of an added release; empty when it was added without."""
    try:
        found = json.loads(read_own(os.path.join(cache_folder(), f"{release}.sheets")))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


_loaded: dict[str, Catalog] = {}


def load() -> Catalog:
    """The shipped catalog with the user's own releases, read once per process and cache folder."""
    folder = cache_folder()
    if folder not in _loaded:
        data = _read(os.path.join(DATA, "catalog.json"))
        _loaded[folder] = Catalog(data, _added(folder), os.path.join(DATA, "surface.json"))
    return _loaded[folder]


def forget() -> None:
    """Drop the loaded catalog, after a release was added or in tests."""
    _loaded.clear()
