"""What a running server tells: `/version`, `/v1/models`, `/openapi.json`, and in development mode `/server_info`."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping

from vllm_migrate.errors import UsageError
from vllm_migrate.opening import loads
from vllm_migrate.report.mask import mask_value
from vllm_migrate.verify.config import Reader
from vllm_migrate.verify.model import CONFIG, ENVIRONMENT, Reported, Running
from vllm_migrate.verify.releases import known, shown
from vllm_migrate.verify.values import pairs

SOURCE = "server"
TIMEOUT_S = 60.0  # /server_info collects facts of the machine on its first call
MAX_BYTES = 20_000_000
DEV_MODE = "VLLM_SERVER_DEV_MODE=1"


class _Answer:
    """What a path was answered: JSON, or the status of a refusal."""

    def __init__(self, status: int, body: object = None) -> None:
        self.status = status
        self.body = body

    def mapping(self) -> Mapping[str, object]:
        return self.body if isinstance(self.body, dict) else {}


def running(url: str, target: str | None = None) -> Running:
    """The engine behind a server's address. `target`: its release, where it does not tell. Raises UsageError."""
    root = _root(url)
    version = shown(str(_get(root, "/version").mapping().get("version") or ""), target)
    release = known(version or target or "", f"{root}/version does not show the release")
    reader = Reader(release)
    notes: list[str] = []
    reported = _models(root, notes)
    endpoint = reader.startup.endpoint("GET /server_info", release)
    if endpoint is None:
        notes.append(f"vLLM {release} has no /server_info, so settings are not reported")
    else:
        has_json = "config_format" in endpoint.query
        path = "/server_info?config_format=json" if has_json else "/server_info"
        reported.update(_info(_get(root, path), reader, root + path, notes))
    notes += _routes(root)
    masked = {name: one._replace(value=mask_value(name, one.value)) for name, one in reported.items()}
    return Running(SOURCE, root, release if version else "", masked, notes=tuple(notes))


def _info(answer: _Answer, reader: Reader, where: str, notes: list[str]) -> dict[str, Reported]:
    if answer.status == 404:
        notes.append(f"{where} does not exist: the server was not started with {DEV_MODE} in its environment")
        return {}
    config = answer.mapping().get("vllm_config")
    if answer.status != 200 or config is None:
        notes.append(
            f"{where} answered {answer.status}: the server's log says why (vLLM's own collect_env may have failed)"
        )
        return {}
    found = reader.tree(config, where) if isinstance(config, dict) else reader.line(pairs(str(config)), where)
    env = answer.mapping().get("vllm_env")
    if isinstance(env, dict):
        found.update(reader.variables(env, where, ENVIRONMENT, resolved=True))
    if reader.catalog.ordinal(reader.release) >= reader.catalog.ordinal("0.11.0"):
        found["engine"] = Reported("v1", CONFIG, where)
    return found


def _models(root: str, notes: list[str]) -> dict[str, Reported]:
    """max_model_len, where the server has one model that is no adapter."""
    answer = _get(root, "/v1/models")
    if answer.status == 401:
        notes.append("/v1/models asks for a key: VLLM_API_KEY in this call's environment is sent")
        return {}
    data = answer.mapping().get("data")
    base = [one for one in data if isinstance(one, dict) and not one.get("parent")] if isinstance(data, list) else []
    lengths = {one.get("max_model_len") for one in base if isinstance(one.get("max_model_len"), int)}
    return {"max_model_len": Reported(lengths.pop(), CONFIG, f"{root}/v1/models")} if len(lengths) == 1 else {}


def _routes(root: str) -> list[str]:
    """What the server's routes say besides."""
    paths = _get(root, "/openapi.json").mapping().get("paths")
    if not isinstance(paths, dict):
        return []
    there = [path for path in ("/pause", "/reset_prefix_cache", "/sleep", "/collective_rpc") if path in paths]
    return [f"routes for updates: {', '.join(there)}"] if there else ["no routes for updates (pause, reset, sleep)"]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the key to another server."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def _root(url: str) -> str:
    """The address without a path. Raises UsageError for what is no address of a server."""
    try:
        parts = urllib.parse.urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        usable = False
    if not usable or " " in url:
        raise UsageError(f"--server: {url!r} is not the address of a server", "http://HOST:PORT")
    return url.rstrip("/").removesuffix("/v1")


def _get(root: str, path: str) -> _Answer:
    request = urllib.request.Request(root + path)
    key = os.environ.get("VLLM_API_KEY")
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with _OPENER.open(request, timeout=TIMEOUT_S) as answer:
            return _Answer(200, loads(_body(answer), parse_constant=str))
    except urllib.error.HTTPError as error:
        with error:
            if error.code in (301, 302, 303, 307, 308):
                where = error.headers.get("Location")
                raise UsageError(f"{root}{path} redirects to {where}", "name the server itself") from None
            return _Answer(error.code)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return _Answer(200)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", "") or str(error).strip() or type(error).__name__
        raise UsageError(
            f"no answer from {root}{path}: {reason}", "is the server up, and --server its address?"
        ) from None


def _body(answer: http.client.HTTPResponse) -> bytes:
    """At most MAX_BYTES, within TIMEOUT_S. Raises TimeoutError."""
    until, body = time.monotonic() + TIMEOUT_S, b""
    while len(body) < MAX_BYTES and (part := answer.read1(MAX_BYTES - len(body))):
        body += part
        if time.monotonic() > until:
            raise TimeoutError(f"not complete after {TIMEOUT_S:.0f} s")
    return body
