"""A parent that is read through its child first, and judged by itself after."""

from __future__ import annotations

from pathlib import Path

from vllm_migrate.run.lint import lint
from vllm_migrate.run.settings import Options


def test_findings_of_a_child_keep_the_parent_that_they_are_written_in(tmp_path: Path) -> None:
    (tmp_path / "a_child.yaml").write_text(
        "defaults: [z_base, _self_]\nllm:\n  parameters:\n    temperature: 0.7\n", encoding="utf-8"
    )
    (tmp_path / "z_base.yaml").write_text(
        "vllm_config:\n  use_v1: false\n  vllm_kwargs:\n    dtype: bfloat16\n    num-scheduler-steps: 1\n",
        encoding="utf-8",
    )
    report, _ = lint(Options(paths=(str(tmp_path),), isolated=True))
    edits = [edit for finding in report.findings if finding.fix is not None for edit in finding.fix.edits]
    assert edits and all(edit.region.path.endswith("z_base.yaml") for edit in edits)


BASE = "vllm_config:\n  use_v1: true\n  vllm_kwargs:\n    dtype: bfloat16\n"


def test_a_finding_in_a_parent_that_holds_for_one_child_names_it(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    (tmp_path / "a.yaml").write_text("defaults: [base, _self_]\nvllm_config:\n  use_v1: false\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("defaults: [base, _self_]\nseed: 1\n", encoding="utf-8")
    report, _ = lint(Options(paths=(str(tmp_path),), isolated=True))
    by_code = {finding.code: finding for finding in report.findings if finding.path.endswith("base.yaml")}
    assert by_code["VM401"].children == (str(tmp_path / "a.yaml"),)
    assert by_code["VM401"].message.endswith(f"this holds for {tmp_path / 'a.yaml'}")
    assert "this holds for" not in by_code["VM102"].message and len(by_code["VM102"].children) == 2


def test_a_setting_of_a_child_is_spoken_of_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    for name, temperature in (("a", 0.7), ("b", 0.6), ("c", 1.0)):
        text = f"defaults: [base, _self_]\nllm:\n  parameters:\n    temperature: {temperature}\n"
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    report, _ = lint(Options(paths=(str(tmp_path),), isolated=True, select=("VM407",)))
    places = [(finding.path.rpartition("/")[2], finding.line, finding.children) for finding in report.findings]
    assert places == [("a.yaml", 4, ()), ("b.yaml", 4, ())]
