"""The engine of the files that a source is compared with, at the release that runs."""

from __future__ import annotations

from collections.abc import Iterable

from vllm_migrate.catalog import store
from vllm_migrate.dialects.situation import SOURCE as OLDEST
from vllm_migrate.errors import UsageError
from vllm_migrate.rules.finding import Firing
from vllm_migrate.run.judging import JudgedEngine
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options
from vllm_migrate.verify.releases import known


def judged_at(options: Options, release: str, engine: str | None, where: str) -> tuple[JudgedEngine, list[Firing]]:
    """The engine of the files at a release, and the findings on it. Raises UsageError."""
    target = known(release, f"{where} does not show the release")
    catalog = store.load()
    source = options.source if options.source is not None and catalog.knows(options.source) else None
    if source is None or catalog.ordinal(source) > catalog.ordinal(target):
        source = min((OLDEST, target), key=catalog.ordinal)
    result = Session(options._replace(source=source, target=target)).run(keep=True)
    judged = chosen(options.paths, result.judged, engine)
    return judged, [one for one in result.findings if one.engine is judged.engine]


def chosen(paths: tuple[str, ...], judged: Iterable[JudgedEngine], engine: str | None, where: str = "") -> JudgedEngine:
    """The engine that a caller means: by id or role, the only one, or the only one that makes rollouts. Raises UsageError."""
    judged = list(judged)
    where = where or " ".join(paths)
    if not judged:
        raise UsageError(f"no vLLM engine was recognised in {where}", "`vllm-migrate dialects` lists the frameworks")
    names = list(dict.fromkeys(one.engine.id for one in judged))
    wanted = judged if engine is None else [one for one in judged if engine in (one.engine.id, one.engine.role)]
    if not wanted:
        raise UsageError(f"no engine {engine!r} in {where}", "--engine " + " or ".join(names))
    rollouts = [one for one in wanted if one.engine.role == "rl_rollout"]
    if len(wanted) > 1 and len(rollouts) != 1:
        raise UsageError(f"{where} has {len(names)} engines", "--engine " + " or ".join(names[:12]))
    return (rollouts if len(wanted) > 1 else wanted)[0]
