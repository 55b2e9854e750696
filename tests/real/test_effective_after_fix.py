"""After a fix, the target's own parser takes the file, and its engine runs as the source's did.

Configurations that 0.8.5 starts with are drawn at random, as `vllm serve --config` files and as scripts. They are fixed
through the command line, read by 0.18.1's parser, and resolved by its `create_engine_config()`.
"""

from __future__ import annotations

import json
import random
import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.real.oracles.client import run_oracle
from vllm_migrate.cli.main import main

SOURCE, TARGET = "0.8.5", "0.18.1"
SEED = 4711
COUNT = 48
MODEL = {"torch_dtype": "bfloat16", "dtype": "bfloat16", "max_position_embeddings": 32768}
# option, the ways a file says it, the ways a command says it
SPELLINGS: dict[str, tuple[list[str], list[str]]] = {
    "prefix caching off": (["no-enable-prefix-caching: true"], ["--no-enable-prefix-caching"]),
    "prefix caching off, dropped": (["enable-prefix-caching: false", "enable_prefix_caching: False"], []),
    "prefix caching on": (["enable-prefix-caching: true"], ["--enable-prefix-caching", "--enable_prefix_caching"]),
    "multi-step": (["num-scheduler-steps: 8"], ["--num-scheduler-steps 8", "--num-scheduler-steps=4"]),
    "single step": (["num-scheduler-steps: 1"], ["--num-scheduler-steps 1"]),
    "swap space": (["swap-space: 8"], ["--swap-space 8", "--swap-space=4"]),
    "no request log": (["disable-log-requests: true"], ["--disable-log-requests"]),
    "block manager": (["use-v2-block-manager: true"], ["--use-v2-block-manager"]),
    "eager": (["enforce-eager: true"], ["--enforce-eager"]),
    "length": (["max-model-len: 4096", "max-model-len: 4k"], ["--max-model-len 4096", "--max-model 2048"]),
    "sequences": (["max-num-seqs: 64"], ["--max-num-seqs 64", "--max_num_seqs=32"]),
    "tokens": (["max-num-batched-tokens: 40000"], ["--max-num-batched-tokens 40000"]),
    "seed": (["seed: 3"], ["--seed 3", "--seed=0"]),
    "dtype": (["dtype: float16", "dtype: bfloat16"], ["--dtype half", "--dtype float16"]),
    "cascade off": (["disable-cascade-attn: true"], ["--disable-cascade-attn"]),
    "memory": (["gpu-memory-utilization: 0.8"], ["--gpu-memory-utilization .8"]),
    "parallel": (["tensor-parallel-size: 2"], ["-tp 2", "--tensor-parallel-size=2"]),
    "names": ([], ["--served-model-name policy other"]),
    "sampling": (["generation-config: vllm"], ["--generation-config vllm"]),
    "logprobs": (["max-logprobs: 5"], ["--max-logprobs 5"]),
    "preemption": (["preemption-mode: recompute"], ["--preemption-mode recompute"]),
    "delay": (["scheduler-delay-factor: 0.5"], ["--scheduler-delay-factor 0.5"]),
    "output": (["disable-async-output-proc: true"], ["--disable-async-output-proc"]),
    "capture": (["max-seq-len-to-capture: 4096"], ["--max-seq-len-to-capture 4096"]),
    "task": (["task: generate"], ["--task generate"]),
}
DROPPED = r"(?m)^enable[-_]prefix[-_]caching: [fF]alse"
# What of the engine has to stay as it was; `engine` is the source's.
KEPT = (
    "dtype",
    "enable_sleep_mode",
    "enforce_eager",
    "generation_config",
    "gpu_memory_utilization",
    "kv_cache_dtype",
    "load_format",
    "max_logprobs",
    "max_model_len",
    "tensor_parallel_size",
)


class Drawn(NamedTuple):
    """A file as written; of a script the words after `vllm` and the variables."""

    name: str
    text: str
    argv: list[str]
    env: dict[str, str]

    def case(self) -> dict[str, Any]:
        """The question to the parser's oracle."""
        if self.name.endswith(".yaml"):
            return {"argv": ["serve", "m", "--config", self.name], "files": {self.name: self.text}}
        return {"argv": self.argv, "env": self.env}


def draw(chance: random.Random, number: int) -> Drawn:
    in_file = number % 2 == 0
    names = [name for name, ways in SPELLINGS.items() if ways[0 if in_file else 1]]
    lines = [chance.choice(SPELLINGS[n][0 if in_file else 1]) for n in chance.sample(names, chance.randint(1, 6))]
    keys = {line.partition(":")[0].replace("_", "-").removeprefix("no-") for line in lines}
    if in_file:
        # A key twice, or both of its forms, is another matter.
        lines = [next(line for line in lines if _key(line) == key) for key in sorted(keys)]
        head = ["model: m", "served-model-name: policy"]  # some key must tell that it is a `vllm serve` file
        return Drawn("serve.yaml", "\n".join([*head, *lines]) + "\n", [], {})
    variable = chance.choice(("", "", "VLLM_USE_V1=0 ", "VLLM_USE_V1=1 "))
    text = f"#!/bin/bash\nset -e\n{variable}vllm serve m \\\n  " + " \\\n  ".join(lines) + "\n"
    return read_script("run.sh", text)


def _key(line: str) -> str:
    return line.partition(":")[0].replace("_", "-").removeprefix("no-")


def read_script(name: str, text: str) -> Drawn:
    """The command that starts the server, as a shell would read it."""
    command = text.replace("\\\n", " ").strip().splitlines()[-1]
    words = shlex.split(command)
    at = words.index("vllm")
    return Drawn(name, text, words[at + 1 :], dict(word.split("=", 1) for word in words[:at]))


def resolve(py: str, drawn: list[Drawn], model: str) -> list[dict[str, Any] | None]:
    """What each engine resolves to; None: the parser or the engine refuses."""
    parsed = run_oracle(py, "serve_parser.py", [one.case() for one in drawn])
    started = [i for i, answer in enumerate(parsed) if answer["ok"]]
    questions = [
        # The words as the release spliced them together, without `serve` and the model.
        {"argv": _without_model(parsed[i]["argv"]), "env": drawn[i].env, "model_config": MODEL, "device": "h100"}
        for i in started
    ]
    answers = run_oracle(py, "engine_config.py", questions, "--cuda", model)
    out: list[dict[str, Any] | None] = [None] * len(drawn)
    for i, answer in zip(started, answers, strict=True):
        out[i] = answer["resolved"] if answer["ok"] else None
    return out


def _without_model(argv: list[str]) -> list[str]:
    words = [word for word in argv[1:] if word != "m"]
    return [word for word in words if word != "--model"]


def fixed(one: Drawn, folder: Path, number: int) -> Drawn:
    """The file after `fix --write --unsafe`."""
    place = folder / f"{number}"
    place.mkdir()
    path = place / one.name
    path.write_text(one.text, encoding="utf-8")
    model = place / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"model_type": "qwen2", **MODEL}), encoding="utf-8")
    told = ["--isolated", "--from", SOURCE, "--to", TARGET, "--gpu", "h100", "--model-config", str(model)]
    assert main(["fix", "--write", "--unsafe", *told, str(path)]) == 0
    text = path.read_text(encoding="utf-8")
    return Drawn(one.name, text, [], {}) if one.name.endswith(".yaml") else read_script(one.name, text)


def kept(text: str, before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, object, object]]:
    """What the fixed engine does otherwise than the source's did, or than its file says where that did not arrive."""
    old = before["engine"] == "v0"
    wanted = {name: before[name] for name in KEPT}
    wanted["enable_prefix_caching"] = bool(before["enable_prefix_caching"]) and not re.search(DROPPED, text)
    wanted["async_scheduling"] = False
    wanted["logprobs_mode"] = "processed_logprobs" if old else "raw_logprobs"
    wanted["disable_cascade_attn"] = (
        True  # off by default at the target; a heuristic that comes and goes is not restored
    )
    if before["seed"] is not None:
        wanted["seed"] = before["seed"]  # an unseeded engine cannot be asked for
    return [(name, value, after[name]) for name, value in wanted.items() if after[name] != value]


def test_the_fixed_engine_runs_as_the_old_one(
    vllm_pythons: dict[str, str], tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    drawn = [draw(chance, number) for number in range(COUNT)]
    before = resolve(vllm_pythons[SOURCE], drawn, tiny_model)
    alive = [(one, answer) for one, answer in zip(drawn, before, strict=True) if answer is not None]
    assert len(alive) >= COUNT * 3 // 4
    after_fix = [fixed(one, tmp_path, number) for number, (one, _) in enumerate(alive)]
    capsys.readouterr()
    after = resolve(vllm_pythons[TARGET], after_fix, tiny_model)
    wrong = []
    for (one, old), new, text in zip(alive, after, after_fix, strict=True):
        if new is None or kept(one.text, old, new):
            wrong.append((one.text, text.text, None if new is None else kept(one.text, old, new)))
    assert wrong == []
