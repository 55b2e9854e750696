"""A GRPO loop of the real TRL on CPU: a tiny random model, sampled from by transformers in place of vLLM."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vllm_migrate.parity import ParityError, ParityGate
from vllm_migrate.parity.trl import watch

VOCABULARY, PAD, EOS = 98, 96, 97
WIDTH = 40


@pytest.fixture
def loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """run(report=, sampler=, steps=, gate=): trains, and returns the verdicts of all steps.

    `report(logits, temperature)` is the law whose logprobs the rollout returns; `sampler(model)` the model it samples from.
    """
    trl, torch = pytest.importorskip("trl"), pytest.importorskip("torch")
    transformers, datasets = pytest.importorskip("transformers"), pytest.importorskip("datasets")
    tokenizers = pytest.importorskip("tokenizers")
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    torch.set_num_threads(1)
    words = {f"t{i}": i for i in range(PAD)} | {"<pad>": PAD, "<eos>": EOS}
    plain = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="t0"))
    plain.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<pad>", eos_token="<eos>")
    config = transformers.Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        pad_token_id=PAD,
        eos_token_id=EOS,
        bos_token_id=None,
        tie_word_embeddings=False,
    )

    def run(
        *,
        report: Any = None,
        sampler: Any = None,
        steps: int = 2,
        every: int = 1,
        stop: bool = False,
        iterations: int = 1,
    ) -> Any:
        torch.manual_seed(0)
        model = transformers.Qwen2ForCausalLM(config).float()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(6)
        engine = sampler(model) if sampler else model

        def rollout(prompts: Any, trainer: Any) -> Any:
            ids = [tokenizer(prompt)["input_ids"] for prompt in prompts]
            width = len(ids[0])
            engine.eval()
            with torch.no_grad():
                found = engine.generate(
                    input_ids=torch.tensor(ids),
                    attention_mask=torch.ones(len(ids), width, dtype=torch.long),
                    do_sample=True,
                    temperature=trainer.temperature,
                    top_k=0,
                    max_new_tokens=WIDTH,
                    return_dict_in_generate=True,
                    output_logits=True,
                )
            model.train()
            new = found.sequences[:, width:]
            law = (torch.stack(found.logits, 1) / (1.0 if report == "raw" else trainer.temperature)).log_softmax(-1)
            logprobs = law.gather(-1, new[..., None]).squeeze(-1).tolist()
            ends = [row.index(EOS) + 1 if EOS in row else len(row) for row in new.tolist()]
            return {
                "prompt_ids": ids,
                "completion_ids": [row[:end] for row, end in zip(new.tolist(), ends, strict=True)],
                "logprobs": [row[:end] for row, end in zip(logprobs, ends, strict=True)],
            }

        trainer = trl.GRPOTrainer(
            model=model,
            reward_funcs=lambda completions, **more: [float(text.count("t1")) for text in completions],
            args=trl.GRPOConfig(
                output_dir=str(tmp_path),
                per_device_train_batch_size=8,
                gradient_accumulation_steps=2,
                num_generations=4,
                num_iterations=iterations,
                max_completion_length=WIDTH,
                temperature=0.7,
                max_steps=steps,
                logging_steps=1,
                learning_rate=1e-3,
                lr_scheduler_type="constant",
                beta=0.0,
                report_to=[],
                save_strategy="no",
                use_cpu=True,
                bf16=False,
                disable_tqdm=True,
            ),
            train_dataset=datasets.Dataset.from_dict({"prompt": [f"t{i} t{i + 1} t{i + 2}" for i in range(64)]}),
            processing_class=tokenizer,
            rollout_func=rollout,
        )
        callback = watch(
            trainer, ParityGate({"temperature": 0.7, "kind": "fp32", "group_size": 4}, every=every, stop=stop)
        )
        seen = []
        judge = callback.on_pre_optimizer_step

        def on_pre_optimizer_step(*args: Any, **kwargs: Any) -> None:
            judge(*args, **kwargs)
            seen.append(callback.verdict)

        monkeypatch.setattr(callback, "on_pre_optimizer_step", on_pre_optimizer_step)
        trainer.train()
        logged = [entry for entry in trainer.state.log_history if "parity/decision" in entry]
        return seen, logged

    return run


def test_the_pinned_loop_passes(loop: Callable[..., Any]) -> None:
    seen, logged = loop(steps=3)
    assert [verdict.decision for verdict in seen] == ["pass"] * 3
    assert all(verdict.metrics["b"].gate == "pass" and verdict.n_sequences == 16 for verdict in seen)
    assert [entry["parity/decision"] for entry in logged] == [0, 0, 0], "with the trainer's own metrics"


def test_raw_logprobs_stop_it_before_the_first_update(loop: Callable[..., Any]) -> None:
    with pytest.raises(ParityError, match=r"step 0: fail \[semantic\] logprobs-semantics"):
        loop(report="raw", stop=True)


def test_an_engine_that_keeps_its_first_weights(loop: Callable[..., Any]) -> None:
    seen, _ = loop(sampler=copy.deepcopy, steps=7, every=3)
    assert seen[0].decision == "pass"
    assert [verdict.decision for verdict in seen[1:3]] == ["pending"] * 2
    assert seen[-1].decision == "fail" and seen[-1].blame.layer == "weight-update"
    assert "stale-weights" in seen[-1].blame.suspects


def test_iterations_over_one_batch_are_staleness_not_mismatch(loop: Callable[..., Any]) -> None:
    seen, _ = loop(steps=4, iterations=2)
    assert [("k3_fresh" in verdict.metrics, "k3_stale" in verdict.metrics) for verdict in seen] == [
        (True, False),
        (False, True),
    ] * 2
    assert not any(verdict.alarm for verdict in seen)
