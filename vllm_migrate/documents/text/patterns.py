"""Patterns that are compiled when first used: all of them together cost milliseconds of every start."""

from __future__ import annotations

import re
from functools import cache


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """The compiled pattern, the same object each time."""
    return re.compile(pattern)
