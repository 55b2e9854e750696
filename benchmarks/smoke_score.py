"""Time and peak memory of `smoke score` on a random model shaped like Qwen2.5-0.5B.

    python benchmarks/smoke_score.py [--sequences 64] [--tokens 512] [--dtype float32]

On a GPU where there is one. The last column compares with a plain forward pass and log-softmax of the same tokens, in batches
of as many. Printed at every quarter of the way: the peak of anonymous memory (RssAnon, sampled every 10 ms), which must not grow, and
the peak of all resident memory (VmHWM). The weights are mapped from their file, so that how much of them is resident is
the page cache's business.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
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


def status(field: str) -> float:
    """A size of this process in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


class Peak:
    """The largest anonymous memory of this process so far, in MiB."""

    def __init__(self) -> None:
        self.mib = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.mib = max(self.mib, status("RssAnon"))
            time.sleep(0.01)


def child(recording: str, model: str, sequences: int) -> None:
    """Loads the model and scores; prints sequences done, seconds and both peaks so far at every quarter."""
    from vllm_migrate.smoke.recording import stream
    from vllm_migrate.smoke.score import Model, ScoreOptions, Scorer

    header, rows = stream(recording)
    scorer, peak, started = Scorer(header, Model(model, ScoreOptions()), ScoreOptions()), Peak(), time.perf_counter()

    def watched() -> Iterator[Row]:
        for done, row in enumerate(scorer.rows(rows), 1):
            yield row
            if done % max(1, sequences // 4) == 0:
                seconds = time.perf_counter() - started
                print(done, f"{seconds:.1f}", f"{peak.mib:.0f}", f"{status('VmHWM'):.0f}", flush=True)

    write(f"{recording}.scored", header, watched())


def plain(model: str, sequences: int, tokens: int) -> None:
    """A forward pass and the log-softmax of as many tokens, and nothing else; prints seconds and the device."""
    import torch
    import transformers

    from vllm_migrate.smoke.score import BATCH_TOKENS

    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = transformers.AutoModelForCausalLM.from_pretrained(model, dtype="auto").to(device).eval()
    batch = max(1, BATCH_TOKENS // (PROMPT + tokens))
    started = time.perf_counter()
    with torch.inference_mode():
        for start in range(0, sequences, batch):
            ids = torch.randint(VOCABULARY, (min(batch, sequences - start), PROMPT + tokens), device=device)
            found = net(ids).logits[:, PROMPT - 1 : -1].float().log_softmax(-1)
            found.gather(-1, ids[:, PROMPT:, None]).sum().item()  # waits for the device
    print(f"{time.perf_counter() - started:.1f}", device, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, nargs="+", default=[64])
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--plain", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plain:
        plain(options.plain[0], int(options.plain[1]), options.tokens)
        return
    if options.child:
        child(options.child[0], options.child[1], int(options.child[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder) / "model")
        make_model(model, options.dtype)
        print(
            f"{'sequences':>9} {'tokens':>7} {'seconds':>8} {'tokens/s':>9} {'peak MiB':>9} {'all MiB':>8}",
            flush=True,
        )
        for sequences in options.sequences:
            path = Path(folder) / f"{sequences}.jsonl"
            make_recording(path, sequences, options.tokens)
            command = [sys.executable, __file__, "--child", str(path), model, str(sequences)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                seconds = "nan"
                for line in process.stdout:
                    done, seconds, peak, everything = line.split()
                    tokens = int(done) * options.tokens
                    rate = tokens / float(seconds)
                    print(f"{done:>9} {tokens:>7} {seconds:>8} {rate:9.1f} {peak:>9} {everything:>8}", flush=True)
            command = [sys.executable, __file__, "--plain", model, str(sequences), "--tokens", str(options.tokens)]
            alone, device = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
            print(
                f"a plain forward on {device}: {alone} s; score takes {float(seconds) / float(alone):.2f} times that",
                flush=True,
            )


if __name__ == "__main__":
    main()
