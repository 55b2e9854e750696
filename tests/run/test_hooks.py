"""The hooks get every file that a walk takes, and that which pins a release starts a lint of the project."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from vllm_migrate.documents.kinds import DOCKERFILES, KINDS, kind_of
from vllm_migrate.run import versions

HOOKS = {
    hook["id"]: hook
    for hook in yaml.safe_load((Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text("utf-8"))
}
ENGINES = [f"a{end}" for end in KINDS] + [
    name
    for each in DOCKERFILES
    for word in (each, each.capitalize())
    for name in (word, f"{word}.gpu", f"serve.{word}")
]
PINS = [
    *("requirements.txt", "requirements-dev.in", "constraints.txt", "test_requirements.txt", "requirements/gpu.txt"),
    *(f"{name}.lock" for name in versions.LOCKS),
    *("pylock.toml", "pylock.gpu.toml", "pyproject.toml", "pixi.toml", "setup.py", "setup.cfg", *versions.CONDA),
]
OTHERS = [
    "README.md",
    "a.txt",
    "notes.in",
    "dockerfiles/a.c",
    "Makefile",
    "docker.md",
    "Cargo.lock",
    "a.yaml.j2",
    "go.mod",
]


def takes(hook: str, path: str) -> bool:
    return re.search(HOOKS[hook]["files"], path) is not None


@pytest.mark.parametrize("folder", ["", "conf/", "a/b/"])
def test_each_hook_gets_its_files(folder: str) -> None:
    for name in ENGINES:
        assert kind_of(name) and takes("vllm-migrate", folder + name) and takes("vllm-migrate-fix", folder + name), name
    for name in PINS:
        where, _, last = name.rpartition("/")
        assert versions._rank(last, where) is not None and takes("vllm-migrate-release", folder + name), name
    for name in OTHERS:
        assert not any(takes(hook, folder + name) for hook in HOOKS), name
        assert versions._rank(name.rpartition("/")[2], "") is None and not kind_of(name)


def test_a_docker_file_is_for_all_of_them() -> None:
    assert all(takes(hook, "docker/Dockerfile.gpu") for hook in HOOKS)


def test_a_pin_alone_lints_the_project() -> None:
    hook = HOOKS["vllm-migrate-release"]
    assert hook["pass_filenames"] is False and hook["entry"] == "vllm-migrate lint"
