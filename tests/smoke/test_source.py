"""From a file to an engine: what reaches vLLM at a release."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from vllm_migrate.errors import UsageError, VllmMigrateError
from vllm_migrate.smoke.backends.interface import Job
from vllm_migrate.smoke.backends.torch_engine import TorchEngine
from vllm_migrate.smoke.commands import EngineOptions, engine_of, record, write_job
from vllm_migrate.smoke.errors import EngineRunError
from vllm_migrate.smoke.rollout import (
    Ask,
    contracts,
    override,
    random_prompts,
    read_prompts,
    record_job,
    run_job,
    with_model,
)
from vllm_migrate.smoke.source import SmokeEngine, load_engine

SPEC = SmokeEngine({"model": "m", "dtype": "auto"}, {"temperature": 0.7}, {}, "rl_rollout", "c.yaml", "e")


def test_a_serve_config_arrives_as_its_parser_delivers_it(tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text("model: m\ndtype: float32\nmax-model-len: 2k\nenable-prefix-caching: false\nport: 8000\n")
    spec = load_engine(str(path), "0.18.1")
    assert spec.engine_args["model"] == "m"
    assert spec.engine_args["max_model_len"] in (2000, 2048)
    assert "enable_prefix_caching" not in spec.engine_args  # dropped on the way, and said
    assert any("enable-prefix-caching" in note for note in spec.notes)
    assert "port" not in spec.engine_args
    assert spec.server


def test_what_a_release_refuses_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text(
        "model: m\ndtype: float32\nmax-model-len: 512\nenforce-eager: true\nlogprobs-mode: processed_logprobs\n"
    )
    assert load_engine(str(path), "0.18.1").refused == ()
    assert any("logprobs-mode" in text for text in load_engine(str(path), "0.8.5").refused)


def test_a_refusal_names_the_place(tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text("model: m\ndtype: float32\nswap-space: 4\n")
    spec = load_engine(str(path), "0.18.1")
    assert spec.refused == (f"{path}:3 swap-space: unknown option --swap-space",)
    job = Job("record", {}, {}, [], [], {})
    with pytest.raises(EngineRunError, match="the real launch would fail as well") as error:
        run_job(TorchEngine(), job, spec, lambda line: None)
    assert error.value.remedy == f"vllm-migrate fix {path} shows what it accepts; --fixed does so in memory"


def test_what_the_framework_overrides_refuses_nothing(tmp_path: Path) -> None:
    """NeMo-RL before 0.3 passes enforce_eager itself: what is written does not arrive, and the launch goes on."""
    path = tmp_path / "grpo.yaml"
    path.write_text("policy: {generation: {backend: vllm, vllm_cfg: {enforce_eager: false, max_model_len: 512}}}\n")
    spec = load_engine(str(path), "0.8.5")
    assert spec.refused == ()
    assert any("enforce_eager" in note for note in spec.notes)


def test_parallelism_and_executor_pass_through(tmp_path: Path) -> None:
    serve, script = tmp_path / "serve.yaml", tmp_path / "train.sh"
    serve.write_text(
        "model: m\ntensor-parallel-size: 8\npipeline-parallel-size: 2\ndistributed-executor-backend: ray\n"
    )
    args = load_engine(str(serve), "0.18.1").engine_args
    assert (args["tensor_parallel_size"], args["pipeline_parallel_size"]) == (8, 2)
    assert args["distributed_executor_backend"] == "ray"
    script.write_text(
        "python -m verl.trainer.main_ppo actor_rollout_ref.rollout.name=vllm "
        "actor_rollout_ref.rollout.tensor_model_parallel_size=4 actor_rollout_ref.model.path=m\n"
    )
    assert load_engine(str(script), "0.18.1").engine_args["tensor_parallel_size"] == 4
    wide = override(SPEC, ["tensor_parallel_size=2", "distributed_executor_backend=ray"])
    job = record_job(wide, Ask(num_prompts=1))
    assert (job.engine_args["tensor_parallel_size"], job.engine_args["distributed_executor_backend"]) == (2, "ray")


def test_dummy_weights_are_not_rolled_out(tmp_path: Path) -> None:
    """Frameworks start their engine on dummy weights and fill them in; a rollout alone would prove nothing."""
    path = tmp_path / "rlvr.yaml"
    path.write_text(
        "actor_infer:\n  strategy_args:\n    strategy_name: vllm\n"
        "    strategy_config: {load_format: dummy, max_model_len: 512}\n"
    )
    spec = load_engine(str(path), "0.18.1")
    assert "load_format" not in spec.engine_args
    assert any(note.startswith("load_format dummy left out") for note in spec.notes)


def test_pipelinerls_loss_and_pause_are_known(tmp_path: Path) -> None:
    path = tmp_path / "base.yaml"
    path.write_text(
        "llm: {parameters: {max_tokens: 8192, temperature: 0.7, stop: ['</s>']}}\n"
        "finetune: {rl: {policy_loss: gspo, epsilon_low: 3.0e-4, epsilon_high: 4.0e-4}}\n"
        "vllm_config: {vllm_kwargs: {dtype: float32}}\n"
    )
    spec = load_engine(str(path), "0.18.1")
    assert spec.loss == {"epsilon_low": 3e-4, "epsilon_high": 4e-4, "per_sequence": True}
    assert spec.pause == {"mode": "keep", "clear_cache": False}
    assert any(note.startswith("stop strings are left out") for note in spec.notes)


def test_fixes_are_applied_in_memory_only(tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    text = "model: m\ndtype: float32\nmax-model-len: 512\nenforce-eager: true\nenable-prefix-caching: false\n"
    path.write_text(text)
    spec = load_engine(str(path), "0.18.1", fixed=True)
    assert path.read_text() == text
    assert spec != load_engine(str(path), "0.18.1")
    assert any(note.startswith("--fixed: VM") for note in spec.notes)


def test_engine_arguments_in_json(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    path.write_text(json.dumps({"engine_args": {"model": "m"}, "sampling": {"top_p": 0.9}, "pause": {"mode": "keep"}}))
    spec = load_engine(str(path), "0.18.1")
    assert (spec.engine_args, spec.sampling, spec.pause, spec.server) == (
        {"model": "m"},
        {"top_p": 0.9},
        {"mode": "keep"},
        False,
    )


@pytest.mark.parametrize(
    ("text", "message"), [(None, "no file"), ("a: 1\n", "no vLLM engine was recognised"), ("a: [", "no vLLM engine")]
)
def test_a_config_without_an_engine(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_engine(str(path), "0.18.1")


def test_overrides_find_their_place() -> None:
    spec = override(
        SPEC,
        [
            "top_p=0.9",
            "max-model-len=512",
            "enforce_eager=True",
            "engine.seed=3",
            'hf_overrides={"a": 1}',
            "dtype=float16",
        ],
    )
    assert spec.sampling == {"temperature": 0.7, "top_p": 0.9}
    assert spec.engine_args == {
        "model": "m",
        "dtype": "float16",
        "max_model_len": 512,
        "enforce_eager": True,
        "seed": 3,
        "hf_overrides": {"a": 1},
    }
    with pytest.raises(UsageError, match="not option=value"):
        override(SPEC, ["top_p"])


def test_the_model_of_the_command_line_wins() -> None:
    assert with_model(SPEC, "other").engine_args["model"] == "other"
    with pytest.raises(UsageError, match="which model runs"):
        with_model(SPEC._replace(engine_args={}), None)


def test_a_blind_contract_gets_a_probe() -> None:
    assert list(contracts(SPEC, Ask())) == ["user"]
    found = contracts(SPEC._replace(sampling={}), Ask())
    assert found["probe"]["temperature"] == 0.7
    assert list(contracts(SPEC._replace(sampling={}), Ask(probe=False))) == ["user"]


def test_random_prompts_are_the_same_for_the_same_seed() -> None:
    one, two = random_prompts(1000, Ask(num_prompts=3, seed=5)), random_prompts(1000, Ask(num_prompts=3, seed=5))
    assert one == two != random_prompts(1000, Ask(num_prompts=3, seed=6))
    assert all(16 <= token < 1000 for prompt in one for token in prompt)


def test_prompts_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"prompt_token_ids": [1, 2]}\n[3, 4]\n')
    assert read_prompts(str(path), None) == [[1, 2], [3, 4]]
    path.write_text("{}\n")
    with pytest.raises(UsageError, match="neither token ids nor text"):
        read_prompts(str(path), None)


def test_prompts_of_text_need_a_tokenizer(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    path = tmp_path / "p.jsonl"
    path.write_text('{"prompt": "hello"}\n')
    with pytest.raises(UsageError, match="tokenizer"):
        read_prompts(str(path), None)


def test_the_release_that_runs_is_the_interpreters_then_the_one_asked_for_then_the_projects(tmp_path: Path) -> None:
    config, python = tmp_path / "serve.yaml", tmp_path / "python"
    config.write_text("model: m\nguided-decoding-backend: xgrammar\nport: 8000\n")
    python.write_text("#!/bin/sh\necho release=0.10.2+cpu\n")
    python.chmod(0o755)

    def says(**options: Any) -> str:
        return engine_of(str(config), EngineOptions(**options)).notes[0]

    assert "0.18.1 (the default target, since the project pins none" in engine_of(str(config), EngineOptions()).release
    (tmp_path / "requirements.txt").write_text("vllm==0.8.5\n")
    assert says().endswith("requirements.txt:1 pins it)") and "vLLM 0.8.5 (" in says()
    assert "vLLM 0.9.2 (--to names it)" in says(target="0.9.2")
    assert f"vLLM 0.10.2 ({python} has it)" in says(target="0.9.2", python=str(python))
    assert any(note.endswith("no engine arguments: port") for note in engine_of(str(config), EngineOptions()).notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"python": "/no/such/python"}, "cannot start /no/such/python"),
        ({"python": sys.executable}, "has no vLLM"),
        ({"base_url": "http://127.0.0.1:9"}, "no answer from http://127.0.0.1:9"),
        ({}, "no engine named"),
        ({"python": "a", "base_url": "b"}, "two engines named"),
        ({"lines": "/no/such/lines"}, "cannot read /no/such/lines"),
    ],
)
def test_what_is_wrong_with_the_engine_is_not_blamed_on_the_config(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    config = tmp_path / "serve.yaml"
    config.write_text("model: m\nguided-decoding-backend: xgrammar\n")  # which 0.18.1 refuses
    with pytest.raises(VllmMigrateError, match=message):
        record(str(config), EngineOptions(**options), str(tmp_path / "r.jsonl"), lambda line: None)


def test_a_job_of_a_config_that_the_release_refuses_is_not_written(tmp_path: Path) -> None:
    config, job = tmp_path / "serve.yaml", tmp_path / "job.json"
    config.write_text("model: m\nguided-decoding-backend: xgrammar\n")
    with pytest.raises(EngineRunError, match=r"vLLM 0.18.1 \(.*\) rejects the config"):
        write_job(str(config), EngineOptions(), str(job), None)
    assert not job.exists()
