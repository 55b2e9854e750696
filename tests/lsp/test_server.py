"""The server, asked by a real client about projects on the disk and texts that are not saved."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pygls")

from lsprotocol import types

from tests.lsp.client import Editor, run
from vllm_migrate import fix, lint

BASE = """\
finetune:
  seq_length: 4096
vllm_config:
  use_v1: false
  vllm_kwargs:
    max-model-len: ${finetune.seq_length}
    num-scheduler-steps: 1
    enable-prefix-caching: false
"""
MATH = """\
defaults:
  - base
  - _self_
vllm_config:
  vllm_kwargs:
    max-model-len: 20000
"""
PROJECT = {"conf/base.yaml": BASE, "conf/math.yaml": MATH, "requirements.txt": "vllm==0.8.5\n", "README.md": "vllm\n"}
SERVE = "model: a/b\nmax-num-seqs: 64\nswap-space: 4\n"


def codes(diagnostics: list[types.Diagnostic]) -> list[str]:
    return sorted(str(each.code) for each in diagnostics)


def test_diagnostics_are_the_findings_of_lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(editor: Editor) -> None:
        found = await editor.open("conf/base.yaml")
        monkeypatch.chdir(tmp_path)
        expected = lint("conf/base.yaml").findings
        assert codes(found) == sorted(finding.code for finding in expected) and found
        assert {each.source for each in found} == {"vllm-migrate"}
        steps_line = next(each for each in found if each.range.start.line == 6)
        assert editor.texts["conf/base.yaml"].splitlines()[6][steps_line.range.start.character :].startswith("num-")

    run(tmp_path, PROJECT, steps)


def test_unsaved_text_counts_and_so_does_that_of_a_parent(tmp_path: Path) -> None:
    async def steps(editor: Editor) -> None:
        first = await editor.open("conf/math.yaml")
        elsewhere = [each for each in first if each.related_information]
        assert elsewhere and {each.range.start.line for each in elsewhere} == {0}
        assert elsewhere[0].related_information[0].location.uri == editor.uri("conf/base.yaml")
        await editor.open("conf/base.yaml")
        without = BASE.replace("    num-scheduler-steps: 1\n", "    swap-space: 4\n")
        editor.send("conf/base.yaml", without)
        second = await editor.diagnostics("conf/math.yaml")  # published though only its parent was typed in
        assert any("swap" in each.message for each in second)
        assert not any("num-scheduler-steps" in each.message for each in second)
        assert (tmp_path / "conf/base.yaml").read_text() == BASE

    run(tmp_path, PROJECT, steps)


def test_a_text_that_is_typed_is_judged_once_it_rests(tmp_path: Path) -> None:
    async def steps(editor: Editor) -> None:
        before = await editor.open("serve.yaml")
        assert any("swap" in each.message for each in before)
        for end in range(5):
            editor.send("serve.yaml", SERVE + "#" * end + "\n")
        after = await editor.change("serve.yaml", "model: a/b\nmax-num-seqs: 64\n")
        assert not any("swap" in each.message for each in after)
        broken = await editor.change("serve.yaml", "model: [a\nmax-num-seqs: 64 # vllm\n")
        assert codes(broken) and all(code.startswith("VM9") for code in codes(broken))
        assert await editor.change("serve.yaml", "name: x\n") == []

    run(tmp_path, {"serve.yaml": SERVE}, steps)


def test_a_file_that_is_not_on_the_disk_yet(tmp_path: Path) -> None:
    async def steps(editor: Editor) -> None:
        assert any("swap" in each.message for each in await editor.open("new.yaml", SERVE))

    run(tmp_path, {}, steps)


def test_hover_says_both_values_and_the_life_of_the_option(tmp_path: Path) -> None:
    async def steps(editor: Editor) -> None:
        await editor.open("conf/base.yaml")
        text = await editor.hover("conf/base.yaml", "num-scheduler-steps")
        assert "**num_scheduler_steps** (pipelinerl, rl_rollout)" in text
        assert "| vLLM 0.8.5 | vLLM 0.18.1 |" in text and "`1` (conf/base.yaml:7)" in text
        assert "0.18.1: no such option" in text and "num_scheduler_steps (engine)" in text and "removed" in text
        assert "settings change" in await editor.hover("conf/base.yaml", "vllm_kwargs")
        assert await editor.hover("conf/base.yaml", "finetune:") == ""

    run(tmp_path, PROJECT, steps)


def test_go_to_what_sets_a_value(tmp_path: Path) -> None:
    async def steps(editor: Editor) -> None:
        await editor.open("conf/math.yaml")
        await editor.open("conf/base.yaml")
        assert await editor.definition("conf/math.yaml", "base") == [("base.yaml", 1)]
        assert await editor.definition("conf/math.yaml", "max-model-len") == [("base.yaml", 6)]
        assert await editor.definition("conf/base.yaml", "${finetune") == [("base.yaml", 2)]
        assert await editor.definition("conf/base.yaml", "finetune:") == []

    run(tmp_path, PROJECT, steps)


def test_a_quick_fix_is_the_proved_edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(editor: Editor) -> None:
        await editor.open("conf/base.yaml")
        monkeypatch.chdir(tmp_path)
        offered = {f"{f.code}: {f.fix.title}": f for f in lint("conf/base.yaml").findings if f.fix and f.fix.edits}
        actions = [each for each in await editor.actions("conf/base.yaml", "quickfix") if each.edit]
        assert len(actions) == len(offered) > 0
        drop = next(each for each in actions if "num-scheduler-steps" in each.diagnostics[0].message)
        assert drop.kind == "quickfix" and all(a.is_preferred != a.title.endswith("(needs review)") for a in actions)
        assert editor.applied(drop.edit, "conf/base.yaml") == BASE.replace("    num-scheduler-steps: 1\n", "")
        found = await editor.change("conf/base.yaml", editor.applied(drop.edit, "conf/base.yaml"))
        assert not any("num-scheduler-steps" in each.message for each in found)

    run(tmp_path, PROJECT, steps)


def test_fix_all_is_what_fix_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(editor: Editor) -> None:
        await editor.open("conf/base.yaml")
        (action,) = await editor.actions("conf/base.yaml", "source.fixAll")
        assert action.kind == "source.fixAll.vllm-migrate" and action.edit is None
        whole = await editor.resolved(action)
        monkeypatch.chdir(tmp_path)
        assert editor.applied(whole.edit, "conf/base.yaml") == fix("conf/base.yaml").texts["conf/base.yaml"] != BASE
        assert (tmp_path / "conf/base.yaml").read_text() == BASE

    run(tmp_path, {**PROJECT, "requirements.txt": "vllm\n"}, steps)


def test_columns_are_those_of_the_protocol(tmp_path: Path) -> None:
    """A character outside the basic plane counts two, and an edit behind it lands where it should."""
    text = 'policy:\n  engine_args: {model: "a/😀b", num_scheduler_steps: 1, max_model_len: 64}\n'
    text += "  sampling_params: {temperature: 1.0}\nservices:\n  policy: {procs: 1, num_replicas: 1, with_gpus: true}\n"

    async def steps(editor: Editor) -> None:
        found = await editor.open("grpo.yaml")
        (one,) = [each for each in found if "num_scheduler_steps" in each.message]
        assert one.range.start == editor.at("grpo.yaml", "num_scheduler_steps")
        (drop,) = [
            a for a in await editor.actions("grpo.yaml") if a.edit and "num_scheduler" in a.diagnostics[0].message
        ]
        assert "num_scheduler_steps" not in editor.applied(drop.edit, "grpo.yaml")
        assert editor.applied(drop.edit, "grpo.yaml").replace(" ", "") == text.replace(
            "num_scheduler_steps: 1, ", ""
        ).replace(" ", "")

    run(tmp_path, {"grpo.yaml": text}, steps)


def test_a_wrong_configuration_is_said_once(tmp_path: Path) -> None:
    async def steps(editor: Editor) -> None:
        assert await editor.open("serve.yaml") == []
        await editor.change("serve.yaml", SERVE + "\n")
        assert len(editor.messages) == 1 and "0.8.99" in editor.messages[0]
        assert await editor.hover("serve.yaml", "swap") == ""

    run(tmp_path, {"serve.yaml": SERVE, "vllm-migrate.toml": 'to = "0.8.99"\n'}, steps)


def test_options_of_the_call(tmp_path: Path) -> None:
    async def steps(editor: Editor) -> None:
        await editor.open("serve.yaml")
        assert "| vLLM 0.9.2 | vLLM 0.10.0 |" in await editor.hover("serve.yaml", "swap-space")

    run(tmp_path, {"serve.yaml": SERVE}, steps, "--from", "0.9.2", "--to", "0.10.0")


def test_without_pygls_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "pygls.py").write_text("raise ImportError('no', name='pygls')\n")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from vllm_migrate.cli.main import main; sys.exit(main(['lsp']))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and 'pip install "vllm-migrate[lsp]"' in done.stderr and not done.stdout


def test_what_changes_on_the_disk_is_judged_where_it_was_read(tmp_path: Path) -> None:
    async def steps(editor: Editor) -> None:
        patterns = {await editor.watched.get(), await editor.watched.get()}
        assert any("yaml" in pattern and "txt" in pattern for pattern in patterns)
        first = codes(await editor.open("conf/math.yaml"))
        assert "VM203" in first
        editor.write("conf/base.yaml", BASE.replace("    num-scheduler-steps: 1\n", ""))
        assert "VM203" not in codes(await editor.diagnostics("conf/math.yaml"))
        editor.write("requirements.txt", "vllm==0.18.1\n")
        assert codes(await editor.diagnostics("conf/math.yaml")) != first

    run(tmp_path, PROJECT, steps)


def test_it_ends_in_silence(tmp_path: Path) -> None:
    """The console script itself: after `shutdown` and `exit` it ends with 0, and nothing on standard error."""
    messages: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": {"processId": None, "rootUri": None, "capabilities": {}}},
        {"method": "initialized", "params": {}},
        {"id": 2, "method": "shutdown"},
        {"method": "exit"},
    ]
    texts = [json.dumps({"jsonrpc": "2.0", **message}) for message in messages]
    sent = "".join(f"Content-Length: {len(text)}\r\n\r\n{text}" for text in texts).encode()
    words = [sys.executable, "-m", "vllm_migrate", "lsp"]
    done = subprocess.run(words, input=sent, capture_output=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == b"" and b'"id":2' in done.stdout.replace(b" ", b"")
