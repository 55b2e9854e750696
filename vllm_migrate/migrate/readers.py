"""Code of a project that reads a setting by its key and has no other value for it: it stops once a fix drops that key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vllm_migrate.dialects.model import Written
from vllm_migrate.dialects.workspace import MAX_BYTES
from vllm_migrate.documents.disk import Disk
from vllm_migrate.documents.interface import Source, Unreadable, decode
from vllm_migrate.rules.finding import Firing


class Reader(NamedTuple):
    """A line that reads `key`, and the place that no longer has it."""

    path: str
    line: int
    key: str
    dropped: str


def readers(findings: Iterable[Firing], paths: Iterable[str], disk: Disk) -> Iterator[tuple[Firing, Reader]]:
    """Every place in Python files among `paths` that reads a key that a fix of `findings` drops or renames, with each of those
    findings."""
    dropped: dict[str, list[tuple[Firing, str]]] = {}
    for finding, key, place in _dropped(findings):
        dropped.setdefault(key, []).append((finding, place))
    if not dropped:
        return
    keys = "|".join(map(re.escape, dropped))
    reads = re.compile(rf"""\[\s*(?P<quote>["'])(?P<key>{keys})(?P=quote)\s*\](?!\s*=[^=])""")
    for path in paths:
        source = source_of(path, disk) if path.endswith(".py") else None
        if source is None:
            continue
        for found in reads.finditer(source.text):
            line, key = source.position(found.start()).line, found["key"]
            for finding, place in dropped[key]:
                if os.path.normpath(path) != os.path.normpath(place.rpartition(":")[0]):
                    yield finding, Reader(path, line, key, place)


def _dropped(findings: Iterable[Firing]) -> Iterator[tuple[Firing, str, str]]:
    """Each finding whose fix makes a key go, with that key and the place it stands at; a plain word (`task`) may mean anything
    in a program."""
    for finding in findings:
        for action in finding.fix.actions if finding.fix is not None else ():
            written = action.written
            if action.kind not in ("drop", "respell") or not isinstance(written, Written):
                continue
            key, spot = written.key.rpartition(".")[2].lstrip("-"), written.spot
            gone = action.kind == "drop" or action.option != written.option
            if gone and re.search(r"[-_]", key) and written.words is None:
                yield finding, key, f"{spot.file.path}:{spot.file.source.position(spot.start).line}"


def source_of(path: str, disk: Disk) -> Source | None:
    """A program's text; None where it cannot be read."""
    try:
        return decode(path, disk.read(path, MAX_BYTES))
    except Unreadable:
        return None
