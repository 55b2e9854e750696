"""What a finding is known by from one run to the next: rule, path, key path and old value, never a line."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_migrate.report.finding import Finding

DIGITS = 16


def fingerprint(finding: Finding, root: str = "", path: str = "") -> str:
    """Hex digits; the same for `conf/a.yaml`, `./conf/a.yaml` and, below `root`, its absolute path.

    path: what the file is called in it instead, for who counts paths from elsewhere.
    """
    # Secrets are hidden in the old value first: a hash of a short one could be guessed.
    parts = [finding.code, path or relative(finding.path, root), finding.key, finding.old]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode("utf-8")).hexdigest()[:DIGITS]


def relative(path: str, root: str = "") -> str:
    """The path with `/`, without `./`; relative to `root` (default: the working directory) where it lies below it."""
    path = os.path.normpath(path) if path else path
    if os.path.isabs(path):
        below = os.path.relpath(path, root or os.getcwd())
        if not below.startswith(".."):
            path = below
    return path.replace(os.sep, "/")
