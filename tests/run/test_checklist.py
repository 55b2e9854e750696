"""What only code or people elsewhere can settle: once a project, acknowledged in the configuration, never a failure by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from vllm_migrate import fix, lint
from vllm_migrate.cli.main import main
from vllm_migrate.errors import UsageError
from vllm_migrate.report.finding import Finding
from vllm_migrate.report.model import Report

EXAMPLES = Path(__file__).parents[2] / "examples"
# A trainer's server, whose replicas the file does not seed.
SERVE = "vllm serve org/m --dtype bfloat16 --max-model-len 8192 --worker-extension-cls my.Extension\n"


def of(files: Mapping[str, str]) -> Report:
    return lint(files={".git/HEAD": "", **files})


def items(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.kind == "checklist"]


def test_an_item_stands_once_in_a_project() -> None:
    files = {f"scripts/run{number}.sh": SERVE for number in range(3)}
    (item,) = items(of(files))
    assert (item.name, item.path, item.line) == ("engine-seed-default", "scripts/run0.sh", 1)
    assert item.children == ("scripts/run1.sh", "scripts/run2.sh") and item.severity == "warning"


def test_an_item_that_an_edit_settles_stands_once_with_all_its_edits() -> None:
    """Servers that get the same default: one thing to know, and one fix."""
    plain = "vllm serve org/m --max-model-len 8192\n"
    files = {"a.sh": plain + plain, "b.sh": plain, "c.sh": plain[:-1] + " --no-async-scheduling\n"}
    (item,) = (found for found in items(of(files)) if found.code == "VM102")
    assert (item.place, item.children) == ("a.sh:1:1", ("b.sh",)) and item.fix is not None
    written = fix(files={".git/HEAD": "", **files}, unsafe=True)
    assert {(edit.region.path, edit.region.line) for edit in item.fix.edits} == {("a.sh", 1), ("a.sh", 2), ("b.sh", 1)}
    assert set(item.fix.edits) == set(written.edits) and written.settled == 1


def test_projects_have_items_of_their_own() -> None:
    pin = "vllm==0.8.5\n"
    files = {"a/run.sh": SERVE, "a/requirements.txt": pin, "b/run.sh": SERVE, "b/requirements.txt": pin}
    assert [(item.project, item.path) for item in items(of(files))] == [("a", "a/run.sh"), ("b", "b/run.sh")]


def test_items_count_only_where_they_are_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.sh").write_text(SERVE + "")
    call = ["lint", "--isolated", "--ignore", "VM102", "run.sh"]
    assert main(call) == 0
    assert main([*call, "--fail-on-checklist"]) == 1
    assert main([*call, "--fail-on-checklist", "--fail-on", "error"]) == 0
    (tmp_path / "vllm-migrate.toml").write_text("fail-on-checklist = true\n")
    assert main(["lint", "run.sh"]) == 1


ENTRY = '[[acknowledged]]\nrule = "{}"\npath = "{}"\nreason = "each replica gets its own"\n'


@pytest.mark.parametrize(
    ("rule", "path", "matches"),
    [
        ("VM105", "scripts/**", True),
        ("engine-seed-default", "scripts/run0.sh", True),
        ("VM1", "**", True),
        ("VM105", "conf/**", False),
        ("VM401", "scripts/**", False),
    ],
)
def test_what_is_acknowledged(rule: str, path: str, matches: bool) -> None:
    report = of({"scripts/run0.sh": SERVE, "vllm-migrate.toml": ENTRY.format(rule, path)})
    assert bool(items(report)) is not matches
    known = [(finding.name, reason) for finding, reason in report.suppressed]
    assert known == ([("engine-seed-default", "each replica gets its own")] if matches else [])
    unused = [note for note in report.notes if note.startswith("vllm-migrate.toml:1: acknowledges")]
    assert bool(unused) is not matches


def test_an_entry_for_some_files_leaves_the_others() -> None:
    files = {f"scripts/run{number}.sh": SERVE for number in range(2)}
    (item,) = items(of({**files, "vllm-migrate.toml": ENTRY.format("VM105", "scripts/run0.sh")}))
    assert (item.path, item.children) == ("scripts/run1.sh", ())


@pytest.mark.parametrize(
    "text", ['[[acknowledged]]\nrule = "VM105"\n', '[acknowledged]\nVM105 = "x"\n', '[[acknowledged]]\nrul = "VM105"\n']
)
def test_an_entry_says_why(text: str) -> None:
    with pytest.raises(UsageError, match="each with rule and reason"):
        of({"run.sh": SERVE, "vllm-migrate.toml": text})


def test_what_the_framework_has_no_key_for_is_an_item(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = (EXAMPLES / "open-instruct" / "after" / "train.sh").read_text(encoding="utf-8")
    (tmp_path / "train.sh").write_text(script)
    main(["lint", "--isolated", "--output-format", "json", str(tmp_path / "train.sh")])
    kinds = {finding["name"]: finding["kind"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert kinds["logprobs-semantics"] == "checklist", "create_vllm_engines would have to pass it"
    assert kinds["engine-v0-removed"] == "checklist", "its fix is right only with that one"


def test_the_text_has_it_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.sh").write_text(SERVE + "vllm serve org/m --dtype bfloat16 --swap-space 4\n")
    main(["lint", "--isolated", str(tmp_path / "run.sh")])
    out = capsys.readouterr().out
    assert out.index("VM202") < out.index("Checklist: ") < out.index("VM105")
    assert "1 item on the checklist; 1 item for information." in " ".join(out.split())


def test_what_asks_nothing_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An info of the checklist about an engine that does not train: machine formats and --all have all of it."""
    (tmp_path / "run.sh").write_text("vllm serve org/m --max-model-len 8192\n")
    path = str(tmp_path / "run.sh")
    main(["lint", "--isolated", path])
    short = capsys.readouterr().out
    assert "For information" in short and "VM102 asynchronous" in short
    assert not any(word in short for word in ("why: ", "fix: ", "vllm-migrate fix", "annotations"))
    main(["lint", "--isolated", "--all", path])
    assert "why: " in capsys.readouterr().out
    main(["lint", "--isolated", "--output-format", "github", path])
    assert "VM102" in (lines := capsys.readouterr().out) and "::notice" not in lines
    (tmp_path / "vllm-migrate.toml").write_text('[per-file-settings]\n"*.sh" = { role = "rl_rollout" }\n')
    main(["lint", "--config", str(tmp_path / "vllm-migrate.toml"), path])
    rollout = capsys.readouterr().out
    assert rollout.index("fix: ") < rollout.index("For information"), (
        "where it trains, what has an edit is shown with it"
    )
    assert rollout.count("asynchronous scheduling is on by default") == 1


def test_the_summary_counts_the_fixes_that_fix_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Items of the checklist may have a fix, too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "serve.sh").write_text("vllm serve m --swap-space 4 --guided-decoding-backend xgrammar\n")
    main(["lint", "serve.sh"])
    text = " ".join(capsys.readouterr().out.split())
    main(["fix", "serve.sh"])
    fixed = capsys.readouterr().out
    counted = dict(
        zip(("safe", "review"), re.search(r"Fixes: (\d+) safe, (\d+) needs? review", text).groups(), strict=True)
    )
    assert f" and settle {counted['safe']} finding" in fixed and f"\n{counted['review']} more with --unsafe" in fixed
    assert "fix --unsafe serve.sh" in text
