"""How much work one file may cause: steps that everything reading it spends together, so that no file can run away.

What is linear in the size of a file needs none. Whatever can go over the same text again and again (compositions,
interpolations, arrays of a script) spends a step for each piece; an engine and a finding cost hundreds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from vllm_migrate.documents.text.source import Unreadable

MAX_STEPS = 1_000_000  # about two seconds; the largest real projects need some thousands a file

CHARACTERS_A_STEP = 5  # of a text that is parsed once more

_LEFT: ContextVar[list[int] | None] = ContextVar("steps", default=None)


@contextmanager
def limited() -> Iterator[None]:
    """All that is read inside has MAX_STEPS together; inside another one, what that has left."""
    if _LEFT.get() is not None:
        yield
        return
    token = _LEFT.set([MAX_STEPS])
    try:
        yield
    finally:
        _LEFT.reset(token)


def spend(steps: int = 1) -> None:
    """Count steps. Raises Unreadable("too-much") where a file has none left."""
    left = _LEFT.get()
    if left is not None:
        left[0] -= steps
        if left[0] < 0:
            raise Unreadable("too-much", f"it takes more than {MAX_STEPS:,} steps to work out what is in it")
