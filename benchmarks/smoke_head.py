"""Whether the rollout proof sees which precision the engine's last layer has: real vLLM in bfloat16, on a CPU.

    python -m benchmarks.smoke_head --engine PY [--tokens 192] [--temperature 0.7]

PY has vLLM 0.26.0 or newer, whose head follows `hf_overrides: {head_dtype: float32}`. Two random models: one with ordinary
logits, one whose logits share an offset of about a hundred, which a softmax does not see and bfloat16 rounds by up to a
quarter. Each is recorded with both heads and scored under both; a ratio above 1 says that the head the trainer claims
fits worse, and "engine's head" is what the proof reads from the rounding alone. (At T = 1 without truncation a recording is
refused as evidence.) Exits 1 where a precision is misread, or not read with the offset.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vllm_migrate.smoke.backends.interface import Job
from vllm_migrate.smoke.backends.vllm_worker import VllmWorker
from vllm_migrate.smoke.commands import ScoreOptions, score_in_memory
from vllm_migrate.smoke.compare import CompareOptions, heads_of
from vllm_migrate.smoke.judge import compare
from vllm_migrate.smoke.recording import Header, Recording, Row
from vllm_migrate.smoke.verdict import Metric

VOCABULARY, HIDDEN, PROMPTS = 1024, 128, 16
HEADS = ("bfloat16", "float32")
LOGITS = ("ordinary", "offset")
COMMON = 20.0  # of the first column of the head that makes an offset


def make_model(folder: str, offset: bool) -> None:
    """A random Qwen2 of two layers in bfloat16. With an offset, its first hidden unit is the same at every position."""
    import torch
    import transformers

    config = transformers.Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    torch.manual_seed(0)
    model = transformers.Qwen2ForCausalLM(config).float().eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2:
                weight.normal_(0, {"model.embed_tokens.weight": 1.0, "lm_head.weight": 0.25}.get(name, 0.15))
        if offset:
            model.model.embed_tokens.weight[:, 0] = 8.0
            model.lm_head.weight[:, 0] = COMMON
            for layer in model.model.layers:
                layer.self_attn.o_proj.weight[0] = 0.0
                layer.mlp.down_proj.weight[0] = 0.0
    model.to(torch.bfloat16).save_pretrained(folder)


def record(python: str, model: str, head: str, temperature: float, tokens: int) -> Recording:
    """What vLLM draws with a head of this precision. Raises VllmMigrateError."""
    chance = random.Random(0)
    requests = [
        {"prompt": [chance.randrange(3, VOCABULARY) for _ in range(24)], "contract": "user", "prompt_index": i}
        for i in range(PROMPTS)
    ]
    args: dict[str, Any] = {"model": model, "dtype": "bfloat16", "logprobs_mode": "processed_logprobs"}
    args |= {"max_model_len": 512, "enforce_eager": True, "enable_prefix_caching": False, "skip_tokenizer_init": True}
    if head == "float32":
        args["hf_overrides"] = {"head_dtype": "float32"}
    sampling = {"user": {"temperature": temperature, "max_tokens": tokens}}
    lines = list(VllmWorker(python).run(Job("record", args, sampling, requests, [], {}), lambda line: None))
    kinds = [{key: value for key, value in line.items() if key != "kind"} for line in lines]
    return Recording(Header.model_validate(kinds[0]), [Row.model_validate(line) for line in kinds[1:]])


def read(scored: Recording) -> str | None:
    """The precision of the engine's head, as the proof reads it from the rounding alone."""
    score = scored.header.score
    assert score is not None
    found = heads_of(scored.header, scored.rows, score.claimed["user"])
    return found.engine if found else None


def _shown(metric: Metric) -> str:
    return f"{metric.value:.3g} ({metric.low:.3g} to {metric.high:.3g})"


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.smoke_head", description=__doc__)
    parser.add_argument("--engine", required=True, metavar="PY", help="a python with vLLM 0.26.0 or newer")
    parser.add_argument("--tokens", type=int, default=192, metavar="N", help="tokens of a response")
    parser.add_argument("--temperature", type=float, default=0.7, metavar="T", help="any but 1")
    parser.add_argument("--logits", choices=LOGITS, nargs="+", default=list(LOGITS))
    options = parser.parse_args(words)
    print(
        "| logits | engine | trainer | k3 | ratio to the other head | share of rounding | engine's head | verdict | blames |"
    )
    print("|---" * 9 + "|")
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for logits in options.logits:
            model = str(Path(folder) / logits)
            make_model(model, logits == "offset")
            for engine in HEADS:
                recording = record(options.engine, model, engine, options.temperature, options.tokens)
                for head in HEADS:
                    scored = score_in_memory(recording, model, ScoreOptions(head_dtype=head), lambda line: None)
                    verdict = compare(scored, None, CompareOptions())
                    seen = read(scored)
                    figures = [_shown(verdict.metrics[name]) for name in ("head_ratio", "head_rounding")]
                    cells = [logits, engine, head, f"{verdict.metrics['k3'].value:.3g}", *figures, seen or "not shown"]
                    print(
                        "| " + " | ".join([*cells, verdict.decision, ", ".join(verdict.blame.suspects)]) + " |",
                        flush=True,
                    )
                    wrong += seen not in ((engine,) if logits == "offset" else (engine, None))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
