"""A run shared by several processes: same findings, same order as in one.

The files are cut into pieces in the order in which they are judged; each worker gives a light part for a piece, and the
parts are merged in order. What one piece would have had to know of another, that a command line names one of its
files, is seen in the parts; then the run is made again in one process, which is rare.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from typing import NamedTuple

from vllm_migrate.documents.text.secrets import known, remember
from vllm_migrate.report.findings import Detail
from vllm_migrate.run.dependencies import Dependencies
from vllm_migrate.run.judging import Part, Result, combine
from vllm_migrate.run.offers import Presenter, presenter_of
from vllm_migrate.run.progress import advanced
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options
from vllm_migrate.run.walk import Input

PIECES_PER_JOB = 6


class Share(NamedTuple):
    """What a worker gives for one piece of the files: its part, the stamps of what it looked at, secrets to hide."""

    part: Part
    stamps: tuple[tuple[str, str], ...]
    settled: bool
    secrets: tuple[str, ...]


def judge_shared(session: Session, detail: Detail, jobs: int) -> Result | None:
    """The result, with the files shared by `jobs` processes; None where one process has to judge them all."""
    order = session.in_order()
    naming = len(session.naming)
    parts: list[Part] = []
    forks = sys.platform == "linux"
    initial = (session.options, detail, session if forks else None)
    with multiprocessing.get_context("fork" if forks else "spawn").Pool(jobs, _start, initial) as pool:
        # First all that may name a configuration, which is then not judged by itself.
        for start, end in ((0, naming), (naming, len(order))):
            claimed = frozenset(path for part in parts for path in part.claimed)
            bounds = _pieces(start, end, jobs)
            for (_, last), piece in zip(
                bounds, pool.imap(_judge, [(*bound, claimed) for bound in bounds]), strict=True
            ):
                session.dependencies.add(piece.stamps, piece.settled)
                remember(piece.secrets)
                parts.append(piece.part)
                advanced(last, len(order))
    seen = {os.path.normpath(path) for part in parts for path in part.seen}
    return None if any(not seen.isdisjoint(part.claimed) for part in parts) else combine(parts)


def _pieces(start: int, end: int, jobs: int) -> list[tuple[int, int]]:
    """Bounds of pieces of a stretch of the files, several a process: some files take longer than others."""
    size = max(1, -(-(end - start) // (jobs * PIECES_PER_JOB)))
    return [(first, min(first + size, end)) for first in range(start, end, size)]


class _Worker(NamedTuple):
    """What a worker process keeps between its pieces."""

    session: Session
    presenter: Presenter
    order: list[Input]


_worker: _Worker | None = None  # in a worker process alone


def _start(options: Options, detail: Detail, session: Session | None) -> None:
    """Make this process a worker. session: the parent's, where it was inherited."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    session = session or Session(options)
    _worker = _Worker(session, presenter_of(session, detail), session.in_order())


def _judge(piece: tuple[int, int, frozenset[str]]) -> Share:
    """Judge a piece of the files: its bounds, and the files that pieces before it have named."""
    assert _worker is not None
    first, last, claimed = piece
    session = _worker.session
    session.dependencies = session.situations.dependencies = Dependencies()
    run = session.new_run(_worker.presenter)
    run.workspace.claimed.update(claimed)
    for entry in _worker.order[first:last]:
        session.judge(run, entry)
    stamps = session.dependencies
    return Share(run.part(), tuple(stamps.items()), stamps.settled, known())
