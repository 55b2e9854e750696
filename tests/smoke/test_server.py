"""The server backend against a small HTTP server that answers from the torch engine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from vllm_migrate.errors import UsageError
from vllm_migrate.smoke.backends.server import Server
from vllm_migrate.smoke.backends.torch_engine import Engine
from vllm_migrate.smoke.compare import compare
from vllm_migrate.smoke.contract import Contract
from vllm_migrate.smoke.errors import EngineRunError
from vllm_migrate.smoke.recording import Header, Recording, Row

torch = pytest.importorskip("torch")


class Served(ThreadingHTTPServer):
    """A server with one engine; bodies: the requests it got, fault: what it answers instead."""

    engine: Engine
    release = "0.18.1"
    fault: tuple[Any, ...] | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Completions)
        self.lock = threading.Lock()
        self.bodies: list[dict[str, Any]] = []


class Completions(BaseHTTPRequestHandler):
    """/v1/models, /version and /v1/completions; what it does wrong is in `server.fault`."""

    server: Served

    def log_message(self, *args: Any) -> None:
        pass

    def answer(self, value: Any, code: int = 200) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(code)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path == "/version":
            self.answer({"version": self.server.release})
        else:
            self.answer({"data": [{"id": "tiny", "max_model_len": 512}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        if self.server.fault is not None:
            self.answer(*self.server.fault)
            return
        with self.server.lock:
            engine = self.server.engine
            row = engine._generate([{"prompt": body["prompt"]}], body, "user")[0]
            law = engine.law(
                engine.model.logits(engine.model.hidden([body["prompt"]])[0, -1:]),
                Contract.of(body),
                {"prompt": body["prompt"], "tokens": []},
            )[0]
        top = {f"token_id:{int(i)}": float(law[i]) for i in law.topk(20).indices if law[i] > -1e30}
        told = {
            "tokens": [f"token_id:{t}" for t in row["tokens"]],
            "token_logprobs": row["logprobs"],
            "top_logprobs": [top],
        }
        choice: dict[str, Any] = {"logprobs": told, "finish_reason": "length"}
        if body.get("return_weight_versions"):
            half = len(row["tokens"]) // 2
            spans = [{"version": "a", "start": 0, "end": half}, {"version": "b", "start": half, "end": 2 * half}]
            choice["weight_versions"] = spans
        self.answer({"choices": [choice]})


@pytest.fixture
def served(lab: SimpleNamespace) -> Iterator[Served]:
    server = Served()
    server.engine = Engine({"model": str(lab.model), "logprobs_mode": "processed_logprobs"})
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def address(server: Any) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


def record(url: Any, work: Any) -> Recording:
    lines = list(Server(url, timeout=30).run(work, lambda line: None))
    return Recording(Header.model_validate(lines[0]), [Row.model_validate(line) for line in lines[1:]])


def test_a_servers_samples_pass(served: Served, lab: SimpleNamespace) -> None:
    recording = record(
        address(served) + "/v1", lab.job(lab.model, count=16, sampling={"max_tokens": 24}, dtype="float32")
    )
    assert (recording.header.vllm, recording.header.engine, recording.header.model) == ("0.18.1", "v1", "tiny")
    verdict = compare(lab.scored(recording, lab.model))
    assert [verdict.metrics[name].gate for name in ("D", "k3", "out")] == ["pass"] * 3
    assert verdict.columns["reported"] == "T+k+p"


def test_only_what_the_contract_says_is_sent(served: Served, lab: SimpleNamespace) -> None:
    record(address(served), lab.job(lab.model, count=1, sampling={"max_tokens": 2, "best_of": 3}))
    assert set(served.bodies[0]) == {
        "model",
        "prompt",
        "logprobs",
        "return_tokens_as_token_ids",
        "temperature",
        "top_p",
        "top_k",
        "max_tokens",
    }


def test_a_server_step_scores_an_offline_recording(served: Served, lab: SimpleNamespace) -> None:
    offline = lab.run(lab.job(lab.model, count=2, sampling={"max_tokens": 6}, logprobs_mode="processed_logprobs"))
    sequences = [{"prompt": r.prompt, "tokens": r.tokens, "contract": "user"} for r in offline.rows]
    steps = record(address(served), lab.job(lab.model, mode="step", sequences=sequences))
    for a, b in zip(offline.rows, steps.rows, strict=True):
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-4)


def test_weight_versions_are_asked_of_servers_that_name_them(served: Served, lab: SimpleNamespace) -> None:
    served.release = "0.33.0"
    recording = record(address(served), lab.job(lab.model, count=2, sampling={"max_tokens": 6}))
    assert [row.versions for row in recording.rows] == [["a"] * 3 + ["b"] * 3] * 2
    assert all(row.mixed for row in recording.rows)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (({"error": "no such model"}, 404), "answered 404"),
        ((b"<html>", 200), "did not answer JSON"),
        (({"choices": []}, 200), "without choices"),
        (({"choices": [{"text": "x"}]}, 200), "without logprobs"),
        (({"choices": [{"logprobs": {"tokens": ["hello"], "token_logprobs": [-1.0]}}]}, 200), "instead of its id"),
    ],
)
def test_what_a_server_does_wrong_is_said(
    fault: tuple[Any, ...], message: str, served: Served, lab: SimpleNamespace
) -> None:
    served.fault = fault
    with pytest.raises(EngineRunError, match=message):
        record(address(served), lab.job(lab.model, count=1))


def test_no_server_at_all(lab: SimpleNamespace) -> None:
    with pytest.raises(EngineRunError, match="no answer from"):
        record("http://127.0.0.1:9", lab.job(lab.model, count=1))


def test_no_update_through_a_server(lab: SimpleNamespace) -> None:
    with pytest.raises(UsageError, match="needs its own engine"):
        record("http://127.0.0.1:9", lab.job(lab.model, mode="update", update={"x": 1}))
