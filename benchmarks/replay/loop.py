"""The training loop of one run: rollouts from an engine, steps of a trainer, each a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.replay import task
from benchmarks.replay.arms import Arm

HERE = Path(__file__).parent
GROUPS_PER_STEP = 8
DEEP_EVERY = 5
TAIL = 25


class WorkerError(RuntimeError):
    """A worker died or answered what is no answer; the text ends with its last words."""


class Worker:
    """A process that answers a JSON line with a JSON line. Its other output goes to `log`."""

    def __init__(self, command: list[str], env: dict[str, str], log: Path) -> None:
        self.log = log
        self.name = log.stem
        with open(log, "w") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **env},
                start_new_session=True,
            )

    def ask(self, **command: Any) -> dict[str, Any]:
        """The answer to a command. Raises WorkerError."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise WorkerError(self._last_words()) from None
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next answer. Raises WorkerError."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        try:
            value = json.loads(line)
        except ValueError:
            raise WorkerError(self._last_words()) from None
        if not isinstance(value, dict):
            raise WorkerError(self._last_words())
        return value

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
        return f"{self.name} died ({self.log}):\n" + "\n".join(lines)

    def end(self) -> None:
        """Closes its input, and ends it where that does not."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            with suppress(BrokenPipeError):
                self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Run(NamedTuple):
    """One seed of one arm: its metrics by step, and a digest of all tokens and logprobs by step."""

    arm: str
    seed: int
    steps: list[dict[str, Any]]
    digests: list[str]
    wall_s: float


class Started(NamedTuple):
    """What an arm's engine says of itself when it is up."""

    vllm: str
    core: str
    reported: dict[str, Any]
    start_s: float


class Session:
    """An engine and a trainer, for the seeds of one arm one after the other. core: the CPU that V0 is bound to."""

    def __init__(self, arm: Arm, trainer_python: str, folder: Path, core: int) -> None:
        self.arm = arm
        self.folder = folder
        self.model = folder / f"{arm.name}-model"
        folder.mkdir(parents=True, exist_ok=True)
        env = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": ""}
        self.trainer = Worker([trainer_python, str(HERE / "trainer.py")], env, folder / f"{arm.name}-trainer.log")
        self.env = {**env, **(V0_ENV | {"VLLM_CPU_OMP_THREADS_BIND": str(core)} if arm.reading.core == "v0" else {})}
        self.engine: Worker | None = None
        self.started: Started | None = None

    def run(self, seed: int, steps: int, watch: Callable[[str], None]) -> Run:
        """A training run of `steps` optimizer steps. Raises WorkerError."""
        began = time.monotonic()
        temperature = self.arm.reading.sampling["temperature"]
        self.trainer.ask(do="start", seed=seed, loss=self.arm.loss, temperature=temperature, folder=str(self.model))
        engine = self._engine()
        feed = Feed(seed)
        in_flight = self.arm.job("")["groups_in_flight"]
        metrics, digests = [], []
        for step in range(steps):
            offer = feed.next(GROUPS_PER_STEP + (in_flight if step == 0 else 0))
            collected = engine.ask(do="collect", groups=GROUPS_PER_STEP, offer=offer)
            rows = feed.rows(collected["groups"])
            path = self.model / f"update-{step % 2}.safetensors"
            deep = step % DEEP_EVERY == 0 or step == steps - 1
            line = self.trainer.ask(do="step", rows=rows, deep=deep, path=str(path))["metrics"]
            engine.ask(do="update", path=str(path), version=step + 1)
            extra = {"cached": _mean([row["cached"] for row in rows]), "thrown_away": collected["thrown_away"]}
            spent = {"engine_steps": collected["steps"], "engine_cpu_s": collected["cpu_s"]}
            metrics.append({"step": step, **line, **extra, **spent})
            digests.append(digest(rows))
        wall = time.monotonic() - began
        last = metrics[-1]
        watch(f"{self.arm.name} seed {seed}: reward {last['reward']:.3f} clip {last['clip_rate']:.3f} {wall:.0f} s")
        return Run(self.arm.name, seed, metrics, digests, round(wall, 1))

    def _engine(self) -> Worker:
        """The engine with the trainer's first weights, started by the first run."""
        if self.engine is not None:
            self.engine.ask(do="restart", path=str(self.model / "model.safetensors"))
            return self.engine
        began = time.monotonic()
        job = self.folder / f"{self.arm.name}-job.json"
        job.write_text(json.dumps(self.arm.job(str(self.model)), indent=1), encoding="utf-8")
        command = [self.arm.python, str(HERE / "engine_worker.py"), str(job)]
        self.engine = Worker(command, self.env, self.folder / f"{self.arm.name}-engine.log")
        ready = self.engine.answer()
        took = round(time.monotonic() - began, 1)
        self.started = Started(ready["vllm"], ready["core"], ready["reported"], took)
        return self.engine

    def end(self) -> None:
        for worker in (self.engine, self.trainer):
            if worker is not None:
                worker.end()
        shutil.rmtree(self.model, ignore_errors=True)


V0_ENV = {"VLLM_USE_V1": "0"}


@contextmanager
def opened(arm: Arm, trainer_python: str, folder: Path, core: int) -> Iterator[Session]:
    session = Session(arm, trainer_python, folder, core)
    try:
        yield session
    finally:
        session.end()


class Feed:
    """The task's groups as an engine takes them, and what came back as a trainer takes it."""

    def __init__(self, seed: int) -> None:
        self.groups = task.groups(seed)
        self.known: dict[int, task.Group] = {}

    def next(self, count: int) -> list[dict[str, Any]]:
        """The next groups, for an engine."""
        found = [next(self.groups) for _ in range(count)]
        self.known.update({group.id: group for group in found})
        return [
            {"id": g.id, "requests": [{"place": i, **r._asdict()} for i, r in enumerate(g.requests)]} for g in found
        ]

    def rows(self, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Finished groups, for a trainer."""
        out = []
        for finished in groups:
            group = self.known.pop(finished["id"])
            for request, rollout in zip(group.requests, finished["rollouts"], strict=True):
                if rollout["id"] != request.id:
                    raise WorkerError(f"the engine answered {rollout['id']} for {request.id}")
                reward = task.reward(rollout["tokens"], group.dialect)
                out.append({**rollout, "prompt": request.prompt, "reward": reward, "group": group.id})
        return out


def digest(rows: list[dict[str, Any]]) -> str:
    """One word for the tokens, logprobs and weight versions of a step."""
    content = [[row["id"], row["tokens"], row["logprobs"], row["versions"]] for row in rows]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
