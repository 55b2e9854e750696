"""What the Python files around a file show: a client that trains on a server's logprobs, a word of the same package."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

from vllm_migrate.dialects.situation import Around, Known
from vllm_migrate.documents.disk import Disk
from vllm_migrate.documents.interface import Unreadable

MAX_BYTES, MAX_FILES, MAX_FOLDERS = 256_000, 60, 40
# A request over HTTP, what it asks for, and a step of an optimizer on a policy's loss.
_REQUEST = re.compile(rb"\bopenai\b|/v1/(?:chat/)?completions|\.completions\.create\(|/generate\b")
_LOGPROBS = re.compile(rb"""\b(?:prompt_|top_)?logprobs["']?\s*[=:]\s*(?:True|[1-9]|0\b)""")
_TRAINS = re.compile(rb"\.backward\(|\.train_step\(|\bforward_backward\(")
_POLICY = re.compile(rb"(?i)advantage|grpo|\bppo|rloo|reinforce|policy_loss|old_?log_?p|rollout")


class Neighbours:
    """Reads the Python files of folders, each once. note: remembers a path that is looked at."""

    def __init__(self, note: Callable[[str], None], disk: Disk) -> None:
        self._note = note
        self._disk = disk
        self._names: dict[str, list[str]] = {}
        self._clients: dict[str, tuple[str, str]] = {}
        self._said: dict[tuple[str, str], bool] = {}

    def client(self, folder: str) -> tuple[str, str]:
        """A file of the folder that asks for logprobs, and one that trains; "" where there is none."""
        if folder not in self._clients:
            asks = trains = ""
            for path, data in self._files(folder):
                if _LOGPROBS.search(data) and _REQUEST.search(data):
                    asks = asks or path
                if _TRAINS.search(data) and _POLICY.search(data):
                    trains = path if path == asks else trains or path
            self._clients[folder] = asks, trains
        return self._clients[folder]

    def says(self, folder: str, text: str) -> bool:
        """Whether a file of the folder, or of those below it, has a text."""
        key = (folder, text)
        if key not in self._said:
            wanted, waiting, seen = text.encode(), [folder], 0
            found = False
            while waiting and not found and seen < MAX_FOLDERS:
                here = waiting.pop(0)
                found = any(wanted in data for _, data in self._files(here))
                waiting += self.folders(here)
                seen += 1
            self._said[key] = found
        return self._said[key]

    def folders(self, folder: str) -> list[str]:
        """The folders right below one that may hold a program's files."""
        paths = [os.path.join(folder, name) for name in self._in(folder) if "." not in name]
        return [path for path in paths if self._disk.is_folder(path)]

    def _in(self, folder: str) -> list[str]:
        if folder not in self._names:
            self._note(folder)
            try:
                self._names[folder] = sorted(self._disk.names(folder))
            except OSError:
                self._names[folder] = []
        return self._names[folder]

    def _files(self, folder: str) -> Iterator[tuple[str, bytes]]:
        for name in [name for name in self._in(folder) if name.endswith(".py")][:MAX_FILES]:
            path = os.path.join(folder, name)
            self._note(path)
            try:
                yield path, self._disk.read(path, MAX_BYTES)
            except Unreadable:
                continue


class Near(Around):
    """The program around the files of a folder; root: its outermost folder; both absolute."""

    def __init__(self, neighbours: Neighbours, folder: str, root: str) -> None:
        self._neighbours = neighbours
        self._folder = folder
        self._root = root

    def client(self) -> Known | None:
        for folder in self._around():
            asks, trains = self._neighbours.client(folder)
            if asks and trains:
                also = " and trains" if asks == trains else f", and {os.path.relpath(trains)} trains"
                return Known("rl_rollout", f"{os.path.relpath(asks)} asks a server for logprobs{also}")
        return None

    def says(self, text: str) -> bool:
        up = self._folder if self._folder == self._root else os.path.dirname(self._folder)
        return self._neighbours.says(up, text)

    def _around(self) -> Iterator[str]:
        """The folder, those right below it, and those above it up to the root."""
        folder = self._folder
        yield folder
        yield from self._neighbours.folders(folder)
        while folder != self._root and os.path.dirname(folder) != folder:
            folder = os.path.dirname(folder)
            yield folder
