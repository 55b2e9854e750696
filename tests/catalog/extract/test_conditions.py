"""Conditions, settings and messages of invented configuration classes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vllm_migrate.catalog.extract.conditions import identity
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.refusals import refusals
from vllm_migrate.catalog.extract.settings import Settings
from vllm_migrate.catalog.extract.startup import startup

Make = Callable[..., Interpreter]
FILES = {
    "config/__init__": """
from dataclasses import dataclass
from vllm.logger import init_logger
logger = init_logger(__name__)

@dataclass
class CacheConfig:
    cache_dtype: str = "auto"
    block_size: int = 16

@dataclass
class SpeculativeConfig:
    method: str = ""
    tokens: int = 0
    def __post_init__(self):
        if self.method and self.tokens < 1:
            raise ValueError(f"{self.method} needs tokens, got {self.tokens}")

@dataclass
class VllmConfig:
    cache_config: CacheConfig = None
    speculative_config: SpeculativeConfig = None
    def __post_init__(self):
        spec = self.speculative_config
        if spec is None:
            return
        size = self.cache_config.block_size
        if spec.method == "tree":
            assert size > 16, "blocks are too small"
        if size > 64:
            logger.warning("Block size %d is too large with speculation, using %s", size, 64)
            self.cache_config.block_size = 64
        if self.cache_config.cache_dtype == "fp8":
            raise NotImplementedError("one setting and one that is there")
    def __str__(self):
        return f"kv={self.cache_config.cache_dtype}, spec={self.speculative_config!r}"
""",
    "engine/__init__": "",
    "engine/arg_utils": """
from dataclasses import dataclass
from vllm.config import CacheConfig, SpeculativeConfig, VllmConfig
@dataclass
class EngineArgs:
    kv_cache_dtype: str = "auto"
    block_size: int = 16
    seed: int = 0
    speculative_config: dict = None
    def create(self):
        resolved = pick(self.kv_cache_dtype, self.seed)
        cache = CacheConfig(cache_dtype=resolved, block_size=self.block_size)
        if self.seed < 0 and self.block_size > 1:
            msg = "negative seeds " + "are no good"
            raise ValueError(msg)
@dataclass
class AsyncEngineArgs(EngineArgs):
    pass
""",
    "sampling_params": """
import msgspec
class SamplingParams(msgspec.Struct):
    n: int = 1
    temperature: float = 1.0
    def verify(self):
        if self.n > 1:
            if self.temperature == 0:
                raise ValueError("n must be 1 when using greedy sampling")
            raise ValueError("one setting only")
""",
    "entrypoints/__init__": "",
    "entrypoints/server": """
router = object()
@router.post("/sleep")
async def sleep(raw_request: Request, tags: list[str] = Query(None)):
    level = raw_request.query_params.get("level", "1")
    body = await raw_request.json()
    return body["mode"], body.get("force")
""",
}


@pytest.fixture
def it(module: Make) -> Interpreter:
    return module(FILES)


def test_refusals_are_named_by_their_message(it: Interpreter) -> None:
    found = refusals(it)
    sites = {name.rpartition("-")[0]: facts["sites"] for name, facts in found["refusal"].items()}
    assert {name: [s["settings"] for s in mine] for name, mine in sites.items()} == {
        "needs-tokens-got": [["speculative_config.method", "speculative_config.tokens"]],
        "blocks-are-too-small": [["block_size", "speculative_config.method"]],
        "one-setting-and-one-that-is": [["kv_cache_dtype", "speculative_config"]],
        "negative-seeds-are-no-good": [["block_size", "seed"]],
        "n-must-be-1-when-using": [["sampling.n", "sampling.temperature"]],
    }
    small = sites["blocks-are-too-small"][0]
    assert small["when"] == "not spec is None and spec.method == 'tree' and not size > 16"
    assert small["raises"] == "AssertionError" and small["at"] == "vllm.config:VllmConfig.__post_init__"
    assert found["count"]["all"] == {"statements": 6, "conditional": 6, "none": 0, "one": 1, "several": 5}


def test_what_is_replaced_beside_a_message(it: Interpreter) -> None:
    (name, facts), *rest = refusals(it)["replacement"].items()
    assert rest == [] and name.startswith("block_size:block-size-is-too-large-with")
    assert facts["level"] == "warning"
    assert facts["sites"] == [
        {"at": "vllm.config:VllmConfig.__post_init__", "when": "not spec is None and size > 64", "value": "64"}
    ]


def test_an_argument_that_another_name_carries(it: Interpreter) -> None:
    settings = Settings(it)
    assert settings.argument_of[("CacheConfig", "cache_dtype")] == "kv_cache_dtype"
    assert settings.named(["self", "cache_config", "cache_dtype"], "VllmConfig") == "kv_cache_dtype"
    assert settings.named(["vllm_config", "speculative_config", "method"], "X") == "speculative_config.method"
    assert settings.named(["envs", "VLLM_X"], "X") == "env.VLLM_X"
    assert settings.named(["self", "no_such_field"], "CacheConfig") == ""


def test_one_message_has_one_name_whatever_is_filled_in() -> None:
    assert identity("a {self.x} of  %d") == identity("a {y} of %s")
    assert identity("a {x} of b") != identity("a {x} of c")


def test_what_an_engine_logs_and_prints(it: Interpreter) -> None:
    found = startup(it)
    (line,) = found["line"].values()
    assert line["tells"] == ["block_size"] and line["implies"] == ["block_size", "speculative_config"]
    assert found["config_line"] == {
        "kv": {"prints": "self.cache_config.cache_dtype", "tells": ["kv_cache_dtype"]},
        "spec": {"prints": "self.speculative_config", "tells": ["speculative_config"]},
    }
    assert found["endpoint"] == {
        "POST /sleep": {
            "handler": "vllm.entrypoints.server.sleep",
            "query": {"tags": {"type": "list[str]", "default": "Query(None)"}},
            "reads": ["level"],
            "body": ["force", "mode"],
        }
    }
