"""What the target demands of a project's other pins: the catalog's requirements, Python, and the framework's matrix."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from vllm_migrate.catalog.requires import Requires
from vllm_migrate.dialects.frameworks import fits_or, instead, required
from vllm_migrate.dialects.specifiers import fits, parse_version
from vllm_migrate.documents.interface import Source
from vllm_migrate.knowledge.records import Dialect
from vllm_migrate.migrate.groups import group_of
from vllm_migrate.run.pins import VLLM, Pin
from vllm_migrate.run.versions import is_aside

# Packages that work with one release of vLLM or of torch each, and what to do about a pin of one.
COMPANIONS = {
    "flash-attn": "built for one torch version: use the wheel for the target's torch, or drop it (vLLM has its own)",
    "flashinfer": "renamed to flashinfer-python: vLLM requires one exact release of it",
    "lmcache": "each release works with a range of vLLM releases: check its compatibility table",
    "nixl": "the KV connector: match it to the target's requirements for KV transfer",
    "vllm-ascend": "one release for each vLLM release: use the target's",
    "vllm-flash-attn": "vLLM has shipped its own since 0.6: drop it",
    "bitsandbytes": "vLLM requires a minimum release when it loads such a model",
    "deepspeed": "built for one torch version: check it with the target's torch",
    "apex": "built for one torch version: rebuild it",
    "transformer-engine": "built for one torch version: rebuild it",
}
FORK = "vllm-ascend"  # beside vLLM, in whose place it runs
_PYTHON = (
    re.compile(r"^\s*requires-python\s*=\s*[\"'](?P<spec>[^\"']+)", re.MULTILINE),
    re.compile(r"\bpython_requires\s*=\s*[\"']?(?P<spec>[<>=!~][^\"'\n#)]+)"),
    re.compile(r"^\s*-\s*python\s*(?P<spec>[=<>!~][^\s#]+)", re.MULTILINE),
    re.compile(r"^FROM\s+(?:\S+/)?python:(?P<spec>\d+\.\d+)", re.MULTILINE),
)
PYTHONS = tuple(f"3.{minor}{patch}" for minor in range(8, 16) for patch in ("", ".5"))


class Demand(NamedTuple):
    """A pin that the target contradicts, or (not `blocks`) that people have to match."""

    path: str
    line: int
    text: str
    blocks: bool


def packages(requires: Requires, target: str) -> tuple[str, ...]:
    """The packages whose pins matter to a move to `target`."""
    return tuple(dict.fromkeys((*requires.packages(target), *COMPANIONS)))


def contradictions(
    pins: Iterable[Pin], sources: Mapping[str, Source], requires: Requires, target: str
) -> Iterator[Demand]:
    """Pins of other packages that vLLM's own requirements exclude, and companions to match. sources: by path.

    What is installed for tests or other hardware, or only with an extra, excludes nothing unless vLLM is installed with it.
    """
    pins = list(pins)
    groups = {id(pin): group_of(pin.path, sources[pin.path].text, pin.line) for pin in pins}
    with_vllm = {(pin.path, groups[id(pin)]) for pin in pins if pin.package == VLLM}
    for pin in pins:
        group = groups[id(pin)]
        declared = requires.package(pin.package, target)
        specs = declared.specs() if declared is not None else []
        text = f"{pin.text.strip()}: "
        if pin.path.endswith(".toml") and _builds(sources[pin.path].text, pin.line):
            if pin.package == "torch" and specs and _excluded(pin, specs, requires, target):
                asked = " or ".join(sorted(set(specs)))
                said = f"build-system.requires has {pin.text.strip()}; vLLM {target} needs torch{asked}"
                yield Demand(pin.path, pin.line, said, False)
        elif pin.package != VLLM and specs and _excluded(pin, specs, requires, target):
            asked = " or ".join(sorted(set(specs)))
            blocks = (pin.path, group) in with_vllm or not (group or is_aside(pin.path))
            only = f"{pin.text.strip()}, only with {group}: " if group and not blocks else text
            yield Demand(pin.path, pin.line, f"{only}vLLM {target} requires {pin.package}{asked}", blocks)
        elif pin.package in COMPANIONS:
            yield Demand(pin.path, pin.line, text + COMPANIONS[pin.package], pin.package == FORK)


def _builds(text: str, line: int) -> bool:
    """Whether a line of a pyproject.toml lists what builds the project, which is installed apart from what runs."""
    heads = [each.strip() for each in text.split("\n")[:line] if each.startswith("[")]
    return bool(heads) and heads[-1].startswith("[build-system]")


def _excluded(pin: Pin, specs: list[str], requires: Requires, target: str) -> bool:
    if pin.exact:
        return requires.allows(pin.package, pin.version, target) is False
    return bool(pin.bounds) and len(set(specs)) == 1 and disjoint(pin.bounds, specs[0])


def disjoint(one: str, other: str) -> bool:
    """Whether no release fits both of two specifiers; False where they cannot be compared."""
    if not one or not other:
        return False
    ends = [clause.strip(" <>=!~").removesuffix(".*") for clause in f"{one},{other}".split(",")]
    try:
        return not any(
            fits(version, one) and fits(version, other) for end in ends for version in (end, f"{end}.1", f"{end}.post1")
        )
    except ValueError:
        return False


def of_python(sources: Iterable[Source], requires: Requires, target: str) -> Iterator[Demand]:
    """Files that ask for a Python that the target does not run on."""
    needed = requires.python(target)
    for source in sources:
        for pattern in _PYTHON if needed else ():
            for found in pattern.finditer(source.text):
                asked = _specifier(found["spec"])
                if not any(
                    fits_or(version, asked, True) and fits_or(version, needed or "", True) for version in PYTHONS
                ):
                    line = source.position(found.start("spec")).line
                    yield Demand(
                        source.path, line, f"Python {found['spec'].strip()}: vLLM {target} requires {needed}", True
                    )


def _specifier(text: str) -> str:
    """A specifier as PEP 440 has it: `=3.9` and `3.9` mean any of that series."""
    text = text.strip()
    if re.match(r"=[^=]", text) or text[:1].isdigit() or re.fullmatch(r"==\d+\.\d+", text):
        return f"=={'.'.join(text.lstrip('=').split('.')[:2])}.*"
    return text


def of_ranges(pins: Iterable[Pin], dialects: Iterable[Dialect], target: str) -> list[Demand]:
    """Ranges of frameworks that allow no release known to run with the target; one that allows newer releases decides nothing."""
    dialects = [dialect for dialect in dialects if dialect.requires and not dialect.extends]
    found: dict[Demand, None] = {}
    for pin in pins:
        for dialect in dialects:
            if dialect.framework != pin.package or not pin.bounds:
                continue
            ends = [clause.strip(" <>=!~").removesuffix(".*") for clause in pin.bounds.split(",")]
            allowed = [one for one in (*dialect.requires, *ends) if fits_or(one, pin.bounds, False)]
            asked = [spec for one in allowed if (spec := required(dialect, one))]
            if asked and not any(fits_or(target, spec, True) for spec in asked):
                newer = fits_or(f"{max(dialect.requires, key=parse_version)}.999", pin.bounds, True)
                text = f"{pin.text.strip()}: allows no known {pin.package} that runs with vLLM {target}"
                found[Demand(pin.path, pin.line, text + instead(dialect, target), not newer)] = None
    return list(found)


class Runs(NamedTuple):
    """A release of a framework, the vLLM that it asks for, and which of the catalog's releases that takes.

    pinned: it names exactly one, which is the one that its lock was tested with.
    """

    framework: str
    requires: str
    releases: tuple[str, ...]
    pinned: bool


def matrix(dialect: Dialect, releases: Iterable[str]) -> list[Runs]:
    """Releases of a dialect's framework against those of vLLM, oldest first; each holds until the next one listed."""
    known = tuple(releases)
    return [
        Runs(one, spec, tuple(release for release in known if fits_or(release, spec, True)), spec.startswith("=="))
        for one, spec in sorted(dialect.requires.items(), key=lambda item: parse_version(item[0]))
    ]
