"""`diff`, `releases`, `schema` and `catalog` as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.rules.forks import forked
from vllm_migrate.catalog import added, changes, details, diff, store
from vllm_migrate.cli import options
from vllm_migrate.cli.main import main


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_MIGRATE_CACHE", str(tmp_path / "cache"))
    store.forget()
    details._loaded.clear()


def test_diff_json(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["diff", "v0.8.5", "0.18.1", "--kind", "removed,renamed", "--option", "swap", "--output-format", "json"]
    assert main(words) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["from"] == "0.8.5" and {c["option"] for c in body["changes"]} >= {"swap_space", "--swap-space"}


def test_diff_text_and_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    main(["diff", "0.8.5", "0.18.1", "--rl"])
    assert "logprobs_mode" in capsys.readouterr().out
    main(["diff", "0.8.5", "0.18.1", "--layer", "weight-update", "--output-format", "markdown"])
    assert "`POST /pause`" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong",
    [
        ["0.1", "0.18.1"],
        ["0.8.5", "0.18.1", "--kind", "gone"],
        ["0.8.5", "0.18.1", "--layer", "all"],
        ["0.8.5", "0.18.1", "--section", "api,gone"],
        ["0.8.5", "0.18.1", "--output-format", "xml"],
        ["0.8.5"],
        ["--runs", "a", "b", "c"],
    ],
)
def test_diff_refuses_what_it_does_not_know(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", *wrong]) == 2
    assert "help: " in capsys.readouterr().err


def test_the_help_of_diff_lists_what_the_catalog_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert (options.KINDS, options.SECTIONS, options.LAYERS) == (changes.KINDS, store.SECTIONS, diff.LAYERS)
    assert main(["diff", "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert all(f"One of: {', '.join(known)}." in out for known in (changes.KINDS, store.SECTIONS, diff.LAYERS))


@pytest.mark.parametrize("section", store.SECTIONS)
def test_diff_of_a_section(section: str, capsys: pytest.CaptureFixture[str]) -> None:
    whole: list[object] = []
    part: list[object] = []
    for words, found in (([], whole), (["--section", section], part)):
        assert main(["diff", "0.8.5", "0.18.1", "--output-format", "json", *words]) == 0
        found += json.loads(capsys.readouterr().out)["changes"]
    assert part == [change for change in whole if isinstance(change, dict) and change["section"] == section] != []


def test_releases(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["releases"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "45 releases" in lines[0] and lines[2].startswith("0.8.5") and "vllm-0.8.5.tar.gz" in lines[2]
    assert main(["releases", "--output-format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["releases"]
    assert rows[-1]["release"] == "0.33.0" and rows[-1]["added"] is False and len(rows[0]["tree_sha256"]) == 64


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "0.18.1"]) == 0
    assert json.loads(capsys.readouterr().out)["additionalProperties"] is False
    assert main(["schema", "1.0"]) == 2


def test_catalog_add_list_remove(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "src" / "vllm"
    for name, text in TREE.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert main(["catalog", "add", str(root.parent), "--release", "7.0.0"]) == 0
    out, err = capsys.readouterr()
    assert "added vLLM 7.0.0: 1 engine arguments, 1 flags" in out and "reading cli" in err
    assert main(["catalog", "list"]) == 0
    assert "7.0.0" in capsys.readouterr().out
    assert main(["catalog", "remove", "7.0.0"]) == 0
    capsys.readouterr()
    assert main(["catalog", "list"]) == 0
    assert capsys.readouterr().out == ""


ARGS = """
class EngineArgs:
    pick: int = 1
    @staticmethod
    def add_cli_args(parser):
        parser.add_argument("--pick", type=int, default=EngineArgs.pick)
        return parser
class AsyncEngineArgs(EngineArgs):
    pass
"""
SERVE = """
from vllm.engine.arg_utils import AsyncEngineArgs
class ServeSubcommand:
    def subparser_init(self, subparsers):
        return AsyncEngineArgs.add_cli_args(subparsers.add_parser("serve"))
"""
TREE = {
    "envs.py": "environment_variables = {}\n",
    "engine/arg_utils.py": ARGS,
    "entrypoints/cli/serve.py": SERVE,
    "entrypoints/llm.py": "class LLM:\n    def __init__(self, model): ...\n",
    "sampling_params.py": "class SamplingParams: ...\n",
}


def test_explain_takes_an_option_as_its_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--swap-space", "--output-format", "text"]) == 0
    out = capsys.readouterr().out
    assert "swap_space (engine)" in out and "removed" in out
    assert main(["explain", "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: ")


def test_the_shipped_catalog_holds_no_value_of_our_own_making() -> None:
    """What the evaluator could not follow is an expression; its own words for it are in no value."""
    for name in ("catalog.json", "surface.json", "details.json"):
        assert "Unknown(" not in Path(store.DATA, name).read_text(encoding="utf-8")


def test_the_report_says_that_a_release_is_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where it is read in place of the shipped one; and what it declares otherwise is found and pinned."""
    path = tmp_path / "serve.yaml"
    path.write_text("model: m\nmax-model-len: 8192\n", encoding="utf-8")
    for release, instead in (("0.34.0+mine", False), ("0.33.0", True)):
        own = forked(store.load(), release, {"logprobs_mode": "processed_logprobs"}).added[release]
        added.save(release, {"schema": 1, "release": release, "origin": {}, "details": {}, **own})
        assert main(["lint", "--isolated", "--from", "0.32.0", "--to", release, str(path)]) == 1
        said = capsys.readouterr().out
        assert f"note: vLLM {release} is as `catalog add` read it" in said
        assert ("in place of the shipped one" in said) is instead
        assert "VM123 declared-default-changed" in said and "logprobs-mode: raw_logprobs" in said
