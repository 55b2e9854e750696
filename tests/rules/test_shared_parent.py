"""A parent that is read through its child first, and judged by itself after."""

from __future__ import annotations

from pathlib import Path

from vllm_migrate.cli.options import Call
from vllm_migrate.run.session import lint


def test_findings_of_a_child_keep_the_parent_that_they_are_written_in(tmp_path: Path) -> None:
    (tmp_path / "a_child.yaml").write_text(
        "defaults: [z_base, _self_]\nllm:\n  parameters:\n    temperature: 0.7\n", encoding="utf-8"
    )
    (tmp_path / "z_base.yaml").write_text(
        "vllm_config:\n  use_v1: false\n  vllm_kwargs:\n    dtype: bfloat16\n    num-scheduler-steps: 1\n",
        encoding="utf-8",
    )
    outcome = lint(Call(paths=[str(tmp_path)], isolated=True, no_cache=True))
    files = [file for entry in outcome.report.entries if entry.plan is not None for file in entry.plan.edits]
    assert files and all(file.path.endswith("z_base.yaml") for file in files)
