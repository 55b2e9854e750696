"""Small invented source trees, one construct each; no line of vLLM's own."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from vllm_migrate.catalog import details, store
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.source import SourceTree

Files = dict[str, str]

# the least a tree needs for every section to be read
SMALL: Files = {
    "vllm/__init__.py": "",
    "vllm/_version.py": "__version__ = version = '9.1.0'\n",
    "vllm/envs.py": """
        import os
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            VLLM_DEPTH: int = 9
        environment_variables = {
            # How deep to dig.
            "VLLM_DEPTH": lambda: int(os.getenv("VLLM_DEPTH", "3")),
        }
        def __getattr__(name):
            return environment_variables[name]()
        """,
    "vllm/config/__init__.py": """
        from dataclasses import dataclass, field
        from typing import Literal, Optional

        @dataclass
        class ShaftConfig:
            \"\"\"A shaft.\"\"\"
            width: float = 1.5
            \"\"\"Metres across.\"\"\"
            shape: Literal["round", "square"] = "round"
            tools: list[str] = field(default_factory=lambda: ["pick"])

            def __post_init__(self):
                if self.width is None:
                    self.width = 2.0
        """,
    "vllm/engine/__init__.py": "",
    "vllm/engine/arg_utils.py": """
        import argparse
        from dataclasses import dataclass
        from typing import Optional
        import vllm.envs as envs
        from vllm.config import ShaftConfig

        @dataclass
        class EngineArgs:
            model: str = "m"
            width: float = ShaftConfig.width
            depth: int = envs.VLLM_DEPTH
            lamp: Optional[bool] = None

            def create(self):
                if self.lamp is None:
                    self.lamp = self.depth > 5

            @staticmethod
            def add_cli_args(parser):
                group = parser.add_argument_group(title="Shaft")
                group.add_argument("--model", default=EngineArgs.model, help="Which model.")
                group.add_argument("--width", "-w", type=float, default=EngineArgs.width)
                group.add_argument("--depth", type=int, default=EngineArgs.depth, choices=[3, 4])
                group.add_argument("--lamp", action=argparse.BooleanOptionalAction)
                return parser

        @dataclass
        class AsyncEngineArgs(EngineArgs):
            chatty: bool = False

            @staticmethod
            def add_cli_args(parser):
                parser = EngineArgs.add_cli_args(parser)
                parser.add_argument("--chatty", action="store_true", help="[DEPRECATED] Says more.")
                return parser
        """,
    "vllm/entrypoints/__init__.py": "",
    "vllm/entrypoints/cli/__init__.py": "",
    "vllm/entrypoints/cli/serve.py": """
        from vllm.engine.arg_utils import AsyncEngineArgs

        class ServeSubcommand:
            def subparser_init(self, subparsers):
                parser = subparsers.add_parser("serve")
                parser.add_argument("model_tag", nargs="?")
                parser.add_argument("--port", type=int, default=8000)
                return AsyncEngineArgs.add_cli_args(parser)
        """,
    "vllm/entrypoints/llm.py": """
        class LLM:
            def __init__(self, model, *, width=1.5, **kwargs):
                if "chatty" not in kwargs:
                    kwargs["chatty"] = True

            def sleep(self, level: int = 1):
                pass
        """,
    "vllm/entrypoints/openai/__init__.py": "",
    "vllm/entrypoints/openai/api_server.py": """
        from fastapi import APIRouter, FastAPI
        import vllm.envs as envs
        router = APIRouter()

        @router.get("/health")
        def health(): ...

        if envs.VLLM_DEPTH:
            @router.post("/dig")
            def dig(): ...

        def build_app(args):
            app = FastAPI()
            app.include_router(router)
            return app
        """,
    "vllm/entrypoints/openai/protocol.py": """
        from typing import Optional
        from pydantic import BaseModel, Field

        class ChatCompletionRequest(BaseModel):
            model_config = dict(extra="allow")
            temperature: Optional[float] = Field(default=None, ge=0)
            n: int = 1
        """,
    "vllm/sampling_params.py": """
        import msgspec

        class SamplingParams(msgspec.Struct):
            n: int = 1
            stop: list[str] = msgspec.field(default_factory=list)
            _private: int = 0
        """,
}


def write(root: Path, files: Files) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return root


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Root of a whole small source tree."""
    return write(tmp_path / "small", SMALL)


@pytest.fixture
def module(tmp_path: Path) -> Callable[..., Interpreter]:
    """Write modules (`a` is vllm/a.py, "b/c" vllm/b/c.py) and give an interpreter over them."""

    def make(paths: Files | None = None, **modules: str) -> Interpreter:
        files = {f"vllm/{name}.py": text for name, text in {**(paths or {}), **modules}.items()}
        return Interpreter(SourceTree(str(write(tmp_path / "tree", files))))

    return make


@pytest.fixture(scope="session")
def cat() -> store.Catalog:
    """The shipped catalog alone."""
    return store.Catalog(store._read(f"{store.DATA}/catalog.json"), {}, f"{store.DATA}/surface.json")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of the test's own."""
    monkeypatch.setenv("VLLM_MIGRATE_CACHE", str(tmp_path / "cache"))
    store.forget()
    details._loaded.clear()
    return tmp_path / "cache"
