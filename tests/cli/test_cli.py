"""The command line from outside: exit codes, the first line, what is written and what is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main

BASE = """\
# a comment that stays
llm:
  parameters:
    temperature: 0.7
vllm_config:
  use_v1: false
  vllm_kwargs:
    dtype: bfloat16
    generation-config: vllm
    num-scheduler-steps: 1   # removed
"""
CHILD = "defaults:\n  - base\n  - _self_\n\nvllm_config:\n  vllm_kwargs:\n    max_model_len: 20000\n"


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "base.yaml").write_text(BASE, encoding="utf-8")
    (folder / "math.yaml").write_text(CHILD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return folder


def lint_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    main(["lint", "--output-format", "json", *arguments])
    out: dict[str, object] = json.loads(capsys.readouterr().out)
    return out


def names(report: dict[str, object]) -> list[str]:
    findings = report["findings"]
    assert isinstance(findings, list)
    return [finding["name"] for finding in findings]


def test_lint_finds_and_says_which_releases(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "conf"]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[0].startswith("vLLM 0.8.5 (")
    assert "conf/base.yaml" in out and "prefix-caching-default" in out


def test_findings_belong_to_the_root_of_the_chain_once(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = lint_json(capsys, "conf")
    findings = report["findings"]
    assert isinstance(findings, list)
    inherited = [finding for finding in findings if finding["option"] != "max_model_len"]  # the child's own setting
    assert {finding["path"] for finding in inherited} == {"conf/base.yaml"}
    assert len({(f["code"], f["line"], f["option"]) for f in findings}) == len(findings)
    assert report["from"] == "0.8.5" and report["to"] == "0.18.1" and report["files"] == 2


def test_a_parent_outside_the_paths_is_judged_and_not_written(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = lint_json(capsys, "conf/math.yaml")
    assert "conf/base.yaml" in {f["path"] for f in report["findings"]}  # type: ignore[attr-defined]
    before = (conf / "base.yaml").read_bytes()
    assert main(["fix", "--write", "--unsafe", "conf/math.yaml"]) == 0
    assert (conf / "base.yaml").read_bytes() == before
    assert "--follow-parents" in capsys.readouterr().out
    assert main(["fix", "--write", "--unsafe", "--follow-parents", "conf/math.yaml"]) == 0
    assert b"processed_logprobs" in (conf / "base.yaml").read_bytes()


def test_fix_writes_pins_and_leaves_every_other_line(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", "--unsafe", "conf"]) == 1
    assert (conf / "base.yaml").read_text(encoding="utf-8") == BASE
    assert main(["fix", "--unsafe", "--check", "conf"]) == 1
    assert main(["fix", "--unsafe", "--write", "conf"]) == 0
    after = (conf / "base.yaml").read_text(encoding="utf-8").splitlines()
    assert "# a comment that stays" in after
    assert "    logprobs-mode: processed_logprobs" in after
    assert '    no-enable-prefix-caching: ""' in after
    assert not any("num-scheduler-steps" in line for line in after)
    kept = [line for line in BASE.splitlines() if "num-scheduler" not in line and "use_v1" not in line]
    assert [line for line in after if line in kept] == kept
    assert (conf / "math.yaml").read_text(encoding="utf-8") == CHILD
    assert main(["fix", "--unsafe", "--check", "conf"]) == 0
    capsys.readouterr()
    # What no setting can do stays: the framework's own code must pause around a weight update.
    assert set(names(lint_json(capsys, "conf"))) <= {"inflight-weight-update"}


def test_safe_fixes_only_unless_unsafe(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", "--write", "conf"]) == 0
    text = (conf / "base.yaml").read_text(encoding="utf-8")
    assert "logprobs-mode: processed_logprobs" in text
    assert "use_v1: false" in text, "the request for V0 goes only with --unsafe"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["lint", "nowhere"], 2),
        (["lint", "--from", "0.8.6", "conf"], 2),
        (["lint", "--from", "0.18.1", "--to", "0.8.5", "conf"], 2),
        (["lint", "--gpu", "abacus", "conf"], 2),
        (["lint", "--bogus", "conf"], 2),
        (["lint", "--output-format", "papyrus", "conf"], 2),
        (["lint", "--select", "VM000", "conf"], 2),
        (["lint", "--fail-on", "never", "conf"], 0),
        (["lint", "empty"], 3),
        (["fix", "empty"], 3),
        (["explain", "no-such-thing"], 2),
        (["nonsense"], 2),
        (["--version"], 0),
        (["rules"], 0),
        (["dialects", "pipelinerl"], 0),
    ],
)
def test_exit_codes(conf: Path, arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    (conf.parent / "empty").mkdir()
    assert main(arguments) == status


def test_a_file_in_which_nothing_is_recognised_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other.yaml"
    path.write_text("name: x\n", encoding="utf-8")
    assert names(lint_json(capsys, str(path))) == ["no-engine-recognised"]
    assert names(lint_json(capsys, str(tmp_path))) == []


def test_what_cannot_be_read_is_one_finding_and_the_rest_goes_on(
    conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (conf / "broken.yaml").write_text("vllm_kwargs: [\n", encoding="utf-8")
    (conf / "latin.yaml").write_bytes(b"vllm_kwargs: {a: \xff}\n")
    found = names(lint_json(capsys, "conf"))
    assert "does-not-parse" in found and "not-utf8" in found and "logprobs-semantics" in found


def test_standard_input(conf: Path) -> None:
    command = [sys.executable, "-m", "vllm_migrate", "lint", "--output-format", "json", "-"]
    done = subprocess.run(command, input=BASE.encode(), capture_output=True, check=False, cwd=conf.parent)
    assert done.returncode == 1
    assert "logprobs-semantics" in names(json.loads(done.stdout))


def test_suppression_and_baseline(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = BASE.replace("  vllm_kwargs:", "  # vllm-migrate: ignore[VM101] cache is reset by hand\n  vllm_kwargs:")
    (conf / "base.yaml").write_text(text, encoding="utf-8")
    assert "prefix-caching-default" not in names(lint_json(capsys, "conf"))
    assert main(["lint", "--baseline", "known.json", "--write-baseline", "conf"]) == 0
    assert main(["lint", "--baseline", "known.json", "conf"]) == 0
    (conf / "base.yaml").write_text(text.replace("temperature: 0.7", "temperature: 0.5"), encoding="utf-8")
    assert main(["lint", "--baseline", "known.json", "conf"]) == 0, "a fingerprint holds no line and no foreign value"


def test_no_colour_off_a_terminal(conf: Path) -> None:
    env = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR",)}
    done = subprocess.run(
        [sys.executable, "-m", "vllm_migrate", "lint", "conf"], capture_output=True, check=False, env=env
    )
    assert b"\x1b" not in done.stdout


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("lint", "fix", "explain", "effective"):
        assert main([command, "--help"]) == 0
        assert "Usage" in capsys.readouterr().out


def test_add_ignores_silences_what_is_found(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--add-ignores", "conf"]) == 0
    text = (conf / "base.yaml").read_text(encoding="utf-8")
    assert "# vllm-migrate: ignore[" in text
    capsys.readouterr()
    assert names(lint_json(capsys, "conf")) == []


@pytest.mark.parametrize("words", ["", "lint", "fix", "effective", "explain", "catalog", "catalog add", "smoke", "smoke record"])
def test_every_help_looks_the_same(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Usage: ") and "\nOptions:\n" in out
    assert not any(leak in out for leak in ("<bool>", "[paths]", "╭"))
