"""Codes lead to the page of their rule, where a terminal shows links."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.report.drafts import Draft, render
from vllm_migrate.knowledge.site import SITE

LINK = re.compile(r"\x1b\]8;;([^\x1b]*)\x1b\\([^\x1b]+)\x1b\]8;;\x1b\\")


@pytest.mark.parametrize("name", ["text", "full", "concise"])
def test_a_code_leads_to_its_page(report: Draft, name: str) -> None:
    plain = render(name, report)
    linked = render(name, report, links=True)
    assert LINK.sub(r"\2", linked) == plain != linked
    codes = {finding.code: finding.name for finding in report.report().findings}
    assert {(url, code) for url, code in LINK.findall(linked)} == {
        (f"{SITE}rules/{rule}/", code) for code, rule in codes.items()
    }


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_only_a_terminal_gets_links(tmp_path: Path) -> None:
    (tmp_path / "serve.sh").write_text("vllm serve m --swap-space 4\n")
    command = [sys.executable, "-m", "vllm_migrate", "lint", "--color", "always", "serve.sh"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": os.getcwd()}
    piped = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60).stdout
    assert "VM202" in piped and not LINK.search(piped)
    parent, child = pty.openpty()
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=child, stderr=child)
    os.close(child)
    shown = b""
    try:
        while chunk := os.read(parent, 65536):
            shown += chunk
    except OSError:  # the terminal is closed with the process that wrote to it
        pass
    os.close(parent)
    process.wait(timeout=60)
    assert (f"{SITE}rules/scheduler-policy-preemption/", "VM202") in LINK.findall(shown.decode())
