"""What a run would work with: its input files, and its settings, each with where it comes from."""

from __future__ import annotations

import json

from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options

RELEASES = {"from": "source", "to": "target"}
LISTS = {"select": "select", "ignore": "ignore", "extend-select": "extend_select", "exclude": "exclude"}
VALUES = {"from-engine": "from_engine", "gpu": "gpu", "model-config": "model_config", "baseline": "baseline"}


def input_files(options: Options) -> list[str]:
    """The files that a run reads, in its order. Raises UsageError."""
    return [entry.path for entry in Session(options).inputs]


def settings(options: Options) -> list[str]:
    """The settings that decide, one a line, as the configuration spells them: value, then where it was set. Raises UsageError."""
    session = Session(options)
    found, config = session.settings, session.settings.config
    out = [f"configuration: {config.path or 'none'}", f"root: {found.root}", f"paths: {_shown(session.paths)}"]
    for key, field in RELEASES.items():
        decided = found.source if field == "source" else found.target
        out.append(_line(key, decided[0], decided[1]) if decided else f"{key}: decided for each project")
    for key, field in (*LISTS.items(), *VALUES.items()):
        called, written = getattr(options, field), config.texts(key) if key in LISTS else config.text(key)
        value = [*(written or ()), *called] if key == "exclude" else called or written
        if value:
            out.append(_line(key, value, f"--{key}" if called else config.where(key)))
    for key in ("severity", "per-file-ignores"):
        table = config.severity if key == "severity" else config.per_file_ignores
        if table:
            out.append(_line(key, table, config.path))
    out.append(_line("fail-on", found.fail_on, _where(options.fail_on, config.text("fail-on"), config.path)))
    if found.fail_on_checklist:
        out.append("fail-on-checklist: true")
    return out


def _where(called: str | None, written: str | None, path: str) -> str:
    return "--fail-on" if called else path if written else "the default"


def _line(key: str, value: object, where: str) -> str:
    return f"{key}: {_shown(value)}  # {where}"


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
