"""Settings and version of a project are written together or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.migrate.plan import Migration, migrate
from vllm_migrate.run.settings import Options

SCRIPT = "vllm serve m --disable-log-requests\n"
UNKNOWN = "vllm serve m --no-such-flag-anywhere\n"


def planned(folder: Path, monkeypatch: pytest.MonkeyPatch, **texts: str) -> Migration:
    monkeypatch.chdir(folder)
    (folder / ".git").mkdir(exist_ok=True)
    for name, text in texts.items():
        path = folder / name.replace("__", "/").replace("_txt", ".txt").replace("_sh", ".sh").replace("_lock", ".lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return migrate(Options((".",), isolated=True))


def test_both_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = planned(tmp_path, monkeypatch, serve_sh=SCRIPT, requirements_txt="vllm==0.8.5\n")
    assert {file.path for file in found.edits} == {"serve.sh", "requirements.txt"}
    assert [start.reasons for start in found.starts] == [()]


@pytest.mark.parametrize(
    "pins", ["vllm==0.8.5+cu121\n", "vllm==0.8.5\ntorch==2.6.0\n", "vllm==0.8.5 --hash=sha256:0\n", "vllm<0.9\n"]
)
def test_neither_is(pins: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = planned(tmp_path, monkeypatch, serve_sh=SCRIPT, requirements_txt=pins)
    assert not found.edits
    (start,) = found.starts
    assert start.release == "0.18.1"
    assert start.reasons[0].startswith("requirements.txt:")
    assert any("VM204" in reason for reason in start.reasons)


def test_one_project_does_not_hold_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = planned(
        tmp_path,
        monkeypatch,
        a__serve_sh=SCRIPT,
        a__requirements_txt="vllm==0.8.5\n",
        b__serve_sh=SCRIPT,
        b__requirements_txt="vllm==0.8.5+cu121\n",
    )
    assert {file.path for file in found.edits} == {"a/serve.sh", "a/requirements.txt"}
    assert [bool(start.reasons) for start in found.starts] == [False, True]


def test_what_no_fix_settles_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = planned(tmp_path, monkeypatch, serve_sh=UNKNOWN, requirements_txt="vllm==0.8.5\n")
    (start,) = found.starts
    assert "no-such-flag-anywhere" in start.reasons[0]


def test_a_lock_is_refreshed_and_not_edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = 'version = 1\n\n[[package]]\nname = "vllm"\nversion = "0.8.5"\n'
    found = planned(tmp_path, monkeypatch, serve_sh=SCRIPT, requirements_txt="vllm==0.8.5\n", uv_lock=lock)
    assert {file.path for file in found.edits} == {"serve.sh", "requirements.txt"}
    assert found.projects[0].locks == (("uv.lock", "uv lock --upgrade-package vllm"),)


def test_without_a_pin_settings_are_written_and_the_version_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = planned(tmp_path, monkeypatch, serve_sh=SCRIPT)
    assert {file.path for file in found.edits} == {"serve.sh"}
    assert "vllm==0.18.1" in found.projects[0].items[0].text


def test_no_version_moves_where_a_setting_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = planned(tmp_path, monkeypatch, serve_sh=SCRIPT, requirements_txt="vllm==0.8.5\n")
    (tmp_path / "serve.sh").write_text("vllm serve m --disable-log-requests --seed 1\n")
    assert [error is not None for _, error in found.write()] == [True, True]
    assert (tmp_path / "requirements.txt").read_text() == "vllm==0.8.5\n"


def test_standard_input_is_no_project(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "-"]) == 2
    assert "project" in capsys.readouterr().err


def test_the_patch_of_a_file_with_a_secret_applies_and_what_is_shown_hides_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "hf_abcdefghijklmnopqrstuvwxyz0123456789"
    planned(tmp_path, monkeypatch, serve_sh=f"export HF_TOKEN={secret}\n{SCRIPT}", requirements_txt="vllm==0.8.5\n")
    assert main(["migrate", "--isolated", "."]) == 1
    assert secret not in capsys.readouterr().out
    assert main(["migrate", "--isolated", "--patch", "up.diff", "."]) == 1
    assert f" export HF_TOKEN={secret}\n" in (tmp_path / "up.diff").read_text()


def test_what_an_image_says_holds_for_its_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned(tmp_path, monkeypatch, serve_sh=SCRIPT, requirements_txt="vllm==0.8.5\n")
    service = "services:\n  a:\n    image: {}\n    command: --model m --disable-log-requests\n"
    (tmp_path / "fixed.yaml").write_text(service.format("vllm/vllm-openai:v0.8.5@sha256:00"))
    (tmp_path / "plain.yaml").write_text(service.format("vllm/vllm-openai:v0.8.5"))
    found = migrate(Options((".",), isolated=True))
    assert {file.path for file in found.edits} == {"serve.sh", "requirements.txt", "plain.yaml"}
    assert {start.path for start in found.starts if start.reasons} == {"fixed.yaml"}


def test_a_file_without_an_engine_has_no_checklist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dependabot.yml").write_text("version: 2\nupdates: []\n")
    main(["migrate", "dependabot.yml"])
    out = capsys.readouterr().out
    assert "No vLLM engine was recognised, so there is nothing to migrate" in out and "- [ ]" not in out
