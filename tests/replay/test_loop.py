"""The loop between two processes, here small programs instead of vLLM and torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.replay.arms import Arm
from benchmarks.replay.gates import Ran
from benchmarks.replay.loop import Feed, Worker, WorkerError, digest, opened
from benchmarks.replay.product import Reading
from benchmarks.replay.runner import Task, run_all

ENGINE = """
import json, random, sys
print(json.dumps({"kind": "ready", "vllm": "0.0", "core": "v1", "reported": {"seed": 0}}), flush=True)
waiting, version = [], 0
for line in sys.stdin:
    ask = json.loads(line)
    if ask["do"] == "collect":
        waiting += ask["offer"]
        now, waiting = waiting[:ask["groups"]], waiting[ask["groups"]:]
        groups = []
        for group in now:
            rows = []
            for request in group["requests"]:
                chance = random.Random(request["seed"] + version)
                tokens = [chance.randrange(256) for _ in range(4)]
                rows.append({"id": request["id"], "tokens": tokens, "logprobs": [-1.0] * 4, "versions": [version] * 4,
                             "cached": 0, "finish": "length"})
            groups.append({"id": group["id"], "rollouts": rows})
        print(json.dumps({"groups": groups, "steps": 1, "thrown_away": 0, "cpu_s": 0.5}), flush=True)
    elif ask["do"] == "update":
        version = ask["version"]
        print("{}", flush=True)
    else:
        waiting, version = [], 0
        print("{}", flush=True)
"""
TRAINER = """
import json, sys
for line in sys.stdin:
    ask = json.loads(line)
    if ask["do"] == "start":
        print(json.dumps({"torch": "0"}), flush=True)
    else:
        reward = sum(row["reward"] for row in ask["rows"]) / len(ask["rows"])
        print(json.dumps({"metrics": {"reward": reward, "clip_rate": 0.0, "deep": ask["deep"]}}), flush=True)
"""


@pytest.fixture
def python(tmp_path: Path) -> str:
    """An interpreter that runs the small programs in place of the workers."""
    for name, text in (("engine_worker.py", ENGINE), ("trainer.py", TRAINER)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    path = tmp_path / "py"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} "{tmp_path}/$(basename "$1")"\n', encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def arm(python: str, read: Reading) -> Arm:
    return Arm("fixed", python, read)


def ran(arm: Arm, folder: Path, seeds: list[int], steps: int) -> Ran:
    (found,) = run_all([Task(arm, seeds, steps)], arm.python, folder, 1, lambda _: None).values()
    return found


def test_runs_repeat_whether_an_engine_is_new_or_used(arm: Arm, tmp_path: Path) -> None:
    first, second = ran(arm, tmp_path / "a", [0, 1], 3).runs
    (again,) = ran(arm, tmp_path / "b", [1], 3).runs
    assert second.digests == again.digests != first.digests
    assert len(set(first.digests)) == 3


def test_a_step_has_the_trainer_s_metrics_and_the_engine_s(arm: Arm, tmp_path: Path) -> None:
    found = ran(arm, tmp_path / "a", [0], 7)
    assert [line["deep"] for line in found.runs[0].steps] == [True, False, False, False, False, True, True]
    assert {"step", "reward", "cached", "thrown_away", "engine_steps", "engine_cpu_s"} <= set(found.runs[0].steps[0])
    assert found.started.reported == {"seed": 0}


def test_arms_run_beside_each_other(arm: Arm, tmp_path: Path) -> None:
    arms = [arm._replace(name=f"arm-{number}") for number in range(3)]
    found = run_all([Task(one, [0], 2) for one in arms], arm.python, tmp_path / "w", 2, lambda _: None)
    assert list(found) == ["arm-0", "arm-1", "arm-2"]
    assert len({tuple(one.runs[0].digests) for one in found.values()}) == 1


def test_the_death_of_a_worker_ends_the_run_with_its_last_words(arm: Arm, tmp_path: Path) -> None:
    (tmp_path / "engine_worker.py").write_text("raise SystemExit('no such model')", encoding="utf-8")
    with pytest.raises(WorkerError, match="no such model"):
        ran(arm, tmp_path / "a", [0], 2)


def test_relative_paths_are_those_of_the_caller(arm: Arm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(ran(arm._replace(python="./py"), Path("w"), [0], 2).runs) == 1


def test_the_model_is_taken_away_afterwards(arm: Arm, tmp_path: Path) -> None:
    with opened(arm, arm.python, tmp_path / "w", 0) as session:
        session.model.mkdir()
    assert not session.model.exists()


def test_text_that_is_no_answer_is_an_error(tmp_path: Path) -> None:
    worker = Worker([sys.executable, "-c", "print('hello')"], {}, tmp_path / "log.log")
    with pytest.raises(WorkerError):
        worker.answer()
    worker.end()


def test_an_answer_to_another_request_is_an_error() -> None:
    feed = Feed(0)
    (group,) = feed.next(1)
    rollouts: list[dict[str, Any]] = [{"id": "other", "tokens": [1]} for _ in group["requests"]]
    with pytest.raises(WorkerError, match="other"):
        feed.rows([{"id": group["id"], "rollouts": rollouts}])


def test_a_digest_sees_tokens_logprobs_and_versions() -> None:
    row = {"id": "0-0", "tokens": [1], "logprobs": [-0.1], "versions": [0]}
    others = [{**row, "tokens": [2]}, {**row, "logprobs": [-0.10000001]}, {**row, "versions": [1]}]
    assert len({digest([one]) for one in (row, *others)}) == 4
