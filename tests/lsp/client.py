"""An editor for the tests: a real server in a process of its own, spoken to by the client of pygls."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls import uris
from pygls.lsp.client import LanguageClient

ROOT = Path(__file__).parents[2]
SECONDS = 60


class Editor:
    """A client with its documents. `text` is what the editor holds, saved or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.client = LanguageClient("tests", "1")
        self.published: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()
        self.messages: list[str] = []
        self.texts: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.encoding = "utf-16"

        def publish(params: types.PublishDiagnosticsParams) -> None:
            self.published.put_nowait(params)

        def show(params: types.ShowMessageParams) -> None:
            self.messages.append(params.message)

        self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(publish)
        self.watched: asyncio.Queue[str] = asyncio.Queue()

        def register(params: types.RegistrationParams) -> None:
            for each in params.registrations:
                options: Any = each.register_options  # of any shape in the protocol: it stays as it was sent
                for watcher in options["watchers"]:
                    self.watched.put_nowait(watcher["globPattern"])

        self.client.feature(types.WINDOW_SHOW_MESSAGE)(show)
        self.client.feature(types.CLIENT_REGISTER_CAPABILITY)(register)

    async def start(self, *arguments: str, encodings: tuple[str, ...] = ()) -> types.InitializeResult:
        await self.client.start_io(sys.executable, "-m", "vllm_migrate", "lsp", *arguments, cwd=str(self.folder))
        general = types.GeneralClientCapabilities(
            position_encodings=[types.PositionEncodingKind(each) for each in encodings] or None
        )
        watching = types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True)
        workspace = types.WorkspaceClientCapabilities(did_change_watched_files=watching)
        uri = uris.from_fs_path(str(self.folder)) or ""
        result = await self.client.initialize_async(
            types.InitializeParams(
                types.ClientCapabilities(general=general, workspace=workspace),
                root_uri=uri,
                workspace_folders=[types.WorkspaceFolder(uri, "tests")],
            )
        )
        self.client.initialized(types.InitializedParams())
        return result

    async def stop(self) -> None:
        await self.client.shutdown_async(None)
        self.client.exit(None)
        await self.client.stop()

    def uri(self, name: str) -> str:
        return uris.from_fs_path(str(self.folder / name)) or ""

    async def open(self, name: str, text: str | None = None) -> list[types.Diagnostic]:
        """Open a document, with another text than its file's where one is given; what is published for it."""
        self.texts[name] = (self.folder / name).read_bytes().decode() if text is None else text
        self.versions[name] = 1
        item = types.TextDocumentItem(self.uri(name), "any", 1, self.texts[name])
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return await self.diagnostics(name)

    async def change(self, name: str, text: str) -> list[types.Diagnostic]:
        """Type: the whole text, which the protocol allows; what is published then."""
        self.send(name, text)
        return await self.diagnostics(name)

    def send(self, name: str, text: str) -> None:
        self.versions[name] += 1
        self.texts[name] = text
        document = types.VersionedTextDocumentIdentifier(self.versions[name], self.uri(name))
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    def write(self, name: str, text: str) -> None:
        """Change a file on the disk, and report it as an editor does that was asked to watch it."""
        (self.folder / name).write_bytes(text.encode())
        event = types.FileEvent(self.uri(name), types.FileChangeType.Changed)
        self.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([event]))

    async def diagnostics(self, name: str) -> list[types.Diagnostic]:
        """What is published for the version that is open."""
        while True:
            params = await asyncio.wait_for(self.published.get(), SECONDS)
            if params.uri == self.uri(name) and params.version in (None, self.versions[name]):
                return list(params.diagnostics)

    def at(self, name: str, needle: str, shift: int = 0) -> types.Position:
        """The position of a text in a document, in UTF-16 units."""
        before = self.texts[name][: self.texts[name].index(needle) + shift]
        line = before.count("\n")
        return types.Position(line, len(before.rpartition("\n")[2].encode("utf-16-le")) // 2)

    async def hover(self, name: str, needle: str, shift: int = 1) -> str:
        params = types.HoverParams(types.TextDocumentIdentifier(self.uri(name)), self.at(name, needle, shift))
        found = await self.client.text_document_hover_async(params)
        return found.contents.value if found is not None and isinstance(found.contents, types.MarkupContent) else ""

    async def complete(self, name: str, position: types.Position) -> list[types.CompletionItem]:
        params = types.CompletionParams(types.TextDocumentIdentifier(self.uri(name)), position)
        found = await self.client.text_document_completion_async(params)
        return list(found.items) if isinstance(found, types.CompletionList) else []

    async def definition(self, name: str, needle: str) -> list[tuple[str, int]]:
        """File names and lines (from 1)."""
        params = types.DefinitionParams(types.TextDocumentIdentifier(self.uri(name)), self.at(name, needle, 1))
        found = await self.client.text_document_definition_async(params)
        places = [place for place in found if isinstance(place, types.Location)] if isinstance(found, list) else []
        return [(place.uri.rpartition("/")[2], place.range.start.line + 1) for place in places]

    async def actions(self, name: str, *only: str) -> list[types.CodeAction]:
        """Code actions for the whole document."""
        count = self.texts[name].count("\n") + 1
        params = types.CodeActionParams(
            types.TextDocumentIdentifier(self.uri(name)),
            types.Range(types.Position(0, 0), types.Position(count, 0)),
            types.CodeActionContext([], only=list(only) or None),
        )
        found = await self.client.text_document_code_action_async(params)
        return [each for each in found or () if isinstance(each, types.CodeAction)]

    async def resolved(self, action: types.CodeAction) -> types.CodeAction:
        return await self.client.code_action_resolve_async(action)

    def applied(self, edit: types.WorkspaceEdit | None, name: str) -> str:
        """The text of a document after an edit."""
        assert edit is not None
        edits = (edit.changes or {}).get(self.uri(name), [])
        return edited(self.texts[name], list(edits))


def edited(text: str, edits: list[types.TextEdit]) -> str:
    """A text after edits whose positions count UTF-16 units, those of one place in their order."""
    lines = text.splitlines(keepends=True) or [""]

    def offset(position: types.Position) -> int:
        before = sum(len(line) for line in lines[: position.line])
        if position.line >= len(lines):
            return before
        units = lines[position.line].encode("utf-16-le")[: 2 * position.character]
        return before + len(units.decode("utf-16-le"))

    parts, at = [], 0
    for edit in sorted(edits, key=lambda each: (offset(each.range.start), offset(each.range.end))):
        parts += [text[at : offset(edit.range.start)], edit.new_text]
        at = offset(edit.range.end)
    return "".join([*parts, text[at:]])


def run(folder: Path, files: Mapping[str, str], steps: Callable[[Editor], Awaitable[None]], *arguments: str) -> None:
    """Write files, start a server in their folder, take the steps, stop it."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())

    async def session() -> None:
        editor = Editor(folder)
        await editor.start(*arguments)
        try:
            await steps(editor)
        finally:
            await editor.stop()

    asyncio.run(asyncio.wait_for(session(), 2 * SECONDS))
