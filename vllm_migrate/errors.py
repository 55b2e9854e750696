"""Errors a user meets. VllmMigrateError <- UsageError.

Every error carries what is wrong and, where there is one, the remedy. The command line turns them into exit 2.
"""

from __future__ import annotations


class VllmMigrateError(Exception):
    """Base of every error this package raises on purpose: `message`, and a `remedy` where there is one."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(VllmMigrateError):
    """The call itself is wrong: an unknown release, a bad option, a missing extra."""
