"""The formats on what a real lint finds."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from vllm_migrate.report.formats import FORMATS

SECRET = "s3cr3t-of-the-server"
SERVE = f"""\
# 服务 config
model: Qwen/Qwen3-8B
api-key: {SECRET}
enable-prefix-caching: false  # off
swap-space: 4
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "serve.yaml").write_text(SERVE, encoding="utf-8")
    (folder / "broken.yaml").write_text("model: [1\nenable-prefix-caching: {\n", encoding="utf-8")
    return folder


def lint(project: Path, name: str) -> str:
    chosen = ["--statistics"] if name == "statistics" else ["--output-format", name]
    command = [sys.executable, "-m", "vllm_migrate", "lint", "--isolated", *chosen, "serve.yaml", "broken.yaml"]
    done = subprocess.run(command, cwd=project, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr.decode()
    return done.stdout.decode("utf-8")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format(project: Path, name: str) -> None:
    out = lint(project, name)
    assert "VM301" in out and SECRET not in out
    assert out == lint(project, name)


def test_json(project: Path, lint_schema: Any) -> None:
    out = json.loads(lint(project, "json"))
    jsonschema.validate(out, lint_schema)
    assert out["files"] == 2
    finding = next(finding for finding in out["findings"] if finding["code"] == "VM301")
    assert (finding["path"], finding["line"], finding["column"]) == ("serve.yaml", 4, 1)
    lines = SERVE.split("\n")
    for edit in sorted(finding["fix"]["edits"], key=lambda edit: -edit["start_column"]):
        assert edit["start_line"] == edit["end_line"] == 4
        line = lines[3]
        lines[3] = line[: edit["start_column"] - 1] + edit["text"] + line[edit["end_column"] - 1 :]
    fixed = yaml.safe_load("\n".join(lines))
    assert "enable-prefix-caching" not in fixed and fixed["no-enable-prefix-caching"] is True
    assert lines[3].endswith("  # off")


def test_sarif(project: Path, sarif_schema: Any) -> None:
    out = json.loads(lint(project, "sarif"))
    jsonschema.validate(out, sarif_schema)
    (run,) = out["runs"]
    rule = next(rule for rule in run["tool"]["driver"]["rules"] if rule["id"] == "VM301")
    assert rule["name"] == "yaml-false-dropped" and len(rule["fullDescription"]["text"]) > 40
    assert any(result.get("fixes") for result in run["results"])


def test_junit(project: Path) -> None:
    root = ElementTree.fromstring(lint(project, "junit"))
    assert int(root.get("failures", "0")) == len(root.findall("testsuite/testcase/failure")) > 0
