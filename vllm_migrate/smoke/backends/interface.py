"""What every backend takes and gives.

A backend takes a Job and gives protocol lines: a header, rows, progress, notes, and an end that counts the rows. The
worker file speaks the same lines over its standard output; the torch engine and the server speak them in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

Line = dict[str, Any]
Watch = Callable[[Line], None]  # sees progress and notes as they come


class Job(NamedTuple):
    """What to run, as it is handed to a worker.

    mode: "record" or "step" (sample `requests`, then score the tokens of `sequences` through the sampling path, whose
    rows have the phase "step"), or "update".
    contracts: sampling parameters by name; a request names its own.
    requests: [{"prompt": [ids], "contract": name, "prompt_index": i}].
    sequences: [{"prompt": [ids], "tokens": [ids], "contract": name, "prompt_index": i}].
    """

    mode: str
    engine_args: dict[str, Any]
    contracts: dict[str, dict[str, Any]]
    requests: list[dict[str, Any]]
    sequences: list[dict[str, Any]]
    update: dict[str, Any]

    def line(self) -> Line:
        return {"schema": 1, **self._asdict()}


class Backend(Protocol):
    """Runs a job; raises EngineRunError, never returns half a run."""

    name: str

    def run(self, job: Job, watch: Watch) -> Iterator[Line]:
        """The header line, then the rows."""
        ...
