"""Files named on the command line that do not parse say so, with the place and the parser's words, in `lint` and `fix` alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from vllm_migrate.cli.main import main

BROKEN = {
    "broken.yaml": (b"a: 1\nb: [1, 2\n", "broken.yaml:3:"),
    "bad.py": (b"import os\nx = (1,\n", "bad.py:2"),
    "bad.toml": (b"a = 1\n[table\n", "bad.toml:2"),
    "bad.json": (b'{"a": 1,\n "b": }\n', "bad.json:2"),
    "nul.yaml": (b"a: 1\n\x00: 2\n", "nul.yaml"),
    "bad.sh": (b"echo 1\nif true; then\n", "bad.sh"),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", BROKEN)
def test_a_named_file_that_does_not_parse(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, place = BROKEN[name]
    (tmp_path / name).write_bytes(data)
    assert main(["lint", "--output-format", "concise", name]) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "does-not-parse" in line]
    assert line.startswith(place) and "VM901" not in line
    said = line.partition("does-not-parse: ")[2]
    assert main(["fix", name]) == 0
    fixed = capsys.readouterr().out
    assert f"{':'.join(line.split(':')[:2])}: VM903 does-not-parse: {said}; fix the syntax" in fixed
    assert "no vLLM engine was recognised, so there is nothing to fix" in fixed


def test_hooks_and_walks_do_not_parse_what_is_not_vllms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.yaml").write_bytes(BROKEN["broken.yaml"][0])
    assert main(["lint", "--quiet-unrecognised", "broken.yaml"]) == 0
    assert main(["lint", "."]) == 0
    assert "does-not-parse" not in capsys.readouterr().out


def test_standard_input_says_what_it_is_read_as(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io
    import sys
    from types import SimpleNamespace

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"import vllm\nx = f(a: b: c)\n")))
    assert main(["lint", "--output-format", "concise", "-"]) == 1
    assert "standard input is read as YAML, unless --stdin-filename NAME" in capsys.readouterr().out


def test_check_says_that_it_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "serve.sh").write_text("vllm serve m --swap-space 4\n")
    assert main(["fix", "--write", "--check", "serve.sh"]) == 1
    assert "with --check nothing is written" in capsys.readouterr().err
    assert "swap-space" in (tmp_path / "serve.sh").read_text()
