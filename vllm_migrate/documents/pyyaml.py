"""Imports PyYAML with its patterns compiled when first used.

PyYAML compiles a dozen when it is imported, one of them with a million characters in its classes; a plain file needs none. That
is a tenth of a cold lint. Import this module before `yaml`; where `yaml` is imported already, nothing happens.
"""

from __future__ import annotations

import re
import sys


class _Later:
    """Stands for a compiled pattern, and compiles it when something is asked of it."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self._pattern = pattern
        self._flags = flags

    def __getattr__(self, name: str) -> object:
        value = getattr(_COMPILE(self._pattern, self._flags), name)
        setattr(self, name, value)  # found without this method from now on
        return value


_COMPILE = re.compile

if "yaml" not in sys.modules:
    re.compile = _Later  # type: ignore[assignment]
    try:
        import yaml as yaml
    finally:
        re.compile = _COMPILE
