"""Code that reads a key which a fix drops is named, and no other code."""

from __future__ import annotations

from pathlib import Path

import pytest

from vllm_migrate.migrate.plan import migrate
from vllm_migrate.run.settings import Options

CONFIG = "vllm_config:\n  use_v1: false\n  vllm_kwargs:\n    num-scheduler-steps: 1\n    swap-space: 4\n    seed: 3\n"


@pytest.mark.parametrize(
    ("code", "keys"),
    [
        ('if kwargs["num-scheduler-steps"] > 1:\n    pass\n', ["num-scheduler-steps"]),
        ("n = cfg.vllm_config.vllm_kwargs[ 'swap-space' ] * 2\n", ["swap-space"]),
        ('n = kwargs["swap-space"] == 4\n', ["swap-space"]),
        ('n = kwargs.get("num-scheduler-steps", 1)\n', []),
        ('kwargs["num-scheduler-steps"] = 1\n', []),
        ('n = kwargs["seed"]\n', []),
        ('n = kwargs["num-scheduler-steps-more"]\n', []),
        ('if "swap-space" in kwargs:\n    kwargs.pop("swap-space", None)\n', []),
    ],
)
def test_code_that_reads_what_goes(code: str, keys: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/base.yaml").write_text(CONFIG)
    (tmp_path / "launch.py").write_text(code)
    found = migrate(Options((".",), isolated=True)).readers
    assert [reader.key for reader in found] == keys
    assert all((reader.path, reader.line) == ("launch.py", 1) for reader in found)
