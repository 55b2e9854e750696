"""The page for people: what must be on it, at any width."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from tests.report.drafts import Draft, render
from vllm_migrate.documents.interface import Edit
from vllm_migrate.report.layout import cells

PAGE = """\
vLLM 0.8.5 (uv.lock:12 pins vllm==0.8.5) -> 0.18.1 (the default)

conf/base.yaml:4:1: error VM101 prefix-caching-default
  prefix caching is on by default at 0.18.1; 0.8.5 on V0 ran with it off
  4 | vllm_config:
    | ^^^^^^^^^^^
  why: cached blocks keep keys and values of the old policy
  fix: [~][?] pin prefix caching off, as 0.8.5 ran (review: needs --unsafe)
     +     no-enable-prefix-caching: true
  depends on: the model's generation_config.json, which may set top_p
              the GPU (memory)
  settle it: set that sampling parameter, or pass --model-config FOLDER (the
             model's); or pass --gpu NAME

conf/base.yaml:4:1: error VM401 logprobs-semantics
  logprobs returned by vLLM 0.18.1 are those of the raw model; 0.8.5 returned
  them after temperature
  why: your old_logprobs come from the rollout: at a temperature other than 1,
       or with top_p, top_k, min_p or penalties, they are no longer the
       log-probabilities of the distribution that was sampled
  fix: [~] pin logprobs_mode (safe; needs vLLM >= 0.10.0)
     +     logprobs-mode: processed_logprobs
  inherited by: conf/code.yaml, conf/math.yaml

conf/base.yaml:7:5: warning VM203 multi-step
  vLLM 0.18.1 refuses num-scheduler-steps
  7 |     num-scheduler-steps: 1   # 多步
    |     ^^^^^^^^^^^^^^^^^^^
  why: the server does not start
  advice: drop num-scheduler-steps

conf/base.yaml:8:2: info VM302 bool-cli-value
  an odd value
  8 |     enable-chunked-prefill: ""
    |     ^^^^^^^^^^^^^^^^^^^^^^
  not fixed: it is under a YAML anchor that other settings share

conf/z.yaml:3:7: warning VM903 does-not-parse
  a tab is no indentation

Found 2 errors, 2 warnings, 1 info in 14 files (1 suppressed).
Fixes: 1 safe, 1 needs review (--unsafe); 3 findings have only advice.
[~] planned (fix proves it before writing it); [?] needs review (--unsafe).

  vllm-migrate fix conf           show the diff; --write writes it
  vllm-migrate fix --unsafe conf  also apply fixes that need review
  vllm-migrate explain VM101      everything about this rule
"""

ANSI = re.compile(r"\x1b\[[\d;]*m")


def test_the_page(report: Draft) -> None:
    assert render("full", report, width=80) == PAGE


@pytest.mark.parametrize("width", [40, 60, 80, 140, 300])
def test_it_fits_and_colour_changes_nothing_else(report: Draft, width: int) -> None:
    plain = render("full", report, width=width)
    assert ANSI.sub("", render("full", report, color=True, width=width)) == plain
    assert "\x1b" not in plain
    for line in plain.splitlines():
        whole = line.startswith("conf/") or "vllm-migrate" in line or " " not in line.strip()
        assert whole or cells(line) <= width


def test_no_findings(empty: Draft) -> None:
    assert render("full", empty).endswith("(the default)\n\nNothing to report in 1 file.\n")
    empty.engines, empty.files = 0, 3
    assert "No vLLM engine was recognised in 3 files" in render("full", empty)


def test_quiet_leaves_the_summary_out(report: Draft) -> None:
    report.quiet = True
    for name in ("text", "full", "concise", "github", "statistics"):
        assert "Found" not in render(name, report)


def test_notes_are_said(report: Draft) -> None:
    report.notes.append("PyYAML has no C parser here")
    assert "\nnote: PyYAML has no C parser here\n" in render("full", report)


def test_the_next_command_repeats_the_call(report: Draft) -> None:
    report.paths, report.arguments = ["my conf", "a.yaml"], ["--from", "0.8.5"]
    assert "vllm-migrate fix --from 0.8.5 'my conf' a.yaml" in render("full", report, width=140)


def test_a_call_with_many_paths_is_not_repeated(report: Draft) -> None:
    report.paths = [f"conf/{i}.yaml" for i in range(300)]
    out = render("full", report)
    assert "vllm-migrate fix" not in out and "conf/299.yaml" not in out
    assert "vllm-migrate explain" in out


def test_a_fix_in_another_file_names_it(make: Any, maker: Any, empty: Draft) -> None:
    parent = maker("conf/parent.yaml").file
    parent.requested = False
    empty.add(*make.planned(make.finding("vllm_config"), Edit(0, 0, "a: 1\n"), file=parent))
    assert "fix: [~] pin it, in conf/parent.yaml, with --follow-parents (safe)" in render("full", empty)


@pytest.mark.parametrize(
    ("reason", "way"),
    [
        ("the GPU (capability)", "settle it: pass --gpu NAME"),
        ("the model's config.json (num_experts)", "settle it: pass --model-config FOLDER (the model's)"),
        ("whether a parent that was not found (base) sets seed", "lint it together with its configuration folder"),
        ("the value of VLLM_USE_V1", "settle it: pass --from-engine v0 or v1"),
        ("the value of seed (${seed})", "settle it: replace the reference in the file with a value"),
    ],
)
def test_how_to_settle_what_a_finding_depends_on(make: Any, empty: Draft, reason: str, way: str) -> None:
    empty.add(make.finding("actor", depends_on=(reason,)))
    out = render("full", empty)
    assert f"depends on: {reason}" in out and way in out


def test_a_reason_that_says_how_is_not_repeated(make: Any, empty: Draft) -> None:
    empty.add(make.finding("actor", depends_on=("which engine ran; settle it with --from-engine v0",)))
    assert render("full", empty).count("settle it") == 1


def test_many_children_and_lines_are_counted(make: Any, empty: Draft) -> None:
    finding, plan = make.planned(make.finding("vllm_config"), Edit(0, 0, "".join(f"a{i}: 1\n" for i in range(30))))
    empty.add(finding, plan, [f"c{i}.yaml" for i in range(9)])
    out = render("full", empty)
    assert "c0.yaml, c1.yaml, c2.yaml, c3.yaml, c4.yaml and 4 more" in out
    assert "a11: 1" in out and "a12: 1" not in out and "18 more lines" in out


def test_a_file_cannot_paint_the_terminal(maker: Any, empty: Draft) -> None:
    make = maker("conf/\x1b[31m.yaml", "k: \x1b[2J\n")
    empty.add(make.finding("k", message="bad \x1b]0;title\x07 value"))
    for name in ("text", "full", "concise", "github", "markdown", "html", "junit"):
        assert "\x1b" not in render(name, empty)


def test_concise_is_one_line_a_finding(report: Draft) -> None:
    lines = render("concise", report).splitlines()
    assert lines[0].startswith("vLLM 0.8.5")
    assert lines[2].startswith("conf/base.yaml:4:1: error VM401 logprobs-semantics [~]: logprobs returned by vLLM")
    assert lines[1].startswith("conf/base.yaml:4:1: error VM101 prefix-caching-default [~][?]: ")
    assert len(lines) == 9 and lines[-1].startswith("[~] planned")
    proved = render("concise", report, proved=True).splitlines()
    assert "logprobs-semantics [*]: " in proved[2] and "prefix-caching-default [?]: " in proved[1]
    assert proved[-1] == "[*] proved, fix writes it; [?] needs review (--unsafe)."


def test_statistics_count_by_rule(report: Draft, make: Any) -> None:
    report.add(*make.insertion(make.finding("actor", severity="info"), "actor", "x: 1"))
    lines = render("statistics", report).splitlines()
    assert lines[2].split() == ["2", "VM401", "error", "logprobs-semantics", "[~]", "2", "safe"]
    assert [line.split()[1] for line in lines[3:7]] == ["VM101", "VM203", "VM903", "VM302"]


HEAVY = (
    "json",
    "re",
    "rich",
    "dataclasses",
    "pydantic",
    "typer",
    "hashlib",
    "textwrap",
    "shlex",
    "inspect",
    "unicodedata",
)


@pytest.mark.parametrize("name", ["text", "concise", "statistics"])
def test_the_quick_path_stays_light(name: str) -> None:
    """Prints a finding in a bare interpreter and looks at what was loaded."""
    code = f"""
import sys
from vllm_migrate.dialects.model import Spot
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Source
from vllm_migrate.documents.interface import Edit
from vllm_migrate.fixes.plan import Plan
from vllm_migrate.rules.finding import Firing, Fix
before = set(sys.modules)
from vllm_migrate.report.formats import render
from vllm_migrate.report.model import Report
from vllm_migrate.report.findings import finding_of
file = File.bare(Source("a.yaml", b"use_v1: false", "use_v1: false", False, chr(10)))
finding = Firing("VM401", "logprobs-semantics", "error", "semantic", "logprobs: the tokens are raw", Spot(file, 0, 6))
finding = finding._replace(fix=Fix("pin it", "safe", ()))
plan = Plan({{file: [Edit(0, 0, "logprobs-mode: processed_logprobs" + chr(10))]}}, (finding,))
report = Report("0.8.5", "0.18.1", findings=(finding_of(finding, plan),))
assert "VM401" in "".join(render({name!r}, report, color=True))
print(*sorted(set(sys.modules) - before))
"""
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not set(out) & set(HEAVY)
    assert all(module.partition(".")[0] in ("vllm_migrate", "importlib") for module in out), out


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("lead", ["", "\t", "多步 "])
def test_a_long_line_shows_what_a_fix_changes(maker: Any, empty: Draft, width: int, lead: str) -> None:
    text = (
        f'{lead}args: ["' + '", "'.join(f"--option-{i}" for i in range(30)) + '", "--swap-space", "4", "--last", "x"]\n'
    )
    made = maker("pod.json", text)
    at = text.index('"--swap-space", "4", ')
    edit = Edit(at, at + len('"--swap-space", "4", '), "")
    empty.add(*made.planned(made.finding("--swap-space"), edit))
    old, new = [
        line for line in render("full", empty, width=width).splitlines() if line.startswith(("     - ", "     + "))
    ]
    assert "--swap-space" in old and "--swap-space" not in new and '"--last"' in new
    assert cells(old) <= width and cells(new) <= width
