"""Opening: regular files alone, bounded, and pipes that are named for as long as somebody may write to them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

import vllm_migrate
from vllm_migrate import opening
from vllm_migrate.cli.main import main
from vllm_migrate.opening import NotRegular, at_most, lines_of, loads, opened_text, read_bytes, read_own, read_text


@pytest.fixture
def pipe(tmp_path: Path) -> str:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return str(path)


def test_a_pipe_is_no_file(pipe: str, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(pipe)
    for path in (pipe, str(link), str(tmp_path), "/dev/null"):
        for read in (read_bytes, read_text, read_own, opened_text, lambda path: at_most(path, 9)):
            with pytest.raises(OSError):
                read(path)
    with pytest.raises(NotRegular):
        read_bytes(pipe)


def test_a_pipe_that_is_named_is_waited_for(pipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = threading.Timer(0.2, lambda: Path(pipe).write_bytes(b"late\n"))
    writer.start()
    assert read_bytes(pipe, wait=True) == b"late\n"
    writer.join()
    monkeypatch.setattr(opening, "PATIENCE_S", 0.05)
    with pytest.raises(OSError, match="nothing was written to this pipe"):
        read_bytes(pipe, wait=True)


def test_sizes_have_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789\r\nx\ry\n")
    assert read_text(str(path)) == "0123456789\nx\ny\n"
    assert at_most(str(path), 4) == b"01234"
    for read in (read_bytes, read_text, read_own):
        with pytest.raises(OSError, match="larger than"):
            read(str(path), 15)
        assert len(read(str(path), 16)) >= 15
    monkeypatch.setattr(opening, "LINE", 9)
    with opened_text(str(path)) as file, pytest.raises(OSError, match="a line is longer"):
        list(lines_of(file))


def test_what_others_may_have_written_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "record"
    path.write_bytes(b"x")
    path.chmod(0o600)
    assert read_own(str(path)) == b"x"
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(OSError):
        read_own(str(link))
    for mode in (0o620, 0o602):
        path.chmod(mode)
        with pytest.raises(OSError, match="others may have written it"):
            read_own(str(path))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "{", "\ud800", b"\xff", "9" * 5_000])
def test_json_of_others_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        loads(text)


@pytest.mark.parametrize("package", ["smoke", "verify"])
def test_json_of_others_is_read_in_one_way(package: str) -> None:
    """But by what runs alone in another interpreter."""
    alone = {"worker.py", "recorder.py"}
    for path in (Path(vllm_migrate.__file__).parent / package).rglob("*.py"):
        assert path.name in alone or "json.loads(" not in path.read_text(), path


@pytest.mark.parametrize("line", ["[" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000])
@pytest.mark.parametrize("words", [["compare", "x"], ["score", "x"], ["record", "x", "-o", "o"]])
def test_a_recording_nested_deeply_is_an_error_with_its_place(
    line: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_text(line)
    assert main(["smoke", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and "internal error" not in said
