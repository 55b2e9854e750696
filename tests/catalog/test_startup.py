"""What engines log and print, release by release."""

from __future__ import annotations

import pytest

from vllm_migrate.catalog import startup, store


@pytest.mark.parametrize(
    ("text", "release", "tells", "filled"),
    [
        (
            "INFO 07-01 12:00:00 [config.py:2003] Chunked prefill is enabled with max_num_batched_tokens=2048.",
            "0.8.5",
            ("max_num_batched_tokens",),
            ("2048",),
        ),
        (
            "INFO 01-01 00:00:00 [vllm.py:747] Asynchronous scheduling is enabled.",
            "0.18.1",
            ("async_scheduling",),
            ("enabled",),
        ),
        ("(APIServer pid=1) INFO [utils.py:1] non-default args: {'model': 'm'}", "0.18.1", (), ("{'model': 'm'}",)),
        (
            "INFO [core.py:101] Initializing a V1 LLM engine (v0.18.1) with config: model='m', seed=0",
            "0.18.1",
            (),
            ("0.18.1", "model='m', seed=0"),
        ),
        ("WARNING Unknown vLLM environment variable detected: VLLM_X", "0.18.1", (), ("VLLM_X",)),
    ],
)
def test_a_line_of_a_log_is_recognised(
    text: str, release: str, tells: tuple[str, ...], filled: tuple[str, ...]
) -> None:
    found = startup.load().read(text, release)
    assert found is not None and found.line.tells == tells and found.filled == filled


def test_what_is_no_line_of_ours() -> None:
    assert startup.load().read("step 3: reward 0.5", "0.18.1") is None


def test_since_when_a_message_is_there() -> None:
    found = startup.load()
    assert found.lives("Asynchronous scheduling is") == [("0.14.0", "0.27.0")]
    assert found.lives("non-default args: ")[0][1] is None


def test_what_the_printed_configuration_tells() -> None:
    for release in store.load().shipped:
        keys = startup.load().config_keys(release)
        assert keys["kv_cache_dtype"] == ("kv_cache_dtype",), release
        assert keys["max_seq_len"] == ("max_model_len",) and keys["seed"] == ("seed",), release
        # these are not told by that line at any release
        told = {setting for settings in keys.values() for setting in settings}
        assert not told & {"logprobs_mode", "async_scheduling", "generation_config", "max_num_seqs"}, release


def test_endpoints_with_their_gates_and_parameters() -> None:
    found = startup.load()
    info = found.endpoint("GET /server_info", "0.18.1")
    assert info is not None and "config_format" in info.query and "VLLM_SERVER_DEV_MODE" in info.gate
    old = found.endpoint("GET /server_info", "0.8.5")
    assert old is not None and old.query == {} and "VLLM_SERVER_DEV_MODE" in old.gate
    version = found.endpoint("GET /version", "0.33.0")
    assert version is not None and version.gate == ""
    pause = found.endpoint("POST /pause", "0.18.1")
    assert pause is not None and {"mode", "clear_cache"} <= set(pause.query)
    assert found.endpoint("POST /pause", "0.8.5") is None
    update = found.endpoint("POST /update_weights", "0.18.1")
    assert update is not None and update.body == ("update_info",)
