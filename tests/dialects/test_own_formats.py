"""Engines in files of no framework: what shows by itself that it is vLLM's, and what does not."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from tests.dialects.reading import Reading
from vllm_migrate.catalog import store
from vllm_migrate.dialects.flags import is_vllms_own

OPTIONS = {
    "max_model_len": "4096",
    "max_num_seqs": "64",
    "gpu_memory_utilization": "0.8",
    "enforce_eager": "true",
    "enable_prefix_caching": "false",
    "max_num_batched_tokens": "8192",
}
# How a mapping may name vLLM: its key, a value in it, a value beside it.
NAMED = [
    "vllm:\n{}",
    "my_vllm_engine:\n{}",
    "engine:\n  backend: vllm\n{}",
    "backend: vLLM\nserve:\n{}",
    "kind: vllm\nconfig:\n{}",
]


def mapping(options: dict[str, str], indent: str = "  ") -> str:
    return "".join(f"{indent}{key}: {value}\n" for key, value in options.items())


def some(seed: int, number: int) -> dict[str, str]:
    return dict(random.Random(seed).sample(sorted(OPTIONS.items()), number))


def found(text: str, tmp_path: Path) -> list[tuple[str, set[str]]]:
    engines = Reading(tmp_path, {"own.yaml": text}).engines
    return [
        (engine.dialect.id, {(each.option or each.key).lstrip("-") for each in engine.options}) for engine in engines
    ]


@pytest.mark.parametrize(("form", "seed"), list(itertools.product(NAMED, range(4))))
def test_a_mapping_that_names_vllm_is_an_engine(form: str, seed: int, tmp_path: Path) -> None:
    options = some(seed, 3 + seed % 3)
    assert found("name: x\n" + form.format(mapping(options)), tmp_path) == [("own-keywords", set(options))]


@pytest.mark.parametrize("seed", range(6))
def test_the_same_spelled_as_options(seed: int, tmp_path: Path) -> None:
    options = {key.replace("_", "-"): value for key, value in some(seed, 4).items()}
    text = "name: vllm of somebody\nserver_args:\n" + mapping(options)
    assert found(text, tmp_path) == [("own-options", set(options))]


@pytest.mark.parametrize("seed", range(6))
def test_the_same_with_a_prefix(seed: int, tmp_path: Path) -> None:
    options = {f"vllm_{key}": value for key, value in some(seed, 3).items()}
    text = "trainer:\n  learning_rate: 1.0e-6\n" + mapping(options)
    assert found(text, tmp_path) == [("own-prefixed", {key.removeprefix("vllm_") for key in options})]


@pytest.mark.parametrize("form", NAMED)
@pytest.mark.parametrize("seed", range(3))
def test_other_servers_have_mappings_too(form: str, seed: int, tmp_path: Path) -> None:
    text = form.format(mapping(some(seed, 4)))
    for other in ("sglang", "tgi", "lmdeploy"):
        named = text.replace("vllm", other).replace("vLLM", other)
        assert found(f"# as vllm does\n{named}", tmp_path) == []


@pytest.mark.parametrize("form", NAMED)
def test_keys_of_somebody_elses_are_no_engine(form: str, tmp_path: Path) -> None:
    shared = dict.fromkeys(("tensor_parallel_size", "trust_remote_code", "load_format", "served_model_name"), "1")
    assert not any(is_vllms_own(store.load(), key.replace("_", "-")) for key in shared)
    assert found(form.format(mapping(shared)), tmp_path) == []
    assert found(form.format(mapping(some(1, 2))), tmp_path) == []
    many = some(1, 3) | {f"team_{number}": "1" for number in range(9)}
    assert found(form.format(mapping(many)), tmp_path) == []


COMMANDS = [
    "vllm serve a/b --max-model-len 4096",
    "CUDA_VISIBLE_DEVICES=0 vllm serve a/b --max-model-len 4096",
    "pip install vllm && vllm serve a/b --max-model-len 4096",
    "exec python3 -m vllm.entrypoints.openai.api_server --model a/b --max-model-len 4096",
    "vllm serve a/b --port {port} --max-model-len 4096",
    'vllm serve a/b --speculative-config \'{{"method": "mtp"}}\' --max-model-len 4096',
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "form", ["case:\n  server_cmd: |\n    {}\n", "cases:\n- start_it: >\n    {}\n", "args:\n- >-\n  {}\n"]
)
def test_a_command_under_any_key(command: str, form: str, tmp_path: Path) -> None:
    ((dialect, options),) = found(form.replace("{}", command), tmp_path)
    assert dialect == "vllm-argv"
    assert "max-model-len" in options


@pytest.mark.parametrize("key", ["description", "notes", "prompt"])
def test_what_is_written_for_people_is_none(key: str, tmp_path: Path) -> None:
    assert found(f"{key}: |\n  {COMMANDS[0]}\nname: a\n", tmp_path) == []


def test_a_sentence_that_names_the_command_is_none(tmp_path: Path) -> None:
    assert found("why: we start it with vllm serve a/b --max-model-len 4096\nmax_model_len: 1\n", tmp_path) == []


WORDS = ["--max-model-len", "4096", "--max-num-seqs", "64", "--enforce-eager"]


@pytest.mark.parametrize(
    "head", [[], ["vllm", "serve", "a/b"], ["python3", "-m", "vllm.entrypoints.openai.api_server"]]
)
@pytest.mark.parametrize("key", ["command_template", "server_cmd", "podArgs", "extra"])
def test_a_list_of_words_under_any_key(head: list[str], key: str, tmp_path: Path) -> None:
    words = "".join(f"  - '{word}'\n" for word in [*head, *WORDS])
    ((dialect, options),) = found(f"# vllm\nlaunch:\n  {key}:\n{words}", tmp_path)
    assert (dialect, options >= {"max-model-len", "max-num-seqs", "enforce-eager"}) == ("vllm-argv", True)


@pytest.mark.parametrize("image", ["lmsysorg/sglang:v1", "ghcr.io/a/b:3"])
def test_a_list_beside_an_image_of_another_server_is_none(image: str, tmp_path: Path) -> None:
    words = "".join(f"  - '{word}'\n" for word in WORDS)
    assert found(f"# vllm\nimage: {image}\nargs:\n{words}", tmp_path) == []


def test_options_of_another_server_in_a_list_are_none(tmp_path: Path) -> None:
    words = "".join(f"  - '{word}'\n" for word in [*WORDS, "--mem-fraction-static", "0.8"])
    assert found(f"# not vllm\nargs:\n{words}", tmp_path) == []


def test_overrides_of_verl_in_a_list(tmp_path: Path) -> None:
    overrides = [f"actor_rollout_ref.rollout.{key}={value}" for key, value in some(2, 3).items()]
    text = "run: {}\noverrides:\n" + "".join(
        f"- {each}\n" for each in ["actor_rollout_ref.rollout.name=vllm", *overrides]
    )
    ((dialect, options),) = found(text, tmp_path)
    assert dialect == "verl"
    assert options >= set(some(2, 3))


def test_variables_beside_the_mapping_are_its_environment(tmp_path: Path) -> None:
    text = "envs: {VLLM_USE_V1: 0}\nvllm:\n" + mapping(some(1, 3))
    (engine,) = Reading(tmp_path, {"own.yaml": text}).engines
    assert engine.facts["env.VLLM_USE_V1"].value == "0"
