"""A real Neovim, headless, with its own client: what a user of it would see and write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vllm_migrate import fix

ROOT = Path(__file__).parents[2]
NEOVIM = shutil.which("nvim")
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
MATH = "defaults:\n  - base\n  - _self_\nvllm_config:\n  vllm_kwargs:\n    max-model-len: 20000\n"

pytestmark = [
    pytest.mark.editor,
    pytest.mark.skipif(NEOVIM is None, reason="Neovim is not installed (Debian: apt-get install neovim)"),
]


def test_a_session_in_neovim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygls")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/base.yaml").write_text(BASE)
    (tmp_path / "conf/math.yaml").write_text(MATH)
    out = tmp_path / "answers.json"
    environment = {
        **os.environ,
        "OUT": str(out),
        "VLLM_MIGRATE_PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    words = [str(NEOVIM), "--headless", "--clean", "-n", "-S", str(ROOT / "tests/editor/session.lua")]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    answers = json.loads(out.read_text()) if out.exists() else {}
    assert done.returncode == 0 and not answers.get("failure"), (answers.get("failure"), done.stderr)

    assert any("num-scheduler-steps" in message for message in answers["opened"])
    assert "**num_scheduler_steps** (pipelinerl, rl_rollout)" in answers["hover"]
    assert {"enable-chunked-prefill", "no-enable-chunked-prefill"} <= set(answers["completion"])
    assert "enable_chunked_prefill" not in answers["completion"]
    assert len(answers["actions"]) == 1 and answers["actions"][0].startswith("VM2")
    assert answers["parent"]["uri"].endswith("conf/base.yaml")

    dropped = BASE.replace("    num-scheduler-steps: 1\n", "")
    assert answers["written"] + "\n" == (tmp_path / "conf/base.yaml").read_text() != dropped
    (tmp_path / "conf/base.yaml").write_text(dropped)
    monkeypatch.chdir(tmp_path)
    assert fix("conf/base.yaml").texts["conf/base.yaml"] == answers["written"] + "\n"


def test_the_snippet_for_older_versions_starts_one_server_for_a_project(tmp_path: Path) -> None:
    """As docs/editors.md has it; the server is a stand-in that counts its starts."""
    text = (ROOT / "docs/editors.md").read_text(encoding="utf-8").partition("For older versions")[2]
    (tmp_path / "init.lua").write_text(text.partition("```lua\n")[2].partition("```")[0])
    server = tmp_path / "bin" / "vllm-migrate"
    server.parent.mkdir()
    server.write_text(f"#!/bin/sh\necho started >> {tmp_path}/starts\nexec sleep 60\n")
    server.chmod(0o755)
    (tmp_path / "pyproject.toml").touch()
    for name in ("a.yaml", "b.yaml", "c.py"):
        (tmp_path / name).write_text("a: 1\n" if name.endswith("yaml") else "a = 1\n")
    words = [str(NEOVIM), "--headless", "--clean", "-n", "-c", "filetype on", "-c", "luafile init.lua"]
    words += ["-c", "edit a.yaml", "-c", "edit b.yaml", "-c", "edit c.py", "-c", "sleep 500m", "-c", "qall!"]
    environment = {**os.environ, "PATH": f"{server.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert (tmp_path / "starts").read_text() == "started\n", done.stderr
