"""Writes the recorder's folder: its file, and the entry points by which vLLM finds it on its path."""

from __future__ import annotations

import os
from importlib import resources

from vllm_migrate import __version__
from vllm_migrate.errors import UsageError
from vllm_migrate.verify.recorder import NAME

POINTS = f"""[vllm.general_plugins]
{NAME} = {NAME}:register

[vllm.stat_logger_plugins]
{NAME} = {NAME}:StatLogger
"""


def install(folder: str) -> list[str]:
    """Write the recorder into `folder`; the paths that were written. Raises UsageError.

    It is not among this package's own entry points: vLLM would switch its statistics on wherever the package is installed.
    """
    about = os.path.join(folder, f"{NAME}-{__version__}.dist-info")
    source = resources.files("vllm_migrate.verify").joinpath("recorder.py").read_text(encoding="utf-8")
    files = {
        os.path.join(folder, f"{NAME}.py"): source,
        os.path.join(about, "METADATA"): f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {__version__}\n",
        os.path.join(about, "entry_points.txt"): POINTS,
    }
    try:
        os.makedirs(about, exist_ok=True)
        for path, text in files.items():
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text)
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder}: {error.strerror}", "name a folder that you may write to"
        ) from None
    return list(files)
