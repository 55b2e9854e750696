"""Add one release to the shipped catalog and show what it changes: `python -m vllm_migrate.catalog.release NEW`.

NEW is an sdist, a wheel, a source tree, a python with vLLM, or, with an index URL (or PIP_INDEX_URL set), a version to
fetch. The releases that are there are taken from the data files and not read again; the result is the same, byte for
byte, as that of a rebuild from all sources.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from typing import Any

from vllm_migrate.catalog import added, build, details, diff, intervals, modules, names, sheets, store
from vllm_migrate.catalog.extract import modules as extract
from vllm_migrate.catalog.extract.modules import Names
from vllm_migrate.errors import UsageError, VllmMigrateError
from vllm_migrate.opening import read_bytes
from vllm_migrate.shipped import OWN_CATALOG

HOT, SURFACE, DETAILS = "catalog.json", "surface.json", "details.json"
FILES = (HOT, SURFACE, DETAILS, modules.FILE, names.FILE, *(sheets.file_of(name) for name in sheets.NAMES))


class Shipped:
    """The data files as they were before they were merged: per release its sections, documentation and origin."""

    def __init__(self, folder: str) -> None:
        catalog, surface, details = (_read(folder, name) for name in (HOT, SURFACE, DETAILS))
        self.releases: list[str] = list(catalog["releases"])
        count = len(self.releases)
        hot, cold = (_unmerged(data["sections"], data["facts"], count) for data in (catalog, surface))
        self.plain = [{**one, **other} for one, other in zip(hot, cold, strict=True)]
        self.details = _unmerged(details["sections"], details["texts"], count)
        self.sheets: list[dict[str, intervals.Sections]] = [{} for _ in self.releases]
        for sheet in sheets.NAMES:
            data = _read(folder, sheets.file_of(sheet))
            for one, sections in zip(self.sheets, _unmerged(data["sections"], data["facts"], count), strict=True):
                one[sheet] = sections
        self.names = names.unmerged(_read(folder, names.FILE))
        self.origins: dict[str, dict[str, Any]] = details["origins"]

    def put(self, release: str, read: build.Read, importable: Names, origin: dict[str, Any]) -> None:
        """Take a release in, in the order of versions; one of that name is replaced."""
        from packaging.version import Version

        if release in self.releases:
            at = self.releases.index(release)
            self.plain[at], self.details[at] = read.plain, read.details
            self.sheets[at], self.names[at] = read.sheets, importable
        else:
            at = sum(Version(known) < Version(release) for known in self.releases)
            self.releases.insert(at, release)
            self.plain.insert(at, read.plain)
            self.details.insert(at, read.details)
            self.sheets.insert(at, read.sheets)
            self.names.insert(at, importable)
        self.origins[release] = {**origin, "tree_sha256": read.digest}

    def write(self, folder: str) -> None:
        origins = {release: self.origins[release] for release in self.releases if release in self.origins}
        build.write(folder, self.releases, self.plain, self.details, origins)
        build.write_sheets(folder, self.releases, self.sheets)
        build.write_modules(folder, self.releases, self.names)


def _read(folder: str, name: str) -> Any:
    return json.loads(read_bytes(os.path.join(folder, name)))


def _unmerged(sections: dict[str, Any], pool: list[Any], count: int) -> list[intervals.Sections]:
    """The inverse of intervals.merge: the sections of each of `count` releases."""
    out: list[intervals.Sections] = [{name: {} for name in sections} for _ in range(count)]
    for name, options in sections.items():
        for option, lives in options.items():
            for since, until, number in lives:
                for position in range(since, count if until < 0 else until):
                    out[position][name][option] = pool[number]
    return out


def add(new: str, release: str | None, folder: str, out: str, index_url: str | None = None) -> tuple[str, list[str]]:
    """Read a release and write the data files with it to `out`. Returns its name and what could not be followed.

    Raises UsageError when `new` is no source of vLLM and cannot be fetched.
    """
    with tempfile.TemporaryDirectory(prefix="vllm-migrate-") as scratch:
        source = _fetched(new, scratch, index_url) if index_url and not os.path.exists(new) else None
        source = source or added.locate(new, scratch)
        name = added.canonical(release or source.version, new)
        read = build.read_tree(source.root)
        importable = extract.names(source.root)
    shipped = Shipped(folder)
    shipped.put(name, read, importable, source.origin)
    shipped.write(out)
    return name, read.gaps


def _fetched(version: str, scratch: str, index_url: str) -> added.Source:
    from vllm_migrate.catalog import sources

    sources.fetch_all(index_url, scratch, [version], lambda line: print(line, file=sys.stderr))
    root = os.path.join(scratch, version)
    if not os.path.isdir(os.path.join(root, "vllm")):
        raise UsageError(f"{version} is neither a path nor a release of the index")
    return added.Source(root, version, _read(scratch, "origins.json").get(version, {}))


def changes(folder: str, release: str) -> str:
    """What the release changes against the one before it, as `vllm-migrate diff` says it."""
    catalog = store.Catalog(_read(folder, HOT), surface=os.path.join(folder, SURFACE))
    at = catalog.releases.index(release)
    if at == 0:
        return f"{release} is the first release of the catalog"
    details.load(catalog, folder)
    old = catalog.releases[at - 1]
    return diff.as_text(old, release, diff.diff(catalog, old, release))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m vllm_migrate.catalog.release", description=__doc__)
    parser.add_argument("new", metavar="NEW", help="an sdist, a wheel, a source tree, a python, or a version to fetch")
    parser.add_argument("--release", metavar="VERSION", help="the version to store it under")
    parser.add_argument("--index-url", default=os.environ.get("PIP_INDEX_URL"), help="package index to fetch from")
    parser.add_argument("--data", default=OWN_CATALOG, help="folder of the data files (default: the package's)")
    parser.add_argument("--out", help="folder to write to (default: that of --data)")
    options = parser.parse_args(argv)
    out = options.out or options.data
    try:
        name, gaps = add(options.new, options.release, options.data, out, options.index_url)
    except VllmMigrateError as error:
        print(f"error: {error.message}" + (f"\nhelp: {error.remedy}" if error.remedy else ""), file=sys.stderr)
        return 2
    print(changes(out, name))
    print(f"\nwrote {', '.join(FILES)} to {out}; next: the tests, docs/catalog.md, CHANGELOG.md")
    for gap in gaps:
        print(f"not followed: {gap}", file=sys.stderr)
    return 1 if gaps else 0


if __name__ == "__main__":
    sys.exit(main())
