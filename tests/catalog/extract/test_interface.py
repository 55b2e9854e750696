"""Classes, attributes and signatures of invented modules."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vllm_migrate.catalog.extract.contract import contract
from vllm_migrate.catalog.extract.interp import Interpreter

Make = Callable[..., Interpreter]
WORKER = """
import functools
from vllm.worker.worker_base import WorkerBase
LIMIT = 3

class Worker(WorkerBase):
    kind: str = "gpu"
    declared: int
    def __init__(self, config, rank: int, *, driver=False, limit=LIMIT):
        self.device, self.rank = None, rank
        self._hidden = 1
    def sleep(self, level: int = 1) -> None: ...
    @staticmethod
    def probe(device, /, deep=True): ...
    @classmethod
    def make(cls, *args, **kwargs): ...
    @functools.cached_property
    def memory(self): ...
    async def stream(self, n):
        yield n
    def tokens(self):
        def inner():
            yield 1
        return inner
    def _private(self): ...
"""
FILES = {
    "__init__": "from vllm.worker.worker import Worker\nMODULE_ATTRS = {'Late': '.worker.worker:Worker'}",
    "worker/__init__": "",
    "worker/worker": WORKER,
    "worker/worker_base": """
from typing import overload
class WorkerBase:
    def load(self): ...
    @overload
    def rpc(self, a: int): ...
    @overload
    def rpc(self, a: str): ...
    def rpc(self, a, b=None): ...
""",
    "outputs": """
from dataclasses import dataclass, field
from typing_extensions import deprecated
import msgspec, pydantic
@dataclass
class Logprob:
    logprob: float
    rank: int = 1
    extra: dict = field(default_factory=dict)
    hidden: int = field(init=False, default=3)
class Body(pydantic.BaseModel):
    ids: list
    n: int = 2
class Plain:
    pass
class Foreign(pydantic.RootModel):
    pass
@deprecated("use other")
def old(a, *rest, b, c=1, **more): ...
""",
    "secret": "class NotPublic: ...",
    "envs": "environment_variables = {}\ndef is_set(name): return name in environment_variables\n",
    "engine/__init__": "",
    "engine/llm_engine": """
from dataclasses import KW_ONLY, dataclass, field
import vllm.envs as envs
from vllm.v1.engine.llm_engine import LLMEngine as NewEngine
class LLMEngine:
    old = True
if envs.is_set("VLLM_NEW"):
    LLMEngine = NewEngine
AsyncEngine = NewEngine
@dataclass
class Base:
    early: int
    late: bool = field(default=True, kw_only=True)
    _: KW_ONLY
    last: int = 3
@dataclass
class Info(Base):
    names: list
    packed: bool = False
""",
    "v1/__init__": "",
    "v1/engine/__init__": "",
    "v1/engine/llm_engine": "class LLMEngine:\n    new = True\n",
}


@pytest.fixture
def found(module: Make) -> dict[str, dict[str, dict[str, object]]]:
    return contract(module(FILES))


def test_what_a_class_is(found: dict[str, dict[str, dict[str, object]]]) -> None:
    assert found["class"]["vllm.worker.worker.Worker"] == {
        "bases": ["vllm.worker.worker_base.WorkerBase"],
        "p": "config, rank, *, driver=False, limit=3",
    }
    assert found["class"]["vllm.outputs.Logprob"] == {"kind": "dataclass", "p": "logprob, rank=1, extra=..."}
    assert found["class"]["vllm.outputs.Body"] == {
        "bases": ["pydantic.BaseModel"],
        "kind": "model",
        "p": "*, ids, n=2",
    }
    assert found["class"]["vllm.outputs.Plain"] == {"p": ""}
    assert found["class"]["vllm.outputs.Foreign"] == {"bases": ["pydantic.RootModel"]}, "outside vLLM: not decided"
    assert not any(name.startswith("vllm.secret") for name in found["class"])


def test_attributes_and_their_signatures(found: dict[str, dict[str, dict[str, object]]]) -> None:
    assert found["vllm.worker.worker.Worker"] == {
        "_private": {"k": "method"},
        "declared": {"k": "declared"},
        "device": {"k": "instance"},
        "kind": {"k": "value"},
        "make": {"k": "class", "p": "*args, **kwargs"},
        "memory": {"k": "property"},
        "probe": {"k": "static", "p": "device, /, deep=True"},
        "rank": {"k": "instance"},
        "sleep": {"k": "method", "p": "level=1"},
        "stream": {"k": "method", "p": "n", "a": "async generator"},
        "tokens": {"k": "method", "p": ""},
    }
    assert found["vllm.worker.worker_base.WorkerBase"]["rpc"]["p"] == "a, b=None", "not an overload of it"


def test_functions_and_names_that_stand_for_others(found: dict[str, dict[str, dict[str, object]]]) -> None:
    functions = {name: facts for name, facts in found["function"].items() if "envs" not in name}
    assert functions == {"vllm.outputs.old": {"p": "a, *rest, b, c=1, **more", "x": "use other"}}
    worker = {"to": "vllm.worker.worker.Worker"}
    engine = {"to": "vllm.v1.engine.llm_engine.LLMEngine"}
    assert found["export"] == {
        "vllm.Worker": worker,
        "vllm.Late": worker,
        "vllm.engine.llm_engine.AsyncEngine": engine,
    }


def test_a_binding_counts_when_its_conditions_hold(found: dict[str, dict[str, dict[str, object]]]) -> None:
    assert found["vllm.engine.llm_engine.LLMEngine"] == {"old": {"k": "value"}}
    assert "vllm.v1.engine.llm_engine.LLMEngine" in found["class"]


def test_fields_that_are_passed_by_keyword_alone(found: dict[str, dict[str, dict[str, object]]]) -> None:
    assert found["class"]["vllm.engine.llm_engine.Info"]["p"] == "early, names, packed=False, *, late=..., last=3"
