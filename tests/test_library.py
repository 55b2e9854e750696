"""The library: its names, in threads, on a project in memory."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import vllm_migrate
from vllm_migrate import Report, UsageError, VllmMigrateError, effective, fix, lint

ROOT = Path(__file__).parents[1]
FILES: dict[str, str | bytes] = {
    "conf/base.yaml": "vllm_config:\n  use_v1: false\n  vllm_kwargs:\n    generation-config: vllm\n    num-scheduler-steps: 1\n",
    "conf/math.yaml": "defaults:\n  - base\n  - _self_\nvllm_config:\n  vllm_kwargs:\n    max_model_len: 20000\n",
    "conf/ignored.yaml": b"vllm_config: [\n",
    ".gitignore": "ignored.yaml\n",
    "requirements.txt": "vllm==0.9.2\n",
}
PUBLIC = {
    *("lint", "fix", "effective", "Report", "Finding", "OfferedFix", "Region", "TextEdit", "FixPlan", "EngineView"),
    *("VllmMigrateError", "UsageError", "__version__"),
}
ARGUMENTS = "paths files from_ to from_engine gpu model_config config select ignore"


def test_the_public_names() -> None:
    assert set(vllm_migrate.__all__) == PUBLIC
    assert set(dir(vllm_migrate)) >= PUBLIC
    assert all(getattr(vllm_migrate, name) for name in PUBLIC)
    with pytest.raises(AttributeError):
        getattr(vllm_migrate, "nonsense")  # noqa: B009
    assert issubclass(UsageError, VllmMigrateError)


def test_the_signatures() -> None:
    for function, more in ((lint, ""), (fix, " unsafe"), (effective, "")):
        parameters = inspect.signature(function).parameters.values()
        assert " ".join(parameter.name for parameter in parameters) == ARGUMENTS + more
        assert [parameter.name for parameter in parameters if parameter.kind != parameter.KEYWORD_ONLY] == ["paths"]


def test_importing_the_package_loads_nothing() -> None:
    code = "import sys, vllm_migrate; print(*sorted(m for m in sys.modules if m.startswith('vllm_migrate.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_files_in_memory_are_all_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as of these files on the disk; and of a folder with other files, nothing is read."""
    on_disk, elsewhere = tmp_path / "disk", tmp_path / "elsewhere"
    for name, text in FILES.items():
        (on_disk / name).parent.mkdir(parents=True, exist_ok=True)
        (on_disk / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    (elsewhere / "conf").mkdir(parents=True)
    (elsewhere / "conf/other.yaml").write_text("vllm_config:\n  vllm_kwargs:\n    swap_space: 4\n")
    (elsewhere / "vllm-migrate.toml").write_text('select = ["VM9"]\n')
    (elsewhere / "requirements.txt").write_text("vllm==0.10.0\n")
    monkeypatch.chdir(on_disk)
    expected, plan, engines = lint(), fix(unsafe=True), effective()
    monkeypatch.chdir(elsewhere)
    report = lint(files=FILES)
    assert report == expected
    assert report.source == "0.9.2" and report.files == 2
    assert {finding.path for finding in report.findings} == {"conf/base.yaml", "conf/math.yaml"}
    assert any(finding.fix and finding.fix.edits for finding in report.findings)
    assert fix(files=FILES, unsafe=True).texts == plan.texts and plan.texts
    assert effective(files=FILES) == engines and len(engines) == 2


def test_a_project_in_memory_opens_no_file_of_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    lint(files=FILES)  # what is loaded once is loaded
    asked: list[object] = []

    def refuse(path: object, *_: object, **__: object) -> None:
        asked.append(path)
        raise AssertionError(path)

    for name in ("open", "scandir", "listdir"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr("builtins.open", refuse)
    report = lint("conf", files=FILES)
    plan = fix("conf", files=FILES)
    monkeypatch.undo()
    assert report.findings and plan.texts and not asked


def test_a_plan_writes_when_it_is_told_to(tmp_path: Path) -> None:
    path = tmp_path / "base.yaml"
    path.write_text(str(FILES["conf/base.yaml"]))
    plan = fix(path)
    assert path.read_text() == FILES["conf/base.yaml"] and plan.diff.startswith("--- ")
    assert plan.write().paths == (str(path),)
    assert path.read_text() == plan.texts[str(path)]
    with pytest.raises(UsageError):
        fix(files=FILES).write()


def test_eight_threads(capfd: pytest.CaptureFixture[str]) -> None:
    expected, plan = lint(files=FILES), fix(files=FILES).texts

    def work(number: int) -> tuple[Report, dict[str, str]]:
        return lint(files=FILES), fix(files=FILES).texts

    with ThreadPoolExecutor(8) as pool:
        assert all(result == (expected, plan) for result in pool.map(work, range(16)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "call",
    [
        {"paths": "nowhere"},
        {"from_": "0.8.99"},
        {"from_engine": "v2"},
        {"gpu": "toaster"},
        {"select": ["VM999"]},
        {"select": "VM1"},
        {"config": "none.toml"},
        {"model_config": "none"},
        {"paths": "-"},
    ],
)
def test_mistakes_are_errors_of_ours(call: dict[str, object]) -> None:
    with pytest.raises(VllmMigrateError) as caught:
        lint(files=FILES, **call)  # type: ignore[arg-type]
    assert caught.value.message


def test_results_are_frozen() -> None:
    report = lint(files=FILES)
    with pytest.raises(AttributeError):
        report.files = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        report.findings[0].severity = "info"  # type: ignore[misc]


def test_the_page_runs_and_names_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs/library.md").read_text(encoding="utf-8")
    assert all(f"`{name}" in page for name in PUBLIC - {"__version__"})
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/base.yaml").write_text(str(FILES["conf/base.yaml"]))
    monkeypatch.chdir(tmp_path)
    blocks = [part.partition("```")[0] for part in page.split("```python\n")[1:]]
    for block in blocks:
        exec(compile(block, "docs/library.md", "exec"), {})
    out = capsys.readouterr().out
    assert len(blocks) == 3
    assert "conf/base.yaml:" in out and "0.8.99 is not in the catalog" in out and "+++ serve.yaml" in out
