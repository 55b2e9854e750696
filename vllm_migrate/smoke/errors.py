"""Errors of the rollout proof. VllmMigrateError <- SmokeError <- RecordingError, EngineRunError.

None of them ever turns into a verdict: the command line exits with 2.
"""

from __future__ import annotations

from collections.abc import Sequence

from vllm_migrate.errors import UsageError, VllmMigrateError


class SmokeError(VllmMigrateError):
    """The rollout proof could not be carried out."""


class RecordingError(SmokeError):
    """A recording (or a trainer's dump) cannot be read: not JSON Lines, another schema, cut short."""


class EngineRunError(SmokeError):
    """The engine's process hung, died, ran out of memory or spoke no protocol.

    `tail` holds its last lines, oldest first; they are part of the text, since they say more than we can.
    """

    def __init__(self, message: str, remedy: str = "", tail: Sequence[str] = ()) -> None:
        lines = "\n".join(f"  | {line}" for line in tail)
        super().__init__(f"{message}\n{lines}" if lines else message, remedy)
        self.tail = tuple(tail)


def missing_extra(package: str) -> UsageError:
    """The error for a package of the `smoke` extra that is not installed."""
    return UsageError(
        f"this needs {package}, which is not installed here",
        remedy='pip install "vllm-migrate[smoke]"; or compare a dump of your own trainer, which needs no model',
    )
