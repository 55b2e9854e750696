"""Engines as the measured table writes them (tests/real/oracles/engine_config.py), seen by our own eyes."""

from __future__ import annotations

import shlex
from typing import Any

from tests.situations import in_situation
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.commands import engines_of_script
from vllm_migrate.dialects.model import Engine, Fact, Origin, Spot, Written
from vllm_migrate.dialects.situation import Known, Situation
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.knowledge.expr import Undetermined, same
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.knowledge.records import Dialect, Transport
from vllm_migrate.resolve.view import View

CATALOG = load_catalog()
KNOWLEDGE = load_knowledge()
SHELL = [dialect for dialect in KNOWLEDGE.dialects if dialect.id == "vllm-argv"]
CALL = Dialect("call", "LLM(...)", "", "source", ("python",), (), (Transport("kwargs"),), ())

# The tiny model that the table was measured with, and the keys of it that a resolution may ask for.
MODEL: dict[str, object] = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "max_position_embeddings": 1024,
    "hidden_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "max_window_layers": 28,
    "sliding_window": None,
    "use_sliding_window": False,
    "tie_word_embeddings": False,
    "dtype": "float32",
}
SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")


def engine_of(case: dict[str, Any]) -> Engine:
    """The engine of a case: a command in a script, or keyword arguments."""
    if "kwargs" in case:
        return _called(case)
    settings = [f"{name}={value}" for name, value in case.get("env", {}).items()]
    line = " ".join([*settings, "vllm serve m", *map(shlex.quote, case["argv"])])
    workspace = Workspace(["run.sh"], {"run.sh": line + "\n"})
    file = workspace.load("run.sh")
    assert file is not None
    (engine,) = engines_of_script(file, SHELL, CATALOG, workspace)
    return engine


def _called(case: dict[str, Any]) -> Engine:
    workspace = Workspace(["run.sh"], {"run.sh": "true\n"})
    file = workspace.load("run.sh")
    assert file is not None
    entry = {"llm": "llm", "server": "serve", "engine": "engine"}[case.get("usage", "llm")]
    spot = Spot(file, 0, 4)
    options = [Written(name, name, value, spot, spot, at) for at, (name, value) in enumerate(case["kwargs"].items())]
    facts = {
        f"env.{name}": Fact(value, Written(name, f"env.{name}", value, spot, spot))
        for name, value in case.get("env", {}).items()
    }
    facts["sampling.via"] = Fact("llm" if entry == "llm" else "explicit")
    return Engine("call", Origin(CALL, file, "rl_rollout", entrypoint=entry), facts, options=options)


def view(case: dict[str, Any], release: str, told: bool = True) -> View:
    """The case at a release; `told`: with the device and the model's files given."""
    device = case.get("device", "h100")
    model = {**MODEL, **case.get("model_config", {})}
    situation = Situation()
    if told:
        situation = Situation(gpu=Known(device), model=model, generation=case.get("generation_config", {}))
    return View(in_situation(engine_of(case), situation), release, CATALOG, KNOWLEDGE)


# The table's names for what is called otherwise as an option.
OPTIONS = {
    "policy": "scheduling_policy",
    "compilation_level": "compilation_config.mode",
    "compilation_mode": "compilation_config.mode",
    "cudagraph_mode": "compilation_config.cudagraph_mode",
    "use_cudagraph": "compilation_config.cudagraph_mode",
    "swap_space_bytes": "swap_space",
}
# What is no option: a class that the engine picks, the inverse of another value, or compared in a test of its own.
NOT_OPTIONS = (
    "worker_cls",
    "scheduler_cls",
    "runner_type",
    "use_async_output_proc",
    "default_sampling_params",
    "full_cuda_graph",
)

MODES = {"NONE": 0, "STOCK_TORCH_COMPILE": 1, "DYNAMO_TRACE_ONCE": 2, "VLLM_COMPILE": 3}


def option_of(name: str) -> str | None:
    """The option that a value of the table belongs to."""
    return None if name in NOT_OPTIONS else OPTIONS.get(name, name)


def measured(name: str, value: object) -> object:
    """A value of the table as an option would be written."""
    if name == "compilation_mode":
        return MODES[str(value)]
    if name == "optimization_level":
        return int(str(value)[1:])
    if name == "swap_space_bytes" and isinstance(value, (int, float)):
        return value / 2**30
    return value


def shown(name: str, ours: object) -> object:
    """Our value as the table would name it."""
    if name == "use_cudagraph" and isinstance(ours, str):
        return ours != "NONE"
    if name == "use_cudagraph" and isinstance(ours, Undetermined):
        return Undetermined(ours.reasons, tuple(option != "NONE" for option in ours.options))
    return ours


def alike(ours: object, real: object) -> bool:
    """Equal, or open; an empty mapping is as good as none."""
    if isinstance(ours, Undetermined):
        return not ours.options or any(same(option, real) for option in ours.options)
    return same(ours, real) or (ours is None and real == {})
