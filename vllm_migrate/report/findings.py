"""Makes findings for reports of what the rules found: places in numbers, texts without secrets, values as JSON holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.dialects.holders import holders
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.report.finding import EngineName, Finding, OfferedFix, Region, SourceLine, TextEdit
from vllm_migrate.report.mask import HIDDEN, is_secret, mask, mask_span, mask_value, secret_spans
from vllm_migrate.report.preview import preview

if TYPE_CHECKING:
    from vllm_migrate.dialects.model import Subject
    from vllm_migrate.dialects.tree import File
    from vllm_migrate.documents.interface import Edit
    from vllm_migrate.fixes.plan import Plan
    from vllm_migrate.rules.finding import Firing, Fix


class Detail(NamedTuple):
    """What an output shows of a finding; the rest is not made.

    edits: the edits, proved; preview: the fix as lines; source: the line it stands in.
    """

    edits: bool = True
    preview: bool = True
    source: bool = True


EVERYTHING = Detail()


def finding_of(fired: Firing, plan: Plan | None, detail: Detail = EVERYTHING) -> Finding:
    """The finding as reports have it. Its file is read here for the last time."""
    region, spot = region_of(fired), fired.spot
    known = known_secrets(fired, region.line)
    engine = fired.engine
    return Finding(
        fired.code,
        fired.name,
        fired.severity,
        fired.layer,
        mask(fired.message, known),
        region,
        (spot.file.source.on_file(spot.start), spot.file.source.on_file(spot.end)),
        mask(fired.why, known),
        mask(fired.advice, known),
        fired.option,
        fired.key,
        mask_value(_secret_key(fired), encodable(fired.old)),
        mask_value(_secret_key(fired), encodable(fired.new)),
        tuple(mask(reason, known) for reason in fired.depends_on),
        EngineName(mask(engine.id, known), engine.role, engine.name) if engine is not None else None,
        (),
        _fix(fired.fix, plan, known, detail) if fired.fix is not None and plan is not None else None,
        _source_line(fired, region) if detail.source else SourceLine("", 0, 0),
        fired.kind,
        *_of_project(engine),
        tuple(mask(name, known) for name in holders(engine)) if engine is not None else (),
    )


def _of_project(engine: Subject | None) -> tuple[str, tuple[str, str]]:
    """The project of an engine and its two releases; empty for a finding about a file."""
    if engine is None:
        return "", ("", "")
    situation = engine.situation
    return situation.project, (situation.source.value, situation.target.value)


def _fix(fix: Fix, plan: Plan, known: tuple[str, ...], detail: Detail) -> OfferedFix:
    offered = not plan.refused and fix.safety in ("safe", "review")
    edits = text_edits(plan) if offered and detail.edits else ()
    if any(mask(edit.text, known) != edit.text for edit in edits):
        edits = ()  # one that holds a secret could not be shown whole, and half a fix is none
    lines = preview(plan.edits) if offered and detail.preview else []
    return OfferedFix(
        fix.safety if offered else "none",
        mask(fix.title, known),
        mask(plan.reason, known),
        "" if plan.refused else fix.needs,
        edits,
        tuple((sign, mask(line, known)) for sign, line in lines),
        tuple((file.path, file.requested) for file in plan.edits),
        tuple((pin.path, pin.line, mask(pin.pin, known)) for pin in fix.conflicts) if offered else (),
        fix.cost,
        fix.drop_when,
    )


def text_edits(plan: Plan) -> tuple[TextEdit, ...]:
    """The edits of a plan, each with its place."""
    return tuple(_text_edit(file, edit) for file, edits in plan.edits.items() for edit in edits)


def _text_edit(file: File, edit: Edit) -> TextEdit:
    return TextEdit(region_at(file, edit.start, edit.end), edit.text, file.requested)


def _source_line(fired: Firing, region: Region) -> SourceLine:
    line = fired.spot.file.source.line(region.line)
    end = region.end_column - 1 if region.end_line == region.line else len(line)
    return SourceLine(*mask_span(line, region.column - 1, end))


def region_of(fired: Firing) -> Region:
    """Where a finding stands."""
    spot = fired.spot
    if is_unread(spot.file):
        # There is no text to count in: its spot is the line and column of the problem.
        line, column = max(1, spot.start), max(1, spot.end)
        return Region(spot.file.path, line, column, line, column)
    return region_at(spot.file, spot.start, spot.end)


def is_unread(file: File) -> bool:
    """Whether a file could not be read."""
    return file.data is None and file.shell is None and not file.source.data


def region_at(file: File, start: int, end: int) -> Region:
    """A span of a file, in lines and columns of the file on disk."""
    source = file.source
    return Region(file.path, *source.position(start), *source.position(end), source.cell(start))


def encodable(value: object) -> object:
    """A value as JSON can hold it: what the file or the source does not decide is {"expr": text}."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, dict):
        return {str(key): encodable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [encodable(inner) for inner in items]
    if isinstance(value, Unknown):
        return {"expr": value.text}
    return {"expr": str(value)}


def _secret_key(fired: Firing) -> str:
    """The name that decides whether the finding's values are secret: its key's, else its option's."""
    return fired.option if is_secret(fired.option) else fired.key


def known_secrets(fired: Firing, number: int) -> tuple[str, ...]:
    """Secrets that the finding's own texts may repeat: its values, and what is hidden on its source line (from 1)."""
    found: list[str] = []
    for value in (fired.old, fired.new):
        if isinstance(value, str) and mask_value(_secret_key(fired), value) == HIDDEN:
            found.append(value)
    source = fired.spot.file.source
    if source.text:
        line = source.line(number)
        found += [line[start:end].strip("\"'") for start, end in secret_spans(line)]
    if not found:
        return ()
    return tuple(sorted({value for value in found if len(value) > 3}, key=len, reverse=True))
