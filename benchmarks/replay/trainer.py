"""The trainer of the replay: a random Qwen2 in float32, clipped policy losses, and the metrics a trainer logs.

    PY trainer.py

torch, transformers and safetensors, of the interpreter that runs the newer vLLM, for every arm. Commands come as JSON
lines on standard input, answers leave on standard output.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
from typing import Any

import torch

LEARNING_RATE = 3e-3
WARM_UP = 8
SCHEDULE = 64  # steps of the cosine, whatever the run's length: a shorter run is the start of a longer one
CLIP_NORM = 0.3
KEPT_VERSIONS = 8
HIDDEN, LAYERS, VOCABULARY = 64, 2, 256
SPREAD = {"model.embed_tokens.weight": 1.0, "lm_head.weight": 0.25}  # of other matrices 0.15, of biases 0.05


def new_model(seed: int) -> Any:
    """A random Qwen2 whose distribution is neither flat nor sharp: about 2.7 nats at T = 0.7."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=1024,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(config).float().eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2:
                weight.normal_(0, SPREAD.get(name, 0.15))
            elif name.endswith("bias"):
                weight.normal_(0, 0.05)
    return model


def write_model(model: Any, folder: str) -> None:
    """A checkpoint that both releases of vLLM load."""
    config = model.config.to_dict()
    config.update(architectures=["Qwen2ForCausalLM"], torch_dtype="float32", rope_theta=10000.0, rope_scaling=None)
    config = {name: value for name, value in config.items() if name not in ("dtype", "rope_parameters", "layer_types")}
    os.makedirs(folder, exist_ok=True)
    for name, content in (("config.json", config), ("generation_config.json", {"bos_token_id": 0, "eos_token_id": 1})):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(content, file)
    write_weights(model, os.path.join(folder, "model.safetensors"))


def write_weights(model: Any, path: str) -> None:
    from safetensors.torch import save_file

    tensors = {name: weight.detach().contiguous() for name, weight in model.named_parameters()}
    save_file(tensors, path, metadata={"format": "pt"})


class Batch:
    """One optimizer step's rollouts as tensors: token ids [B, P + L]; reported logprobs and weight versions [B, L]."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.ids = torch.tensor([row["prompt"] + row["tokens"] for row in rows])
        self.old = torch.tensor([row["logprobs"] for row in rows])
        self.versions = torch.tensor([row["versions"] for row in rows])
        self.rewards = torch.tensor([row["reward"] for row in rows])
        self.group = torch.tensor([row["group"] for row in rows])
        self.length = self.old.shape[1]

    def advantages(self, scaled: bool) -> torch.Tensor:
        """Of each response over the mean of the others of its group; `scaled`: over its group's mean, in deviations."""
        out = torch.empty_like(self.rewards)
        for number in self.group.unique():
            mine = self.group == number
            rewards = self.rewards[mine]
            others = (rewards.sum() - rewards) / (len(rewards) - 1)
            out[mine] = (rewards - rewards.mean()) / (rewards.std() + 1e-4) if scaled else rewards - others
        return out


class Trainer:
    """loss: kind (gspo, ppo, grpo), epsilon_low, epsilon_high; temperature: what the logits are divided by."""

    def __init__(self, seed: int, loss: dict[str, Any], temperature: float) -> None:
        self.loss, self.temperature, self.version = loss, temperature, 0
        self.model = new_model(seed)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=LEARNING_RATE, weight_decay=0.01, betas=(0.9, 0.95)
        )
        self.snapshots: dict[int, dict[str, torch.Tensor]] = {}
        self.keep()

    def keep(self) -> None:
        self.snapshots[self.version] = {n: w.detach().clone() for n, w in self.model.named_parameters()}
        self.snapshots.pop(self.version - KEPT_VERSIONS, None)

    def logprobs(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Of each response token its logprob, and the entropy of its place."""
        logits = self.model(input_ids=batch.ids).logits[:, -batch.length - 1 : -1] / self.temperature
        table = logits.log_softmax(-1)
        chosen = table.gather(-1, batch.ids[:, -batch.length :, None]).squeeze(-1)
        with torch.no_grad():
            entropy = -(table.exp() * table).sum(-1)
        return chosen, entropy

    def without_lag(self, batch: Batch) -> dict[str, float]:
        """The mismatch that is left when every token is scored under the weights that drew it."""
        now = self.snapshots[self.version]
        scored = torch.full_like(batch.old, math.nan)
        with torch.no_grad():
            for version in batch.versions.unique().tolist():
                if version in self.snapshots:
                    self.model.load_state_dict(self.snapshots[version])
                    scored = torch.where(batch.versions == version, self.logprobs(batch)[0], scored)
            self.model.load_state_dict(now)
        d = (scored - batch.old).double()
        d = d[~d.isnan()]
        return {
            "k3_without_lag": float((d.expm1() - d).mean()),
            "largest_d": float(d.abs().max()),
            "mean_d": float(d.mean()),
            "scored": d.numel() / batch.old.numel(),
        }

    def surrogate(self, x: torch.Tensor, advantages: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss of log-ratios `x` [B, L], and what of it was clipped (sequences for GSPO, else tokens)."""
        low, high = 1 - self.loss["epsilon_low"], 1 + self.loss["epsilon_high"]
        size, length = x.shape
        per_sequence = self.loss["kind"] == "gspo"
        ratio = x.mean(1).exp() if per_sequence else x.exp()
        weight = advantages if per_sequence else advantages[:, None]
        clipped = ratio.clamp(low, high)
        loss = -torch.min(ratio * weight, clipped * weight).sum() / size
        return loss * (length if per_sequence else 1), (clipped != ratio).double()

    def step(self, rows: list[dict[str, Any]], deep: bool) -> dict[str, float]:
        """One optimizer step; its metrics, which are those before the step."""
        batch = Batch(rows)
        new, entropy = self.logprobs(batch)
        x = new - batch.old
        loss, clipped = self.surrogate(x, batch.advantages(self.loss["kind"] == "grpo"))
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
        d = x.detach().double()
        metrics = {
            "reward": float(batch.rewards.mean()),
            "entropy": float(entropy.mean()),
            "clip_rate": float(clipped.mean()),
            "kl": float((d.expm1() - d).mean()),
            "mean_ratio": float(d.exp().mean()),
            "gradient_norm": float(norm),
            "lag": float((self.version - batch.versions).double().mean()),
        }
        if deep:
            metrics.update(self.without_lag(batch))
        for group in self.optimizer.param_groups:
            group["lr"] = LEARNING_RATE * schedule(self.version)
        self.optimizer.step()
        self.version += 1
        self.keep()
        return metrics


def schedule(step: int) -> float:
    """The learning rate's factor: linear warm-up, then a cosine."""
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - WARM_UP) / (SCHEDULE - WARM_UP))))


def main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    trainer = None
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "start":
            trainer = Trainer(command["seed"], command["loss"], command["temperature"])
            write_model(trainer.model, command["folder"])
            answer: dict[str, Any] = {"torch": torch.__version__}
        else:
            assert trainer is not None
            answer = {"metrics": trainer.step(command["rows"], command["deep"])}
            write_weights(trainer.model, command["path"])
        answer["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
