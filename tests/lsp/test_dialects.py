"""Completion, hover and quick fix, each in the spelling of its dialect, on the small projects of examples/."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from typing import NamedTuple

import pytest

pytest.importorskip("pygls")

from lsprotocol import types

from tests.lsp.client import ROOT, Editor


class Case(NamedTuple):
    """One dialect. hover: a key, and an option that is shown for it; typed: what is put behind which text of the file;
    offered: a label, and what it inserts; never: a label of another spelling; value: the same for a value; fix: the rule whose
    quick fix is applied ("" where none is offered), and a text that it writes or, with a `!`, takes away."""

    file: str
    hover: tuple[str, str]
    typed: tuple[str, str]
    offered: tuple[str, str]
    never: str
    value: tuple[str, str, str, str]
    fix: tuple[str, str]


CASES = {
    "areal": Case(
        "areal/before/grpo.yaml",
        ("max_model_len", "max_model_len"),
        ("max_model_len: 32768\n", "  enf"),
        ("enforce_eager", "enforce_eager: "),
        "enforce-eager",
        ("dtype: bfloat16", "dtype: ", "half", "half"),
        ("VM301", "!enable_chunked_prefill: false"),
    ),
    "axolotl": Case(
        "axolotl/before/grpo.yaml",
        ("max_model_len", "max_model_len"),
        ("tensor_parallel_size: 2\n", "  "),
        ("gpu_memory_utilization", "gpu_memory_utilization: "),
        "gpu-memory-utilization",
        ("  max_model_len: 4096", "  dtype: ", "bfloat16", "bfloat16"),
        ("", ""),
    ),
    "containers": Case(
        "containers/before/compose.yaml",
        ("--max-model-len", "max_model_len"),
        ('"--num-scheduler-steps", "1"', ', "--ena|"'),
        ("--no-enable-prefix-caching", "--no-enable-prefix-caching"),
        "enable_prefix_caching",
        ('"--num-scheduler-steps", "1"', '"--dtype", "|"', "float16", "float16"),
        ("VM101", "--no-enable-prefix-caching"),
    ),
    "ms-swift": Case(
        "ms-swift/before/grpo.sh",
        ("--vllm_enable_prefix_caching", "enable_prefix_caching"),
        ("--vllm_mode colocate", " --vllm_"),
        ("--vllm_max_model_len", "--vllm_max_model_len"),
        "--max-model-len",
        ("--vllm_mode colocate", "--vllm_enforce_eager ", "true", "true"),
        ("VM102", '"async_scheduling": false'),
    ),
    "nemo-rl": Case(
        "nemo-rl/before/base.yaml",
        ("gpu_memory_utilization", "gpu_memory_utilization"),
        ("    vllm_kwargs: {", "swa"),
        ("max_num_seqs", "max_num_seqs: "),
        "max-num-seqs",
        ("enforce_eager: false", "enforce_eager: ", "true", "true"),
        ("VM102", "async_scheduling: false"),
    ),
    "open-instruct": Case(
        "open-instruct/before/train.sh",
        ("--vllm_tensor_parallel_size", "tensor_parallel_size"),
        ("--temperature 0.7", " --vllm_"),
        ("--vllm_gpu_memory_utilization", "--vllm_gpu_memory_utilization"),
        "--gpu-memory-utilization",
        ("--temperature 0.7", "--vllm_enforce_eager ", "true", "true"),
        ("", ""),  # the pins that would go with it have no flag here
    ),
    "pipelinerl": Case(
        "pipelinerl/before/conf/base.yaml",
        ("enable-chunked-prefill", "enable_chunked_prefill"),
        ("num-scheduler-steps: 1\n", "    lo"),
        ("logprobs-mode", "logprobs-mode: "),
        "logprobs_mode",
        ("dtype: bfloat16", "dtype: ", "float32", "float32"),
        ("VM401", "logprobs-mode: "),
    ),
    "prime-rl": Case(
        "prime-rl/before/rl.toml",
        ("max_num_seqs", "max_num_seqs"),
        ("enforce_eager = false\n", "as"),
        ("async_scheduling", "async_scheduling = "),
        "async-scheduling",
        ("enforce_eager = false", "dtype = ", "bfloat16", '"bfloat16"'),
        ("VM102", "async_scheduling = false"),
    ),
    "production-stack": Case(
        "production-stack/before/values.yaml",
        ("maxModelLen", "max_model_len"),
        ("enablePrefixCaching: true\n", "        "),
        ("dtype", "dtype: "),
        "enable_prefix_caching",
        ("enablePrefixCaching: true", "enablePrefixCaching: ", "true", "true"),
        ("VM401", "--logprobs-mode"),
    ),
    "ray-serve-llm": Case(
        "ray-serve-llm/before/service.yaml",
        ("tensor_parallel_size", "tensor_parallel_size"),
        ("device: auto\n", " " * 16 + "max_mo"),
        ("max_model_len", "max_model_len: "),
        "max-model-len",
        ("device: auto", "dtype: ", "float16", "float16"),
        ("VM208", "!device: auto"),
    ),
    "roll": Case(
        "roll/before/rlvr.yaml",
        ("max_model_len", "max_model_len"),
        ("max_model_len: 8192\n", "      enf"),
        ("enforce_eager", "enforce_eager: "),
        "enforce-eager",
        ("max_model_len: 8192", "dtype: ", "half", "half"),
        ("VM204", "!disable_log_requests: true"),
    ),
    "skyrl": Case(
        "skyrl/before/train.sh",
        ("sampling_params.temperature", "sampling.temperature"),
        ("num_engines=4", " generator.inference_engine.enf"),
        ("generator.inference_engine.enforce_eager", "generator.inference_engine.enforce_eager="),
        "enforce_eager",
        ("generator.inference_engine.num_engines=4", "generator.inference_engine.enforce_eager=", "True", "True"),
        ("VM102", "generator.inference_engine.engine_init_kwargs.async_scheduling=False"),
    ),
    "torchforge": Case(
        "torchforge/before/grpo.yaml",
        ("gpu_memory_utilization", "gpu_memory_utilization"),
        ("max_model_len: 4096\n", "    "),
        ("enable_prefix_caching", "enable_prefix_caching: "),
        "enable-prefix-caching",
        ("max_model_len: 4096", "dtype: ", "float32", "float32"),
        ("VM202", "!max_seq_len_to_capture: 4096"),
    ),
    "verl": Case(
        "verl/before/train.sh",
        ("tensor_model_parallel_size", "tensor_parallel_size"),
        ("name=vllm", " actor_rollout_ref.rollout."),
        ("actor_rollout_ref.rollout.gpu_memory_utilization", "actor_rollout_ref.rollout.gpu_memory_utilization="),
        "gpu_memory_utilization",
        (
            "actor_rollout_ref.rollout.tensor_model_parallel_size=2",
            "actor_rollout_ref.rollout.dtype=",
            "float16",
            "float16",
        ),
        ("VM102", "engine_kwargs.vllm.no_async_scheduling"),
    ),
    "vllm-argv": Case(
        "vllm-argv/before/serve.sh",
        ("--max-model-len", "max_model_len"),
        ("--port 8000", " --no-"),
        ("--no-enable-chunked-prefill", "--no-enable-chunked-prefill"),
        "enable_chunked_prefill",
        ("--port 8000", "--dtype ", "bfloat16", "bfloat16"),
        ("VM101", "--no-enable-prefix-caching"),
    ),
    "vllm-python": Case(
        "vllm-python/before/rollout.py",
        ("max_model_len", "max_model_len"),
        ("max_model_len=8192,\n", "        enf"),
        ("enforce_eager", "enforce_eager="),
        "enforce-eager",
        ("max_model_len=8192", "dtype=", "half", '"half"'),
        ("VM202", "!swap_space"),
    ),
    "vllm-serve-config": Case(
        "vllm-serve-config/before/serve.yaml",
        ("swap-space", "swap_space"),
        ("swap-space: 4\n", "no-"),
        ("no-enable-prefix-caching", "no-enable-prefix-caching: "),
        "enable_prefix_caching",
        ("swap-space: 4", "dtype: ", "half", "half"),
        ("VM202", "!swap-space"),
    ),
}


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module")
def editor(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """One server for all of examples/."""
    folder = tmp_path_factory.mktemp("lsp") / "examples"
    shutil.copytree(ROOT / "examples", folder, ignore=shutil.ignore_patterns("projects"))
    made = Editor(folder)
    runner.run(made.start())
    yield made
    runner.run(made.stop())


@pytest.mark.parametrize("name", CASES)
def test_a_dialect_is_completed_explained_and_fixed(name: str, editor: Editor, runner: asyncio.Runner) -> None:
    runner.run(asyncio.wait_for(check(CASES[name], editor), 60))


async def check(case: Case, editor: Editor) -> None:
    found = await editor.open(case.file)
    text = editor.texts[case.file]

    key, option = case.hover
    shown = await editor.hover(case.file, key)
    assert f"**{option}**" in shown and "| vLLM " in shown, shown

    after, typed = case.typed
    labels = {item.label: item for item in await typing(editor, case.file, text, after, typed)}
    label, inserted = case.offered
    assert label in labels, sorted(labels)
    edit = labels[label].text_edit
    assert isinstance(edit, types.TextEdit) and edit.new_text == inserted
    assert case.never not in labels
    assert labels[label].detail

    line, typed, value, inserted = case.value
    items = await typing(editor, case.file, text, line, typed, new_line=True)
    values = {item.label: item for item in items}
    assert value in values, sorted(values)
    edit = values[value].text_edit
    assert isinstance(edit, types.TextEdit) and edit.new_text == inserted

    await editor.change(case.file, text)
    code, mark = case.fix
    if not code:
        return
    assert code in {each.code for each in found}
    actions = [each for each in await editor.actions(case.file, "quickfix") if each.title.startswith(code)]
    fixed = editor.applied(actions[0].edit, case.file)
    wanted = mark.removeprefix("!")
    assert (wanted in fixed) != mark.startswith("!") and fixed != text, fixed
    before = [each for each in found if each.code == code]
    assert len([each for each in await editor.change(case.file, fixed) if each.code == code]) < len(before)


async def typing(
    editor: Editor, name: str, text: str, after: str, typed: str, new_line: bool = False
) -> list[types.CompletionItem]:
    """What is offered once something is typed behind a text, or in place of it."""
    at = text.index(after) + (0 if new_line else len(after))
    end = at + len(after) if new_line else at
    left, _, right = typed.partition("|")
    before = text[:at] + left
    changed = before + right + ("\n" if after.endswith("\n") else "") + text[end:]
    await editor.change(name, changed)
    return await editor.complete(name, types.Position(before.count("\n"), len(before.rpartition("\n")[2])))
