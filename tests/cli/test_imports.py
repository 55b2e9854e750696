"""A hook-shaped call pays only for what it uses: what a lint may not import, and that one file's kind loads no other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "typer",
    "click",
    "rich",
    "pydantic",
    "tomlkit",
    "packaging",
    "torch",
    "transformers",
    "vllm",
    "dataclasses",
    "pathlib",
}
SERVE = "model: m\nmax-model-len: 8192\nenable-prefix-caching: false\nswap-space: 4\n"
SCRIPT = "VLLM_USE_V1=0 vllm serve m --max-model-len 8192\n"


def modules_of(*arguments: str) -> tuple[int, set[str]]:
    code = (
        "import json, sys\n"
        "from vllm_migrate.cli.main import main\n"
        "import io, contextlib\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    code = main(sys.argv[1:])\n"
        "print(json.dumps([code, sorted(sys.modules)]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    status, names = json.loads(done.stdout)
    return status, set(names)


@pytest.mark.parametrize("arguments", [("lint",), ("fix",), ("fix", "--check"), ("lint", "--output-format", "concise")])
def test_a_hooks_call_imports_nothing_heavy(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text(SERVE, encoding="utf-8")
    status, modules = modules_of(*arguments, str(path))
    assert status == 1
    assert not {name.partition(".")[0] for name in modules} & HEAVY
    unused = (
        "vllm_migrate.documents.shell.document",
        "vllm_migrate.dialects.commands",
        "vllm_migrate.dialects.overrides",
    )
    assert not any(name.startswith((*unused, "vllm_migrate.smoke")) for name in modules)
    assert ("vllm_migrate.fixes.prove" in modules) is (arguments[0] == "fix")


def test_a_file_without_settings_loads_no_parser(tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text("name: x\nvalue: 1\n", encoding="utf-8")
    status, modules = modules_of("lint", str(tmp_path))
    assert status == 0
    assert "yaml" not in modules


def test_a_script_does_not_load_yaml_or_toml(tmp_path: Path) -> None:
    path = tmp_path / "serve.sh"
    path.write_text(SCRIPT, encoding="utf-8")
    status, modules = modules_of("lint", str(path))
    assert status == 1
    assert "vllm_migrate.documents.toml.document" not in modules
    assert "vllm_migrate.documents.python.calls" not in modules
