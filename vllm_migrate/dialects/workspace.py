"""The files of one run: read once, parsed by kind, parents found beside their children. Nothing outside is executed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.dialects.composition import Compositions
from vllm_migrate.dialects.situation import Situate, Situation, everywhere
from vllm_migrate.dialects.tree import File, Inside
from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.documents.interface import DataDocument, Source, Unreadable, decode
from vllm_migrate.documents.kinds import kind_of

if TYPE_CHECKING:
    from vllm_migrate.dialects.discover import Discovery
    from vllm_migrate.documents.shell.document import ShellDocument

MAX_BYTES = 20_000_000


class Problem(NamedTuple):
    """A file that could not be analysed: `reason` is a stable slug, line and column count from 1 (0: unknown)."""

    path: str
    reason: str
    message: str
    line: int
    column: int


class Workspace:
    """Loads documents by path and remembers them.

    texts: what to read instead of the files at these normal paths; of others, what `under` has read is read no more.
    """

    def __init__(
        self,
        requested: list[str],
        texts: dict[str, str] | None = None,
        note: Callable[[str], None] | None = None,
        disk: Disk = DISK,
        under: Workspace | None = None,
        situate: Situate = everywhere(Situation()),  # noqa: B008 - an immutable tuple
    ) -> None:
        self.disk = disk
        self._situate = situate
        self._situations: dict[str, Situation] = {}
        self._note = note  # called with every path that is looked at, found or not
        self.requested = {os.path.normpath(path) for path in requested}
        self.texts = texts or {}
        self.problems: list[Problem] = []
        self.outside: list[str] = []  # what files name outside of the project, which is not read
        # Configuration files that a command line of this run names: judged with it, not by themselves.
        self.claimed: set[str] = set()
        self.discovered: dict[str, Discovery] = {}  # what is known to be in a file, by normal path
        self.composed: Compositions = Compositions(under.composed if under is not None else None, self.texts)
        self._under = under
        self._files: dict[str, File | None] = {}
        self._plain: dict[str, File | None] = {}

    def situation_of(self, file: File) -> Situation:
        """What is known of the engines of a file besides what is written for them."""
        whole = file.outermost
        found = self._situations.get(whole.path)
        if found is None:
            found = self._situations[whole.path] = self._situate(whole.path, whole.source.data)
        return found

    def read(self, path: str) -> bytes:
        """The bytes of a file. Raises Unreadable("vanished", "too-large", "unreadable")."""
        return bounded(self.disk.read(path, MAX_BYTES))

    def source(self, path: str) -> Source:
        text = self.texts.get(os.path.normpath(path))
        if text is not None:
            return Source(path, text.encode(), text, False, "\r\n" if "\r\n" in text else "\n")
        return decode(path, self.read(path))

    def load(self, path: str) -> File | None:
        """The parsed file; None when there is none or it cannot be analysed (then `problems` has the reason)."""
        key = os.path.normpath(path)
        if key in self._files:
            return self._files[key]
        known = self._known(key)
        if known is not None:
            return known
        self._files[key] = None
        if self._note is not None:
            self._note(path)
        if key not in self.texts and self.disk.outside(path):
            if self.disk.exists(path):
                self.outside.append(path)
        elif key in self.texts or self.disk.is_file(path):
            self._files[key] = self._parse(path, key)
        return self._files[key]

    def text(self, path: str) -> File | None:
        """A file of no kind of document, as text; None when there is none or it is not text."""
        key = os.path.normpath(path)
        if key not in self._plain:
            if self._note is not None:
                self._note(path)
            self._plain[key] = None
            if key in self.texts or (not self.disk.outside(path) and self.disk.is_file(path)):
                try:
                    self._plain[key] = File(self.source(path), None, key in self.requested)
                except Unreadable as error:
                    self.problems.append(Problem(path, error.reason, error.message, error.line, error.column))
        return self._plain[key]

    def beside(self, path: str, endings: tuple[str, ...]) -> list[str]:
        """The files with these endings in the folder of a file, in order; empty where the folder cannot be read."""
        folder = os.path.dirname(path)
        if self._note is not None:
            self._note(folder)
        try:
            names = sorted(self.disk.names(folder or os.curdir))
        except OSError:
            return []
        return [os.path.join(folder, name) for name in names if name.endswith(endings)]

    def _known(self, key: str) -> File | None:
        """What the workspace below, or one below that, has read of a file that stands as it did."""
        under = self._under
        if under is None or key in self.texts:
            return None
        return under._files[key] if key in under._files else under._known(key)

    def _parse(self, path: str, key: str) -> File | None:
        try:
            return self.adopt(self.source(path), key in self.requested)
        except Unreadable as error:
            self.problems.append(Problem(path, error.reason, error.message, error.line, error.column))
            return None

    def release(self, file: File) -> None:
        """Let a file's document go; whoever needs it again reads it again."""
        self._files.pop(os.path.normpath(file.path), None)
        if file.data is not None:
            file.data.forget()
        file.data = file.shell = None

    def take(self, path: str, data: bytes) -> tuple[File, bool]:
        """The File of an input whose bytes were read, and whether a child of it has loaded it before. Raises Unreadable."""
        known = self._files.get(os.path.normpath(path))
        if known is not None and known.source.data == data:
            return known, True
        return self.adopt(decode(path, data), True), False

    def read_only(self, path: str, data: bytes, why: str) -> File | None:
        """A script that bash refuses because of placeholders, or YAML in which a template fills in values, to read and never to
        write; None for any other file."""
        kind, source = kind_of(path), decode(path, data)
        document: DataDocument | ShellDocument | None = None
        if kind == "shell":
            from vllm_migrate.documents.shell.placeholders import parse_filled

            document = parse_filled(source)
        elif kind == "yaml":
            from vllm_migrate.documents.yaml.filled import parse_filled_yaml

            document = parse_filled_yaml(source)
        if document is None:
            return None
        file = File(source, document, True)
        file.inside = Inside(File.bare(source), 0, (), why, kind)
        return self.hold(file)

    def adopt(self, source: Source, requested: bool) -> File:
        """A File of a source already read. Raises Unreadable."""
        return self.hold(File(source, parse(source), requested))

    def hold(self, file: File) -> File:
        """Take a file that was read and parsed."""
        self._files[os.path.normpath(file.path)] = file
        return file


def bounded(data: bytes) -> bytes:
    """The data. Raises Unreadable("too-large")."""
    if len(data) > MAX_BYTES:
        raise Unreadable("too-large", f"larger than {MAX_BYTES // 1_000_000} MB")
    return data


def parse(source: Source) -> DataDocument | ShellDocument:
    """The document of a source, by its kind; the parser of a kind is imported when first needed."""
    kind = kind_of(source.path)
    if kind == "shell":
        from vllm_migrate.documents.shell.document import parse_shell

        return parse_shell(source)
    if kind == "toml":
        from vllm_migrate.documents.toml.document import parse_toml

        return parse_toml(source)
    if kind == "json":
        from vllm_migrate.documents.json.document import parse_json

        return parse_json(source)
    if kind == "python":
        from vllm_migrate.documents.python.document import parse_python_data

        return parse_python_data(source)
    if kind == "notebook":
        from vllm_migrate.documents.notebook.document import parse_notebook

        return parse_notebook(source)
    if kind == "dockerfile":
        from vllm_migrate.documents.dockerfile.document import parse_dockerfile

        return parse_dockerfile(source)
    from vllm_migrate.documents.yaml.document import parse_yaml

    return parse_yaml(source)
