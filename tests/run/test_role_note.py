"""`lint` says which engines are judged as serving where findings would be graver of one that makes rollouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from vllm_migrate import lint

SERVE = "vllm serve m --max-model-len 4096\n"
NOTE = 'serve.sh is judged as serving; if it makes rollouts, set role = "rl_rollout" for it (per-file-settings)'


@pytest.mark.parametrize("role", ["", "serving", "rl_rollout"])
def test_the_role_is_said_unless_it_was_stated(role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "serve.sh").write_text(SERVE)
    stated = f'[per-file-settings."serve.sh"]\nrole = "{role}"\n' if role else ""
    (tmp_path / "vllm-migrate.toml").write_text(stated)
    assert (lint("serve.sh").role == NOTE) == (role == "")
