"""`diff`, `releases`, `schema` and `catalog` as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.rules.forks import forked
from vllm_migrate.catalog import added, details, store
from vllm_migrate.cli import catalog, releases, schema
from vllm_migrate.cli.app import build
from vllm_migrate.cli.main import main
from vllm_migrate.errors import UsageError


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
        ["0.8.5", "0.18.1", "--output-format", "xml"],
        ["0.8.5"],
        ["--runs", "a", "b", "c"],
    ],
)
def test_diff_refuses_what_it_does_not_know(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", *wrong]) == 2
    assert "help: " in capsys.readouterr().err


def test_releases(capsys: pytest.CaptureFixture[str]) -> None:
    releases.command()
    lines = capsys.readouterr().out.splitlines()
    assert "45 releases" in lines[0] and lines[2].startswith("0.8.5") and "vllm-0.8.5.tar.gz" in lines[2]
    releases.command(output_format="json")
    rows = json.loads(capsys.readouterr().out)["releases"]
    assert rows[-1]["release"] == "0.33.0" and rows[-1]["added"] is False and len(rows[0]["tree_sha256"]) == 64


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    schema.command("0.18.1")
    assert json.loads(capsys.readouterr().out)["additionalProperties"] is False
    with pytest.raises(UsageError):
        schema.command("1.0")


def test_catalog_add_list_remove(tmp_path: Path) -> None:
    root = tmp_path / "src" / "vllm"
    for name, text in TREE.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    run = CliRunner()
    done = run.invoke(catalog.app, ["add", str(root.parent), "--release", "7.0.0"])
    assert done.exit_code == 0, done.output
    assert "added vLLM 7.0.0: 1 engine arguments, 1 flags" in done.output and "reading cli" in done.output
    assert "7.0.0" in run.invoke(catalog.app, ["list"]).output
    assert run.invoke(catalog.app, ["remove", "7.0.0"]).exit_code == 0
    assert run.invoke(catalog.app, ["list"]).output == ""


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


def test_explain_takes_an_option_as_its_flag() -> None:
    done = CliRunner().invoke(build(), ["explain", "--swap-space"])
    assert done.exit_code == 0 and "swap_space (engine)" in done.output and "removed" in done.output
    assert CliRunner().invoke(build(), ["explain", "--help"]).output.startswith(("Usage", " ", "\n"))


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
