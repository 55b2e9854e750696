"""Rules and dialects of a project's own: from a folder, from an installed package, and how their examples are checked."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from vllm_migrate import lint
from vllm_migrate.cli.main import dispatch
from vllm_migrate.errors import UsageError, VllmMigrateError
from vllm_migrate.knowledge import private

GUIDE = (Path(__file__).parents[2] / "docs" / "own-dialect.md").read_text(encoding="utf-8")
DIALECT = re.findall(r"```yaml title=acme.yaml\n(.*?)```", GUIDE, re.DOTALL)[0]
JOB = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)[0]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own" / "dialects").mkdir(parents=True)
    (tmp_path / "own" / "dialects" / "acme.yaml").write_text(DIALECT, encoding="utf-8")
    (tmp_path / "job.yaml").write_text(JOB, encoding="utf-8")
    (tmp_path / "vllm-migrate.toml").write_text('knowledge = ["own"]\n', encoding="utf-8")
    monkeypatch.setenv("VLLM_MIGRATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dialects() -> set[str]:
    return {finding.engine.dialect for finding in lint(["job.yaml"]).findings if finding.engine is not None}


def test_the_dialect_of_the_guide_is_used(project: Path) -> None:
    assert dialects() == {"acme"}


def test_without_the_folder_nobody_knows_the_file(project: Path) -> None:
    (project / "vllm-migrate.toml").write_text("", encoding="utf-8")
    assert dialects() == set()


def test_what_is_compiled_is_kept_until_it_changes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dialects() == {"acme"}
    kept = list((project / "cache" / "knowledge").iterdir())
    assert len(kept) == 1
    monkeypatch.setitem(sys.modules, "vllm_migrate.knowledge.build", None)  # not needed a second time
    assert dialects() == {"acme"}
    monkeypatch.undo()
    monkeypatch.setenv("VLLM_MIGRATE_CACHE", str(project / "cache"))
    monkeypatch.chdir(project)
    (project / "own" / "dialects" / "acme.yaml").write_text(DIALECT.replace("AcmeRollout", "Other"), encoding="utf-8")
    assert dialects() == set()


def test_a_package_names_its_folder_and_is_not_imported(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = project / "site" / "acme_knowledge"
    (project / "own").rename(project / "moved")
    package.parent.mkdir()
    (project / "moved").rename(package)
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n", encoding="utf-8")
    meta = project / "site" / "acme_knowledge-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-knowledge\nVersion: 1.0\n", encoding="utf-8")
    (meta / "entry_points.txt").write_text("[vllm_migrate.knowledge]\nacme = acme_knowledge\n", encoding="utf-8")
    (project / "vllm-migrate.toml").write_text('knowledge = ["acme"]\n', encoding="utf-8")
    monkeypatch.syspath_prepend(str(project / "site"))
    assert dialects() == {"acme"}


def test_a_folder_that_is_not_there_is_an_error(project: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        private.folders_of(["nowhere"], str(project))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("passthrough:", "passtrough:", "passthrough"),
        ("id: acme", "id: acmee", "its file is not"),
        ("here('workers')", "hear('workers')", "here"),
        ("to_model", "x", ""),
    ],
)
def test_a_mistake_is_refused_with_its_place(project: Path, old: str, new: str, said: str) -> None:
    path = project / "own" / "dialects" / "acme.yaml"
    path.write_text(DIALECT.replace(old, new), encoding="utf-8")
    if not said:
        assert dispatch(["dialects", "check", str(path)]) == 0
        return
    with pytest.raises(VllmMigrateError, match=f"acme.yaml:\\d+.*{said}"):
        dispatch(["dialects", "check", str(path)])


def test_check_tells_what_is_wrong_with_an_example(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "own" / "dialects" / "acme.yaml"
    assert dispatch(["dialects", "check", str(path)]) == 0
    assert capsys.readouterr().out == "ok    acme: a job\nok    acme: another kind of job\n"
    wrong = DIALECT.replace('max_num_seqs: 64}\n"}\n      role', 'max_num_seqs: 65}\\n"}\n      role')
    wrong = wrong.replace("max_model_len: 8192, max_num_seqs: 64}", "max_model_len: 8192, max_num_seqs: 65}")
    path.write_text(wrong.replace("kind: AcmeTraining", "kind: AcmeRollout"), encoding="utf-8")
    assert dispatch(["dialects", "check", str(path)]) == 1
    out = capsys.readouterr().out
    assert "FAIL  acme: a job: max_num_seqs arrives as 64, not 65" in out
    assert "FAIL  acme: another kind of job: it finds acme:rollout" in out


def test_a_name_that_is_taken_is_refused(project: Path) -> None:
    (project / "own" / "dialects" / "verl.yaml").write_text(DIALECT.replace("id: acme", "id: verl"), encoding="utf-8")
    with pytest.raises(VllmMigrateError, match="a dialect of that name already"):
        dialects()
