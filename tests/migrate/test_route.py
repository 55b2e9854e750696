"""The line of releases between two, with the marks of each stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vllm_migrate.catalog.store import load
from vllm_migrate.cli.main import main
from vllm_migrate.migrate.route import Route, between, routes
from vllm_migrate.run.settings import Options

ROLLOUT = """\
llm:
  parameters:
    temperature: 0.7
    top_p: 0.9
vllm_config:
  use_v1: true
  vllm_kwargs:
    no-enable-prefix-caching: ""
    logprobs-mode: processed_logprobs
"""


def route(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str, target: str, **texts: str) -> Route:
    monkeypatch.chdir(folder)
    (folder / ".git").mkdir(exist_ok=True)
    for name, text in texts.items():
        path = folder / name.replace("_yaml", ".yaml").replace("_sh", ".sh").replace("_txt", ".txt").replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (found,), _ = routes(Options((".",), source=source, target=target, isolated=True))
    return found


def marks(found: Route) -> dict[str, str]:
    return {stop.release: stop.mark for stop in found.stops}


def test_processed_logprobs_of_two_releases_are_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = route(tmp_path, monkeypatch, "0.9.2", "0.18.1", conf__base_yaml=ROLLOUT)
    at = marks(found)
    assert at["0.10.0"] == at["0.10.1"] == "fault"
    assert at["0.10.2"] in ("stands", "edits") and at["0.18.1"] in ("stands", "edits")
    stop = found.at("0.10.0")
    assert stop is not None and {reason.code for reason in stop.reasons} & {"VM401", "VM407"}


def test_a_release_that_refuses_a_combination_is_no_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "vllm serve m --enable-return-routed-experts --no-enable-prefix-caching --max-model-len 8192\n"
    found = route(tmp_path, monkeypatch, "0.18.1", "0.33.0", serve_sh=script)
    at = marks(found)
    assert at["0.33.0"] in ("edits", "stops") and "stands" in at.values()


def test_an_unknown_option_stops_at_every_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = route(tmp_path, monkeypatch, "0.10.2", "0.12.0", serve_sh="vllm serve m --no-such-flag-anywhere\n")
    assert set(marks(found).values()) == {"stops"}


def test_a_removed_option_needs_edits_from_its_removal_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = route(tmp_path, monkeypatch, "0.16.0", "0.18.1", serve_sh="vllm serve m --disable-log-requests\n")
    at = marks(found)
    assert at["0.18.1"] == at["0.17.0"] == "edits"
    assert all(mark == "stands" for release, mark in at.items() if release.startswith("0.16."))


def test_a_framework_that_does_not_run_with_a_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "python3 -m verl.trainer.main_ppo actor_rollout_ref.rollout.name=vllm\n"
    found = route(
        tmp_path, monkeypatch, "0.8.5", "0.18.1", train_sh=script, requirements_txt="verl==0.6.0\nvllm==0.8.5\n"
    )
    assert marks(found)["0.18.1"] == "stops" and marks(found)["0.9.1"] != "stops"


@pytest.mark.parametrize(("source", "target"), [("0.8.5", "0.33.0"), ("0.10.0", "0.10.2"), ("0.18.1", "0.8.5")])
def test_the_stops_are_the_final_releases_between(source: str, target: str) -> None:
    catalog = load()
    found = between(source, target, catalog)
    assert all("rc" not in release for release in found)
    assert source not in found and (not found or found[-1] == target)
    assert found == sorted(found, key=catalog.ordinal)


def test_text_and_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    route(tmp_path, monkeypatch, "0.9.2", "0.18.1", conf__base_yaml=ROLLOUT)
    call = ["route", "--isolated", "--from", "0.9.2", "."]
    assert main([*call, "--output-format", "json"]) == 0
    (project,) = json.loads(capsys.readouterr().out)["projects"]
    assert (project["from"], project["to"], project["engines"]) == ("0.9.2", "0.18.1", 1)
    assert main(call) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == ".: vLLM 0.9.2 to 0.18.1, 1 engine"
    signs = {"stands": "o", "edits": "~", "fault": "!", "stops": "x"}
    assert lines[1].split() == [signs[stop["mark"]] + stop["release"] for stop in project["stops"]]
    assert any(line.startswith("  ! 0.10.0 to 0.10.1.1") and "VM407" in line for line in lines)


def test_migrate_names_the_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    route(tmp_path, monkeypatch, "0.9.2", "0.18.1", conf__base_yaml=ROLLOUT)
    call = ["migrate", "--isolated", "--from", "0.9.2", "."]
    main(call)
    assert "Stops on the way" not in capsys.readouterr().out
    main([*call, "--via", "0.10.1,0.12.0"])
    shown = capsys.readouterr().out
    assert "**bad stop**" in shown and "0.10.1" in shown and "migrate . --to 0.12.0" in shown
    main([*call, "--to", "0.33.0"])
    assert "do not stop at 0.10.0 to 0.10.1.1" in capsys.readouterr().out
    assert main([*call, "--via", "0.20.0"]) == 2
    assert "--via 0.20.0" in capsys.readouterr().err
