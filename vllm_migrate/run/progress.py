"""How far a run is. Whoever wants to show it listens; otherwise nothing is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Gets how many of the run's files are done, and how many there are.
Listener = Callable[[int, int], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Calls the listener as files are done with, in this context."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def advanced(done: int, total: int) -> None:
    """Report that so many files of a run are done."""
    listener = _listener.get()
    if listener is not None:
        listener(done, total)
