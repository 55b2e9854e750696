"""A configuration beside what runs: engines of its files, each compared with what the sources tell."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NamedTuple

from vllm_migrate.dialects.situation import SOURCE as OLDEST
from vllm_migrate.errors import UsageError
from vllm_migrate.opening import lines_of, opened_output
from vllm_migrate.rules.finding import Firing
from vllm_migrate.run.judging import JudgedEngine
from vllm_migrate.run.settings import Options
from vllm_migrate.verify import compare
from vllm_migrate.verify.engine import judged_at
from vllm_migrate.verify.model import PAUSE, Running, Verified
from vllm_migrate.verify.releases import known


class Sources(NamedTuple):
    """Where running engines are asked; target: the release where a source tells none."""

    server: str | None = None
    log: str | None = None
    run: str | None = None
    python: str | None = None
    record: str | None = None
    target: str | None = None


def verify(options: Options, sources: Sources, engine: str | None = None) -> list[Verified]:
    """Every source beside the engine of the files that it is of. engine: an id or a role, where the files have several.

    Raises UsageError.
    """
    if not any(sources[:5]):
        raise UsageError("nothing to compare with", "--server URL, --log FILE, --run DIR, --python PY or --record FILE")
    if sources.target:
        known(sources.target, "")
    found = []
    for running in _running(options, sources, engine):
        release = running.release or sources.target or ""
        judged, findings = judged_at(options, release, engine, running.where)
        why = f"{running.where} tells it" if running.release else "--to"
        found.append(_verified(judged, findings, running, why))
    return found


def _running(options: Options, sources: Sources, engine: str | None) -> Iterable[Running]:
    if sources.server:
        from vllm_migrate.verify import server

        yield server.running(sources.server, sources.target)
    if sources.log:
        yield _log(sources.log, sources.target)
    if sources.run:
        from vllm_migrate.verify import run

        yield from run.running(sources.run, sources.target, engine)
    if sources.record:
        from vllm_migrate.verify import record

        yield from record.running(sources.record, sources.target)
    if sources.python:
        yield _python(options, sources.python, sources.target, engine)


def _log(path: str, target: str | None) -> Running:
    from vllm_migrate.verify import log

    if path == "-":
        return log.running(sys.stdin, "standard input", target)
    try:
        with opened_output(path, wait=True) as stream:
            return log.running(lines_of(stream), path, target)
    except OSError as error:
        raise UsageError(f"--log: {path}: {error.strerror}", "a file, or - for standard input") from None


def _python(options: Options, command: str, target: str | None, engine: str | None) -> Running:
    from vllm_migrate.smoke.backends.vllm_worker import release_of
    from vllm_migrate.smoke.source import load_engine
    from vllm_migrate.verify import python
    from vllm_migrate.verify.releases import shown

    release = known(shown(release_of(command) or "", target) or target or "", f"{command} has no vLLM")
    spec = load_engine(options.paths[0], release, engine, source=options.source or OLDEST)
    args = spec.engine_args if spec.engine_args.get("model") else {}
    return python.running(command, args, spec.env, target)


def _verified(judged: JudgedEngine, findings: list[Firing], running: Running, why: str) -> Verified:
    return Verified(
        judged.engine.file.path,
        judged.engine.id,
        judged.target.release,
        why,
        f"{running.source} {running.where}",
        compare.settings(judged.target, running, findings),
        running.unknown,
        running.cleared,
        (*running.notes, PAUSE),
    )
