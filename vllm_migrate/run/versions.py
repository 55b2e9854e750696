"""What a project pins today: the releases of vLLM and of the training framework, and where they are written.

Read are locks, requirements, pyproject.toml, set-up files, Dockerfiles, and the scripts and YAML files that lie in the
project's root or in a folder that is named for it (docker/, requirements/; of scripts/ those that install): a bounded
number, of a bounded size.
"""

from __future__ import annotations

import os
import re

from vllm_migrate.dialects.specifiers import fits, parse_version
from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.documents.interface import Unreadable
from vllm_migrate.documents.kinds import kind_of
from vllm_migrate.run import pins as places
from vllm_migrate.run.pins import (
    FRAMEWORKS,
    IMAGE,
    LONGEST,
    PACKAGES,
    VLLM,
    Pin,
    PinnedText,
    command_pins,
    release_of,
    requirement_pins,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vllm_migrate.run.dependencies import Dependencies

SUBFOLDERS = ("docker", "dockerfile", "dockerfiles", "requirements", "scripts")
# Those in which scripts count that are named for what they install.
MIXED = ("", "scripts")
MAX_SCRIPTS = 24
MAX_FILES = 48
MAX_BYTES = 256_000
MAX_NOTEBOOK = 4_000_000  # what they show is in the file as well
MAX_LOCK_BYTES = 32_000_000
BLOCK = 32_768
TABLE_HEAD = 300
PYPROJECT = "pyproject.toml"
# What makes a folder above the PATHs a project.
MARKERS = (
    *("pyproject.toml", "uv.lock", "poetry.lock", "requirements.txt", "setup.py", "setup.cfg", "Dockerfile"),
    *("docker-compose.yml", "docker-compose.yaml", "compose.yaml", "environment.yml", ".git"),
)

LOCKS = ("uv", "poetry", "pdm")
SCRIPTS = (".yaml", ".yml", ".sh", ".bash", ".slurm", ".sbatch")
OWN = (*SCRIPTS, ".py", ".ipynb")
# How the names of scripts and services begin whose pins hold for the files beside them.
INSTALLING = (
    "install",
    "setup",
    "set_up",
    "set-up",
    "docker",
    "compose",
    "build",
    "bootstrap",
    "prepare",
    "env",
    "requirements",
    "kustomization",
)


def is_project(folder: str, dependencies: Dependencies | None, disk: Disk) -> bool:
    markers = [os.path.join(folder, marker) for marker in MARKERS]
    if dependencies is not None:
        for marker in markers:
            dependencies.note_presence(marker)
    return any(disk.exists(marker) for marker in markers)


def find_releases(
    root: str,
    dependencies: Dependencies | None = None,
    packages: tuple[str, ...] = PACKAGES,
    disk: Disk = DISK,
) -> list[Pin]:
    """Every pin in the project at `root`, the most trusted first. Files that cannot be read are passed over."""
    found: list[Pin] = []
    for path, rank in _candidates(root, dependencies, disk):
        if dependencies is not None:
            dependencies.note(path)
        if rank == places.LOCK:
            found.extend(_lock_pins(path, _blocks(path, disk), packages))
        elif data := contents(path, disk):
            found.extend(_pins(path, data, rank, packages))
    found.sort(key=lambda pin: (pin.rank, pin.path.count(os.sep), len(pin.path), pin.path, pin.line))
    return found


def own_pins(path: str, data: bytes, every: bool = False) -> list[Pin]:
    """The releases of vLLM that a file under judgement shows itself: the image of a service or container, a `pip install` in
    a job; of ranges and exact releases the exact ones alone. every: all of them, also what names no release."""
    notebook = path.endswith(".ipynb")
    own = os.path.splitext(path)[1].lower() in OWN or kind_of(path) == "dockerfile"
    if not own or len(data) > (MAX_NOTEBOOK if notebook else MAX_BYTES):
        return []
    if path.endswith(".py"):
        # In a program a release is named in messages and comments as well: only a requirement by itself installs one.
        found = requirement_pins(PinnedText(path, data, places.SCRIPT, (VLLM,)), quoted=True)
        return [pin for pin in found if pin.exact]
    found = [pin for pin in _pins(path, data, places.SCRIPT, (VLLM,)) if pin.rank != places.NOTED]
    if notebook:  # its text and outputs name releases, too
        lines = data.split(b"\n")
        found = [pin for pin in found if b"install" in lines[pin.line - 1] and b'"#' not in lines[pin.line - 1]]
    exact = [pin for pin in found if pin.exact]
    return found if every else exact or [pin for pin in found if pin.bounds]


def development(found: list[Pin]) -> Pin | None:
    """The lock's entry where it names a development version alone; None otherwise."""
    locked = [pin for pin in found if pin.package == VLLM and pin.rank == places.LOCK]
    return locked[0] if locked and not any(pin.exact for pin in locked) else None


def choose_source(found: list[Pin], bounds: Sequence[str] = ()) -> Pin | None:
    """The pin that says which vLLM runs today: the exact one in the most trusted place, of several there the newest, else a
    range of one minor.

    bounds: ranges that it has to fit. None when nothing says it, and when a lock names a development version.
    """
    mine = [pin for pin in found if pin.package == VLLM]
    if development(mine) is not None:
        return None
    declared = [pin for pin in mine if pin.bounds and pin.rank == places.DECLARED]
    exact = [
        pin
        for pin in mine
        if pin.exact
        and all(fits(pin.version, bound) for bound in bounds)
        # A range in the same file belongs to another extra: `vllm` and `vllm-latest` are alternatives.
        and all(fits(pin.version, other.bounds) for other in declared if other.path != pin.path)
    ]
    if exact:
        best = min(map(_trust, exact))
        return max((pin for pin in exact if _trust(pin) == best), key=lambda pin: parse_version(pin.version))
    return next((pin for pin in mine if pin.narrow), None)


def _trust(pin: Pin) -> tuple[bool, int, int]:
    """How far a place says what runs, the least first: files for tests and for other hardware say it last."""
    return is_aside(pin.path), pin.rank, pin.path.count(os.sep)


def is_aside(path: str) -> bool:
    """Whether a file says what is installed for tests, or on other hardware."""
    return not ASIDE.isdisjoint(_WORDS.findall(os.path.basename(path).lower()))


# Words in the names of files that say what runs for tests, or on hardware that CUDA wheels of vLLM do not run on.
ASIDE = frozenset(
    (
        "test",
        "tests",
        "dev",
        "docs",
        "ci",
        "lint",
        "rocm",
        "amd",
        "npu",
        "ascend",
        "xpu",
        "hpu",
        "gaudi",
        "tpu",
        "neuron",
        "cpu",
    )
)
_WORDS = re.compile(r"[a-z]+")


def choose_framework(found: list[Pin], framework: str) -> Pin | None:
    """The pin of a framework's release, chosen in the same way."""
    mine = [pin for pin in found if pin.package == framework]
    return next((pin for pin in mine if pin.exact), None) or next((pin for pin in mine if pin.narrow), None)


def notes(found: list[Pin]) -> list[str]:
    """What to say about the choice: places that disagree, ranges and development versions that decide nothing."""
    chosen = choose_source(found)
    out = []
    seen: set[str] = set()
    for pin in found:
        if pin.package != VLLM or pin is chosen or pin.version in seen:
            continue
        place = f"{pin.path}:{pin.line}"
        if pin.bounds:
            continue  # what it allows is a part of the choice
        if not pin.version:
            out.append(f"{place} asks for a version that is not a release ({pin.text})")
        elif not pin.exact:
            if chosen is None:
                out.append(f"{place} names no single release ({pin.text})")
            continue
        elif chosen is not None and pin.version != chosen.version and not _beside(pin, chosen):
            out.append(f"{place} pins {pin.version}, but {chosen.path}:{chosen.line} is used ({chosen.version})")
        seen.add(pin.version)
    return out


def _beside(pin: Pin, chosen: Pin) -> bool:
    """Whether two images (or scripts' installs) of one file say nothing of each other: each service runs its own."""
    return pin.path == chosen.path and min(pin.rank, chosen.rank) >= IMAGE


def misread(start: str, chosen: Pin | None, dependencies: Dependencies | None = None, disk: Disk = DISK) -> str:
    """A note on a pyproject.toml that is no TOML, where it decides the release or could have; "" without one.

    Pins are found without parsing, so that a sound file costs nothing. The parser (whose import is dear) is asked only
    when nothing that is trusted more names vLLM, and the file does.
    """
    if chosen is not None and os.path.basename(chosen.path) != PYPROJECT:
        return ""
    path = _nearest_pyproject(start, dependencies, disk) if chosen is None else chosen.path
    data = contents(path, disk) if path else b""
    if VLLM.encode() not in data.lower():
        return ""
    from vllm_migrate.run.config import toml_fault

    fault = toml_fault(path, data)
    return f"{fault}; the releases it names may be misread" if fault else ""


def _nearest_pyproject(start: str, dependencies: Dependencies | None, disk: Disk) -> str:
    """The pyproject.toml of a folder or of one above it, up to the repository's root; "" without one."""
    folder, home = os.path.abspath(start), os.path.expanduser("~")
    while True:
        path = os.path.join(folder, PYPROJECT)
        if dependencies is not None:
            dependencies.note(path)
        if disk.is_file(path):
            return os.path.relpath(path)
        parent = os.path.dirname(folder)
        if parent in (folder, home) or disk.exists(os.path.join(folder, ".git")):
            return ""
        folder = parent


def pins_in(path: str, data: bytes) -> list[Pin]:
    """The pins in one file of any kind that is looked at, as in `find_releases`."""
    rank = _rank(os.path.basename(path), os.path.basename(os.path.dirname(path)))
    if rank == places.LOCK:
        return _lock_pins(path, iter((data,)))
    return [] if rank is None else _pins(path, data, rank)


def _candidates(root: str, dependencies: Dependencies | None, disk: Disk) -> list[tuple[str, int]]:
    """Files worth reading, with the trust that each kind has."""
    out: list[tuple[str, int]] = []
    scripts = 0
    for folder in ("", *SUBFOLDERS):
        at = os.path.normpath(os.path.join(root, folder)) if folder else root
        if dependencies is not None:
            dependencies.note(at)
        try:
            names = sorted(disk.names(at))
        except OSError:
            continue
        for name in names:
            rank = _rank(name, folder)
            if rank is None or (rank == places.SCRIPT and folder in MIXED and not name.lower().startswith(INSTALLING)):
                continue
            if rank == places.SCRIPT:
                scripts += 1
                if scripts > MAX_SCRIPTS:
                    continue
            out.append((name if at == os.curdir else os.path.join(at, name), rank))
    # The best-trusted are kept when there are too many.
    return sorted(out, key=lambda item: item[1])[:MAX_FILES]


def _rank(name: str, folder: str) -> int | None:
    lower = name.lower()
    start, end = lower.partition(".")[0], os.path.splitext(lower)[1]
    if (end == ".lock" and start in LOCKS) or (start == "pylock" and end == ".toml"):
        return places.LOCK
    if end in (".txt", ".in") and (folder == "requirements" or "requirements" in lower or "constraints" in lower):
        return places.REQUIREMENT
    if (end == ".toml" and start in ("pyproject", "pixi")) or lower in ("setup.py", "setup.cfg", *CONDA):
        return places.DECLARED
    if kind_of(name) == "dockerfile":
        return places.INSTALL
    return places.SCRIPT if end in SCRIPTS else None


CONDA = ("environment.yml", "environment.yaml", "conda.yml", "conda.yaml")


def contents(path: str, disk: Disk) -> bytes:
    """The bytes of a file; none when it is too large, no file, or gone."""
    try:
        data = disk.read(path, MAX_BYTES)
    except Unreadable:
        return b""
    return data if len(data) <= MAX_BYTES else b""


def _pins(path: str, data: bytes, rank: int, packages: tuple[str, ...] = PACKAGES) -> list[Pin]:
    name = os.path.basename(path).lower()
    text = PinnedText(path, data, rank, packages)
    if rank == places.REQUIREMENT or name == "setup.cfg":
        return requirement_pins(text, quoted=False)
    if name in CONDA:
        return requirement_pins(text, quoted=False, conda=True)
    if rank == places.DECLARED:
        return requirement_pins(text, quoted=True, toml=name.endswith(".toml"))
    return command_pins(text) if VLLM.encode() in text.low else []


def _lock_pins(path: str, blocks: Iterator[bytes], packages: tuple[str, ...] = PACKAGES) -> list[Pin]:
    """Pins of a lock: tables that begin with `name` and `version`. A package may stand there twice, for two platforms.

    Read in small blocks: a lock can have megabytes, and touching that much fresh memory costs more than the search.
    """
    header = b'[[packages]]\nname = "' if os.path.basename(path).startswith("pylock") else b'[[package]]\nname = "'
    names = {package.encode(): package for package in packages}
    out, line, rest, last = [], 1, b"", False
    while not last:
        block = next(blocks, b"")
        last = not block
        data = rest + block
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        done = 0
        while (at := data.find(header, done)) >= 0 and (last or at + TABLE_HEAD <= len(data)):
            done = at + len(header)
            end = data.find(b'"\n', done, at + TABLE_HEAD)
            package = names.get(data[done:end].lower().replace(b"_", b"-"))
            if package is not None and data.startswith(b"version = ", end + 2):
                version = data[end + 12 :].partition(b"\n")[0].strip(b"\"' ").decode("utf-8", "replace")
                release, number = release_of(version), line + data.count(b"\n", 0, done) + 1
                out.append(
                    Pin(package, release, path, number, f"{package} {version[:LONGEST]}", places.LOCK, bool(release))
                )
        keep = at if at >= 0 else max(done, len(data) - len(header))
        line += data.count(b"\n", 0, keep)
        rest = data[keep:]
    return out


def _blocks(path: str, disk: Disk) -> Iterator[bytes]:
    try:
        with disk.stream(path) as stream:
            for _ in range(MAX_LOCK_BYTES // BLOCK):
                yield stream.read(BLOCK) or b""
    except OSError:
        return


__all__ = [
    "FRAMEWORKS",
    "Pin",
    "choose_framework",
    "choose_source",
    "find_releases",
    "misread",
    "notes",
    "pins_in",
]
