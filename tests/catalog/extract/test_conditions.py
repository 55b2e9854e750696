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
    assert small["when"] == (  # as settings, whatever the function calls them
        "not self.speculative_config is None and self.speculative_config.method == 'tree' and not self.cache_config.block_size > 16"
    )
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


BOUNDED = {
    **FILES,
    "config/__init__": """
from typing import Literal, get_args
from pydantic import Field
from pydantic.dataclasses import dataclass
Draft = Literal["tree", "chain"]

@dataclass
class CacheConfig:
    cache_dtype: str = "auto"
    block_size: int = Field(default=16, gt=0, le=64)
    def verify(self, seed):
        kind = self.cache_dtype
        for kind in ("a", "b"):
            pass

@dataclass
class SpeculativeConfig:
    method: str = ""
    tokens: int = Field(ge=LEAST)
    def verify(self):
        kinds = get_args(Draft)
        if self.method not in get_args(Draft) and self.tokens > 3:
            raise ValueError("few tokens only")
        tokens = self.tokens
        tokens += 1
        if tokens % 2 != 0:
            raise ValueError("even tokens only")

@dataclass
class VllmConfig:
    cache_config: CacheConfig = None
    speculative_config: SpeculativeConfig = None
""",
}


def test_bounds_are_those_of_fields_and_of_comparisons(module: Make) -> None:
    found = refusals(module(BOUNDED))
    bounds = {facts["text"]: facts["sites"][0] for facts in found["bound"].values()}
    assert {text: site["when"] for text, site in bounds.items()} == {
        "block_size: Input should be greater than 0": "not self.block_size > 0",
        "block_size: Input should be less than or equal to 64": "not self.block_size <= 64",
        "even tokens only": "tokens % 2 != 0",  # bound again before it is asked
        "one setting only": "self.n > 1",
    }
    assert bounds["block_size: Input should be greater than 0"]["settings"] == ["block_size"]
    assert "tokens: Input should be" not in " ".join(bounds)  # a limit that the class does not decide


def test_choices_of_a_literal_type_are_written_out(module: Make) -> None:
    found = refusals(module(BOUNDED))
    (few,) = [facts for facts in found["refusal"].values() if facts["text"] == "few tokens only"]
    assert few["sites"][0]["when"] == "self.method not in ('tree', 'chain') and self.tokens > 3"
