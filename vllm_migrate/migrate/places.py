"""Where a project says which vLLM it installs, and whether that text can be replaced by another release."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.specifiers import fits, parse_version
from vllm_migrate.documents.disk import Disk
from vllm_migrate.documents.interface import Source, Unreadable, decode
from vllm_migrate.run.pins import DECLARED, LOCK, LONGEST, NOTED, REQUIREMENT, VLLM, Pin
from vllm_migrate.run.versions import CONDA, MAX_NOTEBOOK, find_releases, own_pins

HARDWARE = frozenset(("rocm", "amd", "npu", "ascend", "xpu", "hpu", "gaudi", "tpu", "neuron", "cpu", "arm", "metal"))
PLAIN = re.compile(r"\d+(?:\.\d+)+(?:\.post\d+)?")
_REQUIREMENT = re.compile(
    r"vllm\s*(?:\[[^\]\n]*\])?\s*\(?\s*(?:={1,3})\s*[\"']?(?P<release>[^\s\"',;#\\)]+)", re.IGNORECASE
)
_ENTRY = re.compile(
    r"\s*\"?vllm\"?\s*=\s*(?:\{[^}\n]*?version\s*=\s*)?[\"']\s*(?:={2,3}\s*)?(?P<release>[^\s\"',]+)", re.IGNORECASE
)
_IMAGE = re.compile(r"vllm/vllm-openai(?P<variant>[\w-]*):[\"']?v?(?P<release>[^\s\"',;#\\]+)", re.IGNORECASE)
_TAG = re.compile(r"[ \t-]*(?:tag|newTag):[ \t]*[\"']?v?(?P<release>[^\s\"'#]+)")
_INDEX = re.compile(
    r"(?:^|\s)(?:(?P<long>--extra-index-url|--index-url|--find-links)[ =]|(?P<short>-i|-f) ?https?://)", re.MULTILINE
)
# Another index for every install of a file, in the environment or in a table.
_INDEXED = re.compile(
    r"\b(?:PIP|UV)_(?:(?:EXTRA_|DEFAULT_)?INDEX(?:_URL)?|FIND_LINKS)(?=[ =])|^\s*(?:(?:extra-)?index-url|find-links)(?=\s*=)",
    re.MULTILINE,
)
_INDEX_TABLE = re.compile(r"^\[\[tool\.(?:uv\.index|poetry\.source)\]\](?P<rest>(?:\n(?!\s*\[).*)*)", re.MULTILINE)
_ASKED = re.compile(
    r"\bexplicit\s*=\s*true|\bpriority\s*=\s*[\"']explicit|//pypi\.org/"
)  # an index for what names it alone
_DIGEST = re.compile(r"[ \t-]*digest:[ \t]*[\"']?sha256")
_SOURCED = re.compile(r"^\s*vllm\s*=\s*[\[{][^\n]*\b(index|git|url|path)\s*=", re.MULTILINE)
_VARIABLE = re.compile(r"[:=]v?[\"']*(?:[${%]|$)")
_NUMBER = re.compile(r"[:=]v?(\d{1,9}(?:\.\d{1,9})+)(?!\d)[^\s\"',;]*")
_FLOW_TAG = re.compile(r"[^}\n]*?\b(?:tag|newTag):[ \t]*[\"']?v?(?P<release>[^\s,\"'}]+)")
_WORDS = re.compile(r"[a-z]+")
NEAR = (1, 2, 3, -1, -2)  # lines from the name of an image to its tag


class Place(NamedTuple):
    """A text that says which vLLM is installed.

    line: from 1; text: what stands there; start, end: its release in code points of the file's text; source: that file;
    release: "" where none is named. obstacle: why it is not replaced, "" where it can be; blocks: while it stays, the
    project cannot move.
    """

    source: Source
    line: int
    text: str
    release: str
    start: int = 0
    end: int = 0
    obstacle: str = ""
    blocks: bool = False

    @property
    def path(self) -> str:
        return self.source.path


class Found(NamedTuple):
    """pins: of every package that was asked for, locks left out, each once; locks: paths that lock vLLM; sources: by path.

    own: input files whose pins (images, installs) hold for the engines of that file alone.
    """

    pins: list[Pin]
    locks: list[str]
    sources: dict[str, Source]
    own: frozenset[str]


def find(paths: Iterable[str], packages: tuple[str, ...], disk: Disk) -> Found:
    """The pins that input files, the folders they lie in, and those above them up to the repository's root show."""
    pins: dict[tuple[str, int, str, str], Pin] = {}
    locks: dict[str, None] = {}
    files = list(paths)
    around = list(_in_folders(files, packages, disk))
    for pin in (*around, *_in_files(files, disk)):
        if pin.rank == LOCK:
            if pin.package == VLLM:
                locks.setdefault(os.path.normpath(pin.path))
        elif pin.rank != NOTED:
            pins.setdefault((os.path.normpath(pin.path), pin.line, pin.package, pin.text), pin)
    sources: dict[str, Source] = {}
    for pin in pins.values():
        pin.path = os.path.normpath(pin.path)
        if pin.path not in sources:
            try:
                sources[pin.path] = decode(pin.path, disk.read(pin.path, MAX_NOTEBOOK))
            except Unreadable:
                continue
    shared = {os.path.normpath(pin.path) for pin in around}
    own = {path for path in map(os.path.normpath, files) if path not in shared or is_service(path)}
    return Found([pin for pin in pins.values() if pin.path in sources], list(locks), sources, frozenset(own))


def from_here(path: str) -> str:
    """A path as pins are shown: relative to the working folder, and normal. Links below it stay as they are.

    The working folder may itself be named by way of a link (`cd link; migrate $PWD`)."""
    here, rest = os.path.realpath(os.curdir), ""
    above = os.path.abspath(path)
    while True:
        real = os.path.realpath(above)
        if here == real or here.startswith(os.path.join(real, "")):
            return os.path.normpath(os.path.join(os.path.relpath(real, here), rest))
        above, name = os.path.split(above)
        rest = os.path.join(name, rest) if rest else name


def is_service(path: str) -> bool:
    """Whether a file says which image its services run, rather than what is installed for others."""
    name = os.path.basename(path).lower()
    return name.endswith((".yaml", ".yml")) and name not in CONDA and not name.startswith("kustomization")


def _in_folders(files: list[str], packages: tuple[str, ...], disk: Disk) -> Iterator[Pin]:
    seen: set[str] = set()
    home = os.path.expanduser("~")
    for path in files:
        folder = os.path.dirname(os.path.abspath(path))
        while folder not in seen and folder != home:
            seen.add(folder)
            yield from find_releases(os.path.relpath(folder), None, packages, disk)
            if disk.exists(os.path.join(folder, ".git")) or os.path.dirname(folder) == folder:
                break
            folder = os.path.dirname(folder)


def _in_files(files: list[str], disk: Disk) -> Iterator[Pin]:
    for path in files:
        try:
            data = disk.read(path, MAX_NOTEBOOK)
        except Unreadable:
            continue
        if VLLM.encode() in data.lower():
            yield from own_pins(path, data, every=not path.endswith(".ipynb"))


def place_of(pin: Pin, source: Source, target: str, catalog: Catalog, alone: bool = False) -> Place | None:
    """What a pin of vLLM is for a move to `target`; None where it already names that release, or a later one.

    alone: nothing but builds for other hardware is installed there."""
    place = Place(source, pin.line, pin.text.strip(), pin.version)
    if hardware := _hardware(pin):
        obstacle = f"for other hardware ({hardware}): its builds are released separately from vLLM's"
        return place._replace(obstacle=obstacle, blocks=alone)
    if pin.bounds:
        return _ranged(place, pin.bounds, target)
    if not pin.exact:
        return _open(place, pin, target)
    if pin.version == target or (catalog.knows(pin.version) and catalog.ordinal(pin.version) > catalog.ordinal(target)):
        return None
    return _located(place, pin)


def _open(place: Place, pin: Pin, target: str) -> Place | None:
    """The place of a pin that names no final release; None where it names a later one than `target`."""
    if "://" in pin.text:
        return _blocked(place, _unlike(pin))
    if _VARIABLE.search(pin.text):
        return _blocked(place, "a variable holds the release")
    number = _NUMBER.search(pin.text)
    if number is None:
        return place._replace(obstacle=f"names no release; it has to contain {target}")
    later = parse_version(number[1]) > parse_version(target)
    return None if later else _blocked(place, _not_plain(number[0].lstrip(":=")))


def is_for_hardware(pin: Pin) -> bool:
    """Whether a pin is of a build that is released separately from vLLM's own."""
    return bool(_hardware(pin))


def _hardware(pin: Pin) -> str:
    words = {*_WORDS.findall(os.path.basename(pin.path).lower()), *_WORDS.findall(pin.text.lower())}
    return ", ".join(sorted(words & HARDWARE))


def _ranged(place: Place, bounds: str, target: str) -> Place:
    try:
        allowed = fits(target, bounds)
    except ValueError:
        allowed = False
    if allowed:
        return place._replace(
            release="", obstacle=f"allows {target} and others: only `=={target}` decides what is installed"
        )
    return place._replace(
        release="", obstacle=f"does not allow {target}: write `=={target}`, or a range that includes it", blocks=True
    )


def _located(place: Place, pin: Pin) -> Place:
    """The place with the span of its release, or with what keeps it from being replaced."""
    text = place.source.text
    begin = _line_start(text, pin.line)
    at = max(begin, _offset(place.source, pin.at))
    name = os.path.basename(pin.path).lower()
    if ":" not in pin.text and pin.text.lower().startswith("vllm/vllm-openai"):
        found = _FLOW_TAG.match(text, at) or _near(_TAG, place.source, pin.line)
    else:
        entry = _ENTRY.match(text, begin) if name.endswith(".toml") else None
        found = entry or _IMAGE.match(text, at) or _REQUIREMENT.match(text, at)
    if found is None:
        return _blocked(place, _unlike(pin))
    written = found["release"]
    start = found.start("release")
    line = place.source.position(start).line
    place = place._replace(start=start, end=start + len(written), line=line)
    obstacle = _obstacle(written, pin) or _around(place, pin, name)
    if "variant" in found.re.groupindex and found["variant"]:
        obstacle = f"not the vllm-openai image ({found['variant'].strip('-')}): check that it exists for the target"
    return _blocked(place, obstacle) if obstacle else place


def _blocked(place: Place, obstacle: str) -> Place:
    return place._replace(obstacle=obstacle, blocks=True)


def _near(key: re.Pattern[str], source: Source, line: int) -> re.Match[str] | None:
    """What stands beside the name of an image: its tag, its digest."""
    for distance in NEAR:
        found = key.match(source.text, _line_start(source.text, line + distance)) if line + distance > 0 else None
        if found is not None:
            return found
    return None


def _not_plain(written: str) -> str:
    shown = written if len(written) <= LONGEST else f"{written[:LONGEST]}..."
    return f"{shown} is not a plain release"


def _unlike(pin: Pin) -> str:
    """Why a pin that is no plain one is not replaced."""
    if pin.text.lower().startswith("vllm0."):
        return "a different image has the release in its tag: use the one built with the target"
    if "@" in pin.text or "://" in pin.text:
        return "a URL decides what is installed"
    if "vllm-project" in pin.text:
        return "vLLM is built from a clone of its repository"
    return "not a plain pin" if not pin.path.endswith(".toml") else "its source is set elsewhere"


def _obstacle(written: str, pin: Pin) -> str:
    """What in the written release itself keeps it from being replaced."""
    if "$" in written or "{" in written:
        return "a variable holds the release"
    if "@" in written:
        return "a digest decides which image runs, whatever the tag says"
    if "+" in written:
        return f"a build label ({written.partition('+')[2]}) names a wheel that may not exist for the target"
    if not PLAIN.fullmatch(written):
        return _not_plain(written)
    return "" if written == pin.version else "a variable holds the release"


def _around(place: Place, pin: Pin, name: str) -> str:
    """What beside the release decides which build is installed."""
    if name.endswith(".ipynb"):
        return "it is in a notebook"
    text = place.source.text
    command = _logical_line(text, place.start)
    if "--hash" in command:
        return "hashes belong to the files of this release"
    if "vllm-openai" in pin.text:
        of_tag = ":" not in pin.text and _near(_DIGEST, place.source, pin.line)
        digest = "@sha256:" in text[place.end : place.end + 8] or of_tag
        return "a digest decides which image runs, whatever the tag says" if digest else ""
    if index := _INDEX.search(text if pin.rank == REQUIREMENT else command):
        return f"{index['long'] or index['short']} names a custom index, which may not have the target"
    tables = (table for table in _INDEX_TABLE.finditer(text) if not _ASKED.search(table["rest"]))
    if indexed := _INDEXED.search(text) or next(tables, None):
        return f"{indexed[0].strip().partition(chr(10))[0]} names a custom index, which may not have the target"
    if pin.rank == DECLARED and name not in CONDA and (sourced := _SOURCED.search(text)):
        return f"its {sourced[1]} is set separately (`{sourced[0].strip()} ...`)"
    return ""


def _logical_line(text: str, at: int) -> str:
    """The line with those that backslashes join to it."""
    start = text.rfind("\n", 0, at) + 1
    while start and text[:start].rstrip("\r\n").endswith("\\"):
        start = text.rfind("\n", 0, start - 1) + 1
    end = text.find("\n", at)
    while end >= 0 and text[:end].rstrip("\r").endswith("\\"):
        end = text.find("\n", end + 1)
    return text[start : end if end >= 0 else len(text)]


def _line_start(text: str, line: int) -> int:
    at = 0
    for _ in range(line - 1):
        at = text.find("\n", at) + 1
    return at


def _offset(source: Source, at: int) -> int:
    """Code points of the text before a byte offset of the file."""
    return len(source.data[3 * source.bom : at].decode("utf-8", "replace"))


def apart(places: list[Place]) -> list[Place]:
    """The places, with those of a file of requirements that names several releases blocked: which is installed is open."""
    several = {
        path
        for path in {place.path for place in places}
        if path.endswith((".txt", ".in", ".toml", ".cfg"))
        and len({place.release for place in places if place.path == path and place.release}) > 1
    }
    return [
        _blocked(place, "the file names several releases") if place.path in several and not place.obstacle else place
        for place in places
    ]
