"""The line of releases between two, with the marks of each stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vllm_migrate.catalog.store import load
from vllm_migrate.cli.main import main
from vllm_migrate.migrate.route import Route, advice, between, routes
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
    assert lines[1].split() == [word for stop in project["stops"] for word in (signs[stop["mark"]], stop["release"])]
    assert any(line.startswith("  ! 0.10.0 to 0.10.1.1") and "VM407" in line for line in lines)


def test_migrate_names_the_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    route(tmp_path, monkeypatch, "0.9.2", "0.18.1", conf__base_yaml=ROLLOUT)
    call = ["migrate", "--isolated", "--from", "0.9.2", "."]
    main(call)
    assert "Releases on the way" not in capsys.readouterr().out
    main([*call, "--via", "0.10.1,0.12.0"])
    shown = capsys.readouterr().out
    assert "**do not run with** 0.10.1:" in shown and "migrate . --to 0.12.0" in shown
    main([*call, "--to", "0.33.0"])
    assert "do not run with 0.10.0 to 0.10.1.1" in capsys.readouterr().out
    assert main([*call, "--via", "0.20.0"]) == 2
    assert "--via 0.20.0" in capsys.readouterr().err


def test_what_the_target_has_as_well_is_no_reason_to_avoid_a_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = "vllm serve m --no-such-flag-anywhere\n"
    route(tmp_path, monkeypatch, "0.8.5", "0.33.0", serve_sh=script, conf__base_yaml=ROLLOUT)
    assert main(["route", "--isolated", "--from", "0.8.5", "--to", "0.33.0", "."]) == 0
    shown = capsys.readouterr().out
    assert (
        shown.count("no-such-flag") == 1 and "  to be settled for 0.33.0 (as of 0.8.5.post1): serve.sh:1 VM209" in shown
    )
    main(["migrate", "--isolated", "--from", "0.8.5", "--to", "0.33.0", "."])
    shown = capsys.readouterr().out
    assert "to 0.33.0: `serve.sh" not in shown
    assert "once what is to be settled for 0.33.0 is, every engine can run with 0.10.2, 0.11.0" in shown
    main(["migrate", "--isolated", "--from", "0.8.5", "--to", "0.33.0", ".", "--via", "0.12.0,0.10.1"])
    shown = capsys.readouterr().out
    assert "run with 0.12.0: `vllm-migrate migrate . --to 0.12.0 --write`" in shown
    assert "**do not run with** 0.10.1:" in shown


def test_no_release_to_avoid_is_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for target in ("0.10.1", "0.12.0", "0.18.1", "0.26.0", "0.33.0"):
        found = route(tmp_path, monkeypatch, "0.8.5", target, serve_sh="vllm serve m --no-flag\n", c__base_yaml=ROLLOUT)
        lines = [line for line in advice([found], []) if line.startswith("do not")]
        assert all(target not in line.partition(":")[0] for line in lines)


@pytest.mark.parametrize("releases", [["0.8.5"], ["0.8.5", "0.10.2"], ["0.12.0", "0.8.5", "0.10.2", "0.10.2"]])
def test_an_engine_that_runs_a_later_release_today_is_said_to_be_assumed(
    releases: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service = "  s{}:\n    image: vllm/vllm-openai:v{}\n    command: --model m --enable-reasoning\n"
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    text = "".join(service.format(number, release) for number, release in enumerate(releases))
    (tmp_path / "compose.yaml").write_text(f"services:\n{text}")
    assert main(["route", "--isolated", "."]) == 0
    shown = capsys.readouterr().out
    later = [release for release in releases if release != "0.8.5"]
    assert shown.count("assumed to start with it") == len(set(later))
    for release in set(later):
        count = "1 engine runs" if later.count(release) == 1 else f"{later.count(release)} engines run"
        assert f"  {count} {release} today" in shown
