"""The server: what the protocol asks, answered by the library."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls import uris
from pygls.lsp.server import LanguageServer

from vllm_migrate import __version__
from vllm_migrate.documents.kinds import kind_of
from vllm_migrate.errors import VllmMigrateError
from vllm_migrate.lsp import diagnostics, hover
from vllm_migrate.lsp.project import Document, Project

if TYPE_CHECKING:
    from vllm_migrate.report.finding import Region
    from vllm_migrate.run.complete import Completion
    from vllm_migrate.run.settings import Options

# Seconds without a change after which a text is judged.
PAUSE = 0.08
FIX_ALL = "source.fixAll.vllm-migrate"
KINDS = {
    "option": types.CompletionItemKind.Property,
    "value": types.CompletionItemKind.EnumMember,
    "group": types.CompletionItemKind.Module,
}
TRIGGERS = ["-", ".", "=", " ", '"', "'"]
# Files that are read without being open: parents, scripts, what tells the releases, the configuration.
WATCHED = ["**/*.{yaml,yml,toml,json,jsonc,sh,bash,slurm,sbatch,py,txt,cfg,lock}", "**/Dockerfile*"]


class Server(LanguageServer):
    """A language server with its project; `options` are those of the call, for every file."""

    def __init__(self, options: Options) -> None:
        super().__init__("vllm-migrate", __version__)
        self.options = options
        self._project: Project | None = None
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._complaint = ""

    @property
    def project(self) -> Project:
        if self._project is None:
            encoding = self.workspace.position_encoding or types.PositionEncodingKind.Utf16
            self._project = Project(self.options, str(getattr(encoding, "value", encoding)))
        return self._project

    def take(self, uri: str) -> Document | None:
        """A document as the client has it now; None for what is no file, or of no kind that is read as one text."""
        path = uris.to_fs_path(uri) if uri.startswith("file:") else None
        if path is None or kind_of(path) in ("", "notebook"):
            return None
        text = self.workspace.get_text_document(uri)
        known = self.project.documents.get(uri)
        if known is not None and known.version == text.version and known.text == text.source:
            return known
        return self.project.put(uri, path, text.source, text.version)

    def judge(self, document: Document) -> None:
        """Judge a document and publish what is found."""
        try:
            self.project.lint(document)
        except VllmMigrateError as error:
            document.findings = ()
            self.complain(error)
        else:
            self._complaint = ""
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(
                document.uri, diagnostics.diagnostics_of(self.project, document), document.version
            )
        )

    def complain(self, error: VllmMigrateError) -> None:
        """Say once what is wrong with a configuration."""
        text = f"{error.message} ({error.remedy})" if error.remedy else error.message
        if text != self._complaint:
            self._complaint = text
            self.window_show_message(types.ShowMessageParams(types.MessageType.Error, f"vllm-migrate: {text}"))

    def watch(self) -> None:
        """Ask the client to report changes on the disk, where it can be asked."""
        workspace = self.client_capabilities.workspace
        watching = workspace.did_change_watched_files if workspace else None
        if watching is None or not watching.dynamic_registration:
            return
        method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
        options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(glob) for glob in WATCHED])
        self.client_register_capability(
            types.RegistrationParams([types.Registration("watched-files", method, options)])
        )

    def judge_soon(self, uri: str) -> None:
        """Judge a document once its text rests, then those that read it."""
        waiting = self._waiting.pop(uri, None)
        if waiting is not None:
            waiting.cancel()
        self._waiting[uri] = asyncio.ensure_future(self._after_pause(uri))

    async def _after_pause(self, uri: str) -> None:
        await asyncio.sleep(PAUSE)
        self._waiting.pop(uri, None)
        document = self.take(uri) if uri in self.project.documents else None
        if document is None:
            return
        self.judge(document)
        for reader in self.project.readers(document.path):
            await asyncio.sleep(0)
            self.judge(reader)


def server(options: Options) -> Server:
    """A server with every feature."""
    made = Server(options)

    @made.feature(types.INITIALIZED)
    def initialized(ls: Server, _: types.InitializedParams) -> None:
        folders = list(ls.workspace.folders.values())
        root = uris.to_fs_path(folders[0].uri) if folders else ls.workspace.root_path
        if root and os.path.isdir(root):
            os.chdir(root)  # paths are shown relative to it, as on the command line
        ls.watch()

    @made.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(ls: Server, params: types.DidOpenTextDocumentParams) -> None:
        document = ls.take(params.text_document.uri)
        if document is not None:
            ls.judge(document)

    @made.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(ls: Server, params: types.DidChangeTextDocumentParams) -> None:
        if ls.take(params.text_document.uri) is not None:
            ls.judge_soon(params.text_document.uri)

    @made.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def saved(ls: Server, params: types.DidSaveTextDocumentParams) -> None:
        ls.judge_soon(params.text_document.uri)

    @made.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(ls: Server, params: types.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        ls.project.close(uri)
        ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    @made.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def watched(ls: Server, params: types.DidChangeWatchedFilesParams) -> None:
        changed = {os.path.realpath(uris.to_fs_path(event.uri) or "") for event in params.changes}
        appeared = any(event.type != types.FileChangeType.Changed for event in params.changes)
        for uri, document in list(ls.project.documents.items()):
            if appeared or not changed.isdisjoint(document.reads):
                ls.judge_soon(uri)

    @made.feature(types.TEXT_DOCUMENT_HOVER)
    def hovered(ls: Server, params: types.HoverParams) -> types.Hover | None:
        return _answer(ls, params.text_document.uri, lambda document: _hover(ls, document, params.position))

    @made.feature(types.TEXT_DOCUMENT_DEFINITION)
    def defined(ls: Server, params: types.DefinitionParams) -> list[types.Location] | None:
        return _answer(ls, params.text_document.uri, lambda document: _definition(ls, document, params.position))

    @made.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=TRIGGERS))
    def completed(ls: Server, params: types.CompletionParams) -> types.CompletionList | None:
        return _answer(ls, params.text_document.uri, lambda document: _completion(ls, document, params.position))

    kinds = [types.CodeActionKind.QuickFix, FIX_ALL]
    options_of_actions = types.CodeActionOptions(kinds, resolve_provider=True)

    @made.feature(types.TEXT_DOCUMENT_CODE_ACTION, options_of_actions)
    def acted(ls: Server, params: types.CodeActionParams) -> list[types.CodeAction] | None:
        return _answer(ls, params.text_document.uri, lambda document: _actions(ls, document, params))

    @made.feature(types.CODE_ACTION_RESOLVE)
    def resolved(ls: Server, action: types.CodeAction) -> types.CodeAction:
        if action.edit is None and isinstance(action.data, str):
            action.edit = _answer(
                ls, action.data, lambda document: diagnostics.workspace_edit(ls.project, ls.project.fix(document))
            )
        return action

    return made


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")


def _answer(ls: Server, uri: str, ask: Callable[[Document], T | None]) -> T | None:
    """The answer to a question about a document; None where there is none, or a configuration is wrong."""
    document = ls.take(uri)
    if document is None:
        return None
    try:
        return ask(document)
    except VllmMigrateError as error:
        ls.complain(error)
        return None


def _hover(ls: Server, document: Document, position: types.Position) -> types.Hover | None:
    lines = document.lines
    engines = ls.project.inspect(document).engines
    for engine in engines:
        for setting in reversed(engine.settings):  # keys inside a mapping come after it
            for region in (setting.region, setting.value):
                if region.path == document.path and region.line == region.end_line and lines.holds(region, position):
                    return _markdown(hover.setting_text(engine, setting), lines.range(setting.region))
    for engine in engines:
        if engine.region.path == document.path and lines.holds(engine.region, position):
            return _markdown(hover.engine_text(engine), lines.range(engine.region))
    return None


def _markdown(text: str, found: types.Range) -> types.Hover:
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text), found)


def _definition(ls: Server, document: Document, position: types.Position) -> list[types.Location] | None:
    """Where the thing at a position comes from: a link's target, the parents that set the same key, or all that they set."""
    lines, project = document.lines, ls.project
    inspection = project.inspect(document)
    regions: list[Region] = [link.target for link in inspection.links if lines.holds(link.region, position)]
    for engine in inspection.engines if not regions else ():
        for setting in engine.settings:
            if lines.holds(setting.region, position):
                regions += setting.parents or (setting.region,)
        if engine.region.path == document.path and lines.holds(engine.region, position):
            regions += [setting.region for setting in engine.inherited]
    found = dict.fromkeys(regions)
    return [
        diagnostics.location_of(project, region.path, project.lines_of(region.path).range(region)) for region in found
    ] or None


def _completion(ls: Server, document: Document, position: types.Position) -> types.CompletionList:
    found = ls.project.complete(document, document.lines.offset(position))
    items = [_item(document, number, each) for number, each in enumerate(found)]
    return types.CompletionList(False, items)


def _item(document: Document, number: int, each: Completion) -> types.CompletionItem:
    return types.CompletionItem(
        each.label,
        kind=KINDS[each.kind],
        detail=each.detail or None,
        documentation=each.doc or None,
        tags=[types.CompletionItemTag.Deprecated] if each.deprecated else None,
        filter_text=each.label,
        sort_text=f"{number:04}",
        text_edit=types.TextEdit(document.lines.range(each.region), each.text),
    )


def _actions(ls: Server, document: Document, params: types.CodeActionParams) -> list[types.CodeAction]:
    only = [str(getattr(kind, "value", kind)) for kind in params.context.only or ()]
    ls.project.prove(document)
    out: list[types.CodeAction] = []
    if _wants(only, "quickfix"):
        out += diagnostics.quick_fixes(ls.project, document, params.range)
    if _wants(only, FIX_ALL) and any(finding.safety == "safe" for finding in document.findings):
        out.append(types.CodeAction("Fix all: every safe fix of this file", FIX_ALL, data=document.uri))
    return out


def _wants(only: list[str], kind: str) -> bool:
    return not only or any(kind == each or kind.startswith(f"{each}.") for each in only)
