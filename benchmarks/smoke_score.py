"""Time and peak memory of `smoke score` on a random model shaped like Qwen2.5-0.5B.

    python benchmarks/smoke_score.py [--sequences 8 64] [--tokens 512] [--dtype float32]

Each size runs in a process of its own; the peak is the kernel's VmHWM. It must not grow with the number of sequences.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vllm_migrate.smoke.recording import Header, Row, write

VOCABULARY, PROMPT = 151_936, 24
CONTRACT = {"temperature": 0.7, "top_p": 0.9, "top_k": 20}


def make_model(folder: str, dtype: str) -> None:
    import torch
    import transformers

    config = transformers.Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    transformers.Qwen2ForCausalLM(config).to(getattr(torch, dtype)).save_pretrained(folder)


def make_recording(path: Path, sequences: int, tokens: int) -> None:
    """Random tokens: the time of a forward pass does not depend on which."""
    generator = random.Random(0)

    def draw(count: int) -> list[int]:
        return [generator.randrange(VOCABULARY) for _ in range(count)]

    rows = (Row(prompt=draw(PROMPT), tokens=draw(tokens), logprobs=[-1.0] * tokens) for _ in range(sequences))
    write(path, Header(engine="v1", sampling={"user": CONTRACT}), rows)


def peak_mib() -> float:
    """This process's largest resident size so far."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def child(recording: str, model: str) -> None:
    """Loads the model, notes the peak, scores, prints seconds and both peaks."""
    from vllm_migrate.smoke.recording import stream
    from vllm_migrate.smoke.score import Model, Options, Scorer

    header, rows = stream(recording)
    loaded = Model(model, Options())
    before, started = peak_mib(), time.perf_counter()
    scorer = Scorer(header, loaded, Options())
    count = write(f"{recording}.scored", header, scorer.rows(rows))
    print(count, f"{time.perf_counter() - started:.1f}", f"{before:.0f}", f"{peak_mib():.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder) / "model")
        make_model(model, options.dtype)
        print(
            f"{'sequences':>9} {'tokens':>7} {'seconds':>8} {'tokens/s':>9} {'model MiB':>10} {'peak MiB':>9}",
            flush=True,
        )
        for sequences in options.sequences:
            path = Path(folder) / f"{sequences}.jsonl"
            make_recording(path, sequences, options.tokens)
            command = [sys.executable, __file__, "--child", str(path), model]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            count, seconds, before, peak = done.stdout.split()
            tokens = int(count) * options.tokens
            rate = tokens / float(seconds)
            print(f"{count:>9} {tokens:>7} {seconds:>8} {rate:9.1f} {before:>10} {peak:>9}", flush=True)


if __name__ == "__main__":
    main()
