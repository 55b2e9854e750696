"""The VS Code extension is built from its sources, and every schema compiles in a JavaScript validator."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from vllm_migrate.catalog import store
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.load import load
from vllm_migrate.run.schemas import NAMES, named

FOLDER = Path(__file__).parents[2] / "editors/vscode"

pytestmark = [
    pytest.mark.editor,
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed"),
    pytest.mark.skipif(not (FOLDER / "node_modules").is_dir(), reason="run `npm ci` in editors/vscode first"),
]


def npm(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["npm", *words], cwd=FOLDER, capture_output=True, text=True, timeout=300)


def test_the_extension_is_packaged() -> None:
    done = npm("run", "package")
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(FOLDER / "vllm-migrate.vsix") as package:
        names = set(package.namelist())
        manifest = json.loads(package.read("extension/package.json"))
        notices = package.read("extension/out/NOTICES.txt").decode()
    assert {name for name in names if "/" in name} == {
        *("extension/package.json", "extension/readme.md", "extension/LICENSE.txt"),
        *("extension/out/extension.js", "extension/out/NOTICES.txt"),
    }
    assert manifest["contributes"]["configuration"]["properties"]["vllmMigrate.command"]["default"] == [
        "vllm-migrate",
        "lsp",
    ]
    assert "vscode-languageclient" in notices


def test_every_schema_compiles_in_javascript() -> None:
    schemas = {name: named(name) for name in NAMES}
    schemas |= {f"serve {release}": named(release) for release in {*store.load().releases[::4], "0.18.1"}}
    for dialect in load().dialects:
        try:
            schemas[dialect.id] = named("0.18.1", dialect.id)
        except UsageError:
            continue
    words = ["node", "check-schemas.mjs"]
    done = subprocess.run(words, cwd=FOLDER, input=json.dumps(schemas), capture_output=True, text=True, timeout=300)
    assert done.stdout == f"{len(schemas)} of {len(schemas)} schemas compiled\n", done.stdout + done.stderr
    assert len(schemas) > 40


def test_the_lock_names_no_registry() -> None:
    text = (FOLDER / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text and '"integrity"' in text
