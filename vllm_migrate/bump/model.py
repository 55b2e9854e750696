"""Uses of vLLM's interfaces in a repository, each with its places."""

from __future__ import annotations

from typing import NamedTuple

# Kinds of use. An option's names are of a section of the catalog: engine, cli, llm, sampling, request.
IMPORT, ATTRIBUTE, CALL, SUBCLASS, PATCH, OPTION = "import", "attribute", "call", "subclass", "patch", "option"
VARIABLE, ROUTE, METRIC, FIELD = "variable", "route", "metric", "field"
EXTENSION = "worker extension"


class Place(NamedTuple):
    """A line of a file. guarded: it stands where a version is asked for, or a failure is caught."""

    path: str
    line: int
    guarded: bool = False

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


class Use(NamedTuple):
    """One use. name: dotted for Python's names, else as its section spells it; section: of an option; keywords,
    positional: what a call passes by name, and how many by place; more: it also passes what is not seen (`**kwargs`);
    methods: what a subclass defines."""

    kind: str
    name: str
    place: Place
    section: str = ""
    keywords: tuple[str, ...] = ()
    positional: int = 0
    more: bool = False
    methods: tuple[tuple[str, int], ...] = ()
