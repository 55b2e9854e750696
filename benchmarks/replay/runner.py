"""Runs arms, as many at a time as there are cores for."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.replay.arms import Arm
from benchmarks.replay.gates import Ran
from benchmarks.replay.loop import opened


class Task(NamedTuple):
    """An arm to run: each seed for so many optimizer steps, one after the other on one engine."""

    arm: Arm
    seeds: Sequence[int]
    steps: int


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def run_all(
    tasks: Sequence[Task], trainer_python: str, folder: Path, jobs: int, watch: Callable[[str], None]
) -> dict[str, Ran]:
    """What became of each task, by the name of its arm. Raises WorkerError; tasks not yet begun are then left."""
    free: queue.SimpleQueue[int] = queue.SimpleQueue()
    for core in (cores() * jobs)[:jobs]:
        free.put(core)

    def one(task: Task) -> Ran:
        core = free.get()
        try:
            with opened(task.arm, trainer_python, folder, core) as session:
                runs = [session.run(seed, task.steps, watch) for seed in task.seeds]
                assert session.started is not None
                return Ran(task.arm, session.started, runs)
        finally:
            free.put(core)

    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(one, task) for task in tasks]
        try:
            found = [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()
    return {ran.arm.name: ran for ran in found}
