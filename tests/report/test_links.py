"""Codes lead to the page of their rule, where a terminal shows links."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.report.drafts import Draft, render
from vllm_migrate.cli.terminal import use_links
from vllm_migrate.knowledge.site import PUBLISHED, SITE

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


def test_a_terminal_gets_links_once_the_pages_are_published(monkeypatch: pytest.MonkeyPatch) -> None:
    for published, terminal in ((False, True), (True, False), (True, True)):
        monkeypatch.setattr("vllm_migrate.cli.terminal.PUBLISHED", published)
        monkeypatch.setattr("sys.stdout", SimpleNamespace(isatty=lambda terminal=terminal: terminal))
        assert use_links(color=True) is (published and terminal)
        assert not use_links(color=False)


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_terminal_gets_links_as_the_constant_says(tmp_path: Path) -> None:
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
    links = LINK.findall(shown.decode())
    assert ((f"{SITE}rules/scheduler-policy-preemption/", "VM202") in links) is bool(links) is PUBLISHED
