"""Settings that releases take and then replace, with a word to the log: `python -m benchmarks.replaced > benchmarks/replaced.md`.

Read from the sources of all releases (the `replacement` section of refusals.json). The verdict of each entry is one of the patterns
below, the first that fits; **open** where none does.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from vllm_migrate.catalog import refusals, store


class Verdict(NamedTuple):
    """What becomes of the entries whose setting, place or message a pattern finds. rule: the rule that says it, "" for none."""

    pattern: str
    rule: str
    why: str


VERDICTS = (
    Verdict("PASSTHROUGH", "", "a MoE backend that the user chose brings its own exchange"),
    Verdict(r"all2all_backend.*has been removed", "VM308", ""),
    Verdict(r"VLLM_ALL2ALL_BACKEND|VLLM_MM_INPUT_CACHE_GIB", "VM502", "the variable, once it is no longer read"),
    Verdict(r"^async_scheduling", "VM102", "`effective` resolves it by executor, speculation and pipeline"),
    Verdict(r"is deprecated|are deprecated", "VM212", "a deprecated spelling of the same value"),
    Verdict(r"msg_prefix", "VM205", "task, spelled as runner and convert"),
    Verdict(
        r"platforms\.(cpu|tpu|xpu|rocm|hpu|neuron)",
        "",
        "a platform other than CUDA; nothing that a move between releases changes",
    ),
    Verdict(r"\[XPU\]|ROCm|RISC-V|POWER|HPU|MacOS|supports_xpu|XPU", "", "a platform other than CUDA"),
    Verdict(r"BATCH_INVARIANT|batch invariance", "VM431", "what batch invariance switches off with it"),
    Verdict(
        r"^(enable_prefix_caching|enable_chunked_prefill).*(by default|multimodal models in V0|32K)",
        "VM101",
        "V0's and the model's own defaults, in `effective`",
    ),
    Verdict(
        r"full_cuda_graph is not supported|prompt-embeds and",
        "VM101",
        "prefix caching off beside another option, in `effective`",
    ),
    Verdict(
        r"non-causal|encoder-decoder|Encoder-decoder|without KVCache|multi-modal encoder|multimodal-bidirectional"
        r"|Pooling models",
        "",
        "one kind of model, which no file decides",
    ),
    Verdict(r"[Mm]amba|linear attention|GDN|prefix-LM", "", "one kind of model, which no file decides"),
    Verdict(r"MLA|block size", "", "the page size of one kind of attention; what is computed is the same"),
    Verdict(r"cascade", "VM103", "cascade attention, off beside another option"),
    Verdict(
        r"^compilation_config|^enforce_eager|^kernel_config|^optimization_level",
        "VM109",
        "graphs and compilation follow the eager or the mode; rounding of compiled kernels",
    ),
    Verdict(r"VLLM_USE_BREAKABLE_CUDAGRAPH", "VM109", "graphs of models that need it"),
    Verdict(r"draft model's max_model_len", "VM126", ""),
    Verdict(r"draft pass needs", "", "the number of sequences in a step, by the draft's own limit: speed"),
    Verdict(
        r"Auto-fit|arbitrary value|is not set", "", "asked for (-1), or V0's placeholder for engines without a model"
    ),
    Verdict(r"^(max_num_batched_tokens|max_num_seqs)", "VM108", "`effective` resolves the limits"),
    Verdict(r"^speculative_config.method|Defaulted num_speculative", "", "another name of the same method"),
    Verdict(r"^speculative_config", "", "speculation keeps the distribution; drafts are fewer"),
    Verdict(
        r"^(data_parallel|distributed_executor|cp_kv|disable_nccl|worker_cls|eplb_config|enable_dbo|enable_fault"
        r"|shutdown|env\.VLLM_WORKER|env\.OMP|env\.VLLM_ENABLE_V1)",
        "",
        "how ranks are started and agree, not what they compute",
    ),
    Verdict(
        r"^(disable_hybrid|enable_cumem|load_format|model |mm_encoder_tp|mm_processor|env\.VLLM_LORA|disable_custom"
        r"|disable_sliding|env\.VLLM_KV)",
        "",
        "memory, loading or speed; the same numbers",
    ),
    Verdict(
        r"TurboQuant|FlashAttention >= 3|packed",
        "VM413",
        "the kernel that a packed KV cache needs; the cache's own dtype is what changes numbers",
    ),
    Verdict(r"^sampling\.temperature", "", "below 0.01 it is raised to 0.01, in every release alike"),
    Verdict(r"^seed", "VM105", "None stands for 0"),
    Verdict(r"guided_decoding", "VM702", ""),
    Verdict(r"^dtype|^kv_cache_dtype|^num_scheduler|^attention_config", "", "a platform or model of its own"),
    Verdict(r"DeepSeek", "", "one model's"),
)
HEAD = """# Settings that are accepted and replaced at start

Assignments to settings beside a message to the log, read from the sources of all {releases} releases, one row a setting and message, made
by `python -m benchmarks.replaced`. `rule`: who says it; where nobody does, why none is needed.

| | entries |
|---|---|
| all | {all} |
| said by a rule, or resolved by `effective` for one | {said} |
| no rule needed | {none} |
| open | {open} |

| setting | becomes | releases | message | rule | |
|---|---|---|---|---|---|
"""


def verdict(text: str) -> Verdict:
    """The first verdict whose pattern is in an entry's setting, place and message."""
    found = (each for each in VERDICTS if re.search(each.pattern, text))
    return next(found, Verdict("", "", "**open**"))


def main() -> None:
    catalog = store.load()
    known = refusals.load(catalog)
    seen: dict[str, tuple[refusals.Replacement, list[str]]] = {}
    for release in catalog.shipped:
        for one in known.replaced(release):
            seen[one.id] = (one, [*seen.get(one.id, (one, []))[1], release])
    rows, count = list[str](), {"said": 0, "none": 0, "open": 0}
    for name in sorted(seen):
        one, releases = seen[name]
        site = one.sites[0]
        found = verdict(f"{one.setting} {site.at} {one.text} {site.when}")
        count["said" if found.rule else "open" if found.why == "**open**" else "none"] += 1
        cells = (one.setting, site.what[:50], f"{releases[0]} to {releases[-1]}", one.text[:100], found.rule, found.why)
        rows.append("| " + " | ".join(map(cell, cells)) + " |")
    print(HEAD.format(releases=len(catalog.shipped), all=len(rows), **count) + "\n".join(rows))


def cell(text: str) -> str:
    """A text as a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


if __name__ == "__main__":
    main()
