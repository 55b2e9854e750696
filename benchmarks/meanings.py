"""What a logprob, a cache, a pause, a sleep and a weight update are, by the functions that make them so:
`python -m benchmarks.meanings SOURCES > benchmarks/meanings.md`.

SOURCES has one unpacked source per release. Functions of the modules and names below whose body or parameters are other ones in a later
release, or that are new, from 0.12.0 to 0.33.0. Verdicts go by names; a part of the differences was read. **open** where none fits.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import sys
from collections.abc import Iterator

RELEASES = ("0.12.0", "0.18.1", "0.21.0", "0.24.0", "0.28.0", "0.33.0")
_MODULES = re.compile(
    r"(v1/(sample|engine|core/sched|worker/gpu/sample)/.*|v1/worker/(gpu_worker|gpu_model_runner|worker_base)|v1/worker/gpu/model_runner"
    r"|v1/executor/abstract|distributed/weight_transfer/.*|entrypoints/(llm|serve/(rlhf|sleep|cache|dev)/.*|offline.*)|sampling_params"
    r"|device_allocator/.*|model_executor/model_loader/reload/.*|v1/core/(kv_cache_manager|block_pool|encoder_cache_manager)|engine/protocol)"
    r"\.py\Z"
)
_NAMES = re.compile(
    r"logprob|temperature|softmax|reset_\w*cache|pause|resume|sleep|wake|weight|discard|preempt|recovered|rejection|penalt|top_k|seed|abort"
    r"|finish_requests",
    re.IGNORECASE,
)
# The first pattern that a function's dotted name and module have.
VERDICTS = (
    (
        r"pause|resume|_process_aborts|set_pause_state",
        "VM710 pause-api-changes, VM405 inflight-weight-update: modes, arguments, requests that are rejected "
        "since 0.33.0; VM102 says what drains",
    ),
    (
        r"reset_prefix_cache|_reset_caches|_preempt_request",
        "VM411 stale-prefix-cache, VM405 (tokens lost by keep with a cleared cache, 0.17.0 to 0.21.0), VM708",
    ),
    (r"reset_connector|BlockPool", "VM425 external-kv-survives-update: what a pause clears outside the GPU"),
    (r"reset_encoder_cache|reset_mm_cache", "VM429 encoder-cache-survives-update"),
    (r"draft|supports_draft", "VM428 draft-not-updated: drafts can be updated since 0.26.0"),
    (
        r"weight_version|weight_checksum|checksum|WeightVersion",
        "an addition that settles a doubt; VM722 and VM405 name it",
    ),
    (
        r"weight_transfer|WeightTransfer|WeightSync|weights|weight_update|send_weight|rdt_|RDT|M2N|NCCL|IPC"
        r"|weight_loader",
        "VM722 weight-update-session (start and finish since 0.21.0), VM717 for names in an extension; transports "
        "are additions",
    ),
    (
        r"sleep|wake|discard|Allocator|suspend",
        "VM709 sleep-mode, VM420 sleep-without-reload (wake by parts before 0.24.0); what is kept is opted into",
    ),
    (
        r"prompt_logprob|prompt_token_id|_get_prompt_logprobs",
        "VM125 prompt-logprobs-mode, VM402 prompt-logprobs-semantics; the rest is chunking",
    ),
    (
        r"_validate_logprobs|logprob_token_ids|configure_logprobs|specific_token|num_logprobs",
        "VM218 for the combinations; fields that no older release has",
    ),
    (
        r"gather_logprobs|get_logprobs|_logprobs_tensors|logprobs_kernel|token_logprobs|log_softmax"
        r"|compute_logprobs|sample_logprobs",
        "the same quantity: 64-bit offsets, chunks, layout; mode and mask by VM401 and VM409, the runner by VM118",
    ),
    (
        r"rejection|recovered",
        "VM428 for acceptance that does not keep the distribution (synthetic, block, FLy: opted into); the exact "
        "one is the same",
    ),
    (
        r"top_k|topk|top_p",
        "VM114 flashinfer-sampler-default for the kernel; from 0.30.0 Triton's at every batch size: the same "
        "support but for ties",
    ),
    (r"temperature|penalt|seed", "the same operations in the new runner: VM118; VM422 async-penalties-lost"),
    (
        r"abort|finish_requests|Admission|admission",
        "VM721 abort-by-internal-id; queues that refuse are opted into",
    ),
)
HEAD = """# What a logprob, a cache, a pause and a weight update are, on the way to 0.33.0

Functions that make them so and that are new or changed after a release people move from, made by `python -m benchmarks.meanings SOURCES`.
Docstrings and layout do not count. The verdict says which rule speaks of the change, or why none does.

| move | changed | new | open |
|---|---|---|---|
"""


def functions(root: str) -> dict[str, str]:
    """`module:Class.function` -> a digest of its parameters and body without the docstring."""
    found: dict[str, str] = {}
    for folder, _, names in os.walk(os.path.join(root, "vllm")):
        for name in names:
            path = os.path.join(folder, name)
            module = os.path.relpath(path, os.path.join(root, "vllm"))
            if _MODULES.match(module):
                with open(path, encoding="utf-8") as stream:
                    found.update(_inside(ast.parse(stream.read()), module[: -len(".py")].replace("/", ".") + ":"))
    return found


def _inside(node: ast.Module | ast.ClassDef, before: str) -> Iterator[tuple[str, str]]:
    for each in node.body:
        if isinstance(each, ast.ClassDef):
            yield from _inside(each, f"{before}{each.name}.")
        elif isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and _NAMES.search(each.name):
            first = each.body[0]
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            parts = [each.args, *each.body[1 if documented else 0 :]]
            digest = hashlib.sha256("|".join(map(ast.dump, parts)).encode()).hexdigest()[:12]
            yield f"{before}{each.name}", digest


def main(folder: str) -> None:
    known = {release: functions(os.path.join(folder, release)) for release in RELEASES}
    last = known[RELEASES[-1]]
    print(HEAD, end="")
    for release in RELEASES[:-1]:
        changed = [name for name, digest in last.items() if known[release].get(name, digest) != digest]
        new = [name for name in last if name not in known[release]]
        left = sum(1 for name in (*changed, *new) if verdict(name) == "**open**")
        print(f"| {release} → {RELEASES[-1]} | {len(changed)} | {len(new)} | {left} |")
    print("\n| function | new in | changed in | verdict |\n|---|---|---|---|")
    for name in sorted(last):
        states = [known[release].get(name) for release in RELEASES]
        since = next(i for i, state in enumerate(states) if state)
        changes = [RELEASES[i] for i in range(since + 1, len(states)) if states[i] != states[i - 1]]
        if since or changes:
            print(f"| {name} | {RELEASES[since] if since else ''} | {', '.join(changes)} | {verdict(name)} |")


def verdict(name: str) -> str:
    return next((why for pattern, why in VERDICTS if re.search(pattern, name)), "**open**")


if __name__ == "__main__":
    main(sys.argv[1])
