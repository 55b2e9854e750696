"""Whether a program beside a server trains on the logprobs that it asks the server for."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

from vllm_migrate.dialects.situation import Known
from vllm_migrate.documents.disk import Disk
from vllm_migrate.documents.interface import Unreadable

MAX_BYTES, MAX_FILES = 256_000, 60
# A request over HTTP, what it asks for, and a step of an optimizer on a policy's loss.
_REQUEST = re.compile(rb"\bopenai\b|/v1/(?:chat/)?completions|\.completions\.create\(|/generate\b")
_LOGPROBS = re.compile(rb"""\b(?:prompt_|top_)?logprobs["']?\s*[=:]\s*(?:True|[1-9]|0\b)""")
_TRAINS = re.compile(rb"\.backward\(|\.train_step\(|\bforward_backward\(")
_POLICY = re.compile(rb"(?i)advantage|grpo|\bppo|rloo|reinforce|policy_loss|old_?log_?p|rollout")


class Clients:
    """Looks at the Python files around a server's file; each folder is read once. note: remembers a path that is looked at."""

    def __init__(self, note: Callable[[str], None], disk: Disk) -> None:
        self._note = note
        self._disk = disk
        self._folders: dict[str, tuple[str, str]] = {}

    def near(self, folder: str, root: str) -> Known | None:
        """The client that asks for logprobs where the same folder trains: in the folder, in those right below it, and in
        those above it up to the project's root; both absolute."""
        for each in self._around(folder, root):
            asks, trains = self._in(each)
            if asks and trains:
                also = " and trains" if asks == trains else f", and {os.path.relpath(trains)} trains"
                return Known("rl_rollout", f"{os.path.relpath(asks)} asks a server for logprobs{also}")
        return None

    def _around(self, folder: str, root: str) -> Iterator[str]:
        yield folder
        for name in self._names(folder):
            below = os.path.join(folder, name)
            if not name.startswith(".") and "." not in name and self._disk.is_folder(below):
                yield below
        while folder != root and os.path.dirname(folder) != folder:
            folder = os.path.dirname(folder)
            yield folder

    def _names(self, folder: str) -> list[str]:
        self._note(folder)
        try:
            return sorted(self._disk.names(folder))
        except OSError:
            return []

    def _in(self, folder: str) -> tuple[str, str]:
        """A file of the folder that asks for logprobs, and one that trains; "" where there is none."""
        if folder not in self._folders:
            asks = trains = ""
            for name in [name for name in self._names(folder) if name.endswith(".py")][:MAX_FILES]:
                path = os.path.join(folder, name)
                self._note(path)
                try:
                    data = self._disk.read(path, MAX_BYTES)
                except Unreadable:
                    continue
                if _LOGPROBS.search(data) and _REQUEST.search(data):
                    asks = asks or path
                if _TRAINS.search(data) and _POLICY.search(data):
                    trains = path if path == asks else trains or path
            self._folders[folder] = asks, trains
        return self._folders[folder]
