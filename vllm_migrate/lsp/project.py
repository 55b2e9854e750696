"""The open documents and what is known of each: what the library says of their texts, saved or not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from vllm_migrate.documents.disk import Unsaved
from vllm_migrate.library import run_complete, run_fix, run_inspect, run_lint
from vllm_migrate.lsp.positions import Lines
from vllm_migrate.opening import read_bytes
from vllm_migrate.report.findings import Detail

if TYPE_CHECKING:
    from vllm_migrate.report.finding import Finding, TextEdit
    from vllm_migrate.run.complete import Completion
    from vllm_migrate.run.inspect import Inspection
    from vllm_migrate.run.settings import Options

# While typing, edits are planned and not proved: that is for when they are asked for.
PLANNED = Detail(edits=False, preview=False, source=False)
PROVED = Detail(edits=True, preview=False, source=False)
UNRECOGNISED = "no-engine-recognised"


class Document:
    """One open document. path: relative to the working folder where it is below; version: the client's count of changes."""

    def __init__(self, uri: str, path: str, text: str, version: int | None, encoding: str) -> None:
        self.uri = uri
        self.path = path
        self.lines = Lines(text, encoding)
        self.version = version
        self.findings: tuple[Finding, ...] = ()
        self.reads: set[str] = set()
        self.proved = False
        self.inspection: Inspection | None = None

    @property
    def text(self) -> str:
        return self.lines.text


class Project:
    """All open documents. What is found for one is kept until its text, or one that was read for it, changes."""

    def __init__(self, options: Options, encoding: str) -> None:
        self.options = options
        self.encoding = encoding
        self.documents: dict[str, Document] = {}

    def put(self, uri: str, path: str, text: str, version: int | None) -> Document:
        """Take a document as it is now, opened or changed."""
        document = self.documents[uri] = Document(uri, shown(path), text, version, self.encoding)
        return document

    def close(self, uri: str) -> None:
        self.documents.pop(uri, None)

    def texts(self) -> Mapping[str, str]:
        return {document.path: document.text for document in self.documents.values()}

    def lint(self, document: Document, detail: Detail = PLANNED) -> None:
        """Find what there is to say of a document. Raises UsageError where a configuration is wrong."""
        disk = Unsaved(self.texts())
        report, _ = run_lint(self.options._replace(paths=(document.path,)), detail, 1, disk)
        word = "vllm" in document.text.lower()
        document.findings = tuple(f for f in report.findings if word or f.name != UNRECOGNISED)
        document.reads = disk.reads
        document.proved = detail.edits
        document.inspection = None

    def prove(self, document: Document) -> None:
        """Have the findings of a document with proved edits. Raises UsageError."""
        if not document.proved:
            inspection = document.inspection
            self.lint(document, PROVED)
            document.inspection = inspection

    def readers(self, path: str) -> list[Document]:
        """The other documents for which a file was read."""
        real = os.path.realpath(path)
        return [d for d in self.documents.values() if real in d.reads and os.path.realpath(d.path) != real]

    def inspect(self, document: Document) -> Inspection:
        """The settings of a document; looked for once as long as nothing changes. Raises UsageError."""
        if document.inspection is None:
            document.inspection = run_inspect(document.path, self.options, Unsaved(self.texts()))
        return document.inspection

    def fix(self, document: Document) -> tuple[TextEdit, ...]:
        """The edits of all safe fixes of a document, proved together. Raises UsageError."""
        plan = run_fix(self.options._replace(paths=(document.path,)), Unsaved(self.texts()))
        return plan.edits

    def complete(self, document: Document, offset: int) -> tuple[Completion, ...]:
        """What may stand at an offset of a document. Raises UsageError."""
        return run_complete(document.path, document.text, offset, self.options, self.texts())

    def lines_of(self, path: str) -> Lines:
        """The lines of any file, open or not; none of one that cannot be read."""
        for document in self.documents.values():
            if os.path.realpath(document.path) == os.path.realpath(path):
                return document.lines
        try:
            return Lines(read_bytes(path).decode("utf-8-sig"), self.encoding)
        except (OSError, ValueError):
            return Lines("", self.encoding)


def shown(path: str) -> str:
    """A path as findings have it: relative to the working folder where it is below it."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return path
    return path if relative.startswith(os.pardir) else relative
