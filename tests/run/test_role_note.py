"""`lint` says which engines are judged as serving where findings would be graver of one that makes rollouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from vllm_migrate import lint
from vllm_migrate.cli.main import main

SERVE = "vllm serve m --max-model-len 4096\n"
NOTE = """\
serve.sh is judged as serving; if it makes rollouts, say so in vllm-migrate.toml:
[per-file-settings."serve.sh"]
role = "rl_rollout\""""


@pytest.mark.parametrize("role", ["", "serving", "rl_rollout"])
def test_the_role_is_said_unless_it_was_stated(role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "serve.sh").write_text(SERVE)
    stated = f'[per-file-settings."serve.sh"]\nrole = "{role}"\n' if role else ""
    (tmp_path / "vllm-migrate.toml").write_text(stated)
    assert (lint("serve.sh").role == NOTE) == (role == "")


@pytest.mark.parametrize("path", ["serve.sh", "scripts/serve.sh", "my scripts/serve it.sh", 'a"b.sh', "dienst-ä.sh"])
@pytest.mark.parametrize("config", ["", "vllm-migrate.toml", "pyproject.toml"])
@pytest.mark.parametrize("output", ["text", "full", "concise"])
def test_the_lines_can_be_pasted(
    path: str,
    config: str,
    output: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    script = tmp_path / path
    script.parent.mkdir(exist_ok=True)
    script.write_text(SERVE)
    if config:
        table = "tool.vllm-migrate" if config == "pyproject.toml" else ""
        (tmp_path / config).write_text(f"[{table}]\n" if table else "")
    main(["lint", "--no-cache", "--output-format", output, "."])
    shown = capsys.readouterr().out
    lines = [line.strip() for line in shown.splitlines()]
    at = lines.index('role = "rl_rollout"')
    file = config or "vllm-migrate.toml"
    assert f"say so in {file}:" in " ".join(lines)
    with (tmp_path / file).open("a") as handle:
        handle.write("\n".join(("", *lines[at - 1 : at + 1], "")))
    main(["lint", "--no-cache", "--output-format", output, "."])
    assert "is judged as serving" not in capsys.readouterr().out
