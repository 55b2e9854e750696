"""The checklist: lines of one side, what people settle of the old files, titles, what an engine for pooling is not asked."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Edit, apply_edits, decode
from vllm_migrate.migrate.lines import Lines

PROJECTS = Path(__file__).parents[2] / "examples" / "projects"
NAMES = sorted(folder.name for folder in PROJECTS.iterdir())
PLACE = re.compile(r"`?([\w./-]+):(\d+)`?:? (?:becomes|is now|VM|\*\*VM)?")


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    monkeypatch.chdir(folder)
    (folder / ".git").mkdir(exist_ok=True)
    main(["migrate", "--isolated", ".", *words])
    return capsys.readouterr().out


@pytest.mark.parametrize("seed", range(40))
def test_lines_are_carried_from_one_side_to_the_other(seed: int) -> None:
    """Lines that no edit touches have the same text on both sides, wherever they are carried."""
    rng = random.Random(seed)
    lines = [f"{'  ' * rng.randrange(3)}line{number}: x" for number in range(12)]
    text = "\n".join(lines) + "\n"
    edits, touched = [], set()
    for number in sorted(rng.sample(range(12), rng.randrange(1, 5))):
        start = sum(len(line) + 1 for line in lines[:number])
        whole = len(lines[number]) + 1
        kind = rng.choice(("insert", "drop", "replace"))
        if kind == "insert":
            edits.append(Edit(start, start, "new\n" * rng.randrange(1, 3)))
        else:
            touched.add(number + 1)
            edits.append(Edit(start, start + whole, "" if kind == "drop" else "other\nthings\n"))
    source = decode("a.yaml", text.encode())
    carried, after = Lines({File.bare(source): edits}), apply_edits(text, edits).split("\n")
    for number, line in enumerate(lines, 1):
        there = carried.after("./a.yaml", number)
        assert 1 <= there <= len(after)
        if number not in touched:
            assert after[there - 1] == line
            assert carried.before("a.yaml", there) == number
    assert carried.after("other.yaml", 7) == carried.before("other.yaml", 7) == 7


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_every_line_of_a_checklist_is_one_of_the_file_on_disk(
    name: str, written: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A place in an unchanged line of a changed file has the same text in the dry run and after the change."""
    work = tmp_path / "work"
    shutil.copytree(PROJECTS / name / "before", work)
    dry = run(work, monkeypatch, capsys)
    places = {(path, int(line)) for path, line in PLACE.findall(dry.partition("# Checklist")[2])}
    texts = {path: (work / path).read_text().split("\n") for path, _ in places}
    assert all(line <= len(texts[path]) for path, line in places)
    after = run(work, monkeypatch, capsys, "--write")
    moved = {(path, int(line)) for path, line in PLACE.findall(after.partition("# Checklist")[2])}
    assert len(moved) == len(places)
    now = {path: (work / path).read_text().split("\n") for path, _ in moved}
    said = {(path, texts[path][line - 1]) for path, line in places}
    says = {(path, now[path][line - 1]) for path, line in moved}
    kept = {(path, text) for path, text in said if text in now[path] and text.strip()}
    assert kept <= says
    for marker in (r"(\S+:\d+)`: (\S+) becomes", r"(\S+:\d+)`: \S+ is now (\S+)"):
        shown = dry if "becomes" in marker else after
        for place, release in re.findall(marker, shown):
            path, line = place.lstrip("`").rsplit(":", 1)
            assert release.rstrip(",") in (texts if "becomes" in marker else now)[path][int(line) - 1]


@pytest.mark.parametrize("written", [False, True])
def test_what_people_settle_is_that_of_the_old_files(
    written: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(PROJECTS / "pipelinerl" / "before", tmp_path / "work")
    shown = run(tmp_path / "work", monkeypatch, capsys, *(["--write"] if written else []))
    for code in ("VM404", "VM117", "VM109", "VM405"):
        assert shown.count(f"**{code} ") == 1
    versions = shown.partition("## Versions\n\n")[2]
    assert (
        versions.startswith("- [ ] **first** `conf/base.yaml:11`") and "PipelineRL itself must be upgraded" in versions
    )
    assert "yes, once its framework is upgraded" in shown
    again = run(tmp_path / "work", monkeypatch, capsys)
    assert ("**VM404 " in again) is not written


def test_a_framework_that_ran_v1_needs_no_upgrade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(PROJECTS / "pipelinerl" / "before", tmp_path / "work")
    base = tmp_path / "work" / "conf" / "base.yaml"
    base.write_text(base.read_text().replace("use_v1: false", "use_v1: true"))
    shown = run(tmp_path / "work", monkeypatch, capsys)
    assert "**first**" not in shown and "must be upgraded" not in shown


@pytest.mark.parametrize(
    ("flag", "recorded"),
    [
        ("", True),
        ("--task generate", True),
        ("--task embed", False),
        ("--task reward", False),
        ("--runner pooling", False),
    ],
)
def test_an_engine_for_pooling_has_no_rollout_to_record(
    flag: str, recorded: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "requirements.txt").write_text("vllm==0.12.0\n" if "runner" in flag else "vllm==0.8.5\n")
    (tmp_path / "serve.sh").write_text(f"vllm serve m {flag} --max-model-len 4096\n")
    shown = run(tmp_path, monkeypatch, capsys)
    assert ("smoke record" in shown) is recorded
    assert ("smoke run" in shown) is recorded


COMPOSE = "services:\n{}"
SERVICE = "  s{}:\n    image: vllm/vllm-openai:v{}\n    command: --model m --disable-log-requests\n"


@pytest.mark.parametrize(
    ("releases", "words", "title"),
    [
        (["0.8.5"], [], "vLLM 0.8.5 to 0.18.1"),
        (["0.10.2", "0.8.5"], [], "vLLM 0.8.5 and 0.10.2 to 0.18.1"),
        (["0.12.0", "0.8.5", "0.10.2"], [], "vLLM 0.8.5, 0.10.2 and 0.12.0 to 0.18.1"),
        (["0.8.5.post1"], ["--from", "0.8.5"], "vLLM 0.8.5 to 0.18.1"),
        (["0.18.1"], [], "vLLM 0.18.1"),
        (["0.18.1"], ["--from", "0.8.5"], "vLLM 0.8.5 to 0.18.1"),
    ],
)
def test_the_title_names_the_releases(
    releases: list[str],
    words: list[str],
    title: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    services = "".join(SERVICE.format(number, release) for number, release in enumerate(releases))
    (tmp_path / "compose.yaml").write_text(COMPOSE.format(services))
    shown = run(tmp_path, monkeypatch, capsys, *words)
    assert f"# Checklist: {title}\n" in shown


def test_a_release_with_which_an_engine_does_not_start_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    services = SERVICE.format(0, "0.8.5") + SERVICE.format(1, "0.8.5").replace("--model", "--no-such-flag --model")
    (tmp_path / "compose.yaml").write_text(COMPOSE.format(services))
    shown = run(tmp_path, monkeypatch, capsys)
    assert "0.8.5 becomes 0.18.1, with which vllm-argv:0@0.services.s1 does not start\n" in shown
    (tmp_path / "compose.yaml").write_text(COMPOSE.format(SERVICE.format(0, "0.8.5")))
    assert "does not start" not in run(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("name", NAMES)
def test_headings_say_whether_it_is_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(PROJECTS / name / "before", tmp_path / "work")
    dry = run(tmp_path / "work", monkeypatch, capsys)
    assert "is now" not in dry and "Written by" not in dry and "At the commit before" not in dry
    wet = run(tmp_path / "work", monkeypatch, capsys, "--write")
    blocked = "neither settings nor version are written" in wet
    assert ("becomes" in wet, "Edits that need review" in wet) == (False, False)
    assert ("With the old vLLM, before you write the change" in wet) is blocked


@pytest.mark.parametrize("name", ["compose", "helm", "nemo-rl", "pipelinerl"])
def test_the_pins_that_restore_the_source_come_to_its_values(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(PROJECTS / name / "before", tmp_path / "work")
    shown = run(tmp_path / "work", monkeypatch, capsys).partition("## What the pins come to")[2]
    assert "`async_scheduling False`" in shown
    assert "rejected" not in shown and "undetermined" not in shown


def test_a_reason_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.py").write_text("from vllm.entrypoints.openai.tool_parsers import ToolParserManager\n")
    (tmp_path / "serve.sh").write_text("vllm serve m --no-such-flag-anywhere\n")
    shown = run(tmp_path, monkeypatch, capsys)
    assert shown.count("ToolParserManager cannot be imported") == shown.count("does not know --no-such-flag") == 1
    assert "- a.py: starts at 0.18.1: no, because a.py:1: VM715 python-imports (above)\n" in shown
    checklist = tmp_path / "todo.md"
    only = run(tmp_path, monkeypatch, capsys, "--checklist", str(checklist))
    assert "ToolParserManager cannot be imported" in only, "what stands alone says it in full"
