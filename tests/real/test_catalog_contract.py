"""The Python contract and the ways into nested options against real objects of the imported release."""

from __future__ import annotations

from typing import Any

import pytest

from tests.real.oracles.client import run_oracle
from vllm_migrate.catalog import contract, nested

CLASSES = [
    "vllm.worker.worker.Worker",
    "vllm.worker.worker_base.WorkerBase",
    "vllm.v1.worker.gpu_worker.Worker",
    "vllm.v1.worker.worker_base.WorkerBase",
    "vllm.v1.worker.gpu_model_runner.GPUModelRunner",
    "vllm.entrypoints.llm.LLM",
    "vllm.v1.engine.async_llm.AsyncLLM",
    "vllm.v1.engine.llm_engine.LLMEngine",
    "vllm.v1.engine.core.EngineCore",
    "vllm.v1.core.sched.scheduler.Scheduler",
    "vllm.v1.core.sched.async_scheduler.AsyncScheduler",
    "vllm.core.scheduler.Scheduler",
    "vllm.engine.llm_engine.LLMEngine",
    "vllm.engine.async_llm_engine.AsyncLLMEngine",
    "vllm.v1.engine.output_processor.OutputProcessor",
    "vllm.v1.engine.output_processor.RequestState",
    "vllm.v1.executor.abstract.Executor",
    "vllm.v1.executor.multiproc_executor.MultiprocExecutor",
    "vllm.sampling_params.SamplingParams",
    "vllm.outputs.RequestOutput",
    "vllm.outputs.CompletionOutput",
    "vllm.lora.request.LoRARequest",
    "vllm.engine.arg_utils.EngineArgs",
    "vllm.engine.arg_utils.AsyncEngineArgs",
    "vllm.distributed.utils.StatelessProcessGroup",
    "vllm.distributed.device_communicators.pynccl.PyNcclCommunicator",
    "vllm.distributed.weight_transfer.base.WeightTransferEngine",
    "vllm.distributed.weight_transfer.nccl_engine.NCCLWeightTransferEngine",
    "vllm.distributed.weight_transfer.nccl_engine.NCCLWeightTransferInitInfo",
    "vllm.distributed.weight_transfer.nccl_engine.NCCLWeightTransferUpdateInfo",
    "vllm.v1.metrics.loggers.StatLoggerBase",
    "vllm.v1.request.Request",
    "vllm.v1.sample.logits_processor.interface.LogitsProcessor",
]
# One JSON-able key that each class has, so that the mapping is no empty one.
OPTIONS: dict[str, dict[str, Any]] = {
    "compilation_config": {"backend": "eager"},
    "speculative_config": {"method": "ngram", "num_speculative_tokens": 2, "prompt_lookup_max": 3},
    "kv_transfer_config": {"kv_connector": "X", "kv_role": "kv_both"},
    "pooler_config": {},
    "override_pooler_config": {},
    "structured_outputs_config": {"backend": "auto"},
    "attention_config": {},
    "profiler_config": {},
    "kernel_config": {},
    "eplb_config": {"window_size": 5},
    "weight_transfer_config": {"backend": "nccl"},
    "kv_events_config": {},
    "ec_transfer_config": {},
}
KINDS = {"positional": "POSITIONAL_ONLY", "plain": "POSITIONAL_OR_KEYWORD", "keyword": "KEYWORD_ONLY"}
KINDS |= {"args": "VAR_POSITIONAL", "kwargs": "VAR_KEYWORD"}


@pytest.fixture(params=["0.8.5", "0.18.1"])
def real(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """(release, what its own objects answer)."""
    release = str(request.param)
    python = str(request.getfixturevalue({"0.8.5": "vllm_py_085", "0.18.1": "vllm_py_0181"}[release]))
    known = [name for name in CLASSES if contract.load().members(name, release) is not None]
    functions = sorted(n for n in contract.load().functions(release) if n.split(".")[1] in FUNCTIONS_OF)
    options = {name: value for name, value in OPTIONS.items() if nested.load().class_of(name, release)}
    case = {"classes": known, "functions": functions, "options": options}
    return release, run_oracle(python, "catalog_contract.py", [case])[0]


FUNCTIONS_OF = ("distributed", "utils", "logger", "envs", "plugins", "config", "transformers_utils")


def same_call(mine: contract.Signature, theirs: list[list[Any]]) -> str:
    """ "" when a signature is the real one; defaults are compared where source decides them to a literal."""
    theirs = [one for one in theirs if not one[0].startswith("_")]
    if [(p.name, KINDS[p.kind]) for p in mine.parameters if p.name[0] != "_"] != [(n, k) for n, k, _ in theirs]:
        return f"{[(p.name, p.kind) for p in mine.parameters]} != {[(n, k) for n, k, _ in theirs]}"
    public = [parameter for parameter in mine.parameters if not parameter.name.startswith("_")]
    for parameter, (name, _, default) in zip(public, theirs, strict=True):
        if (parameter.default is None) != (default is None):
            return f"{name}: {parameter.default} != {default}"
        known = parameter.default not in (None, "...") and "<" not in str(default) and "(" not in str(default)
        if known and str(parameter.default).replace('"', "'") != str(default).replace('"', "'"):
            return f"{name}: {parameter.default} != {default}"
    return ""


def test_attributes_of_classes(real: tuple[str, dict[str, Any]]) -> None:
    release, answer = real
    compared, wrong, failed = 0, [], []
    for name, facts in answer["classes"].items():
        if "error" in facts:
            failed.append(f"{name}: {facts['error']}")
            continue
        mine = contract.load().members(name, release)
        assert mine is not None
        theirs = {n for n in facts["attributes"] if not n.startswith("_")}
        known = {n for n, member in mine.items() if member.of_the_class and not n.startswith("_")}
        fields = {n for n, member in mine.items() if not member.of_the_class}
        compared += len(known | theirs)
        wrong += [f"{name}.{n}: real, not in the catalog" for n in sorted(theirs - known - fields)]
        wrong += [f"{name}.{n}: in the catalog, not real" for n in sorted(known - theirs)]
    print(
        f"{release}: {compared} attributes of {len(answer['classes']) - len(failed)} classes, {len(wrong)} wrong, {failed}"
    )
    assert wrong == []
    assert compared > 500 and len(failed) < 6


def test_what_collides_with_an_extension(real: tuple[str, dict[str, Any]]) -> None:
    """Private names too: vLLM's assertion looks at every attribute without two leading underscores."""
    release, answer = real
    facts = answer["classes"][contract.WORKERS["v1"]]
    if "error" in facts:
        pytest.skip(facts["error"])
    theirs = set(facts["attributes"])
    members = contract.load().members(contract.WORKERS["v1"], release) or {}
    mine = {name for name in members if contract.load().collides(name, release)}
    print(f"{release}: {len(theirs)} names collide")
    assert mine == theirs


def test_signatures(real: tuple[str, dict[str, Any]]) -> None:
    release, answer = real
    compared, wrong = 0, []
    for name, facts in answer["classes"].items():
        for method, theirs in facts.get("methods", {}).items():
            mine = contract.load().signature(f"{name}.{method}", release)
            if mine is None or theirs is None or method.startswith("_"):
                continue
            compared += 1
            if difference := same_call(mine, theirs):
                wrong.append(f"{name}.{method}: {difference}")
        mine = contract.load().signature(name, release)
        if mine is not None and facts.get("call"):
            compared += 1
            if difference := same_call(mine, facts["call"]):
                wrong.append(f"{name}: {difference}")
    for name, theirs in answer["functions"].items():
        mine = contract.load().signature(name, release)
        if mine is not None and isinstance(theirs, list):
            compared += 1
            if difference := same_call(mine, theirs):
                wrong.append(f"{name}: {difference}")
    print(f"{release}: {compared} signatures, {len(wrong)} wrong")
    assert wrong == []
    assert compared > 300


def test_unknown_keys(real: tuple[str, dict[str, Any]]) -> None:
    release, answer = real
    compared, undecided, wrong = 0, [], []
    for option, entries in answer["options"].items():
        for entry, theirs in entries.items():
            mine = nested.load().unknown_key(option, entry, release)
            if mine is None or theirs.startswith("error"):
                undecided.append(f"{option} {entry}: {mine}, real {theirs}")
                continue
            compared += 1
            late = theirs == "dict" and mine in ("refused", "dropped")  # built when the configuration is
            if mine != theirs and not late:
                wrong.append(f"{option} {entry}: {mine}, real {theirs}")
    print(f"{release}: {compared} compared, {len(wrong)} wrong, undecided: {undecided}")
    assert wrong == []
    assert compared >= 8
