"""What was found out about running engines, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from vllm_migrate.verify.model import DIFFERS, NOT_TOLD, SAME, Setting, Verified


def as_json(found: Sequence[Verified]) -> dict[str, Any]:
    """The contract of `verify --output-format json`."""
    return {"schema": 1, "engines": [_engine(one) for one in found]}


def _engine(one: Verified) -> dict[str, Any]:
    return {
        "path": one.path,
        "id": one.id,
        "release": one.release,
        "source": one.source,
        "unknown_variables": list(one.unknown),
        "cache_cleared": one.cleared or NOT_TOLD,
        "notes": list(one.notes),
        "settings": [
            {**setting._asdict(), "confirms": list(setting.confirms), "refutes": list(setting.refutes)}
            for setting in one.settings
        ],
    }


def as_text(found: Sequence[Verified], everything: bool) -> Iterator[str]:
    """Lines: what differs, what the run settles, what it says of findings, and how much agrees or is not told."""
    for number, one in enumerate(found):
        if number:
            yield ""
        yield f"{one.path}  {one.id}: vLLM {one.release} ({one.release_why})"
        yield f"beside {one.source}"
        yield from _settings(one, everything)
        for name in one.unknown:
            yield f"  unknown variable  {name}: vLLM {one.release} does not know it, so it does nothing"
        cleared = {"yes": "yes", "no": "no: blocks were still in use"}.get(one.cleared, "not reported")
        yield f"  prefix cache cleared at the last update: {cleared}"
        for note in one.notes:
            yield f"  note: {note}"


def _settings(one: Verified, everything: bool) -> Iterator[str]:
    settled = [s for s in one.settings if s.open and s.verdict == SAME]
    same = [s for s in one.settings if s.verdict == SAME and not s.open]
    silent = [s for s in one.settings if s.verdict == NOT_TOLD]
    for setting in one.differing:
        yield f"  differs  {setting.option}: runs with {word(setting.running)}, the files have {word(setting.written)}"
        yield f"           files: {setting.origin}; run: {setting.source}{_codes(setting)}"
    for setting in settled:
        yield f"  settled  {setting.option} = {word(setting.running)}{_depends(setting)}{_codes(setting)}"
    for setting in same:
        if everything or setting.confirms or setting.refutes:
            yield f"  same     {setting.option} = {word(setting.running)} ({setting.origin}){_codes(setting)}"
    if everything and silent:
        yield f"  not reported {', '.join(s.option for s in silent)}"
    counts = f"{len(one.differing)} differ, {len(same) + len(settled)} agree, {len(silent)} not reported"
    yield f"  {counts}{'' if everything else ' (--all lists them)'}"


def _codes(setting: Setting) -> str:
    parts = [f"confirms {', '.join(setting.confirms)}"] * bool(setting.confirms)
    parts += [f"refutes {', '.join(setting.refutes)}"] * bool(setting.refutes)
    return f"  [{'; '.join(parts)}]" if parts else ""


def _depends(setting: Setting) -> str:
    return f" (the files left it open: {setting.depends_on})" if setting.depends_on else " (the files leave it unset)"


def word(value: object) -> str:
    """A value as a configuration would write it."""
    if value is None:
        return "unset"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def exit_code(found: Sequence[Verified]) -> int:
    """1 where a setting differs, else 0."""
    return int(any(setting.verdict == DIFFERS for one in found for setting in one.settings))
