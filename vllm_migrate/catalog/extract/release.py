"""One release: every section of what it accepts, from its source tree."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from vllm_migrate.catalog.extract import (
    carrier,
    cli,
    contract,
    environment,
    nested,
    options,
    refusals,
    requires,
    resolution,
    routes,
    startup,
    surface,
)
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.options import Section
from vllm_migrate.catalog.extract.source import SourceTree
from vllm_migrate.catalog.extract.values import ProgramError, Undecidable

T = TypeVar("T")
Sheet = dict[str, dict[str, dict[str, Any]]]


class Extracted:
    """What one source tree yields: sections of facts, those of the sheets, and what could not be followed."""

    __slots__ = ("details", "digest", "gaps", "sections", "sheets")

    def __init__(
        self,
        sections: dict[str, Section],
        details: dict[str, dict[str, Any]],
        sheets: dict[str, Sheet],
        gaps: list[str],
        digest: str,
    ) -> None:
        self.sections = sections
        self.details = details
        self.sheets = sheets
        self.gaps = gaps
        self.digest = digest


def extract(root: str, progress: Callable[[str], None] | None = None) -> Extracted:
    """Read the release whose package lies at `root`/vllm.

    Raises LookupError when the tree is no vLLM source (no vllm/engine/arg_utils.py).
    """
    tree = SourceTree(root)
    if tree.path_of("vllm.engine.arg_utils") is None:
        raise LookupError(f"no vllm/engine/arg_utils.py below {root}")
    it = Interpreter(tree)
    tell = progress or (lambda section: None)
    sections: dict[str, Section] = {}
    for name, read in _READERS.items():
        tell(name)
        sections[name] = _attempt(it, name, read, {})
    tell("cli")
    nothing: tuple[Section, Section] = ({}, {})
    sections["cli"], sections["frontend"] = _attempt(it, "cli", cli.sections, nothing)
    _document_engine(sections)
    tell("env")
    sections["env"] = _attempt(it, "env", environment.declared, {})
    sections["env_other"] = environment.elsewhere(it, sections["env"])
    tell("late")
    details: dict[str, dict[str, Any]] = {name: docs(section) for name, section in sections.items()}
    no_rules: resolution.Rules = {}
    details["late"] = dict(_attempt(it, "late", resolution.late, no_rules))
    details["class"] = dict(carrier.classes(it))
    details["carrier"] = dict(carrier.carrier(it))
    return Extracted(sections, details, _sheets(it, sections, tell), it.gaps, tree.digest())


def _sheets(it: Interpreter, sections: dict[str, Section], tell: Callable[[str], None]) -> dict[str, Sheet]:
    """What the files that are read on demand hold of this release."""
    readers: dict[str, Callable[[Interpreter], Sheet]] = {
        "contract": contract.contract,
        "requires": lambda one: requires.requires(one.tree.root),
        "refusals": refusals.refusals,
        "nested": lambda one: nested.nested(one, sections["cli"]),
        "startup": startup.startup,
    }
    found: dict[str, Sheet] = {}
    for name, read in readers.items():
        tell(name)
        found[name] = _attempt(it, name, read, {})
    return found


def _attempt(it: Interpreter, name: str, read: Callable[[Interpreter], T], empty: T) -> T:
    """What a reader finds; a source that has moved beyond it loses one section, and says so."""
    try:
        return read(it)
    except (LookupError, AssertionError, Undecidable, ProgramError, RecursionError) as error:
        it.gaps.append(f"section {name}: {error}")
        return empty


_READERS: dict[str, Callable[[Interpreter], Section]] = {
    "engine": options.engine,
    "llm": options.llm,
    "sampling": options.sampling,
    "config": options.config,
    "request": surface.requests,
    "route": routes.server,
    "api": surface.api,
}


def _document_engine(sections: dict[str, Section]) -> None:
    """Engine arguments are documented on their flags: take documentation and deprecation from there."""
    for section in (sections["cli"], sections["frontend"]):
        for name, flag in section.items():
            facts = sections["engine"].get(flag.get("dest") or name.lstrip("-").replace("-", "_"))
            if facts is not None:
                for key in ("doc", "deprecated"):
                    if key in flag:
                        facts.setdefault(key, flag[key])


def plain(section: Section) -> dict[str, dict[str, Any]]:
    """Facts without documentation."""
    return {name: {k: v for k, v in facts.items() if k != "doc"} for name, facts in section.items()}


def docs(section: Section) -> dict[str, str]:
    """Documentation alone, white space evened out."""
    return {name: tidy(str(facts["doc"])) for name, facts in section.items() if facts.get("doc")}


_TIP = "Should either be a valid JSON string or JSON keys passed individually."


def tidy(text: str) -> str:
    """One blank line between paragraphs, no argparse tips, no trailing space."""
    text = text.replace(_TIP, "")
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(re.sub(r"[ \t]*\n[ \t]*(?![*-])", " ", p.strip()) for p in paragraphs if p.strip())
