"""`vllm-migrate dialects [ID]`: the frameworks that are recognised, or all about one; `dialects check FILE`: a file of one's own."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence

from vllm_migrate.cli.terminal import say
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.load import dialect_page, load, written
from vllm_migrate.knowledge.records import Dialect
from vllm_migrate.run.config import nearest


def run(call: Namespace) -> int:
    """Print the list, one dialect, or the results of examples; the exit code."""
    if call.ident == "check":
        return check(call.files or [])
    if call.files:
        raise UsageError(f"unexpected {call.files[0]}", "files go after `dialects check`")
    dialects = sorted(load().dialects, key=lambda dialect: dialect.id)
    if call.ident is None:
        if call.matrix:
            raise UsageError("--matrix goes with the name of one dialect")
        print_list(dialects, call.output_format)
        return 0
    chosen = next((dialect for dialect in dialects if dialect.id == call.ident), None)
    if chosen is None:
        raise UsageError(f"there is no dialect {call.ident!r}", nearest(call.ident, [d.id for d in dialects]))
    if call.matrix:
        print_matrix(chosen, call.output_format)
    elif call.output_format == "json":
        print(json.dumps(written("dialects", chosen.id), indent=2))
    else:
        print(page(chosen))
    return 0


def print_list(dialects: Sequence[Dialect], output_format: str) -> None:
    """One line per dialect."""
    if output_format == "json":
        rows = [{k: getattr(d, k) for k in ("id", "title", "carriers", "repository", "verified")} for d in dialects]
        print(json.dumps({"schema": 1, "dialects": rows}, indent=2))
        return
    width = max(len(dialect.id) for dialect in dialects)
    for dialect in dialects:
        kinds = ", ".join(dialect.carriers)
        say(f"{dialect.id.ljust(width)}  {kinds:12}  {dialect.title} ({dialect.repository})", cut=True)


def check(files: list[str]) -> int:
    """Print the result of every example in the files; the exit code is 1 if one fails."""
    from pathlib import Path

    from vllm_migrate.run.examples import check_dialects

    if not files:
        raise UsageError("dialects check: no file", "name the YAML files of your dialects")
    missing = next((name for name in files if not Path(name).is_file()), None)
    if missing is not None:
        raise UsageError(f"there is no file {missing}")
    failed = 0
    for found in check_dialects([Path(name) for name in files]):
        failed += bool(found.wrong)
        say(
            f"{'FAIL' if found.wrong else 'ok  '}  {found.dialect}: {found.title}{': ' * bool(found.wrong)}{found.wrong}"
        )
    return 1 if failed else 0


def print_matrix(dialect: Dialect, output_format: str) -> None:
    """Releases of the framework against releases of vLLM. Raises UsageError where no framework of that dialect asks for any."""
    from vllm_migrate.catalog.store import load as load_catalog
    from vllm_migrate.migrate.demands import matrix

    releases = load_catalog().releases
    rows = matrix(dialect, releases)
    if not rows:
        raise UsageError(f"{dialect.id} does not say which vLLM its releases run with")
    if output_format == "json":
        print(json.dumps({"schema": 1, "dialect": dialect.id, "matrix": [row._asdict() for row in rows]}, indent=2))
        return
    named = dialect.framework or dialect.id
    print(f"{named}: the releases of vLLM, of {releases[0]} to {releases[-1]}, that its own requirement allows")
    width = max(len(row.framework) for row in rows)
    wide = max(len(row.requires) for row in rows)
    for row in rows:
        taken = row.releases
        span = "none of them" if not taken else taken[0] if len(taken) == 1 else f"{taken[0]} to {taken[-1]}"
        say(
            f"  {row.framework.ljust(width)}  {row.requires.ljust(wide)}  {span}{' (pinned: tested by its lock)' * row.pinned}"
        )


def page(dialect: Dialect) -> str:
    """All about one dialect, for people."""
    told = dialect_page(dialect.id)
    out = [f"{dialect.id}: {dialect.title}", "", told.about.strip(), ""]
    out.append(f"repository: {dialect.repository} (verified: {dialect.verified})")
    out.extend(f"engine: {engine.role} at {engine.root or 'the top'}" for engine in dialect.engines)
    for pin in dialect.pins:
        out.append(f"cannot be set: {pin.say}" if pin.say else f"a setting is written as: {pin.key}")
    if dialect.upgrade:
        out.append(f"upgrade: {dialect.upgrade.strip()}")
    for entry in told.evidence:
        out.append(f"evidence: {entry.release or entry.commit} {entry.file} {entry.symbol}".rstrip())
    return "\n".join(out)
