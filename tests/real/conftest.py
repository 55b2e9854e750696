"""Finds or installs real vLLM releases for the tests of this folder; without any, they skip.

An interpreter that imports a release is named by VLLM_MIGRATE_REAL_0_8_5 or VLLM_MIGRATE_REAL_0_18_1. Without
the variable, and where the kit (`<repository>/../shared/kit`) is at hand, the release is installed once, for
CPU, into $VLLM_MIGRATE_REAL_DIR (default ~/.cache/vllm-migrate-real); that needs uv, gcc and g++.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.real.oracles.client import VARIABLES, cache_root

HERE = Path(__file__).parent

KIT = HERE.parents[2] / "shared" / "kit"
INSTALL_TIMEOUT_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.real)


@pytest.fixture(scope="session")
def vllm_py_085() -> str:
    """Path of a python that imports vLLM 0.8.5."""
    return interpreter("0.8.5")


@pytest.fixture(scope="session")
def vllm_py_0181() -> str:
    """Path of a python that imports vLLM 0.18.1."""
    return interpreter("0.18.1")


@pytest.fixture(scope="session")
def vllm_pythons(vllm_py_085: str, vllm_py_0181: str) -> dict[str, str]:
    """release: path of a python that imports it."""
    return {"0.8.5": vllm_py_085, "0.18.1": vllm_py_0181}


@pytest.fixture(scope="session")
def tiny_model() -> str:
    """Folder of the tiny random Qwen2 (seed 0, scale 0.25, float32) that the recordings were made with."""
    if not KIT.is_dir():
        pytest.skip("no kit to make the tiny model with")
    pytest.importorskip("transformers")
    folder = cache_root() / "model-seed0"
    with installing(folder) as missing:
        if missing:
            make = [sys.executable, str(KIT / "make_model.py"), str(folder), "--seed", "0", "--scale", "0.25"]
            run_installer(make, "the tiny model", dict(os.environ))
    return str(folder)


def interpreter(release: str) -> str:
    """Path of a python that imports `release`: named, already installed, or installed now; else skip."""
    variable = VARIABLES[release]
    named = os.environ.get(variable)
    if named:
        if not os.access(named, os.X_OK):
            pytest.fail(f"{variable}={named} is not a program")
        return named
    if not KIT.is_dir():
        pytest.skip(f"no vLLM {release}: {variable} is not set and there is no kit to install it with")
    folder = cache_root() / release
    with installing(folder) as missing:
        if missing:
            install(release, folder)
    return str(folder / "py")


def install(release: str, folder: Path) -> None:
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        pytest.skip(f"no vLLM {release}: installing it needs uv")
    command = ["bash", str(KIT / "setup_cpu_vllm.sh"), release, str(folder)]
    run_installer(command, f"vLLM {release}", {**os.environ, "UV": uv})


@contextmanager
def installing(folder: Path) -> Iterator[bool]:
    """Whether `folder` is still to be filled, under a lock: of parallel workers one installs, others wait.

    A folder counts as filled once the caller got through; what an interrupted attempt left is removed first.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    done = folder.parent / f"{folder.name}.ready"
    with open(folder.parent / f"{folder.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = not (done.is_file() and folder.is_dir())
        if missing:
            done.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
        yield missing
        done.touch()


def run_installer(command: list[str], what: str, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=INSTALL_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-20:])
        pytest.fail(f"installing {what} failed with {done.returncode}:\n{tail}")
