"""The worker's bookkeeping on an engine that writes one token a request and step."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.replay import engine_worker
from benchmarks.replay.engine_worker import Rollouts, reported

LENGTH = 8


class Core:
    """vLLM's engine, as far as the worker uses it. Every request gets its seed as its token."""

    def __init__(self) -> None:
        self.requests: dict[str, Any] = {}
        self.log: list[str] = []
        self.engine_core = SimpleNamespace(engine_core=self)
        self.output_processor = SimpleNamespace(abort_requests=lambda ids, internal: self.abort_request(ids))

    def add_request(self, ident: str, prompt: dict[str, Any], params: Any) -> None:
        self.requests[ident] = (params.seed, [])

    def abort_request(self, ids: list[str]) -> None:
        for ident in ids:
            self.requests.pop(ident, None)

    def has_unfinished_requests(self) -> bool:
        return bool(self.requests)

    def pause_scheduler(self, mode: str, clear_cache: bool) -> None:
        self.log.append(f"pause {mode} {clear_cache}")

    def resume_scheduler(self) -> None:
        self.log.append("resume")

    def reset_prefix_cache(self) -> None:
        self.log.append("reset")

    def collective_rpc(self, method: str, args: tuple[str, ...]) -> None:
        self.log.append(f"{method} {args[0]}")

    def step(self) -> list[Any]:
        out = []
        for ident, (seed, tokens) in list(self.requests.items()):
            tokens.append(seed)
            done = len(tokens) == LENGTH
            table = [{seed: SimpleNamespace(logprob=-1.0)}] * len(tokens)
            best = SimpleNamespace(token_ids=list(tokens), logprobs=table, finish_reason="length")
            out.append(SimpleNamespace(request_id=ident, outputs=[best], finished=done, num_cached_tokens=None))
            if done:
                del self.requests[ident]
        return out


@pytest.fixture(autouse=True)
def vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(SamplingParams=lambda **given: SimpleNamespace(**given)))


def rollouts(pause: dict[str, Any] | None = None, places: int = 4) -> Rollouts:
    job = {"sampling": {"max_tokens": LENGTH, "temperature": 0.7}, "pause": pause, "groups_in_flight": places}
    return Rollouts(Core(), job)


def offer(first: int, count: int) -> list[dict[str, Any]]:
    return [
        {"id": g, "requests": [{"place": k, "id": f"{g}-{k}", "prompt": [1], "seed": 100 * g + k} for k in range(2)]}
        for g in range(first, first + count)
    ]


def test_groups_end_one_after_the_other_and_as_many_as_asked_for() -> None:
    made = rollouts()
    made.waiting.extend(offer(0, 12))
    assert [group["id"] for group in made.collect(3)] == [0, 1, 2]
    assert [group["id"] for group in made.collect(2)] == [3, 4]
    assert len(made.open) <= 4


def test_a_group_keeps_the_order_of_its_requests() -> None:
    made = rollouts()
    made.waiting.extend(offer(0, 4))
    (group,) = made.collect(1)
    assert [row["id"] for row in group["rollouts"]] == ["0-0", "0-1"]
    assert group["rollouts"][1]["tokens"] == [1] * LENGTH
    assert group["rollouts"][1]["logprobs"] == [-1.0] * LENGTH


def test_tokens_carry_the_version_that_drew_them() -> None:
    made = rollouts()
    made.waiting.extend(offer(0, 8))
    made.collect(1)
    made.update("w1", 1)
    (group,) = made.collect(1)
    versions = group["rollouts"][0]["versions"]
    assert versions == sorted(versions) and set(versions) == {0, 1}


@pytest.mark.parametrize("clear", [True, False])
def test_a_pause_holds_the_update(clear: bool) -> None:
    made = rollouts({"mode": "keep", "clear_cache": clear})
    made.update("w1", 1)
    assert made.core.log == [f"pause keep {clear}", "replay_load w1", "resume"]


def test_without_a_pause_the_weights_are_just_replaced() -> None:
    made = rollouts()
    made.update("w1", 1)
    assert made.core.log == ["replay_load w1"]


def test_after_an_abort_every_request_starts_again() -> None:
    made = rollouts({"mode": "abort", "clear_cache": True})
    made.waiting.extend(offer(0, 8))
    made.collect(1)
    in_flight = sum(len(one.versions) for one in made.running.values())
    made.update("w1", 1)
    assert made.thrown_away == in_flight > 0
    (group,) = made.collect(1)
    assert set(group["rollouts"][0]["versions"]) == {1}


def test_a_restart_leaves_nothing_in_flight() -> None:
    made = rollouts()
    made.waiting.extend(offer(0, 8))
    made.collect(1)
    made.restart("w0")
    assert (made.version, made.steps, len(made.running), len(made.waiting)) == (0, 0, 0, 0)
    assert not made.core.requests
    assert made.core.log[-2:] == ["replay_load w0", "reset"]


def test_an_engine_reports_what_its_configuration_holds() -> None:
    config = SimpleNamespace(
        model_config=SimpleNamespace(logprobs_mode="raw_logprobs", dtype=object),
        cache_config=SimpleNamespace(enable_prefix_caching=True),
    )
    found = reported(config, ["logprobs_mode", "enable_prefix_caching", "async_scheduling"])
    assert found == {"logprobs_mode": "raw_logprobs", "enable_prefix_caching": True}


def test_the_worker_s_extension_is_importable_by_its_name() -> None:
    assert engine_worker.Extension.__qualname__ == "Extension"
    assert engine_worker.__name__.rpartition(".")[2] == engine_worker.MODULE
