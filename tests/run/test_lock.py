"""The lock: the same text for the same files, what its schema says, and what moved with why."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.errors import UsageError
from vllm_migrate.run import lock
from vllm_migrate.run.settings import Options

SERVE = "model: m\nmax-model-len: 512\nseed: 3\napi-key: sk-abcdefghijklmnopqrst\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "serve.yaml").write_text(SERVE)
    (tmp_path / "run.sh").write_text("VLLM_USE_V1=1 vllm serve m --max-num-seqs 8\n")
    (tmp_path / "requirements.txt").write_text("vllm==0.10.2\n")
    return tmp_path


def written(here: Path, *words: str) -> dict[str, object]:
    assert main(["lock", *words]) == 0
    found: dict[str, object] = json.loads((here / lock.NAME).read_text())
    return found


def test_it_is_what_its_schema_says_and_always_the_same(here: Path) -> None:
    first = written(here)
    text = (here / lock.NAME).read_text()
    with open(lock.SCHEMA) as stream:
        jsonschema.validate(first, json.load(stream))
    assert written(here) == first and (here / lock.NAME).read_text() == text
    assert lock.dump(first) == text and "sk-abc" not in text
    lines = [line for line in text.splitlines() if '"seed": {' in line]
    assert lines[0].strip().rstrip(",") == '"seed": {"origin": "conf/serve.yaml:3", "value": 3}'
    assert main(["lock", "--check"]) == 0


def test_what_a_file_moves_is_told_with_its_place(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(here)
    (here / "conf" / "serve.yaml").write_text("# a line more\n" + SERVE.replace("seed: 3", "seed: 4"))
    capsys.readouterr()
    assert main(["lock", "--check"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0].endswith("seed: 3 -> 4  (conf/serve.yaml:3 -> conf/serve.yaml:4)") and len(out) == 2
    (here / "conf" / "serve.yaml").write_text("# a line more\n" + SERVE)
    assert main(["lock", "--check"]) == 0


def test_what_a_release_moves_is_told_with_what_shows_it(here: Path) -> None:
    (here / "requirements.txt").write_text("vllm==0.8.5\n")
    written(here)
    (here / "requirements.txt").write_text("vllm==0.18.1\n")
    moved = [one for one in lock.check(lock.NAME) if "serve.yaml" in one.engine]
    assert moved[0][1:] == ("release", "0.8.5", "0.18.1", "requirements.txt:1 pins it")
    (one,) = [one for one in moved if one.option == "async_scheduling"]
    assert (one.old, one.new) == (False, True) and one.because == "vLLM 0.18.1: resolved at run time"


def test_engines_that_come_and_go(here: Path) -> None:
    written(here)
    (here / "run.sh").unlink()
    (here / "new.sh").write_text("vllm serve m --max-num-seqs 8\n")
    moved = {(one.engine.split()[0], one.option): one.because for one in lock.check(lock.NAME)}
    assert moved == {("run.sh", ""): "the engine is no longer in any file", ("new.sh", ""): "the engine is new"}


def test_it_is_checked_from_anywhere(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(here, "conf", "--at", "0.18.1", "--gpu", "h100")
    monkeypatch.chdir("/")
    assert lock.check(str(here / lock.NAME)) == []
    assert json.loads((here / lock.NAME).read_text())["assumed"] == {"gpu": "h100"}


def test_a_smoke_verdict_is_kept(here: Path) -> None:
    metrics = {"k3": {"value": 0.001}, "D": {"value": 0.0, "low": -1, "high": 1}, "ratio": {"value": 1.0}}
    verdict = {"schema": 1, "verdict": "pass", "layer": None, "n_tokens": 1024, "metrics": metrics}
    (here / "verdict.json").write_text(json.dumps(verdict))
    kept = written(here, "--smoke", "verdict.json")["smoke"]
    assert kept == {"verdict": "pass", "layer": None, "n_tokens": 1024, "D": 0.0, "k3": 0.001}


def test_mistakes_say_what_to_do(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["lock", "--check"],
        ["lock", "requirements.txt"],
        ["lock", "--smoke", "run.sh"],
        ["lock", "-o", "no/x.lock"],
    ):
        assert main(words) == 2
        assert "help: " in capsys.readouterr().err
    (here / lock.NAME).write_text("{}")
    with pytest.raises(UsageError, match="not a lock of this version"):
        lock.check(lock.NAME)
    written(here)
    assert main(["lock", "--check", "conf"]) == 2
    capsys.readouterr()
    assert main(["lock", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "vllm-migrate.lock"


def test_without_a_release_it_is_the_default_of_a_lint(here: Path) -> None:
    (here / "requirements.txt").unlink()
    found = lock.build(Options(("conf",)), ".")
    assert [(one["release"], one["why"]) for one in found["engines"]] == [("0.8.5", "the default")]


def test_a_lock_that_somebody_broke(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(here, "conf")
    whole = (here / lock.NAME).read_text()
    for text in (
        *("", "{", "[]", "null", "1", "[" * 100_000, whole[:-30], whole + whole, "\ufffe"),
        *(
            whole.replace(old, new)
            for old, new in (('"catalog"', '"c"'), ('"value"', '"v"'), ('"conf"', '"a\\u0000b"'))
        ),
        *(
            whole.replace('"assumed": {}', f'"assumed": {{{one}}}')
            for one in (
                '"gpu": "toaster"',
                '"from_engine": "v7"',
                '"x": "y"',
                '"isolated": "yes"',
                '"config": 3',
                '"config": "../x"',
            )
        ),
        *(whole.replace('"at": null', f'"at": {one}') for one in ("3", '"zzz"', '"../x"')),
    ):
        assert text != whole
        (here / lock.NAME).write_text(text)
        assert main(["lock", "--check"]) == 2, text[-60:]
        error = capsys.readouterr().err
        assert "internal" not in error and "help: " in error


@pytest.mark.parametrize(
    "words",
    [
        ["conf"],
        ["--at", "0.9.2"],
        ["--gpu", "h100"],
        ["--from-engine", "v0"],
        ["--model-config", "conf"],
        ["--isolated"],
    ],
)
def test_a_check_takes_nothing_that_the_lock_holds(
    here: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    written(here)
    assert main(["lock", "--check", *words]) == 2
    assert "takes its paths and options from the lock" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    ["", "[]", "[" * 100_000, '{"metrics": {"D": {"value": NaN}}, "verdict": "pass", "layer": null, "n_tokens": 1}'],
)
def test_what_is_no_smoke_verdict(here: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "verdict.json").write_text(text)
    assert main(["lock", "conf", "--smoke", "verdict.json"]) == 2
    assert "internal" not in capsys.readouterr().err


def test_what_follows_from_another_setting_says_from_which(here: Path) -> None:
    (here / "requirements.txt").write_text("vllm==0.8.5\n")
    written(here)
    (here / "run.sh").write_text("VLLM_USE_V1=0 vllm serve m --max-num-seqs 8\n")
    because = {one.option: one.because for one in lock.check(lock.NAME) if one.engine.startswith("run.sh")}
    assert because["engine"] == "VLLM_USE_V1=0"
    assert because["enable_chunked_prefill"] == "resolved at run time; moved with engine, env.VLLM_USE_V1"


def test_when_no_engine_is_left(here: Path) -> None:
    written(here, "run.sh")
    (here / "run.sh").write_text("echo\n")
    gone = [(one.engine.split()[0], one.because) for one in lock.check(lock.NAME)]
    assert gone == [("run.sh", "the engine is no longer in any file")]
    (here / "run.sh").unlink()
    assert [(one.engine.split()[0], one.because) for one in lock.check(lock.NAME)] == gone


@pytest.mark.parametrize(
    ("old", "new"),
    [(8192, {"value": [8192, 2048], "depends_on": "the GPU"}), (None, {"value": None, "depends_on": "x"})],
)
def test_what_is_open_is_told_in_words(old: object, new: dict[str, object]) -> None:
    engine = {"path": "a", "id": "e", "release": "0.10.2", "why": ""}
    locks = [
        {
            "catalog": "c",
            "engines": [{**engine, "release": release, "settings": {"n": {"origin": "unknown", **setting}}}],
        }
        for release, setting in (("0.10.2", {"value": old}), ("0.11.0", new))
    ]
    moved = lock.differences(*locks)[-1]
    assert moved.new == ("8192 or 2048, depending on the GPU" if old else "depending on x")
    assert moved.because == "vLLM 0.11.0"


@pytest.mark.parametrize("folder", [".", "locks"])
def test_a_check_reads_the_configuration_that_was_named(here: Path, folder: str) -> None:
    """With --config and --isolated as it was written, wherever the lock lies."""
    (here / "vllm-migrate.toml").write_text('from = "0.9.0"\nto = "0.9.0"\n')
    (here / "conf" / "own.toml").write_text('from = "0.9.2"\nto = "0.9.2"\n')
    (here / "locks").mkdir()
    path = f"{folder}/x.lock"
    for words, release in (([], "0.9.0"), (["--config", "conf/own.toml"], "0.9.2"), (["--isolated"], "0.10.2")):
        assert main(["lock", "conf", "-o", path, *words]) == 0
        found = lock.read(path)
        assert {engine["release"] for engine in found["engines"]} == {release}
        with open(lock.SCHEMA) as stream:
            jsonschema.validate(found, json.load(stream))
        assert main(["lock", "--check", "-o", path]) == 0


def test_effective_reads_the_configuration_that_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "own.toml").write_text('to = "0.11.0"\n')
    (here / "vllm-migrate.toml").write_text('to = "0.12.0"\n')
    for words, release in (([], "0.12.0"), (["--config", "own.toml"], "0.11.0"), (["--isolated"], "0.18.1")):
        assert main(["effective", "conf", "--output-format", "json", *words]) == 0
        assert {engine["to"] for engine in json.loads(capsys.readouterr().out)["engines"]} == {release}
