"""VllmMigrateError <- ParityError."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.errors import VllmMigrateError

if TYPE_CHECKING:
    from vllm_migrate.parity.verdict import Verdict


class ParityError(VllmMigrateError):
    """The gate failed, or its evidence is invalid, and it was asked to stop the run.

    Raised from the same call on every rank, since every rank reaches the same verdict, which `verdict` holds.
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.describe(), remedy=verdict.blame.decide)
        self.verdict = verdict
