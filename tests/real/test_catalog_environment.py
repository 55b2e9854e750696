"""Environment defaults: the catalog against each release's own getters, executed.

VLLM_MIGRATE_SOURCES names a folder of unpacked source trees, one per release (see docs/catalog.md).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.oracles.client import ORACLES
from vllm_migrate.catalog import changes, store

SOURCES = os.environ.get("VLLM_MIGRATE_SOURCES", "")


def compare(release: str) -> tuple[int, int, list[str]]:
    """(equal, undecided, wrong) of one release's declared variables."""
    path = Path(SOURCES, release, "vllm", "envs.py")
    done = subprocess.run(
        [sys.executable, str(ORACLES / "environment.py"), str(path)], capture_output=True, text=True, check=True
    )
    real = json.loads(done.stdout)
    cat = store.load()
    assert set(real) == cat.names("env", release)
    equal, undecided, wrong = 0, 0, []
    for name, value in real.items():
        facts = cat.get("env", name, release)
        assert facts is not None
        if not facts.decided:
            undecided += 1
        elif changes.same(facts.default, value):
            equal += 1
        else:
            wrong.append(f"{release} {name}: catalog {facts.default!r}, executed {value!r}")
    return equal, undecided, wrong


@pytest.mark.skipif(not SOURCES, reason="VLLM_MIGRATE_SOURCES is not set")
def test_environment_defaults_of_every_release() -> None:
    totals = [0, 0]
    wrong: list[str] = []
    for release in store.load().shipped:
        equal, undecided, bad = compare(release)
        totals = [totals[0] + equal, totals[1] + undecided]
        wrong += bad
    print(f"environment: {totals[0]} equal, {totals[1]} undecided, {len(wrong)} wrong")
    assert wrong == []
    assert totals[1] < totals[0] / 50
