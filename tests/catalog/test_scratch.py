"""Temporary folders of calls: gone after the call, and those of killed calls with the next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from vllm_migrate.catalog.scratch import own_prefix, scratch


def test_a_folder_goes_after_the_block(tmp_path: Path) -> None:
    with scratch(str(tmp_path)) as folder:
        Path(folder, "x").touch()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_and_nothing_else(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    dead = tmp_path / f"vllm-migrate-{ended.pid}-abc"
    dead.mkdir()
    (dead / "answer.json").touch()
    (tmp_path / f"vllm-migrate-{ended.pid}-abc.tmp").touch()
    kept = {f"{own_prefix()}abc", f"vllm-migrate-{os.getppid()}-abc", "vllm-migrate-notes", "other"}
    for name in kept:
        (tmp_path / name).mkdir()
    with scratch(str(tmp_path)) as folder:
        assert {path.name for path in tmp_path.iterdir()} == kept | {os.path.basename(folder)}
