"""What a finding is known by from one run to the next: rule, path, key path and old value, never a line."""

from __future__ import annotations

import json
import os
from hashlib import sha256

from vllm_migrate.records import TYPE_CHECKING
from vllm_migrate.report.items import Item

if TYPE_CHECKING:
    from vllm_migrate.rules.finding import Finding

DIGITS = 16


def fingerprint(finding: Finding, root: str = "") -> str:
    """Hex digits; the same for `conf/a.yaml`, `./conf/a.yaml` and, under `root` (default: here), its absolute path."""
    return of_item(Item(finding, None), root)


def of_item(item: Item, root: str = "") -> str:
    # Secrets are hidden in the old value first: a hash of a short one could be guessed.
    parts = [item.code, relative(item.path, root), item.key, item.old]
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
