"""`vllm-migrate recorder DIR`: the recorder that vLLM loads from its path."""

from __future__ import annotations

from argparse import Namespace


def run(call: Namespace) -> int:
    """Write it, and say how it is used; the exit code."""
    from vllm_migrate.verify.install import install

    for path in install(call.folder):
        print(path)
    print(f"use: PYTHONPATH={call.folder} VLLM_MIGRATE_RECORD=record.jsonl vllm serve ...")
    print("then: vllm-migrate verify CONFIG --record record.jsonl")
    return 0
