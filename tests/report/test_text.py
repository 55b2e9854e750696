"""The page for people, rule by rule: what matters first, each reason and each edit once, lists that fold."""

from __future__ import annotations

import re
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
    assert "... and 3 places more (--all)" in text
    assert "s8/serve.sh:1" not in text


def test_all_cuts_nothing_short() -> None:
    text = page(SERVERS, everything=True)
    assert all(f"{path}:1" in text for path in SERVERS)
    assert "--all" not in text


def test_what_stops_is_said_first() -> None:
    text = page({"serve.sh": SERVERS["s0/serve.sh"]})
    assert text.splitlines()[1] == "will not start: serve.sh (VM202)"
    assert "will not start" not in page({"serve.sh": "vllm serve org/m --max-model-len 8192\n"})


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
