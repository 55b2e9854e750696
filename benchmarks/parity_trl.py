"""The parity gate in TRL's GRPOTrainer, with rollouts of a real vLLM, on a CPU.

    python -m benchmarks.parity_trl --engine PY [--steps 200] [--only NAME...] [--out DIR]

Needs trl, transformers and torch here, and vLLM in the interpreter that is named. Engine arguments and the temperature
are those that vllm-migrate reads in the replay's PipelineRL file, before and after its fix. Each step of four prompts is a
look. Runs that are not clean have one planted fault each, and stop where the gate raises. Exits 1 when a run ends otherwise
than expected.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.replay import task
from benchmarks.replay.arms import PREFIX, Arm, Interpreter, Renderer
from benchmarks.replay.loop import HERE, Worker, WorkerError
from vllm_migrate.errors import UsageError
from vllm_migrate.parity import ParityError, ParityGate, Verdict, bound
from vllm_migrate.parity.trl import watch
from vllm_migrate.smoke.backends.vllm_worker import release_of

WRITTEN_FOR = "0.8.5"
GROUPS = 4  # prompts a step
MICRO_BATCHES = 2
LEARNING_RATE = 1e-3
CONTROLS = 6  # steps of a run that is clean and short
LATE = 11  # steps of a run whose fault shows after some updates
TURN, TOOL = 12, 8  # tokens of a turn, and of the tool's answer between two


class Batch(NamedTuple):
    """What one call of the rollout function returns: columns of completions, in the order of the prompts."""

    prompts: list[list[int]]
    tokens: list[list[int]]
    logprobs: list[list[float]]


class Rollout:
    """TRL's `rollout_func`: the engine gets the trainer's weights, and then the prompts."""

    def __init__(self, engine: Worker, folder: Path, plan: Plan) -> None:
        self.engine, self.folder, self.plan = engine, folder, plan
        self.calls = 0

    def __call__(self, prompts: list[str], trainer: Any) -> dict[str, Any]:
        if self.calls and not self.plan.frozen:
            self._send(trainer.model)
        ids = [[int(word[1:]) for word in prompt.split()] for prompt in prompts]
        first = self._sample(ids)
        self.calls += 1
        if not self.plan.tool:
            return {"prompt_ids": ids, "completion_ids": first.tokens, "logprobs": first.logprobs}
        answers = [[4 + (sum(row) + i) % 252 for i in range(TOOL)] for row in first.tokens]
        second = self._sample([[*p, *t, *a] for p, t, a in zip(ids, first.tokens, answers, strict=True)])
        joined = zip(first.tokens, answers, second.tokens, strict=True)
        scored = zip(first.logprobs, second.logprobs, strict=True)
        found: dict[str, Any] = {
            "prompt_ids": ids,
            "completion_ids": [[*a, *b, *c] for a, b, c in joined],
            "logprobs": [[*a, *[0.0] * TOOL, *b] for a, b in scored],
        }
        if self.plan.tool == "masked":
            found["env_mask"] = [[1] * TURN + [0] * TOOL + [1] * TURN for _ in ids]
        return found

    def _send(self, model: Any) -> None:
        from benchmarks.replay.trainer import write_weights

        path = self.folder / f"update-{self.calls % 2}.safetensors"
        write_weights(model, str(path))
        self.engine.ask(do="update", path=str(path), version=self.calls)

    def _sample(self, prompts: list[list[int]]) -> Batch:
        seed = 1000 * self.calls + 500 * (len(prompts[0]) > task.DOCUMENT_TOKENS + task.QUESTION_TOKENS)
        requests: list[dict[str, Any]] = [
            {"id": f"{seed}-{i}", "place": i % task.GROUP, "prompt": prompt, "seed": seed + i}
            for i, prompt in enumerate(prompts)
        ]
        cuts = range(0, len(requests), task.GROUP)
        offer = [{"id": n, "requests": requests[start : start + task.GROUP]} for n, start in enumerate(cuts)]
        groups = self.engine.ask(do="collect", groups=len(offer), offer=offer)["groups"]
        rows = {row["id"]: row for group in groups for row in group["rollouts"]}
        ordered = [rows[request["id"]] for request in requests]
        return Batch(prompts, [row["tokens"] for row in ordered], [row["logprobs"] for row in ordered])


class Timed(ParityGate):
    """A gate that keeps how long it takes, in seconds."""

    spent = 0.0

    def add(self, **columns: Any) -> None:
        began = time.perf_counter()
        super().add(**columns)
        self.spent += time.perf_counter() - began

    def judge(self, step: int) -> Verdict:
        began = time.perf_counter()
        try:
            return super().judge(step)
        finally:
            self.spent += time.perf_counter() - began


class Packed(Timed):
    """Hands a micro-batch on as one packed row, as a trainer without padding has it."""

    moved = 0  # sequences whose scores are moved by one token inside their own boundaries

    def add(self, **columns: Any) -> None:
        lengths = [int(sum(row)) for row in columns["mask"]]
        flat: dict[str, Any] = {}
        for name in ("token_ids", "rollout_logprobs", "trainer_logprobs", "entropy"):
            rows = [row[:n].tolist() for row, n in zip(columns[name], lengths, strict=True)]
            if name == "trainer_logprobs":
                rows = [[*row[1:], row[0]] if i < self.moved else row for i, row in enumerate(rows)]
            flat[name] = [[value for row in rows for value in row]]
        boundaries = [sum(lengths[:i]) for i in range(len(lengths) + 1)]
        super().add(**{**columns, **flat, "mask": [[1] * boundaries[-1]], "cu_seqlens": boundaries})


class Shifted(Packed):
    moved = 1


class Plan(NamedTuple):
    """One run. `wanted`: how it ends; `names`: suspects of which the first alarm names one.

    arm: what the engine runs with; temperature: what the trainer divides its logits by, where that is not the engine's;
    frozen: the engine keeps its first weights; tool: a tool answers between two turns; keep: a filter's share of each
    group; gate: the class of the gate; kind: the row of the margins.
    """

    name: str
    arm: Arm
    wanted: str = "pass"
    names: tuple[str, ...] = ()
    temperature: float | None = None
    frozen: bool = False
    tool: str = ""
    keep: float = 1.0
    gate: type[Timed] = Timed
    kind: str = "fp32"
    steps: int = CONTROLS

    def late(self) -> Plan:
        """The same, for a fault that shows after some updates."""
        return self._replace(steps=LATE)


class Outcome(NamedTuple):
    """What became of a run: the verdict of each look, steps, what the engine says of itself, seconds in the gate and altogether."""

    plan: Plan
    verdicts: list[Verdict]
    steps: int
    reported: dict[str, Any]
    gate_s: float
    whole_s: float
    rewards: list[float]

    @property
    def alarm(self) -> Verdict | None:
        return next((verdict for verdict in self.verdicts if verdict.alarm), None)

    @property
    def expected(self) -> bool:
        if self.plan.wanted == "pass":  # a look may lack tokens to decide; it may not raise an alarm
            passed = sum(verdict.decision == "pass" for verdict in self.verdicts)
            return self.steps == self.plan.steps and not self.alarm and 2 * passed > self.plan.steps
        alarm = self.alarm
        named = alarm is not None and bool(set(self.plan.names) & set(alarm.blame.suspects))
        return alarm is not None and alarm.decision == self.plan.wanted and named

    def line(self) -> dict[str, Any]:
        """For a JSON Lines file."""
        metrics = [{name: metric.value for name, metric in v.metrics.items()} for v in self.verdicts]
        return {
            "run": self.plan.name,
            "expected": self.expected,
            "engine": self.reported,
            "decisions": dict(Counter(verdict.decision for verdict in self.verdicts)),
            "alarm": self.alarm.describe() if self.alarm else None,
            "gate_ms_a_step": 1e3 * self.gate_s / self.steps,
            "seconds_a_step": self.whole_s / self.steps,
            "rewards": self.rewards,
            "metrics": metrics,
        }


def plans(renderer: Renderer, steps: int) -> list[Plan]:
    """The clean runs, and one run for each planted fault."""
    fixed, loose = renderer.fixed(), renderer.as_it_comes()
    cached = renderer.ablated(PREFIX)
    coarse = fixed._replace(
        reading=fixed.reading._replace(engine_args={**fixed.reading.engine_args, "dtype": "bfloat16"})
    )
    short = fixed._replace(reading=fixed.reading._replace(sampling={**fixed.reading.sampling, "max_tokens": TURN}))
    raw, mask = ("logprobs-semantics",), ("loss-mask",)
    return [
        Plan("pinned", fixed, steps=steps),
        Plan("pinned, engine in bfloat16", coarse, kind="bf16-tiny", steps=steps),
        Plan("pinned, packed rows", fixed, gate=Packed),
        Plan("pinned, a tool's tokens masked", short, tool="masked"),
        Plan("as it comes: raw logprobs", loose, "fail", raw),
        Plan("raw on both sides", loose, "fail", raw, temperature=1.0),
        Plan("scores moved by one inside a packed boundary", fixed, "invalid", ("token-alignment",), gate=Shifted),
        Plan("the mask keeps a tool's tokens", short, "invalid", mask, tool="kept"),
        Plan("an outcome filter before the gate", fixed, "invalid", ("outcome-filter",), keep=0.5),
        Plan("stale keys and values in the prefix cache", cached, "fail", ("prefix-caching-default",)).late(),
        Plan("the engine keeps its first weights", fixed, "fail", ("stale-weights",), frozen=True).late(),
    ]


def run(plan: Plan, python: str, folder: Path) -> Outcome:
    """Trains until the plan's steps are done or the gate stops it. Raises WorkerError."""
    import torch
    from transformers.trainer_callback import PrinterCallback, TrainerCallback

    from benchmarks.replay.trainer import new_model, write_model

    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    model = new_model(0)
    write_model(model, str(folder / "model"))
    job = folder / "job.json"
    job.write_text(json.dumps(plan.arm.job(str(folder / "model"))), encoding="utf-8")
    env = {"OMP_NUM_THREADS": "1", "PYTHONPATH": "", "TOKENIZERS_PARALLELISM": "false"}
    engine = Worker([python, str(HERE / "engine_worker.py"), str(job)], env, folder / "engine.log")
    try:
        reported = engine.answer()["reported"]
        sampling = plan.arm.reading.sampling
        contract = {"temperature": sampling["temperature"], "kind": plan.kind, "group_size": task.GROUP}
        gate = plan.gate(contract, every=1, stop=True)
        rewards: list[float] = []
        trainer = grpo(model, Rollout(engine, folder, plan), plan, folder, rewards)
        trainer.remove_callback(PrinterCallback)
        if plan.keep < 1:
            filter_outcomes(trainer, plan.keep)
        callback = watch(trainer, gate)
        verdicts: list[Verdict] = []

        class Seen(TrainerCallback):  # type: ignore[misc]
            def on_pre_optimizer_step(self, *args: Any, **more: Any) -> None:
                if callback.verdict is not None and callback.verdict.decision != "pending":
                    verdicts.append(callback.verdict)

        trainer.add_callback(Seen())
        began = time.perf_counter()
        try:
            trainer.train()
        except ParityError as error:
            verdicts.append(error.verdict)
        whole = time.perf_counter() - began
    finally:
        engine.end()
    return Outcome(plan, verdicts, len(rewards), reported, gate.spent, whole, rewards)


def grpo(model: Any, rollout: Rollout, plan: Plan, folder: Path, rewards: list[float]) -> Any:
    """TRL's trainer on the replay's task; the mean reward of each step goes to `rewards`."""
    import datasets
    import tokenizers
    import transformers
    import trl

    words = {f"t{i}": i for i in range(task.VOCABULARY)}
    plain = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="t3"))
    plain.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="t2", eos_token="t1")
    feed = task.groups(0)
    groups = [next(feed) for _ in range(GROUPS * plan.steps)]
    texts = [" ".join(f"t{token}" for token in group.requests[0].prompt) for group in groups]
    dialects = dict(zip(texts, (group.dialect for group in groups), strict=True))

    def reward(prompts: list[str], completion_ids: list[list[int]], **more: Any) -> list[float]:
        found = [task.reward(ids, dialects[prompt]) for prompt, ids in zip(prompts, completion_ids, strict=True)]
        rewards.append(statistics.fmean(found))
        return found

    temperature = plan.temperature or plan.arm.reading.sampling["temperature"]
    size = GROUPS * task.GROUP // MICRO_BATCHES
    arguments = trl.GRPOConfig(
        output_dir=str(folder / "trl"),
        per_device_train_batch_size=size,
        gradient_accumulation_steps=MICRO_BATCHES,
        num_generations=task.GROUP,
        max_completion_length=64,
        temperature=temperature,
        max_steps=plan.steps,
        logging_steps=1,
        learning_rate=LEARNING_RATE,
        lr_scheduler_type="constant",
        beta=0.0,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        shuffle_dataset=False,
        disable_tqdm=True,
        log_level="error",
    )
    return trl.GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=arguments,
        train_dataset=datasets.Dataset.from_dict({"prompt": texts}),
        processing_class=tokenizer,
        rollout_func=rollout,
    )


def filter_outcomes(trainer: Any, keep: float) -> None:
    """The planted filter: of each group only the sequences with the largest advantages are trained on."""
    generate = trainer._generate_and_score_completions

    def filtered(*args: Any, **more: Any) -> Any:
        batch = generate(*args, **more)
        size = len(batch["advantages"])
        kept = []
        for start in range(0, size, task.GROUP):
            group = sorted(range(start, start + task.GROUP), key=lambda i: -float(batch["advantages"][i]))
            kept += group[: int(task.GROUP * keep)]
        return {n: v[kept] if hasattr(v, "shape") and v.dim() and len(v) == size else v for n, v in batch.items()}

    trainer._generate_and_score_completions = filtered


def table(outcomes: Iterable[Outcome]) -> str:
    """The runs as Markdown."""
    rows = [
        "| run | engine: mode, prefix cache, dtype | looks | verdicts | first alarm | gate, ms a step | of a step |"
    ]
    rows.append("|---" * 7 + "|")
    for one in outcomes:
        counted = ", ".join(f"{n} {name}" for name, n in Counter(v.decision for v in one.verdicts).items())
        clean = one.plan.wanted == "pass" and not one.alarm
        alarm = f"none: below {bound(len(one.verdicts)):.1%} a look" if clean else "none"
        if one.alarm is not None:
            alarm = f"step {one.alarm.step}, {one.alarm.blame.layer or one.alarm.decision}: "
            alarm += ", ".join(one.alarm.blame.suspects)
        ran = [str(one.reported.get(name)).removeprefix("torch.") for name in ("logprobs_mode", PREFIX, "dtype")]
        cells = [one.plan.name, ", ".join(ran), str(len(one.verdicts)), counted, alarm]
        cells += [f"{1e3 * one.gate_s / one.steps:.0f}", f"{one.gate_s / one.whole_s:.1%}"]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity_trl", description=__doc__)
    parser.add_argument("--engine", required=True, metavar="PY", help="a python with vLLM 0.18.1 for CPU")
    parser.add_argument("--steps", type=int, default=200, metavar="N", help="steps of each clean run")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these runs alone")
    parser.add_argument("--out", type=Path, default=Path("parity-trl"), metavar="DIR")
    return parser.parse_args(words)


def main(words: Sequence[str], say: Callable[[str], None] = print) -> int:
    options = parse(words)
    release = release_of(options.engine)
    if release is None:
        raise UsageError(f"{options.engine} has no vLLM")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    renderer = Renderer(
        options.out / "configs", Interpreter("", WRITTEN_FOR), Interpreter(options.engine, release), "grpo"
    )
    wanted = [plan for plan in plans(renderer, options.steps) if not options.only or plan.name in options.only]
    outcomes = []
    for number, plan in enumerate(wanted):
        outcomes.append(run(plan, options.engine, options.out / f"run-{number}"))
        ended = outcomes[-1].verdicts[-1].describe()
        say(f"{'as expected' if outcomes[-1].expected else 'UNEXPECTED'}: {plan.name}: {ended}")
    text = table(outcomes)
    (options.out / "table.md").write_text(text, encoding="utf-8")
    lines = "".join(json.dumps(outcome.line()) + "\n" for outcome in outcomes)
    (options.out / "runs.jsonl").write_text(lines, encoding="utf-8")
    say(text)
    return 0 if all(outcome.expected for outcome in outcomes) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (UsageError, WorkerError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
