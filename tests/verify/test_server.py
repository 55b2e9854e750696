"""A server that answers as each release does: both shapes of /server_info, no development mode, and what fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.verify.conftest import CONFIG
from vllm_migrate.errors import UsageError
from vllm_migrate.verify.model import ENVIRONMENT
from vllm_migrate.verify.server import running

MODELS = {
    "data": [{"id": "m", "max_model_len": 512, "parent": None}, {"id": "lora", "parent": "m", "max_model_len": 1}]
}
TEXT = "model='m', dtype=torch.float16, max_seq_len=512, seed=3, enable_prefix_caching=None, use_cached_outputs=True, "
PATHS: dict[str, object] = {"paths": {"/pause": {}, "/reset_prefix_cache": {}, "/health": {}}}


@contextmanager
def serving(answers: dict[str, object]) -> Iterator[tuple[str, list[str | None]]]:
    """A server of these answers (a number is a status); its address, and the Authorization of each request."""
    keys: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers.get("Authorization"))
            answer = answers.get(self.path, 404)
            self.send_response(answer if isinstance(answer, int) else 200)
            if answer == 302:
                self.send_header("Location", "http://elsewhere.invalid/version")
            self.end_headers()
            if not isinstance(answer, int):
                self.wfile.write(answer.encode() if isinstance(answer, str) else json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", keys
    finally:
        server.shutdown()
        server.server_close()


def test_a_configuration_as_json() -> None:
    env = {"VLLM_SERVER_DEV_MODE": True, "VLLM_USE_FLASHINFER_SAMPLER": True, "VLLM_LOGGING_LEVEL": "INFO"}
    answers: dict[str, object] = {
        "/version": {"version": "0.18.1+cpu"},
        "/v1/models": MODELS,
        "/server_info?config_format=json": {"vllm_config": CONFIG, "vllm_env": env, "system_env": {}},
        "/openapi.json": PATHS,
    }
    with serving(answers) as (url, _):
        found = running(url + "/v1/")
    values = {name: one.value for name, one in found.reported.items()}
    assert found.release == "0.18.1" and values["engine"] == "v1"
    assert (values["dtype"], values["max_model_len"], values["kv_cache_dtype"]) == ("bfloat16", 512, "auto")
    assert (values["scheduling_policy"], values["compilation_config.cudagraph_mode"]) == ("fcfs", "FULL_AND_PIECEWISE")
    # Of vLLM's own values of variables, only what is not the default was set.
    variables = {name for name, one in found.reported.items() if one.kind == ENVIRONMENT}
    assert variables == {"env.VLLM_SERVER_DEV_MODE", "env.VLLM_USE_FLASHINFER_SAMPLER"}
    assert "routes for updates: /pause, /reset_prefix_cache" in found.notes


def test_a_configuration_as_text() -> None:
    answers: dict[str, object] = {
        "/version": {"version": "0.8.5"},
        "/v1/models": MODELS,
        "/server_info": {"vllm_config": TEXT},
    }
    with serving(answers) as (url, _):
        found = running(url)
    values = {name: one.value for name, one in found.reported.items()}
    assert values["dtype"] == "float16" and values["seed"] == 3 and "engine" not in values
    assert "logprobs_mode" not in values and "max_num_seqs" not in values


def test_without_development_mode_it_says_how_to_switch_it_on() -> None:
    with serving({"/version": {"version": "0.18.1"}, "/v1/models": MODELS}) as (url, _):
        found = running(url)
    assert set(found.reported) == {"max_model_len"}
    assert any("VLLM_SERVER_DEV_MODE=1" in note for note in found.notes)


def test_what_fails_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "secret-key")
    answers: dict[str, object] = {
        "/version": {"version": "0.18.1"},
        "/v1/models": 401,
        "/server_info?config_format=json": 500,
    }
    with serving(answers) as (url, keys):
        found = running(url)
        assert (
            not found.reported
            and any("500" in note for note in found.notes)
            and any("key" in note for note in found.notes)
        )
        assert set(keys) == {"Bearer secret-key"} and "secret-key" not in str(found)
        answers["/version"] = "no JSON"
        with pytest.raises(UsageError, match="does not show the release"):
            running(url)
        assert running(url, "0.18.1").release == ""
    with pytest.raises(UsageError, match="no answer"):
        running(url)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (302, "redirects to http://elsewhere.invalid/version"),
        (1, "no answer"),
        ("[" * 100_000, "does not show the release"),
        ('{"version": ' + "9" * 5000 + "}", "no answer"),
        ({"version": ["0.18.1"]}, "not in the catalog"),
        ({"version": "0.19.0rc1.dev5"}, "not in the catalog"),
    ],
)
def test_a_hostile_server_is_refused(answer: object, what: str) -> None:
    with serving({"/version": answer}) as (url, _), pytest.raises(UsageError, match=what):
        running(url)


def test_a_build_between_releases_is_judged_as_the_one_that_is_named() -> None:
    with serving({"/version": {"version": "0.19.0rc1.dev5"}, "/v1/models": MODELS}) as (url, _):
        with pytest.raises(UsageError) as caught:
            running(url)
        assert "--to RELEASE" in str(caught.value.remedy)
        assert running(url, "0.18.1").release == ""
        assert running(url, "0.18.1").reported["max_model_len"].value == 512


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "file:///etc", "http://", "http://[::1", "http://a b", "http://h:99999", "http://\0"]
)
def test_what_is_not_the_address_of_a_server(url: str) -> None:
    with pytest.raises(UsageError, match="not the address of a server"):
        running(url)
