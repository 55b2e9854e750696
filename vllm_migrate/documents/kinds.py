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


DOCKERFILES = ("dockerfile", "containerfile")


def kind_of(path: str) -> str:
    """The kind of document a path holds, by its name; "" for none of ours."""
    return KINDS.get(os.path.splitext(path)[1].lower()) or ("dockerfile" if _is_dockerfile(path) else "")


def _is_dockerfile(path: str) -> bool:
    """`Dockerfile`, `Dockerfile.gpu`, `serve.Dockerfile`."""
    name = os.path.basename(path).lower()
    return name.partition(".")[0] in DOCKERFILES or name.rpartition(".")[2] in DOCKERFILES
