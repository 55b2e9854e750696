"""The scripts that a script runs: what they show of releases and GPUs holds for what it hands them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from vllm_migrate.documents.disk import Disk
from vllm_migrate.documents.kinds import kind_of
from vllm_migrate.run.dependencies import Dependencies
from vllm_migrate.run.versions import contents

# `bash "$HERE/train.sh" more`, `source env.sh`: the last part of the path is what is looked for beside the script.
_RUNS = re.compile(
    rb"^[ \t]*(?:exec[ \t]+)?(?:bash|sh|zsh|source|\.)[ \t]+(?:-\w+[ \t]+)*[\"']?(?:[^\s\"']*/)?([\w.-]+\.(?:sh|bash))\b",
    re.MULTILINE,
)
MAX_CALLED = 8
Called = Sequence[tuple[str, bytes]]  # paths and bytes


def called_scripts(path: str, data: bytes, dependencies: Dependencies, disk: Disk) -> Iterator[tuple[str, bytes]]:
    """The paths and the bytes of the scripts in the same folder that a script runs or sources, in order, then of those that
    these run; at most MAX_CALLED."""
    if kind_of(path) != "shell":
        return
    folder = os.path.dirname(path)
    waiting, seen = [data], {os.path.basename(path)}
    while waiting:
        for found in _RUNS.findall(waiting.pop(0)):
            name = found.decode("utf-8", "replace")
            if name in seen or len(seen) > MAX_CALLED:
                continue
            seen.add(name)
            other = os.path.join(folder, name)
            dependencies.note(other)
            if not disk.outside(other) and disk.is_file(other):
                text = contents(other, disk)
                waiting.append(text)
                yield other, text
