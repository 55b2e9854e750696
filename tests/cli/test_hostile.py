"""What a hook must survive: pipes, devices, vanishing folders, full disks, odd terminals, and files made to hurt."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.documents.disk import Disk

CONF = "vllm_config:\n  use_v1: true\n  vllm_kwargs:\n    num-scheduler-steps: 1\n"
PROGRAM = [sys.executable, "-m", "vllm_migrate"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def run(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *words], capture_output=True, text=True, timeout=60, **more)  # type: ignore[call-overload, no-any-return]


def findings(*paths: str, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    main(["lint", "--isolated", "--output-format", "json", *paths])
    found = json.loads(capsys.readouterr().out)["findings"]
    return [(finding["path"], finding["name"]) for finding in found]


def test_what_is_no_file_is_said_and_not_waited_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(here / "pipe.yaml")
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(here)
        listener.bind("socket.yaml")
        (here / "endless.yaml").symlink_to("/dev/zero")
        names = ["pipe.yaml", "socket.yaml", "endless.yaml", "/dev/null"]
        assert findings(*names, capsys=capsys) == [(name, "unreadable-file") for name in sorted(names)]
        assert findings(".", capsys=capsys) == []  # a walk passes them over
    assert main(["fix", "--isolated", "--write", "pipe.yaml", "endless.yaml"]) == 0


def test_pipes_where_files_of_ours_are_looked_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.yaml").write_text(CONF)
    for name in (".gitignore", "requirements.txt", "pyproject.toml", "Dockerfile", "uv.lock"):
        os.mkfifo(here / name)
    done = run("lint", ".")
    assert done.returncode == 1 and "VM203" in done.stdout


def test_standard_input_has_a_limit() -> None:
    with open("/dev/zero", "rb") as endless:
        done = run("lint", "-q", "--isolated", "-", stdin=endless)
    assert done.returncode == 1 and "VM906 too-large" in done.stdout


def test_utf16_is_not_taken_for_a_file_without_engines(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.yaml").write_bytes(CONF.encode("utf-16"))
    assert findings("a.yaml", capsys=capsys) == [("a.yaml", "not-utf8")]


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("flow.yaml", "vllm_config: " + "[" * 10_000 + "]" * 10_000, "too-deep"),
        ("block.yaml", "vllm_config:\n" + "".join(" " * i + "a:\n" for i in range(1, 1_500)), "too-deep"),
        ("bomb.yaml", "vllm_config: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{f'*a{i - 1},' * 9}]\n" for i in range(1, 30)), "alias-bomb"),
        ("loop.yaml", "vllm_config: &a [*a]\n", "alias-bomb"),
        ("long.yaml", CONF + "# x\n" * 600_000, "too-large"),
        ("sub.sh", "vllm serve m " + "$(" * 10_000 + "x" + ")" * 10_000, "too-deep"),
        ("default.sh", 'vllm serve "' + "${a:-" * 10_000 + "}" * 10_000 + '"', "too-deep"),
        ("list.toml", "[vllm]\nlogprobs_mode = " + "[" * 10_000 + "]" * 10_000, "too-deep"),
        ("table.json", '{"logprobs-mode": ' * 10_000 + "1" + "}" * 10_000, "too-deep"),
    ],
)  # fmt: skip
def test_deep_and_large_files(name: str, text: str, rule: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / name).write_text(text)
    (here / "good.yaml").write_text(CONF)
    found = findings(name, "good.yaml", capsys=capsys)
    assert [found_rule for path, found_rule in found if path == name] in ([rule], ["no-engine-recognised"])
    assert any(path == "good.yaml" for path, _ in found)


def test_a_word_of_many_signs_is_no_riddle(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Found by fuzzing: each of these doubled the time that a pattern took."""
    (here / "run.sh").write_text("vllm serve m --seed 1\n" + "a" + "@" * 60 + "/\n")
    assert ("run.sh", "async-scheduling-default") in findings("run.sh", capsys=capsys)


def test_nothing_of_a_file_is_executed(here: Path) -> None:
    (here / "tags.yaml").write_text(
        'vllm_config: !!python/object/apply:os.system ["touch pwned-yaml"]\n'
        'vllm_kwargs: !!python/object/new:os.system ["touch pwned-new"]\n'
    )
    (here / "run.sh").write_text("vllm serve $(touch pwned-sub) `touch pwned-tick` --port ${x:=$(touch pwned-set)}\n")
    (here / "run.py").write_text("import os\nos.system('touch pwned-py')\nfrom vllm import LLM\nLLM(model='m')\n")
    (here / "vllm.py").write_text("open('pwned-import', 'w')\n")
    (here / "pyproject.toml").write_text("[tool.vllm-migrate]\nto = '0.18.1'\n")
    assert run("lint", "--fail-on", "info", "--fail-on-checklist", ".").returncode == 1
    assert run("fix", "--unsafe", "--write", ".").returncode == 0
    assert run("effective", "run.sh").returncode == 0
    assert [path.name for path in here.iterdir() if path.name.startswith("pwned")] == []


def test_the_current_folder_is_gone(here: Path) -> None:
    (here / "gone").mkdir()
    script = f"cd {here}/gone && rmdir ../gone && exec {sys.executable} -m vllm_migrate lint ."
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr.startswith("error: ")


def test_a_folder_that_vanishes_while_it_is_walked(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "conf").mkdir()
    for name in ("conf/a.yaml", "conf/b.yaml", "c.yaml"):
        (here / name).write_text(CONF)
    from vllm_migrate.dialects.workspace import Workspace

    read = Workspace.read

    def read_and_remove(self: Workspace, path: str) -> bytes:
        for other in list((here / "conf").glob("*")):
            other.unlink()
        return read(self, path)

    monkeypatch.setattr(Workspace, "read", read_and_remove)
    found = findings(".", capsys=capsys)
    assert ("conf/a.yaml", "unreadable-file") in found and ("c.yaml", "scheduler-steps-removed") not in found[:2]
    assert any(path == "c.yaml" for path, _ in found)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_terminal_takes_any_text(encoding: str, here: Path) -> None:
    name = os.fsdecode(b"a\xff.yaml")
    (here / name).write_text(CONF[:-1] + "  # \u00e9\U0001f600\n", encoding="utf-8")
    (here / "new\nline.yaml").write_text(CONF)
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    for words in (
        ["lint", "."],
        ["lint", "--output-format", "junit", "."],
        ["fix", "--unsafe", "."],
        ["effective", name],
    ):
        done = subprocess.run([*PROGRAM, *words], capture_output=True, timeout=60, env=environment)
        assert done.returncode in (0, 1) and done.stderr == b"", done.stderr
    done = subprocess.run([*PROGRAM, "lint", "--output-format", "html", "."], capture_output=True, env=environment)
    assert "\u00e9\U0001f600" in done.stdout.decode("utf-8")


def test_output_that_cannot_be_written(here: Path) -> None:
    (here / "a.yaml").write_text(CONF)
    for target in ("/nonexistent/report", ".", "/dev/full"):
        done = run("lint", "-o", target, "a.yaml")
        assert done.returncode == 2 and done.stderr.startswith(f"error: --output-file: {target}: ")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*PROGRAM, "lint", "a.yaml"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 2 and "No space left" in done.stderr
    (here / "report").write_text("old")
    assert run("lint", "-o", "report", "a.yaml").returncode == 1
    assert (here / "report").read_text().startswith("vLLM 0.8.5")


def test_a_disk_that_is_full_leaves_the_old_file_and_the_others_are_written(here: Path) -> None:
    """A limit on the size of files stands for the full disk: a write ends in the middle of the file."""
    (here / "large.yaml").write_text("# " + "x" * 60_000 + "\n" + CONF)
    (here / "small.yaml").write_text(CONF)
    before = (here / "large.yaml").read_bytes()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = run("fix", "--isolated", "--unsafe", "--write", "large.yaml", "small.yaml", preexec_fn=limit)
    assert done.returncode == 2 and "error: not written: large.yaml: " in done.stderr
    assert "wrote 1 file" in done.stdout
    assert (here / "large.yaml").read_bytes() == before and (here / "small.yaml").read_text() != CONF
    assert sorted(path.name for path in here.iterdir() if path.is_file()) == ["large.yaml", "small.yaml"]


def test_a_file_that_cannot_be_written_keeps_no_other_back(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.yaml").write_text(CONF)
    os.link(here / "a.yaml", here / "other-name")
    (here / "b.yaml").write_text(CONF)
    assert main(["fix", "--isolated", "--unsafe", "--write", "a.yaml", "b.yaml"]) == 2
    assert (here / "a.yaml").read_text() == CONF and (here / "b.yaml").read_text() != CONF
    out, err = capsys.readouterr()
    assert "not written: a.yaml: the file has 2 hard links" in err and "wrote 1 file\n" in out


def test_two_writers_at_once(here: Path) -> None:
    (here / "a.yaml").write_text(CONF)
    assert run("fix", "--isolated", "--unsafe", "--write", "a.yaml").returncode == 0
    expected = (here / "a.yaml").read_bytes()
    (here / "a.yaml").write_text(CONF)
    codes: list[int] = []
    writers = [
        threading.Thread(
            target=lambda: codes.append(run("fix", "--isolated", "--unsafe", "--write", "a.yaml").returncode)
        )
        for _ in range(3)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert codes == [0, 0, 0] and (here / "a.yaml").read_bytes() == expected
    assert [path.name for path in here.iterdir() if path.is_file()] == ["a.yaml"]


def test_bytes_around_an_edit_stay(here: Path) -> None:
    """Byte order mark, Windows newlines, no final newline, mode, a link that stays a link."""
    data = b"\xef\xbb\xbf" + CONF[:-1].replace("\n", "\r\n").encode()
    (here / "real.yaml").write_bytes(data)
    (here / "real.yaml").chmod(0o604)
    (here / "link.yaml").symlink_to("real.yaml")
    assert run("fix", "--isolated", "--unsafe", "--write", "link.yaml").returncode == 0
    written = (here / "real.yaml").read_bytes()
    assert written != data and written.startswith(b"\xef\xbb\xbfvllm_config:\r\n")
    assert not written.endswith(b"\n") and written.count(b"\n") == written.count(b"\r\n")
    assert (here / "link.yaml").is_symlink() and (here / "real.yaml").stat().st_mode & 0o777 == 0o604


FANS = {
    "interpolations.yaml": "vllm_config:\n  vllm_kwargs:\n    seed: ${x0}\n"
    + "".join(f"x{i}: '{f'${{x{i + 1}}}' * 8}'\n" for i in range(9))
    + "x9: a\n",
    "itself.yaml": "defaults: [itself.yaml, itself.yaml]\npolicy:\n  generation:\n    vllm_cfg: {precision: bfloat16}\n",
    "group.yaml": "defaults: [group, group]\nvllm_config:\n  vllm_kwargs:\n    seed: 1\n",
    "words.py": "from vllm import LLM\nX = [" + "1, " * 300_001 + "]\nLLM('m')\n",
}


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("interpolations.yaml", "alias-bomb"),
        ("itself.yaml", "too-deep"),
        ("group.yaml", "too-deep"),
        ("words.py", "too-large"),
    ],
)
def test_what_a_file_expands_to_has_a_budget(
    name: str, rule: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / name).write_text(FANS[name])
    (here / "good.yaml").write_text(CONF)
    found = findings(name, "good.yaml", capsys=capsys)
    assert [found_rule for path, found_rule in found if path == name] == [rule]
    assert any(path == "good.yaml" for path, _ in found)


def test_links_under_include_make_no_circle(here: Path) -> None:
    (here / "a").mkdir()
    (here / "a" / "good.yaml").write_text(CONF)
    for name in ("one", "two", "three"):
        (here / "a" / name).symlink_to(here)
    (here / "vllm-migrate.toml").write_text('include = ["**/*"]\n')
    done = run("lint", "-q", "--no-cache")
    assert done.returncode == 1 and "a/good.yaml" in done.stdout


def test_a_folder_that_cannot_be_listed_is_said(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "shut").mkdir()
    (here / "shut" / "a.yaml").write_text(CONF)
    entries = Disk.entries

    def denied(disk: Disk, folder: str) -> list[object]:
        if "shut" in folder:
            raise PermissionError(13, "Permission denied", folder)
        return list(entries(disk, folder))

    monkeypatch.setattr(Disk, "entries", denied)
    assert findings(".", capsys=capsys) == [("shut", "unreadable-file")]
