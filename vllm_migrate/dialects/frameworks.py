"""Which vLLM the releases of training frameworks run with, by the matrix of each dialect (`requires`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from vllm_migrate.dialects.situation import Known
from vllm_migrate.dialects.specifiers import fits, parse_version
from vllm_migrate.knowledge.records import Dialect


class Unfit(NamedTuple):
    """Why a framework does not run with a release of vLLM, and what is required instead, as the end of a sentence."""

    because: str
    instead: str

    @property
    def text(self) -> str:
        return self.because + self.instead


def of_frameworks(frameworks: Mapping[str, Known], dialects: Iterable[Dialect], target: str) -> list[Unfit]:
    """Releases of frameworks that do not run with the target, each once; nothing of one that is newer than its matrix."""
    found: dict[Unfit, None] = {}
    for dialect in dialects:
        release = frameworks.get(dialect.framework)
        if release is None or dialect.extends:
            continue
        spec = required(dialect, release.value)
        if spec and not fits_or(target, spec, True):
            because = _asks(f"{dialect.framework} {release.value}", f"vllm {spec}", release.because)
            found[Unfit(because, instead(dialect, target))] = None
    return list(found)


def _asks(framework: str, vllm: str, because: str) -> str:
    """Which vLLM a release of a framework runs with, and what shows that release."""
    place = because.removesuffix(" pins it")
    return (
        f"{place} pins {framework}, which runs with {vllm}"
        if place != because
        else f"{framework} runs with {vllm} ({because})"
    )


def required(dialect: Dialect, release: str) -> str:
    """The vLLM that a release of a dialect's framework asks for; "" where that is not known."""
    if all(parse_version(one) < parse_version(release) for one in dialect.requires):
        return ""
    return listed(dialect.requires, release)


def listed(requires: Mapping[str, str], release: str) -> str:
    """What a matrix says of a framework's release: its newest entry that is not newer; "" where all are."""
    known = [one for one in requires if parse_version(one) <= parse_version(release)]
    return requires[max(known, key=parse_version)] if known else ""


def instead(dialect: Dialect, target: str) -> str:
    """The release of the dialect's framework that the target needs, as the end of a sentence."""
    enough = [one for one, range_ in dialect.requires.items() if fits_or(target, range_, True)]
    if enough:
        return f"; needs {dialect.framework} >= {min(enough, key=parse_version)}"
    return f"; no known {dialect.framework} supports {target}"


def fits_or(version: str, specifier: str, otherwise: bool) -> bool:
    """Whether a version fits a specifier; `otherwise` where they cannot be compared."""
    try:
        return fits(version, specifier)
    except ValueError:
        return otherwise
