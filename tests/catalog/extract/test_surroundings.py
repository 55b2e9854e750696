"""Environment variables, routes, the Python API, requests, late resolution, the config file's carrier."""

from __future__ import annotations

from collections.abc import Callable

from vllm_migrate.catalog.extract import carrier, environment, resolution, routes, surface
from vllm_migrate.catalog.extract.interp import Interpreter

Make = Callable[..., Interpreter]

ENVS = """
import os, tempfile
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    VLLM_A: int = 99
def choices(name, default, allowed):
    def get():
        return os.getenv(name, default)
    return get
env_with_choices = choices
def deprecated_env(name, version, replacement, getter):
    return getter
environment_variables = {
    # ================ Section ================
    # The first.
    "VLLM_A": lambda: int(os.getenv("VLLM_A", "1")),
    "VLLM_FLAG": lambda: os.environ.get("VLLM_FLAG", "0").strip().lower() in ("1", "true"),
    "VLLM_PORT": lambda: int(os.getenv("VLLM_PORT", "0")) if "VLLM_PORT" in os.environ else None,
    "VLLM_ROOT": lambda: os.path.expanduser(os.path.join("~", ".x")),
    "VLLM_TMP": lambda: os.getenv("VLLM_TMP", tempfile.gettempdir()),
    "VLLM_CHOICE": env_with_choices("VLLM_CHOICE", None, ["p", "q"]),
    "VLLM_OLD": deprecated_env("VLLM_OLD", "v1", "Use --new.", lambda: 2),
}
"""


def test_declared_variables_have_the_default_of_their_getter(module: Make) -> None:
    found = environment.declared(module(envs=ENVS))
    assert found["VLLM_A"] == {"default": 1, "type": "int", "doc": "The first."}  # the stub says 99
    assert found["VLLM_FLAG"]["default"] is False
    assert found["VLLM_PORT"]["default"] is None
    assert found["VLLM_ROOT"]["default"] == "~/.x"
    assert found["VLLM_TMP"]["default"] == {"expr": "os.getenv('VLLM_TMP', tempfile.gettempdir())"}
    assert found["VLLM_CHOICE"]["choices"] == ["p", "q"] and found["VLLM_CHOICE"]["default"] is None
    assert found["VLLM_OLD"]["default"] == 2 and "Use --new." in found["VLLM_OLD"]["deprecated"]


def test_variables_read_elsewhere(module: Make) -> None:
    text = """
        import os
        A = os.getenv("VLLM_A", "7")
        B = os.environ.get("VLLM_B", str(1 + 1))
        C = os.environ["VLLM_C"]
        os.environ["VLLM_SET_ONLY"] = "1"
        D = os.getenv(A)
        """
    it = module(envs=ENVS, worker=text)
    found = environment.elsewhere(it, environment.declared(it))
    assert set(found) == {"VLLM_B", "VLLM_C"}
    assert found["VLLM_B"]["default"] == "2" and found["VLLM_C"]["required"] is True


def test_routes_keep_the_conditions_met_on_the_way(module: Make) -> None:
    server = """
        from fastapi import APIRouter, FastAPI
        import vllm.envs as envs
        from vllm.entrypoints.sage import attach_sage
        router = APIRouter()
        @router.get("/health")
        def health(): ...
        @router.api_route("/ping", methods=["GET", "POST"])
        def ping(): ...
        if envs.DEV:
            @router.post("/sleep")
            def sleep(): ...
        attach_sage(router)
        def build_app(args, supported_tasks):
            app = FastAPI()
            app.include_router(router)
            if envs.DEV:
                from vllm.entrypoints.dev import register
                register(app)
            if "generate" in supported_tasks:
                from .parts.lora import attach as attach_lora
                attach_lora(app)
            return app
        """
    it = module(
        {
            "entrypoints/openai/api_server": server,
            "entrypoints/sage": """
                def attach_sage(router):
                    @router.post('/invocations')
                    def invocations(): ...
                    return router
                """,
            "entrypoints/dev": "from .hidden import inner\ndef register(app):\n    inner(app)\n",
            "entrypoints/hidden": """
                from fastapi import APIRouter
                router = APIRouter()
                @router.post("/pause")
                def pause(): ...
                def inner(app):
                    app.include_router(router)
                """,
            "entrypoints/openai/parts/lora": """
                from fastapi import APIRouter
                import vllm.envs as envs
                router = APIRouter()
                def attach(app):
                    if not envs.LORA:
                        return
                    enabled = envs.LORA or envs.MORE
                    if not enabled:
                        return
                    @router.post("/load")
                    def load(): ...
                    app.include_router(router)
                """,
            "entrypoints/unused": "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/demo')\ndef demo(): ...\n",
        }
    )
    assert routes.server(it) == {
        "GET /health": {},
        "GET /ping": {},
        "POST /ping": {},
        "POST /sleep": {"gate": "envs.DEV"},
        "POST /invocations": {},
        "POST /pause": {"gate": "envs.DEV"},
        "POST /load": {"gate": "envs.LORA and (envs.LORA or envs.MORE)", "task": "'generate' in supported_tasks"},
    }


def test_python_api_takes_the_overriding_signature(module: Make) -> None:
    text = """
        class EngineClient:
            async def sleep(self, level: int, old: int = 0): ...
            async def pause_generation(self, *, clear_cache: bool = True): ...
            def unrelated(self): ...
        class AsyncLLM(EngineClient):
            async def sleep(self, level: int = 1, **kwargs) -> None:
                "Deprecated: use nap."
        """
    found = surface.api(module({"v1/engine/async_llm": text}))
    assert found["AsyncLLM.sleep"]["params"] == ["level"] and found["AsyncLLM.sleep"]["open"] is True
    assert found["AsyncLLM.sleep"]["deprecated"].startswith("Deprecated")
    assert found["AsyncLLM.sleep.level"]["default"] == 1
    assert found["AsyncLLM.pause_generation.clear_cache"]["default"] is True
    assert not any("unrelated" in name or name.endswith(".old") for name in found)


def test_request_fields(module: Make) -> None:
    text = """
        from typing import Optional
        from pydantic import BaseModel, Field
        class Base(BaseModel):
            model_config = {"extra": "allow"}
        class CompletionRequest(Base):
            seed: Optional[int] = Field(None, ge=0)
            prompt: str
        """
    found = surface.requests(module({"entrypoints/openai/protocol": text}))
    assert found["CompletionRequest.seed"]["default"] is None
    assert found["CompletionRequest.prompt"]["required"] is True
    assert set(found) == {"CompletionRequest.seed", "CompletionRequest.prompt"}


def test_late_resolution_keeps_guards_and_leaves_out_what_only_refuses(module: Make) -> None:
    args = """
        from dataclasses import dataclass
        @dataclass
        class EngineArgs:
            seed: int | None = None
            def create(self, cfg):
                if cfg.bad:
                    raise ValueError
                if self.seed is None:
                    self.seed = 0
                elif cfg.odd:
                    cfg.inner.seed = 1
                if cfg.done:
                    return
                default_size = 8
                self.kind = "x"
        class AsyncEngineArgs(EngineArgs): ...
        """
    paths = {
        "engine/arg_utils": args,
        "entrypoints/llm": "class LLM:\n    def __init__(self, **kwargs):\n        kwargs['quiet'] = True\n",
        "sampling_params": "class SamplingParams: ...\n",
        "config/__init__": "",
    }
    assert resolution.late(module(paths)) == {
        "EngineArgs.create:seed": [["self.seed is None", "0"]],
        "EngineArgs.create:cfg.inner.seed": [["not self.seed is None and cfg.odd", "1"]],
        "EngineArgs.create:default_size": [["not cfg.done", "8"]],
        "EngineArgs.create:kind": [["not cfg.done", "'x'"]],
        "LLM.__init__:quiet": [["", "True"]],
    }


def test_how_the_config_file_is_carried(module: Make) -> None:
    old = """
        class FlexibleArgumentParser:
            def _load_config_file(self, path):
                for key, value in {}.items():
                    if isinstance(value, bool): ...
        """
    new = (
        old
        + """
                    elif isinstance(value, list): ...
                    elif isinstance(value, dict): ...
            def parse_args(self):
                def create_nested_dict(): ...
        """
    )
    assert carrier.carrier(module(utils=old)) == {"lists": False, "mappings": False, "dotted": False}
    it = module(utils=new.replace("_load", "load"))
    assert carrier.carrier(it) == {"lists": True, "mappings": True, "dotted": True}


def test_which_config_classes_refuse_unknown_keys(module: Make) -> None:
    text = """
        from pydantic import BaseModel, ConfigDict
        from pydantic.dataclasses import dataclass
        def config(cls=None, *, config=None):
            merged = ConfigDict(extra="forbid")
            return dataclass(cls, config=merged)
        @config
        class AConfig:
            x: int = 1
        @config(config=ConfigDict(extra="ignore"))
        class BConfig:
            x: int = 1
        class CConfig(BaseModel):
            model_config = ConfigDict(extra="forbid")
        @dataclass
        class DConfig:
            x: int = 1
        """
    found = carrier.classes(module(config=text))
    assert {name: facts["forbid"] for name, facts in found.items()} == {
        "AConfig": True,
        "BConfig": False,
        "CConfig": True,
        "DConfig": False,
    }
