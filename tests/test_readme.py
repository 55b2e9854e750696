"""What README.md tells people to run is what CI runs."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_ci_runs_the_readmes_test_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    command = re.search(r"^\s*(python3 -m venv .*-m pytest)\s*$", readme, re.MULTILINE)
    assert command is not None, "README.md has no line `python3 -m venv ... -m pytest`"
    assert command[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
