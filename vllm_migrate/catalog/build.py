"""Build the shipped catalog: `python -m vllm_migrate.catalog.build --sources DIR [--index-url URL]`.

DIR holds one folder per release with its `vllm/` package below, and `origins.json`, which says from which
artefact each was unpacked. With an index URL (or PIP_INDEX_URL set) missing releases are fetched first.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

from vllm_migrate.catalog import intervals, modules, names, sheets
from vllm_migrate.catalog.extract import modules as importable
from vllm_migrate.catalog.extract import release as reader
from vllm_migrate.catalog.extract.modules import Names
from vllm_migrate.catalog.store import HOT
from vllm_migrate.opening import opened_text
from vllm_migrate.shipped import OWN_CATALOG


def build(sources: str, releases: list[str], out: str, jobs: int = 1) -> list[str]:
    """Extract every release below `sources` and write the data files. Returns what could not be followed."""
    origins = _origins(sources)
    read: list[Read] = []
    every: list[Names] = []
    gaps: list[str] = []
    with ProcessPoolExecutor(jobs) as pool:
        begin = time.monotonic()
        for release, (one, found) in zip(
            releases, pool.map(_shipped, [os.path.join(sources, r) for r in releases]), strict=True
        ):
            read.append(one)
            every.append(found)
            gaps += [f"{release}: {gap}" for gap in one.gaps]
            print(f"{release} ({len(read)}/{len(releases)}, {time.monotonic() - begin:.0f} s)", file=sys.stderr)
    trees = {r: {**origins.get(r, {}), "tree_sha256": one.digest} for r, one in zip(releases, read, strict=True)}
    write(out, releases, [one.plain for one in read], [one.details for one in read], trees)
    write_sheets(out, releases, [one.sheets for one in read])
    write_modules(out, releases, every)
    return gaps


class Read(NamedTuple):
    """One release as it goes into the files."""

    plain: intervals.Sections
    details: intervals.Sections
    gaps: list[str]
    digest: str
    sheets: dict[str, intervals.Sections]


def read_tree(root: str, progress: Callable[[str], None] | None = None) -> Read:
    """Extract one source tree: facts, documentation with late resolution, and what the sheets hold."""
    found = reader.extract(root, progress)
    plain = {
        section: {name: intervals.shorten(facts) for name, facts in reader.plain(options).items()}
        for section, options in found.sections.items()
    }
    return Read(plain, found.details, found.gaps, found.digest, found.sheets)


def _shipped(root: str) -> tuple[Read, Names]:
    """A release of the shipped catalog: also what can be imported from it."""
    return read_tree(root), importable.names(root)


def _origins(sources: str) -> dict[str, dict[str, Any]]:
    path = os.path.join(sources, "origins.json")
    if not os.path.exists(path):
        return {}
    with opened_text(path) as stream:
        found: dict[str, dict[str, Any]] = json.load(stream)
    return found


def write(
    out: str,
    releases: list[str],
    plain: list[intervals.Sections],
    docs: list[intervals.Sections],
    origins: dict[str, dict[str, Any]],
) -> None:
    """Write catalog.json (what linting asks for), surface.json (the other sections) and details.json
    (documentation, late resolution, origins) below `out`."""
    halves = []
    for is_hot in (True, False):
        pool = intervals.Pool()
        half = [{s: options for s, options in one.items() if (s in HOT) is is_hot} for one in plain]
        halves.append((intervals.merge(half, pool), pool.values))
    bodies = "".join(intervals.dump({}, sections, "facts", facts) for sections, facts in halves)
    version = f"{releases[-1]}.{hashlib.sha256(bodies.encode()).hexdigest()[:8]}"
    head = {"schema": 1, "version": version, "releases": releases}
    for name, (sections, facts) in zip(("catalog.json", "surface.json"), halves, strict=True):
        _save(out, name, intervals.dump(head, sections, "facts", facts))
    texts = intervals.Pool()
    documentation = intervals.merge(docs, texts)
    head = {"schema": 1, "version": version, "origins": origins}
    _save(out, "details.json", intervals.dump(head, documentation, "texts", texts.values))


def write_sheets(out: str, releases: list[str], read: list[dict[str, intervals.Sections]]) -> None:
    """Write the files of `sheets.NAMES` below `out`."""
    for name in sheets.NAMES:
        pool = intervals.Pool()
        sections = intervals.merge([one.get(name, {}) for one in read], pool)
        head = {"schema": 1, "releases": releases}
        _save(out, sheets.file_of(name), intervals.dump(head, sections, "facts", pool.values))


def write_modules(out: str, releases: list[str], read: list[Names]) -> None:
    """Write names.json, and modules.json made of it, below `out`."""
    _save(out, names.FILE, names.dump(names.merged(releases, read)))
    _save(out, modules.FILE, json.dumps(modules.merged(releases, read), sort_keys=True, separators=(",", ":")) + "\n")


def _save(folder: str, name: str, text: str) -> None:
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "w", encoding="utf-8", newline="\n") as stream:
        stream.write(text)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m vllm_migrate.catalog.build", description=__doc__)
    parser.add_argument("--sources", required=True, help="folder with one unpacked source tree per release")
    parser.add_argument("--out", default=OWN_CATALOG, help="folder to write to (default: the package's data)")
    parser.add_argument("--release", action="append", help="only these releases (default: every folder)")
    parser.add_argument(
        "--index-url", default=os.environ.get("PIP_INDEX_URL"), help="package index to fetch missing releases from"
    )
    parser.add_argument("--jobs", type=int, default=1, help="source trees read at once (default: 1)")
    options = parser.parse_args(argv)
    from packaging.version import Version

    if options.index_url:
        from vllm_migrate.catalog.sources import fetch_all

        fetch_all(options.index_url, options.sources, options.release, lambda line: print(line, file=sys.stderr))
    found = options.release or [
        name for name in os.listdir(options.sources) if os.path.isdir(os.path.join(options.sources, name, "vllm"))
    ]
    gaps = build(options.sources, sorted(found, key=Version), options.out, options.jobs)
    for gap in gaps:
        print(f"not followed: {gap}", file=sys.stderr)
    return 1 if gaps else 0


if __name__ == "__main__":
    sys.exit(main())
