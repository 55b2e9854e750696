"""Kinds of document, by file name."""

from __future__ import annotations

import os

KINDS = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".toml": "toml",
    ".json": "json",
    ".jsonc": "json",
    ".sh": "shell",
    ".bash": "shell",
    ".slurm": "shell",
    ".sbatch": "shell",
    ".py": "python",
    ".ipynb": "notebook",
}


def kind_of(path: str) -> str:
    """The kind of document a path holds, by its name; "" for none of ours."""
    return KINDS.get(os.path.splitext(path)[1].lower(), "")
