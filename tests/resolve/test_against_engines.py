"""What a view says of an engine is what the release itself resolved (tests/real/engine_config_cases.json).

Every value of the table that is an option is compared, at both releases, with the device and the model's files told.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.real.oracles import engine_table
from tests.resolve import engines
from vllm_migrate.knowledge.expr import Undetermined

RELEASES = ("0.8.5", "0.18.1")
CASES = engine_table.load()

# Values that we say nothing of: the attention backend picks them when the engine starts.
UNCLAIMED = ("block_size",)
# Differences with a reason: (releases, option, engine, the release's value, ours).
REASONS: dict[tuple[str, str, object, object], str] = {
    ("v0", "disable_cascade_attn", False, True): "V0 has no cascade attention, whatever its configuration holds",
    ("v0", "enable_prefix_caching", None, False): "nobody switched it on",
    (
        "v0",
        "use_cudagraph",
        False,
        True,
    ): "the key steers V1 alone; V0's model runner captures graphs unless it is eager",
}


def resolved() -> list[tuple[dict[str, Any], str]]:
    """Cases and releases with an answer. The CPU platform forces values of its own, and --gpu names no CPU."""
    return [(c, r) for c in CASES for r in RELEASES if "resolved" in c[r] and c.get("device") != "cpu"]


PAIRS = resolved()


@pytest.mark.parametrize(("case", "release"), PAIRS, ids=[f"{case['id']}-{release}" for case, release in PAIRS])
def test_every_value(case: dict[str, Any], release: str) -> None:
    seen = engines.view(case, release)
    core = case[release]["resolved"]["engine"]
    wrong = []
    for name, real in case[release]["resolved"].items():
        if name in UNCLAIMED or (option := engines.option_of(name)) is None:
            continue
        ours, value = engines.shown(name, seen.value(option).value), engines.measured(name, real)
        if not engines.alike(ours, value) and (core, name, value, ours) not in REASONS:
            wrong.append((name, value, ours))
    assert wrong == []


def test_hardly_anything_is_open() -> None:
    """Told the device and the model, we know all but what the model's weights decide."""
    open_ = []
    for case, release in PAIRS:
        seen = engines.view(case, release)
        for name in case[release]["resolved"]:
            option = engines.option_of(name)
            if option is not None and isinstance(seen.value(option).value, Undetermined):
                open_.append((case["id"], release, option))
    assert open_ == [("auto, checkpoint names no dtype", "0.18.1", "dtype")]


def test_every_reason_is_needed() -> None:
    used = set()
    for case, release in PAIRS:
        seen = engines.view(case, release)
        core = case[release]["resolved"]["engine"]
        for name, real in case[release]["resolved"].items():
            option = engines.option_of(name)
            if option is not None:
                used.add((core, name, str(real), str(engines.shown(name, seen.value(option).value))))
    assert {(core, name, str(real), str(ours)) for core, name, real, ours in REASONS} <= used


@pytest.mark.parametrize(("case", "release"), PAIRS, ids=[f"{case['id']}-{release}" for case, release in PAIRS])
def test_what_no_file_tells_is_left_open(case: dict[str, Any], release: str) -> None:
    """Not told the device and the model, what we still claim is right, and the values that we name hold the real one."""
    seen = engines.view(case, release, told=False)
    if case.get("device") == "v100" and release == "0.8.5":
        # Nothing in the file points to a GPU that V1 does not run on: V1 is assumed, and that is said.
        assert seen.value("engine").value == "v1" and "assumed" in seen.value("engine").because
        return
    core = case[release]["resolved"]["engine"]
    wrong = []
    for name, real in case[release]["resolved"].items():
        if name in UNCLAIMED or (option := engines.option_of(name)) is None:
            continue
        ours, value = engines.shown(name, seen.value(option).value), engines.measured(name, real)
        if isinstance(ours, Undetermined):
            assert ours.reasons
            right = not ours.options or any(engines.alike(one, value) for one in ours.options)
            right = right or any((core, name, value, one) in REASONS for one in ours.options)
        else:
            right = engines.alike(ours, value) or (core, name, value, ours) in REASONS
        if not right:
            wrong.append((name, value, ours))
    assert wrong == []


def test_sampling_defaults() -> None:
    """The model's own sampling defaults, as the release reads them."""
    for case, release in PAIRS:
        seen = engines.view(case, release)
        for name, real in case[release]["resolved"]["default_sampling_params"].items():
            if name in engines.SAMPLING and case.get("usage") != "server" and "kwargs" in case:
                assert seen.value(f"sampling.{name}").value == real, (case["id"], release, name)


@pytest.mark.parametrize(
    ("model", "env", "release", "core"),
    [
        ({"model_type": "bamba"}, {}, "0.8.5", "v0"),
        ({"model_type": "bamba"}, {}, "0.10.1", "v0"),
        ({"model_type": "bamba"}, {"VLLM_USE_V1": "1"}, "0.10.1", "v1"),
        ({"model_type": "bamba"}, {}, "0.10.2", "v1"),
        ({"model_type": "whisper", "is_encoder_decoder": True}, {}, "0.10.1", "v0"),
        ({"model_type": "qwen3"}, {}, "0.8.5", "v1"),
    ],
)
def test_models_that_v1_did_not_run(model: dict[str, Any], env: dict[str, str], release: str, core: str) -> None:
    """From EngineArgs._is_v1_supported_oracle: the CPU builds cannot inspect these models, so the table has none."""
    case = {"argv": [], "model_config": model, "env": env}
    assert engines.view(case, release).value("engine").value == core


@pytest.mark.parametrize(
    ("release", "seqs", "tokens"),
    [("0.8.5", 1024, 2048), ("0.9.1", 1024, 2048), ("0.9.2", 128, 2048), ("0.18.1", 128, 2048)],
)
def test_an_engine_built_in_code_has_the_plain_defaults(release: str, seqs: int, tokens: int) -> None:
    """AsyncLLM.from_engine_args passes the usage context ENGINE_CONTEXT, which the releases' tables do not have."""
    seen = engines.view({"kwargs": {}, "usage": "engine", "model_config": {"max_position_embeddings": 32768}}, release)
    assert (seen.value("max_num_seqs").value, seen.value("max_num_batched_tokens").value) == (seqs, tokens)
