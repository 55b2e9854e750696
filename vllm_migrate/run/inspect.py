"""One file as an editor asks about it: every setting that is written in it, with its place, and what it leads to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.dialects.deliver import ABSENT, value_at
from vllm_migrate.dialects.inner import keys_of
from vllm_migrate.dialects.interpolate import absolute
from vllm_migrate.documents.interface import MAP, SCALAR, SEQ
from vllm_migrate.report.finding import EngineName, Region
from vllm_migrate.report.findings import region_at
from vllm_migrate.report.mask import mask
from vllm_migrate.resolve.table import SettingRow, row, rows
from vllm_migrate.run.effective import masked
from vllm_migrate.run.session import Session

if TYPE_CHECKING:
    from vllm_migrate.dialects.deliver import Diagnostic
    from vllm_migrate.dialects.model import Engine, Spot, Written
    from vllm_migrate.dialects.tree import File, Tree
    from vllm_migrate.documents.disk import Disk
    from vllm_migrate.documents.interface import Node
    from vllm_migrate.run.judging import JudgedEngine
    from vllm_migrate.run.settings import Options

INTERPOLATION = re.compile(r"\$\{(\.*[A-Za-z_][\w.]*)\}")
BECOMES = {
    "dropped": "dropped on the way to the engine",
    "dead": "read by nobody",
    "overridden": "overridden by the framework",
    "duplicate": "passed twice, which is an error",
    "ignored": "has no effect",
    "unknown": "no such option",
    "ambiguous": "ambiguous",
    "choice": "value not accepted",
    "value": "malformed value",
    "missing": "a value is missing",
    "lost": "dropped silently",
}
# A part of a path is looked for in a parent from this many keys on: a single key may be anybody's.
FEWEST_KEYS = 2


class WrittenSetting(NamedTuple):
    """One setting as a file writes it.

    key: as written; row: its option with the values at both releases, without secrets; region: of its key; value: of its
    value; remarks: what becomes of it where it does not arrive; parents: where files that this one builds on set it, too.
    """

    key: str
    row: SettingRow
    region: Region
    value: Region
    engine: EngineName
    remarks: tuple[str, ...] = ()
    parents: tuple[Region, ...] = ()

    @property
    def option(self) -> str:
        return self.row.option


class InspectedEngine(NamedTuple):
    """One engine of a file. region: its mapping's key or its command; inherited: settings that parents write for it; changed:
    what changes between the two releases, written or not."""

    name: EngineName
    region: Region
    releases: tuple[str, str]
    settings: tuple[WrittenSetting, ...]
    inherited: tuple[WrittenSetting, ...]
    changed: tuple[SettingRow, ...]


class Link(NamedTuple):
    """A text of the file that leads elsewhere: an interpolation, or the name of a parent."""

    region: Region
    target: Region


class Inspection(NamedTuple):
    """A file's engines with their settings, and its links."""

    engines: tuple[InspectedEngine, ...]
    links: tuple[Link, ...]


def inspect(path: str, options: Options, disk: Disk) -> Inspection:
    """Look at one file; what it builds on is read beside it. Raises UsageError where the options are wrong."""
    session = Session(options._replace(paths=(path,)), disk)
    judged = session.run(keep=True).judged
    links = dict.fromkeys(link for each in judged for link in _links(each.engine, path))
    return Inspection(tuple(_engine(each, path) for each in judged), tuple(links))


def _engine(judged: JudgedEngine, path: str) -> InspectedEngine:
    engine = judged.engine
    name = EngineName(mask(engine.id), engine.role, engine.name)
    found = list(_settings(judged, name))
    spot = engine.spot()
    return InspectedEngine(
        name,
        region_at(spot.file, spot.start, spot.end),
        (judged.source.release, judged.target.release),
        tuple(setting for setting in found if setting.region.path == path),
        tuple(setting for setting in found if setting.region.path != path),
        tuple(masked(each) for each in rows(judged.source, judged.target) if each.changed),
    )


def _settings(judged: JudgedEngine, name: EngineName) -> Iterator[WrittenSetting]:
    engine, target = judged.engine, judged.target
    source = judged.source
    for written in engine.options:
        option = target.delivery.named.get(written.number) or source.delivery.named.get(written.number)
        yield _setting(judged, name, written, option or written.option or written.key)
    for inner in keys_of(engine):
        outer = target.delivery.named.get(inner.outer.number) or inner.outer.option
        if outer and value_at(inner.outer.value, inner.path) is not ABSENT:
            yield _setting(judged, name, inner.written, f"{outer}.{'.'.join(inner.path)}")
    for option, fact in engine.facts.items():
        if fact.written is not None and option.startswith(("sampling.", "env.")):
            yield _setting(judged, name, fact.written, option)


def _setting(judged: JudgedEngine, name: EngineName, written: Written, option: str) -> WrittenSetting:
    views = (judged.source, judged.target)
    remarks = dict.fromkeys(
        f"{view.release}: {_remark(each)}"
        for view in views
        for each in view.delivery.diagnostics
        if each.written.spot == written.spot and each.written.key == written.key
    )
    return WrittenSetting(
        mask(written.key),
        masked(row(option, *views)),
        _region(written.spot),
        _region(written.value_spot),
        name,
        tuple(map(mask, remarks)),
        tuple(_parents(judged.engine, written)),
    )


def _remark(diagnostic: Diagnostic) -> str:
    """What becomes of a setting, in words; the diagnostic's own text where it is more than a name."""
    words = BECOMES[diagnostic.kind]
    return f"{words}: {diagnostic.text}" if " " in diagnostic.text else words


def _region(spot: Spot) -> Region:
    return region_at(spot.file, spot.start, spot.end)


# -- what leads elsewhere


def _parents(engine: Engine, written: Written) -> Iterator[Region]:
    """Where other files of the composition write the same key."""
    if written.tree is None:
        return
    place = written.tree.place
    for file in reversed(engine.files):
        if file is place.file or file.data is None:
            continue
        found = _same_key(file.data.roots, place.path)
        if found is not None:
            yield region_at(file, found[0], found[1])


def _same_key(roots: object, path: tuple[str | int, ...]) -> tuple[int, int] | None:
    """The span of the key that a path, or the end of one, leads to: parents stand below groups of their own."""
    nodes: list[Node] = list(roots) if isinstance(roots, list | tuple) else []
    for start in range(max(1, len(path) - FEWEST_KEYS + 1)):
        for root in nodes:
            holder = root.at(path[start:-1])
            if holder is not None and holder.kind == MAP:
                for key, key_start, key_end, _, merged in holder.keyed():
                    if key == path[-1] and not merged:
                        return key_start, key_end
    return None


def _links(engine: Engine, path: str) -> Iterator[Link]:
    own = next((file for file in engine.files if file.path == path and file.inside is None), None)
    if own is None:
        return
    text = own.source.text
    for match in INTERPOLATION.finditer(text):
        target = _leads_to(engine, own, match.start(), match[1])
        if target is not None:
            yield Link(region_at(own, *match.span()), target)
    for parent in engine.files:
        if parent.path == path:
            continue
        for start, end in _names(own, parent):
            yield Link(region_at(own, start, end), Region(parent.path, 1, 1, 1, 1))


def _leads_to(engine: Engine, file: File, at: int, name: str) -> Region | None:
    if engine.root is None:
        return None
    target = absolute(_path_at(engine.root, file, at) if name.startswith(".") else "", name)
    tree = engine.root.at(target) if target else None
    if tree is None:
        return None
    place = tree.place
    return region_at(place.file, place.key_start, place.key_end)


def _path_at(root: Tree, file: File, at: int) -> str:
    """The dotted path of the value that stands at an offset of a file; "" where there is none."""
    for path, tree in root.walk():
        for key, child in tree.children.items() if tree.is_map else ():
            place = child.place
            if place.file is file and place.node.kind == SCALAR and place.node.start <= at < place.node.end:
                return f"{path}.{key}" if path else key
    return ""


def _names(own: File, parent: File) -> Iterator[tuple[int, int]]:
    """Where a file names another one: in its list of defaults, or by its file name."""
    base = os.path.basename(parent.path)
    stem = os.path.splitext(base)[0]
    folder = os.path.basename(os.path.dirname(parent.path))
    defaults = own.data.root.get("defaults") if own.data is not None and own.data.root is not None else None
    if defaults is not None:
        for node, group in _entries(defaults):
            word = str(node.value).removesuffix(".yaml").rpartition("/")[2]
            if word == stem and group in ("", folder):
                yield node.start, node.end
    text = own.source.text
    at = text.find(base)
    while at >= 0:
        yield at, at + len(base)
        at = text.find(base, at + 1)


def _entries(defaults: Node) -> Iterator[tuple[Node, str]]:
    """The names in a list of defaults (or a single one), each with its group's last folder, "" for none."""
    for item in defaults.items if defaults.kind == SEQ else [defaults]:
        if item.kind == SCALAR:
            yield item, ""
        elif item.kind == MAP:
            for key, _, _, value, _ in item.keyed():
                if value.kind == SCALAR:
                    yield value, key.partition("@")[0].rpartition("/")[2].removeprefix("override ")
