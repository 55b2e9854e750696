"""The command line from outside: exit codes, the first line, what is written and what is not."""

from __future__ import annotations

import json
import os
import re
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


@pytest.mark.parametrize("options", [[], ["--unsafe"], ["--check"], ["--write"], ["--write", "--check"]])
def test_with_only_a_parent_to_change_nothing_is_promised(
    conf: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert main(["fix", *options, "conf/math.yaml"]) == 0
    told = capsys.readouterr().out
    assert "outside the given paths, written only with --follow-parents: conf/base.yaml" in told
    assert "would change" not in told and "wrote" not in told and "--write writes" not in told
    assert ("logprobs-mode" in told) == ("--check" not in options), "its fix is shown"
    assert (conf / "base.yaml").read_text(encoding="utf-8") == BASE


def test_beside_a_parent_only_what_is_written_is_counted(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = CHILD + "    swap_space: 4\n"
    (conf / "math.yaml").write_text(own, encoding="utf-8")
    arguments = ["fix", "--unsafe", "conf/math.yaml"]
    assert main(arguments) == 1
    told = capsys.readouterr().out
    assert "would change 1 file and settle 1 finding; --write writes them" in told
    assert main([*arguments, "--check"]) == 1
    checked = capsys.readouterr().out.splitlines()
    assert checked[0] == "would change conf/math.yaml" and "would change conf/base.yaml" not in checked
    assert main([*arguments, "--write"]) == 0
    assert "wrote 1 file and settled 1 finding" in capsys.readouterr().out
    assert (conf / "base.yaml").read_text(encoding="utf-8") == BASE
    assert "swap_space" not in (conf / "math.yaml").read_text(encoding="utf-8")


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
        (["lint", "--from", "0.8.99", "--to", "0.8.5", "conf"], 2),
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


@pytest.mark.parametrize("call", ['LLM(model="m", **KW)', "make(LLM)"])
def test_a_file_of_imports_alone_says_that_no_engine_was_recognised(
    call: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "serve.py"
    path.write_text(f"from vllm import LLM\n{call}\n", encoding="utf-8")
    assert names(lint_json(capsys, str(path))) == ["no-engine-recognised"]
    assert main(["lint", str(path)]) == 0
    out = capsys.readouterr().out
    assert "so nothing in it but its imports was judged" in " ".join(out.split())
    assert "Found 1 info in 1 file" in out
    assert main(["lint", str(tmp_path)]) == 0
    assert "No vLLM engine was recognised in 1 file" in capsys.readouterr().out


def test_an_import_that_gets_a_finding_is_recognised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "serve.py"
    path.write_text("from vllm.worker.worker import Worker\nmake(Worker)\n", encoding="utf-8")
    found = names(lint_json(capsys, str(path)))
    assert found and "no-engine-recognised" not in found


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


@pytest.mark.parametrize(
    ("comment", "hidden", "remarks"),
    [
        ("ignore[VM102] measured", {"VM102"}, []),
        ("ignore(VM102)", set(), ["this hides nothing: rules go in square brackets, ignore[CODE]"]),
        (
            "ignore: async-scheduling-default",
            set(),
            ["this hides nothing: rules go in square brackets, ignore[CODE]"],
        ),
        ("ignore[VM999, vm102]", {"VM102"}, ["this suppression names VM999, which is not a rule"]),
        ("ignore-file[nonsense]", set(), ["this suppression names nonsense, which is not a rule"]),
        ("ignore[vm201]", set(), ["this suppression of VM201 hides nothing"]),
    ],
)
def test_a_suppression_hides_what_it_names_and_says_what_it_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], comment: str, hidden: set[str], remarks: list[str]
) -> None:
    def codes(text: str) -> tuple[set[str], list[str]]:
        (tmp_path / "serve.sh").write_text(text)
        findings = lint_json(capsys, str(tmp_path / "serve.sh"))["findings"]
        assert isinstance(findings, list)
        told = [finding["message"] for finding in findings if finding["code"] == "VM910"]
        return {finding["code"] for finding in findings} - {"VM910"}, told

    bare, nothing = codes("vllm serve a\n")
    left, told = codes(f"vllm serve a  # vllm-migrate: {comment}\n")
    assert "VM102" in bare and not nothing
    assert (bare - left, told) == (hidden, remarks)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[severity]\nVM101 = "off"\nVMX = "info"\n', 3),
        ('[per-file-ignores]\n"a/**" = ["VM1"]\n"b/**" = ["VM101", "VMX"]\n', 3),
        ('ignore = ["VMX"]\n', 1),
    ],
)
@pytest.mark.parametrize("command", ["lint", "fix"])
def test_a_rule_that_there_is_none_of_is_an_error_with_its_place(
    conf: Path, capsys: pytest.CaptureFixture[str], text: str, line: int, command: str
) -> None:
    (conf.parent / "vllm-migrate.toml").write_text(text)
    assert main([command, "conf"]) == 2
    assert f"vllm-migrate.toml:{line}: there is no rule 'VMX'" in capsys.readouterr().err
    (conf.parent / "vllm-migrate.toml").write_text(text.replace("VMX", "engine-seed-default"))
    assert main([command, "conf"]) == 1


def findings_of(report: dict[str, object]) -> set[tuple[str, int]]:
    findings = report["findings"]
    assert isinstance(findings, list)
    return {(finding["path"], finding["line"]) for finding in findings}


def test_a_baseline_hides_no_engine_that_came_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "serve.sh"
    script.write_text("vllm serve a --swap-space 4\n")
    assert main(["lint", "--baseline", "known.json", "--write-baseline", "serve.sh"]) == 0
    script.write_text("vllm serve a --swap-space 4\nvllm serve b --swap-space 4\n")
    assert main(["lint", "--baseline", "known.json", "--fail-on", "info", "serve.sh"]) == 1
    capsys.readouterr()
    assert findings_of(lint_json(capsys, "--baseline", "known.json", "serve.sh")) == {("serve.sh", 2)}
    assert main(["lint", "--baseline", "known.json", "--write-baseline", "serve.sh"]) == 0
    assert main(["lint", "--baseline", "known.json", "--fail-on", "info", "serve.sh"]) == 0
    script.write_text("vllm serve b --swap-space 4\n")
    capsys.readouterr()
    assert main(["lint", "--baseline", "known.json", "serve.sh"]) == 0
    assert "no longer matches 2 times but 1" in " ".join(capsys.readouterr().out.split())


def test_a_baseline_means_the_same_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "vllm-migrate.toml").write_text('baseline = "known.json"\n')
    for name in ("serve.sh", "sub/other.sh"):
        (tmp_path / name).write_text("vllm serve a\n")
    monkeypatch.chdir(tmp_path)
    assert main(["lint", "--write-baseline", "."]) == 0
    (tmp_path / "sub/serve.sh").write_text("vllm serve a\n")
    monkeypatch.chdir(tmp_path / "sub")
    assert main(["lint", "--fail-on", "info", "other.sh", "../serve.sh"]) == 0
    capsys.readouterr()
    assert findings_of(lint_json(capsys, ".")) == {("serve.sh", 1)}
    assert main(["lint", "--write-baseline", ".", ".."]) == 0
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    report = lint_json(capsys, ".")
    assert findings_of(report) == set()


@pytest.mark.parametrize(("paths", "files"), [(["."], 1), (["known.json", "serve.sh"], 2)])
def test_a_baseline_does_not_count_itself(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    paths: list[str],
    files: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "serve.sh").write_text("vllm serve a\n")
    assert main(["lint", "--baseline", "known.json", "--write-baseline", "."]) == 0
    capsys.readouterr()
    report = lint_json(capsys, "--baseline", "known.json", *paths)
    assert (report["files"], report["findings"]) == (files, [])
    assert main(["lint", "--baseline", "known.json", "--fail-on", "info", "known.json"]) == 0


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
    before = (conf / "base.yaml").read_text(encoding="utf-8")
    assert main(["lint", "--add-ignores", "conf"]) == 1
    assert "+" in capsys.readouterr().out and (conf / "base.yaml").read_text(encoding="utf-8") == before
    assert main(["lint", "--add-ignores", "--write", "conf"]) == 2
    assert "needs a reason" in capsys.readouterr().err
    assert main(["lint", "--write", "conf"]) == 2
    assert main(["lint", "--add-ignores", "--write", "--reason", "measured:\nno effect", "conf"]) == 0
    text = (conf / "base.yaml").read_text(encoding="utf-8")
    assert re.search(r"# vllm-migrate: ignore\[.*\] measured: no effect$", text, re.MULTILINE)
    capsys.readouterr()
    assert names(lint_json(capsys, "conf")) == []


@pytest.mark.parametrize(
    "words", ["", "lint", "fix", "effective", "explain", "catalog", "catalog add", "smoke", "smoke record"]
)
def test_every_help_looks_the_same(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Usage: ") and "\nOptions:\n" in out
    assert not any(leak in out for leak in ("<bool>", "[paths]", "╭"))
