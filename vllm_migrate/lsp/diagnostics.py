"""Findings as the protocol's diagnostics, and their fixes as code actions."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls import uris

from vllm_migrate.report.finding import CHECKLIST

if TYPE_CHECKING:
    from vllm_migrate.lsp.project import Document, Project
    from vllm_migrate.report.finding import Finding, TextEdit

SOURCE = "vllm-migrate"
SEVERITY = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "info": types.DiagnosticSeverity.Information,
}


def diagnostics_of(project: Project, document: Document) -> list[types.Diagnostic]:
    """What is published for a document."""
    return [_diagnostic(project, document, finding) for finding in document.findings]


def _diagnostic(project: Project, document: Document, finding: Finding) -> types.Diagnostic:
    own = finding.path == document.path
    texts = [finding.message if own else f"{finding.place}: {finding.message}"]
    texts += [text for text in (finding.why, finding.advice) if text]
    if finding.depends_on:
        texts.append("Depends on " + "; ".join(finding.depends_on))
    severity = types.DiagnosticSeverity.Hint if finding.kind == CHECKLIST else SEVERITY[finding.severity]
    return types.Diagnostic(
        range_of(document, finding),
        "\n".join(texts),
        severity,
        finding.code,
        source=SOURCE,
        related_information=None if own else [_elsewhere(project, finding)],
        data=finding.name,
    )


def range_of(document: Document, finding: Finding) -> types.Range:
    """Where a finding is shown in a document: its place, or for one in a parent the first line that holds anything."""
    if finding.path == document.path:
        found = document.lines.range(finding.region)
        return document.lines.whole_line(found.start.line) if found.start == found.end else found
    count = len(document.lines.starts)
    first = next((n for n in range(count) if document.lines.line(n).strip()[:1] not in ("", "#")), 0)
    return document.lines.whole_line(first)


def _elsewhere(project: Project, finding: Finding) -> types.DiagnosticRelatedInformation:
    location = location_of(project, finding.region.path, project.lines_of(finding.path).range(finding.region))
    return types.DiagnosticRelatedInformation(location, finding.message)


def location_of(project: Project, path: str, found: types.Range) -> types.Location:
    return types.Location(uri_of(project, path), found)


def uri_of(project: Project, path: str) -> str:
    """The URI of a file, as the client spells it where it is open."""
    for document in project.documents.values():
        if document.path == path:
            return document.uri
    return uris.from_fs_path(os.path.abspath(path)) or path


# -- code actions


def quick_fixes(project: Project, document: Document, wanted: types.Range) -> list[types.CodeAction]:
    """One action for each finding in a range whose edits are proved."""
    actions = []
    for diagnostic, finding in zip(diagnostics_of(project, document), document.findings, strict=True):
        fix = finding.fix
        if fix is None or not fix.edits or not _touch(diagnostic.range, wanted):
            continue
        review = "" if fix.safety == "safe" else " (needs review)"
        needs = f", needs vLLM {fix.needs}" if fix.needs else ""
        actions.append(
            types.CodeAction(
                f"{finding.code}: {fix.title}{needs}{review}",
                types.CodeActionKind.QuickFix,
                [diagnostic],
                is_preferred=fix.safety == "safe",
                edit=workspace_edit(project, fix.edits),
            )
        )
    return actions


def _touch(one: types.Range, other: types.Range) -> bool:
    def at(position: types.Position) -> tuple[int, int]:
        return position.line, position.character

    return at(one.start) <= at(other.end) and at(other.start) <= at(one.end)


def workspace_edit(project: Project, edits: Iterable[TextEdit]) -> types.WorkspaceEdit:
    """The edits by document, each for the text that it was made for."""
    by_path: dict[str, list[types.TextEdit]] = {}
    for edit in edits:
        path = edit.region.path
        found = project.lines_of(path).range(edit.region)
        by_path.setdefault(path, []).append(types.TextEdit(found, edit.text))
    return types.WorkspaceEdit({uri_of(project, path): changes for path, changes in by_path.items()})
