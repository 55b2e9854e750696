"""What is shipped: sdist and wheel, built twice to the same bytes, with what they must hold and nothing else."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BUILD = "import hatchling.build as b, sys; print(getattr(b, sys.argv[1])(sys.argv[2]))"


def built(kind: str, source: Path, out: Path) -> Path:
    """A distribution, built by the backend itself: no index is asked."""
    out.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-c", BUILD, f"build_{kind}", str(out)]
    done = subprocess.run(words, cwd=source, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return out / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is under version control, with files beside it that must not be shipped."""
    pytest.importorskip("hatchling")
    copy = tmp_path_factory.mktemp("dist") / "source"
    ignored = shutil.ignore_patterns(
        ".git", ".venv*", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info", "dist", "node_modules"
    )
    shutil.copytree(ROOT, copy, ignore=ignored)
    (copy / "vllm_migrate" / "__pycache__").mkdir()
    (copy / "vllm_migrate" / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"")
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path) -> Path:
    return built("wheel", source, source.parent / "one")


@pytest.fixture(scope="module")
def sdist(source: Path) -> Path:
    return built("sdist", source, source.parent / "one")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_built_twice_it_is_the_same(source: Path, wheel: Path, sdist: Path) -> None:
    for path in source.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    two = source.parent / "two"
    assert digest(built("wheel", source, two)) == digest(wheel)
    assert digest(built("sdist", source, two)) == digest(sdist)


def test_a_wheel_from_the_sdist_is_the_same(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    assert digest(built("wheel", unpacked, tmp_path / "out")) == digest(wheel)


def test_the_wheel_holds_what_it_must(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = f"vllm_migrate-{PROJECT['version']}.dist-info"
    assert {name.split("/")[0] for name in names} == {"vllm_migrate", info}
    assert {
        "vllm_migrate/py.typed",
        "vllm_migrate/data/knowledge.json",
        "vllm_migrate/data/pages.json",
        "vllm_migrate/catalog/data/modules.json",
        "vllm_migrate/catalog/data/details.json",
        f"{info}/licenses/LICENSE",
        f"{info}/licenses/NOTICE",
        f"{info}/entry_points.txt",
    } <= names
    shipped = {path.relative_to(ROOT).as_posix() for path in (ROOT / "vllm_migrate").rglob("*") if path.is_file()}
    assert {name for name in shipped if "__pycache__" not in name} <= names
    rules = {path.relative_to(ROOT / "rules").as_posix() for path in (ROOT / "rules").rglob("*.yaml")}
    assert {f"vllm_migrate/_rules/{name}" for name in rules} <= names
    assert not [name for name in names if "test" in name.split("/")[1] or name.endswith((".pyc", ".orig"))]


def test_the_sdist_holds_what_it_must(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "NOTICE", "README.md", "CHANGELOG.md", "pyproject.toml", "PKG-INFO"} <= names
    allowed = {
        "vllm_migrate",
        "rules",
        "LICENSE",
        "NOTICE",
        "README.md",
        "CHANGELOG.md",
        "pyproject.toml",
        "PKG-INFO",
        ".gitignore",
    }
    assert {name.split("/")[0] for name in names} <= allowed


def test_the_wheel_runs_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    """Unpacked where nothing else of ours is: the version, the rules, a lint, an explanation."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "a.yaml").write_text(
        "vllm_config:\n  use_v1: true\n  vllm_kwargs:\n    num-scheduler-steps: 1\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def run(*words: str) -> tuple[int, str]:
        command = [sys.executable, "-P", "-m", "vllm_migrate", *words]
        done = subprocess.run(
            command, cwd=tmp_path / "work", env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.stderr == ""
        return done.returncode, done.stdout

    assert run("--version")[1].startswith(f"vllm-migrate {PROJECT['version']}")
    code, out = run("lint", ".")
    assert code == 1 and "VM102" in out
    assert "VM101" in run("rules")[1] and "prefix" in run("explain", "VM101")[1]
    where = "import vllm_migrate; print(vllm_migrate.__file__)"
    done = subprocess.run([sys.executable, "-c", where], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.startswith(str(tmp_path))


def test_the_version_is_said_once() -> None:
    import vllm_migrate

    assert PROJECT["version"] == vllm_migrate.__version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {PROJECT['version']}" in changes
