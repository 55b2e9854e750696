"""The arms of the replay: which file runs at which release, before or after its fix, and what is left out of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.replay import product, task
from benchmarks.replay.product import Reading
from vllm_migrate.errors import UsageError
from vllm_migrate.smoke.contract import Contract

CONFIGS = Path(__file__).parent / "configs"
OLD, AS_IT_COMES, FIXED = "old", "as-it-comes", "fixed"
PREFIX = "enable_prefix_caching"
DIALECTS = ("verl", "serve")
FILES = {"verl": "train.sh", "serve": "serve.yaml"}
# Arguments that a framework passes for a cluster of GPUs; on one CPU the engine refuses them or loads no weights.
LEFT_OUT = (
    "distributed_executor_backend",
    "enable_sleep_mode",
    "load_format",
    "gpu_memory_utilization",
    "worker_extension_cls",
    "disable_custom_all_reduce",
)
# What the engine is asked about in every arm, beside the pins.
ASKED = (
    "dtype",
    "logprobs_mode",
    "enable_prefix_caching",
    "async_scheduling",
    "disable_cascade_attn",
    "enforce_eager",
    "cudagraph_mode",
    "chunked_prefill_enabled",
    "enable_chunked_prefill",
    "max_num_seqs",
    "max_num_batched_tokens",
    "max_model_len",
    "block_size",
    "seed",
)


def without(option: str) -> str:
    """The name of the arm that lacks one pin of the fixed file."""
    return f"{FIXED}-without-{option}"


class Arm(NamedTuple):
    """pins: what the fix's options were at the old release (none in arms that are not fixed); away: the pin taken away."""

    name: str
    python: str
    reading: Reading
    pins: dict[str, Any] = {}
    away: str = ""
    serve_file: str = ""

    @property
    def loss(self) -> dict[str, Any]:
        return self.reading.loss

    def job(self, model: str) -> dict[str, Any]:
        """The job of engine_worker.py."""
        args = self.reading.engine_args
        return {
            "core": self.reading.core,
            "engine_args": {name: value for name, value in args.items() if name not in LEFT_OUT},
            "serve_file": self.serve_file,
            "platform": {"model": model, "seed": 0, "skip_tokenizer_init": True, "disable_log_stats": True},
            "sampling": self.reading.sampling,
            "pause": self.reading.pause,
            "groups_in_flight": int(args["max_num_seqs"]) // task.GROUP,
            "report": sorted({*ASKED, *self.pins}),
        }


class Interpreter(NamedTuple):
    """A python and the release of vLLM that it has."""

    python: str
    release: str


class Renderer:
    """Renders arms under `folder` from the files of the repository, which were written for the release of `old`."""

    def __init__(self, folder: Path, old: Interpreter, new: Interpreter, loss: str) -> None:
        self.folder, self.before, self.after, self.loss = folder, old, new, loss
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.files = {"pipelinerl": f"conf/{loss}.yaml", **FILES}
        self.main = product.read(self._original("pipelinerl"), old.release, old.release)

    def old(self) -> Arm:
        """The file at the release it was written for."""
        return self._arm(OLD, self._copied("pipelinerl", OLD), self.before)

    def as_it_comes(self, source: str = "pipelinerl") -> Arm:
        """The same file, untouched, at the release moved to."""
        return self._arm(_name(source, AS_IT_COMES), self._copied(source, AS_IT_COMES), self.after)

    def fixed(self, source: str = "pipelinerl") -> Arm:
        """The file after `fix --unsafe --write`, at the release moved to."""
        path, pins = self._fixed(source, FIXED)
        return self._arm(_name(source, FIXED), path, self.after)._replace(pins=pins)

    def ablated(self, option: str) -> Arm:
        """The fixed file with one pin taken away. Raises LookupError where the fix wrote none for `option`."""
        name = without(option)
        path, pins = self._fixed("pipelinerl", name)
        product.without(path, option, *self._releases)
        left = {pin: value for pin, value in pins.items() if pin != option}
        return self._arm(name, path, self.after)._replace(pins=left, away=option)

    @property
    def _releases(self) -> tuple[str, str]:
        return self.before.release, self.after.release

    def _original(self, source: str) -> Path:
        return CONFIGS / source / self.files[source]

    def _copied(self, source: str, name: str) -> Path:
        shutil.copytree(CONFIGS / source, self.folder / source / name)
        return self.folder / source / name / self.files[source]

    def _fixed(self, source: str, name: str) -> tuple[Path, dict[str, Any]]:
        place = self.folder / source / name
        options = product.write_fix(CONFIGS / source, place, *self._releases)
        return place / self.files[source], product.before(self._original(source), options, *self._releases)

    def _arm(self, name: str, path: Path, at: Interpreter) -> Arm:
        """Raises UsageError where the release refuses the file, or the trainer cannot follow its sampling."""
        reading = product.read(path, at.release, self.before.release)
        if reading.refused:
            raise UsageError(f"{path}: vLLM {at.release} would not start: {'; '.join(reading.refused)}")
        # A server's file has neither: the requests and the loss are those of the main file.
        sampling = {**self.main.sampling, **reading.sampling}
        contract = Contract.of(sampling)
        if contract != Contract(temperature=contract.temperature):
            raise UsageError(f"{path}: the replay's trainer knows the temperature alone, not {contract.describe()}")
        reading = reading._replace(sampling=sampling, loss={**self.main.loss, "kind": self.loss})
        served = str(path) if reading.dialect == "vllm-serve-config" else ""
        return Arm(name, at.python, reading, serve_file=served)


def _name(source: str, name: str) -> str:
    return name if source == "pipelinerl" else f"{source}-{name}"
