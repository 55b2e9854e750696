"""The page for people, rule by rule: what matters first, each reason and each edit once, lists that fold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.report.drafts import Draft, render
from vllm_migrate import lint
from vllm_migrate.report import formats
from vllm_migrate.report.layout import cells

ANSI = re.compile(r"\x1b\[[\d;]*m")
SERVERS = {f"s{number}/serve.sh": "vllm serve org/m --swap-space 8 --max-model-len 8192\n" for number in range(9)}


def page(files: dict[str, str], **style: Any) -> str:
    return "".join(formats.render("text", lint(files=files), **style))


def test_the_rules_stand_from_error_to_info(report: Draft) -> None:
    heads = re.findall(r"(?m)^(error|warning|info) VM", render("text", report))
    assert heads == sorted(heads, key=("error", "warning", "info").index)
    assert len(heads) == 5


@pytest.mark.parametrize("width", [20, 60, 80, 140, 200])
def test_it_fits_any_terminal(report: Draft, width: int) -> None:
    plain = render("text", report, width=width)
    assert ANSI.sub("", render("text", report, color=True, width=width)) == plain
    assert all(
        cells(line) <= max(width, 40) for line in plain.splitlines() if " " in line.strip() and "-->" not in line
    )


def test_what_is_the_same_in_many_places_is_one_group() -> None:
    text = page(SERVERS)
    assert text.count("vLLM 0.18.1 rejects") == 1
    assert "VM202 scheduler-policy-preemption (9 places)" in text
    assert text.count("  fix: [*] drop") == 1
    assert "... and 3 more places (--all)" in text
    assert "s8/serve.sh:1" not in text


def test_all_cuts_nothing_short() -> None:
    text = page(SERVERS, everything=True)
    assert all(f"{path}:1" in text for path in SERVERS)
    assert "--all" not in text


def test_what_stops_is_said_first() -> None:
    text = page({"serve.sh": SERVERS["s0/serve.sh"]})
    assert text.splitlines()[1] == "will not start: serve.sh (VM202)"
    assert "will not start" not in page({"serve.sh": "vllm serve org/m --max-model-len 8192\n"})


def test_what_is_written_in_vain_starts_all_the_same() -> None:
    dropped = page({"serve.yaml": "model: org/m\nmax-model-len: 8192\nenable-prefix-caching: false\n"})
    assert "has no effect: serve.yaml (VM301)" in dropped.splitlines() and "will not start" not in dropped


def test_what_moves_the_loss_is_said_first() -> None:
    config = "vllm_config:\n  use_v1: false\n  vllm_kwargs:\n    max-model-len: 4096\n"
    assert re.search(r"(?m)^changes the loss: conf/base.yaml \(VM101\b", page({"conf/base.yaml": config}))


def test_places_of_one_message_show_their_lines() -> None:
    text = page({"a.sh": SERVERS["s0/serve.sh"], "b.sh": SERVERS["s1/serve.sh"]})
    assert re.search(r"(?m)^  --> a\.sh:1:\d+  vllm serve org/m --swap-space 8", text)


def test_reasons_of_a_rule_stand_once() -> None:
    code = "from vllm.utils import FlexibleArgumentParser, set_ulimit\n"
    text = page({"a.py": code + "from vllm import LLM\nllm = LLM('org/m')\n"})
    assert text.count("cannot be imported in 0.18.1") == 2
    assert text.count("  why: the program stops with ImportError") == 1
    assert text.count("  advice: import it from its new place") == 1


def drawn(*changes: dict[str, Any]) -> str:
    """The page of a report whose first finding is repeated with these changes."""
    report = lint(files={"serve.sh": SERVERS["s0/serve.sh"]}, to="0.18.1")
    first = next(finding for finding in report.findings if finding.code == "VM202")
    findings = tuple(first._replace(**change) for change in changes)
    return "".join(formats.render("text", report._replace(findings=findings)))


def test_one_edit_of_two_rules_is_one_group() -> None:
    text = drawn({}, {"code": "VM299", "name": "another-rule", "message": "it says something else"})
    assert text.count("  fix for both: ") == 1 and "  fix: " not in text
    assert text.index("VM202 ") < text.index("VM299 ") < text.index("  fix for both: ")
    third = {"code": "VM298", "name": "a-third", "message": "it says a third thing"}
    assert "  fix for these 3: " in drawn({}, third, {"code": "VM299", "name": "another-rule", "message": "x"})


def test_the_same_edit_for_other_engines_is_not() -> None:
    text = drawn({}, {"code": "VM299", "name": "another-rule", "engine": None})
    assert text.count("  fix: ") == 2


def test_a_reason_is_told_once() -> None:
    gpu, model = "the GPU (memory)", "the model's generation_config.json, which may set top_p"
    text = drawn(
        {"depends_on": (gpu,)},
        {"code": "VM298", "depends_on": (gpu, model), "fix": None},
        {"code": "VM299", "depends_on": (gpu,), "fix": None},
    )
    assert text.count(gpu) == 1 and f"depends on: {gpu} [1]\n" in text
    assert f"depends on: {model}\n" in text
    assert text.count("[1] above") == 2
    assert text.count("settle it: pass --gpu NAME") == 1


def test_many_files_are_summed_up_by_rule() -> None:
    text = page(SERVERS)
    assert "will not start: 9 files (VM202 in 9)" in text.splitlines()


def test_marks_are_explained_if_they_occur() -> None:
    text = page({"serve.sh": SERVERS["s0/serve.sh"]})
    assert "[*] proved, fix writes it.\n" in text, "what is only for information shows no marks"
    text = page({"serve.sh": "vllm serve org/m --guided-decoding-backend xgrammar --swap-space 4\n"})
    assert "[*] proved, fix writes it; [?] needs review (--unsafe).\n" in text
    text = page({"serve.sh": "vllm serve org/m --max-model-len 8192\n"})
    assert "[*]" not in text and "[?]" not in text


def test_projects_that_make_the_same_move_share_a_line() -> None:
    lines = page({**SERVERS, "t/serve.sh": "vllm serve m\n", "t/requirements.txt": "vllm==0.10.0\n"}).splitlines()
    assert lines[0] == "s0, s1, s2 and 6 more: vLLM 0.8.5 (the default) -> 0.18.1 (the default)"
    assert lines[1].startswith("t: vLLM 0.10.0 (t/requirements.txt:1 pins it) -> 0.18.1")


def test_a_message_of_a_rule_stands_once() -> None:
    text = page({"a.sh": "vllm serve org/m --swap-space 8\n", "b.sh": "vllm serve org/m --swap-space 4\n"})
    assert text.count("rejects --swap-space") == 1 and text.count("  fix: [*] drop --swap-space") == 2


def test_an_error_of_the_checklist_is_said_first() -> None:
    script = "export VLLM_USE_V1=0\npython open_instruct/grpo_fast.py --vllm_num_engines 2 --vllm_sync_backend nccl --async_steps 4\n"
    text = page({"train.sh": script})
    assert text.splitlines()[1].startswith("changes the loss: train.sh (") and "will not start" not in text


def test_places_of_several_severities_are_counted_apart() -> None:
    off = "model: org/m\nmax-model-len: 8192\nenable-prefix-caching: false\nenable-chunked-prefill: false\n"
    head = next(line for line in page({"serve.yaml": off}).splitlines() if "VM301" in line and "yaml-false" in line)
    assert head.endswith("(2 places: 1 error, 1 info)")


def test_no_fix_is_offered_that_is_right_only_with_one_that_cannot_be_written() -> None:
    before = Path(__file__).parents[2] / "examples" / "open-instruct" / "before"
    text = page({path.name: path.read_text(encoding="utf-8") for path in before.iterdir()})
    assert "VM201" in text and "Fixes:" not in text and "fix --unsafe" not in text
