"""GRPO with a judge of its own."""

from datasets import load_dataset
from trl import GRPOConfig, GRPOTrainer
from vllm import LLM, SamplingParams

judge = LLM(model="Qwen/Qwen2.5-1.5B-Instruct", task="generate", disable_log_stats=True)


def reward(completions, **_):
    answers = judge.generate(completions, SamplingParams(temperature=0.0, max_tokens=8))
    return [float(answer.outputs[0].text.strip() == "yes") for answer in answers]


trainer = GRPOTrainer(
    model="Qwen/Qwen2.5-0.5B-Instruct",
    reward_funcs=reward,
    args=GRPOConfig(use_vllm=True, vllm_mode="colocate", temperature=0.7),
    train_dataset=load_dataset("trl-lib/tldr", split="train"),
)
trainer.train()
