"""What rules say of the moves people make now: `python -m benchmarks.pairs > benchmarks/pairs.md`.

For each pair of releases every example that fires is judged again at that pair, and the defaults that moved between the two are compared
with what rules speak of. Nothing is asserted here; tests/rules holds the examples at their own pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from vllm_migrate.catalog import diff, relevance, store
from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.situation import Known, Situation, everywhere
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.disk import Memory
from vllm_migrate.knowledge.build import RuleFile, read_rules, rules_folder
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.knowledge.records import Example
from vllm_migrate.run.judging import Run

TARGET = "0.33.0"
SOURCES = ("0.12.0", "0.18.1", "0.21.0", "0.24.0", "0.28.0")
REFERENCE = ("0.8.5", "0.18.1")
DETAILED = "0.18.1"
# Why no rule speaks of a default that moved, by the option's bare name.
SPEED, ELSEWHERE, MODEL = "speed or memory", "said by", "one model's or platform's"
LEFT = {
    "VLLM_ALLOW_CHUNKED_LOCAL_ATTN_WITH_HYBRID_KV_CACHE": SPEED,
    "VLLM_CONFIGURE_LOGGING": "the same, spelled otherwise",
    "VLLM_DBO_COMM_SMS": SPEED,
    "VLLM_DEEPEP_V2_ALLOW_HYBRID_MODE": SPEED,
    "VLLM_ENABLE_PREGRAD_PASSES": f"{ELSEWHERE} compile-and-kernels in kind: rounding of compiled kernels",
    "VLLM_FLASHINFER_ALLREDUCE_BACKEND": f"{ELSEWHERE} flashinfer-allreduce-default",
    "VLLM_MAIN_CUDA_VERSION": "the build",
    "VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS": f"{ELSEWHERE} cudagraph-memory-counted",
    "VLLM_OBJECT_STORAGE_SHM_BUFFER_NAME": "a name",
    "VLLM_ROCM_USE_AITER_FP4BMM": MODEL,
    "VLLM_ROCM_USE_AITER_FP8BMM": MODEL,
    "VLLM_USE_MEGA_AOT_ARTIFACT": SPEED,
    "convert": "task is gone (arg-task)",
    "cp_kv_cache_interleave_size": "unset resolves to what it was",
    "data_parallel_hybrid_lb": "how ranks are started",
    "data_parallel_rank": "how ranks are started",
    "data_parallel_size_local": "how ranks are started",
    "dcp_comm_backend": "unset resolves to what it was",
    "disable_chunked_mm_input": MODEL,
    "disable_hybrid_kv_cache_manager": SPEED,
    "disable_nccl_for_dp_synchronization": "how ranks agree, not what they compute",
    "disable_sliding_window": MODEL,
    "eliminate_noops": "the same graph",
    "enable_chunked_processing": "pooling alone",
    "enable_mm_embeds": MODEL,
    "enable_qk_norm_rope_fusion": "by the optimisation level; rounding of fused kernels",
    "indexer_kv_dtype": MODEL,
    "kv_buffer_device": MODEL,
    "kv_cache_dtype_skip_layers": MODEL,
    "kv_offloading_backend": "read with kv_offloading_size alone",
    "long_prefill_token_threshold": "partial prefills alone",
    "mamba_block_size": SPEED,
    "mamba_cache_mode": "unset resolves to what it was",
    "mm_encoder_only": "an encoder's own server",
    "mm_encoder_tp_mode": "the deprecated option is gone",
    "mm_processor_cache_gb": "the deprecated option is gone",
    "mm_processor_kwargs": MODEL,
    "quantization_config": f"{ELSEWHERE} online-fp8-refused",
    "rejection_sample_method": "the same method under another name; a written strict is refused (nested-value-not-a-choice)",
    "revision": "the same revision, looked up once",
    "runner": "task is gone (arg-task)",
    "safetensors_load_strategy": "how files are read",
    "tokenizer": "the same files",
    "tokenizer_revision": "the same revision, looked up once",
    "torch_profiler_with_stack": "what a profile shows",
    "use_async": "when experts are moved, not what they compute",
}
HEAD = """# Moves to 0.33.0

Made by `python -m benchmarks.pairs`. An example of a rule counts for a pair where the rule fires on it when it is judged at that pair.

| move | rules that fire | examples | defaults that moved | of them named by a rule | reported as declared-default-changed | by no rule |
|---|---|---|---|---|---|---|
"""


class Move(NamedTuple):
    """One default that is another at the target. what: as `diff` says it; rules: who names the option."""

    section: str
    option: str
    what: str
    rules: tuple[str, ...]


def fires(file: RuleFile, example: Example, source: str, target: str) -> bool:
    """Whether a rule speaks where its example is judged at another pair of releases."""
    rule = file.rule
    if example.fork:
        return False
    situation = Situation(
        Known(source), Known(target), gpu=Known(example.gpu, "--gpu") if example.gpu not in (None, "auto") else None
    )
    paths = list(example.files)
    workspace = Workspace(paths, disk=Memory(example.files), situate=everywhere(situation))
    run = Run(store.load(), load_knowledge().asking(lambda code, name: name == rule.name), workspace)
    for path in paths:
        run.judge_file(path)
    return any(found.name == rule.name for found in run.finish().findings)


def spoken(files: list[RuleFile], source: str, target: str) -> dict[str, list[str]]:
    """Rule -> titles of its examples on which it fires at a pair."""
    out: dict[str, list[str]] = {}
    for file in files:
        titles = [one.title for one in file.examples.fires if fires(file, one, source, target)]
        if titles:
            out[file.rule.name] = titles
    return out


def named(files: list[RuleFile]) -> dict[str, list[str]]:
    """Option, variable or sampling parameter -> the rules whose conditions and texts name it."""
    out: dict[str, list[str]] = {}
    for file in files:
        rule = file.rule
        names = {rule.option, *rule.options, *rule.at, *(name for part in rule.also for name in part.options)}
        for name in names:
            out.setdefault(name.removeprefix("env.").removeprefix("sampling."), []).append(rule.code)
    return out


def moves(catalog: Catalog, source: str, target: str, known: dict[str, list[str]]) -> Iterator[Move]:
    """Defaults that `diff` reports between two releases: of engine arguments, sampling parameters, variables, configuration classes."""
    for change in diff.diff(catalog, source, target):
        if change.kind not in ("default", "resolves") or change.section not in ("engine", "sampling", "env", "config"):
            continue
        name = change.option.rpartition(".")[2]
        what = f"{change.old!s} → {change.new!s}"[:160]
        yield Move(change.section, change.option, what, tuple(sorted(set(known.get(name, [])))))


def main() -> None:
    catalog, files = store.load(), list(read_rules(rules_folder()))
    known, layers = named(files), relevance.layers()
    print(HEAD, end="")
    details: dict[str, list[str]] = {}
    left: list[Move] = []
    for source, target in (REFERENCE, *((source, TARGET) for source in SOURCES)):
        found, moved = spoken(files, source, target), list(moves(catalog, source, target, known))
        by_rule = [move for move in moved if move.rules]
        rest = [move for move in moved if not move.rules]
        derived = [move for move in rest if move.section != "config" and move.option in layers]
        rest = [move for move in rest if move not in derived]
        print(
            f"| {source} → {target} | {len(found)} | {sum(map(len, found.values()))} | {len(moved)} | {len(by_rule)} | "
            f"{len(derived)} | {len(rest)} |"
        )
        if (source, target) == (DETAILED, TARGET):
            details = found
        if target == TARGET:
            left += [move for move in rest if move not in left]
    print(f"\n## Rules that can fire from {DETAILED} to {TARGET}\n")
    print(
        "| code | rule | severity | examples that fire here | evidence of a release after it |\n|---|---|---|---|---|"
    )
    for file in files:
        rule = file.rule
        if rule.name not in details:
            continue
        later = sorted(
            {str(one.release) for one in file.page.evidence if one.release and _after(catalog, str(one.release))}
        )
        print(f"| {rule.code} | {rule.name} | {rule.severity} | {'; '.join(details[rule.name])} | {', '.join(later)} |")
    print("\n## Defaults that moved on the way to 0.33.0 and that no rule names\n")
    print("| section | option | before → after | why none does |\n|---|---|---|---|")
    for move in left:
        why = LEFT.get(move.option.rpartition(".")[2], "**open**")
        print(f"| {move.section} | {move.option} | {_cell(move.what)} | {why} |")


def _after(catalog: Catalog, release: str) -> bool:
    return catalog.ordinal(catalog.canonical(release)) > catalog.ordinal(DETAILED)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    main()
