"""What a finding offers to write, ready to show: edits with their places, or the reason why there are none."""

from __future__ import annotations

from typing import NamedTuple

from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Edit


class Placed(NamedTuple):
    """An edit of one file; offsets are of `file.source.text`."""

    file: File
    edit: Edit


class Offer(NamedTuple):
    """safety: safe, review or none (advice only: no edits). title: what the fix does, one line. edits: proved where the
    output offers them to apply. lines: the lines that would be written, for people. reason: why there are no edits."""

    safety: str
    title: str
    edits: list[Placed]
    lines: list[str]
    reason: str = ""
    needs: str = ""
