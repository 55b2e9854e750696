"""Ways from a mapping to a configuration class, on invented source."""

from __future__ import annotations

from collections.abc import Callable

from vllm_migrate.catalog.extract import cli, nested
from vllm_migrate.catalog.extract.interp import Interpreter

Make = Callable[..., Interpreter]
FILES = {
    "config/__init__": """
import dataclasses
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

def is_init_field(cls, name): ...

def config(cls):
    assert dataclasses.is_dataclass(cls)
    return cls

@config
@dataclasses.dataclass
class PlainConfig:
    a: int = 1

@config
@dataclass(config=ConfigDict(extra="forbid"))
class StrictConfig:
    b: int = Field(default=2, alias="bee")

@dataclass
class LooseConfig:
    c: int = 3

class ModelledConfig(BaseModel):
    d: int = 4
    @classmethod
    def from_cli(cls, text): return cls.model_validate_json(text)
""",
    "engine/__init__": "",
    "engine/arg_utils": """
import dataclasses
from vllm.config import LooseConfig, ModelledConfig, PlainConfig, StrictConfig
@dataclasses.dataclass
class EngineArgs:
    plain_config: dict | None = None
    strict_config: StrictConfig | None = None
    loose_config: LooseConfig | None = None
    modelled_config: ModelledConfig | None = None
    free: dict | None = None
    seed: int = 0
    def __post_init__(self):
        if isinstance(self.strict_config, dict):
            self.strict_config = StrictConfig(**self.strict_config)
        if isinstance(self.modelled_config, dict):
            self.modelled_config = ModelledConfig.from_cli(str(self.modelled_config))
    def create(self):
        return PlainConfig(**self.plain_config)
    @staticmethod
    def add_cli_args(parser):
        parser.add_argument("--modelled-config", type=ModelledConfig.from_cli)
        return parser
@dataclasses.dataclass
class AsyncEngineArgs(EngineArgs):
    pass
""",
    "entrypoints/__init__": "",
    "entrypoints/llm": """
from vllm.config import LooseConfig, is_init_field
class LLM:
    def __init__(self, model, *, loose_config=None, strict_config=None, **kwargs):
        def make(value, cls):
            return cls(**{k: v for k, v in value.items() if is_init_field(cls, k)})
        self.loose = make(loose_config, LooseConfig)
""",
    "entrypoints/cli/__init__": "",
    "entrypoints/cli/serve": """
from vllm.engine.arg_utils import AsyncEngineArgs
class ServeSubcommand:
    def subparser_init(self, subparsers):
        parser = subparsers.add_parser("serve")
        return AsyncEngineArgs.add_cli_args(parser)
""",
}


def test_ways_in(module: Make) -> None:
    it = module(FILES)
    found = nested.nested(it, cli.sections(it)[0])
    assert found["option"] == {
        "plain_config": {"class": "PlainConfig", "engine": "constructor", "llm": "constructor", "parser": "no flag"},
        "strict_config": {"class": "StrictConfig", "engine": "constructor", "llm": "constructor", "parser": "no flag"},
        "loose_config": {"class": "LooseConfig", "engine": "unchanged", "llm": "checked", "parser": "no flag"},
        "modelled_config": {
            "class": "ModelledConfig",
            "engine": "validated",
            "llm": "validated",
            "parser": "validated",
        },
        "free": {"engine": "unchanged"},
    }
    assert found["kind"] == {
        "LooseConfig": {"built": "pydantic", "forbid": False},
        "ModelledConfig": {"built": "model", "forbid": False},
        "PlainConfig": {"built": "dataclass", "forbid": False},
        "StrictConfig": {"built": "pydantic", "forbid": True, "aliases": {"b": "bee"}},
    }
