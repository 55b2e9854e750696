"""A running OpenAI-compatible server: completions of token ids, with logprobs and tokens as ids.

What the server was started with is not known here, save its release; the recording tells its logprobs mode.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vllm_migrate.errors import UsageError
from vllm_migrate.opening import loads
from vllm_migrate.smoke.backends.interface import Job, Line, Watch
from vllm_migrate.smoke.errors import EngineRunError

FIELDS = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "logit_bias",
    "min_tokens",
    "max_tokens",
    "stop_token_ids",
    "ignore_eos",
    "allowed_token_ids",
    "bad_words",
)
CONCURRENT = 16


class Server:
    """The backend: `base_url` with or without its /v1."""

    name = "server"

    def __init__(
        self, base_url: str, *, model: str | None = None, timeout: float = 1800.0, api_key: str | None = None
    ) -> None:
        self.root = base_url.rstrip("/").removesuffix("/v1")
        self.model, self.timeout, self.api_key = model, timeout, api_key
        self.versions = False  # whether the server can name the weight version of each token

    def run(self, job: Job, watch: Watch) -> Iterator[Line]:
        if job.mode == "update":
            raise UsageError("the update probe needs its own engine", remedy="--python PY instead of --base-url")
        model, length = self._model()
        release = self._release()
        self.versions = _at_least(release, (0, 33))
        yield {
            "kind": "header",
            "schema": 1,
            "protocol": "samples",
            "vllm": release,
            "engine": _engine(release),
            "model": model,
            "engine_args": {},
            "effective": {"max_model_len": length, **_known(job.engine_args)},
            "sampling": job.contracts,
            "hardware": {},
            "update": {},
        }
        total = len(job.requests) + sum(len(s["tokens"]) for s in job.sequences)
        done = 0
        with ThreadPoolExecutor(CONCURRENT) as pool:
            for line in pool.map(lambda r: self._sample(model, job.contracts[r["contract"]], r), job.requests):
                done += 1
                yield {"kind": "row", **line}
                watch({"kind": "progress", "what": "sampling", "done": done, "total": total})
            for sequence in job.sequences:
                fields = {**job.contracts[sequence["contract"]], "max_tokens": 1, "ignore_eos": True}
                yield {"kind": "row", **self._step(pool, model, fields, sequence)}
                done += len(sequence["tokens"])
                watch({"kind": "progress", "what": "scoring", "done": done, "total": total})

    def _sample(self, model: str, sampling: dict[str, Any], request: dict[str, Any]) -> Line:
        choice = self._complete(model, sampling, request["prompt"], 1)
        told = choice.get("logprobs") or {}
        tokens = [_token(text) for text in told.get("tokens") or []]
        seen = choice.get("prompt_token_ids")
        return {
            "prompt": request["prompt"],
            "prompt_index": request.get("prompt_index"),
            "contract": request["contract"],
            "tokens": tokens,
            "logprobs": told.get("token_logprobs") or [],
            "finish": choice.get("finish_reason"),
            "versions": _versions(choice.get("weight_versions"), len(tokens)),
            "seen_prompt": None if seen is None or seen == request["prompt"] else seen,
        }

    def _step(self, pool: ThreadPoolExecutor, model: str, sampling: dict[str, Any], sequence: dict[str, Any]) -> Line:
        """One request a token; the recorded token is looked up among the server's top 20."""
        prompt, tokens = sequence["prompt"], sequence["tokens"]

        def one(j: int) -> float | None:
            choice = self._complete(model, sampling, prompt + tokens[:j], 20)
            top = (choice.get("logprobs") or {}).get("top_logprobs") or [{}]
            table = {_token(text): value for text, value in top[0].items()}
            value = table.get(tokens[j])
            return None if value is None or value <= -9998 else float(value)

        found = list(pool.map(one, range(len(tokens))))
        complete = 0 < int(sampling.get("top_k") or 0) <= 20
        return {
            **sequence,
            "logprobs": [float("-inf") if v is None and complete else v for v in found],
            "finish": "length",
            "phase": "step",
        }

    def _complete(self, model: str, sampling: dict[str, Any], prompt: list[int], logprobs: int) -> dict[str, Any]:
        body = {name: sampling[name] for name in FIELDS if sampling.get(name) is not None}
        body |= {"model": model, "prompt": prompt, "logprobs": logprobs, "return_tokens_as_token_ids": True}
        if self.versions:
            body["return_weight_versions"] = True
        answer = self._post("/v1/completions", body)
        choices = answer.get("choices") if isinstance(answer, dict) else None
        if not choices or not isinstance(choices[0], dict):
            raise EngineRunError(f"{self.root} answered without choices: {str(answer)[:300]}")
        if not (choices[0].get("logprobs") or {}).get("tokens"):
            raise EngineRunError(
                f"{self.root} answered without logprobs", "is it a vLLM server, and does it allow logprobs?"
            )
        return dict(choices[0])

    def _model(self) -> tuple[str, int | None]:
        answer = self._get("/v1/models")
        models = [m for m in answer.get("data", []) if isinstance(m, dict)] if isinstance(answer, dict) else []
        names = [str(m.get("id")) for m in models]
        if not models:
            raise EngineRunError(f"{self.root}/v1/models names no model")
        if self.model in names:
            return str(self.model), models[names.index(str(self.model))].get("max_model_len")
        return names[0], models[0].get("max_model_len")

    def release(self) -> str | None:
        """The release that the server says it is. Raises EngineRunError where nothing answers."""
        self._model()
        return self._release()

    def _release(self) -> str | None:
        try:
            answer = self._get("/version")
        except EngineRunError:
            return None
        return str(answer.get("version")) if isinstance(answer, dict) and answer.get("version") else None

    def _get(self, path: str) -> Any:
        return self._call(urllib.request.Request(self.root + path))

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        data = json.dumps(body).encode()
        return self._call(urllib.request.Request(self.root + path, data, {"Content-Type": "application/json"}))

    def _call(self, request: urllib.request.Request) -> Any:
        if self.api_key:
            request.add_header("Authorization", f"Bearer {self.api_key}")
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                return loads(answer.read())
        except urllib.error.HTTPError as error:
            text = error.read().decode("utf-8", "replace")
            raise EngineRunError(f"{request.full_url} answered {error.code}: {text[:500]}") from None
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            raise EngineRunError(
                f"no answer from {request.full_url}: {reason}", "is the server up, and --base-url its address?"
            ) from None
        except ValueError as error:
            raise EngineRunError(f"{request.full_url} did not answer JSON: {error}") from None


def _known(args: dict[str, Any]) -> dict[str, Any]:
    """What the config says of a server we cannot look into, as far as scoring needs it."""
    return {name: args[name] for name in ("dtype", "quantization") if args.get(name)}


def _at_least(release: str | None, wanted: tuple[int, int]) -> bool:
    try:
        major, minor = (release or "").split(".")[:2]
        return (int(major), int(minor)) >= wanted
    except ValueError:
        return False


def _engine(release: str | None) -> str:
    """V1 from 0.11 on; before, a server does not say."""
    return "v1" if _at_least(release, (0, 11)) else "server"


def _versions(spans: Any, count: int) -> list[str] | None:
    """The version of each token, from spans `{"version", "start", "end"}`."""
    if not spans:
        return None
    found = [""] * count
    for span in spans:
        for at in range(span["start"], min(span["end"], count)):
            found[at] = str(span["version"])
    return found


def _token(text: str) -> int:
    """The id in "token_id:123"."""
    try:
        return int(text.removeprefix("token_id:"))
    except ValueError:
        raise EngineRunError(
            f"the server named a token {text!r} instead of its id",
            "it ignores return_tokens_as_token_ids: not a vLLM server, or one before 0.6",
        ) from None
