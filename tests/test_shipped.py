"""Which data is judged by: the wheel's if it is newer and fits, else the package's own; and the wheel itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from vllm_migrate import __version__
from vllm_migrate.shipped import OWN_CATALOG, OWN_KNOWLEDGE, Shipped

ROOT = Path(__file__).parents[1]
OWN = json.loads(Path(OWN_KNOWLEDGE, "manifest.json").read_text(encoding="utf-8"))
BUILD = "import hatchling.build as b, sys; print(b.build_wheel(sys.argv[1]))"
LATER = {"version": "2999.1.1", "tool": "0.1.0", "before": "0.2.0"}


def shipped(folder: Path, manifest: object, tool: str = "0.1.0") -> Shipped:
    (folder / "manifest.json").write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
    return Shipped(tool, str(folder))


def test_without_a_wheel_it_is_our_own(tmp_path: Path) -> None:
    found = Shipped(__version__, str(tmp_path / "none"))
    assert (found.knowledge, found.catalog, found.origin, found.unused) == (OWN_KNOWLEDGE, OWN_CATALOG, "", "")
    assert found.version == OWN["version"]


def test_a_newer_wheel_that_fits_wins(tmp_path: Path) -> None:
    found = shipped(tmp_path, LATER)
    assert (found.version, found.origin, found.unused) == ("2999.1.1", "vllm-migrate-knowledge", "")
    assert (found.knowledge, found.catalog) == (str(tmp_path / "knowledge"), str(tmp_path / "catalog"))


@pytest.mark.parametrize(
    ("manifest", "tool", "why"),
    [
        ({**LATER, "version": "2020.1.1"}, "0.1.0", "not newer"),
        ({**LATER, "version": OWN["version"]}, "0.1.0", "not newer"),
        (LATER, "0.0.9", "needs vllm-migrate >= 0.1.0, < 0.2.0; this is 0.0.9"),
        (LATER, "0.2.0", "needs vllm-migrate >= 0.1.0, < 0.2.0; this is 0.2.0"),
        (LATER, "0.10.0", "needs vllm-migrate"),
        ({"version": "2999.1.1"}, "0.1.0", "cannot be read (KeyError)"),
        ({**LATER, "version": "newest"}, "0.1.0", "cannot be read (ValueError)"),
        ("[1, 2]", "0.1.0", "cannot be read (TypeError)"),
        ("{", "0.1.0", "cannot be read (JSONDecodeError)"),
    ],
)
def test_any_other_wheel_is_left_alone_and_the_reason_told(
    tmp_path: Path, manifest: object, tool: str, why: str
) -> None:
    found = shipped(tmp_path, manifest, tool)
    assert why in found.unused
    assert (found.knowledge, found.catalog, found.origin) == (OWN_KNOWLEDGE, OWN_CATALOG, "")


def test_dates_are_compared_as_numbers(tmp_path: Path) -> None:
    year, month, day = map(int, OWN["version"].split("."))
    assert shipped(tmp_path, {**LATER, "version": f"{year}.{month}.{day}.1"}).origin
    assert shipped(tmp_path, {**LATER, "version": f"{year + 1}.{1}.{1}"}).origin


def test_our_own_data_fits_this_program_and_the_wheel_asks_for_the_same(tmp_path: Path) -> None:
    assert shipped(tmp_path, {**OWN, "version": "2999.1.1"}, __version__).origin
    wanted = f'"vllm-migrate>={OWN["tool"]},<{OWN["before"]}"'
    assert wanted in (ROOT / "knowledge/pyproject.toml").read_text(encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of packages: this one, and beside it a wheel of a later day that knows one more rule and release."""
    pytest.importorskip("hatchling")
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(tmp_path)], cwd=ROOT / "knowledge", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    site = tmp_path / "site"
    with zipfile.ZipFile(tmp_path / done.stdout.split()[-1]) as wheel:
        wheel.extractall(site)
        assert not [name for name in wheel.namelist() if name.endswith(".py")]
    os.symlink(ROOT / "vllm_migrate", site / "vllm_migrate")
    data = site / "vllm_migrate_knowledge"
    (data / "manifest.json").write_text(json.dumps({**OWN, "version": "2999.1.1"}))
    for name in ("knowledge/knowledge.json", "knowledge/pages.json"):
        records = json.loads((data / name).read_text(encoding="utf-8"))
        records["rules"]["multi-step-later"] = records["rules"].pop("multi-step")
        if name.startswith("knowledge/knowledge"):
            records["rules"]["multi-step-later"]["name"] = "multi-step-later"
        (data / name).write_text(json.dumps(records), encoding="utf-8")
    catalog = json.loads((data / "catalog/catalog.json").read_text(encoding="utf-8"))
    (data / "catalog/catalog.json").write_text(json.dumps({**catalog, "version": "of-a-later-day"}), encoding="utf-8")
    return site


def test_new_knowledge_needs_no_new_program(site: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    config = "vllm_config:\n  use_v1: true\n  vllm_kwargs:\n    num-scheduler-steps: 1\n"
    (work / "base.yaml").write_text(config)
    (work / "vllm_migrate_knowledge").mkdir()  # what is linted is not believed
    (work / "vllm_migrate_knowledge/manifest.json").write_text('{"version": "9999.1.1"}')
    program = "import sys; from vllm_migrate.cli.main import main; sys.exit(main(sys.argv[1:]))"
    environment = {**os.environ, "PYTHONPATH": str(site), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def printed(*words: str) -> str:
        call = [sys.executable, "-c", program, *words]
        return subprocess.run(call, cwd=work, env=environment, capture_output=True, text=True).stdout

    assert "(knowledge 2999.1.1 from vllm-migrate-knowledge; catalog of-a-later-day: " in printed("--version")
    assert "multi-step-later" in printed("lint", "base.yaml")
    (site / "vllm_migrate_knowledge/manifest.json").write_text(json.dumps({**LATER, "before": "0.1.0"}))
    assert "needs vllm-migrate >= 0.1.0, < 0.1.0; this is" in printed("--version")
    told = printed("lint", "base.yaml")
    assert "multi-step-later" not in told and "multi-step" in told and "note: vllm-migrate-knowledge 2999.1.1" in told
