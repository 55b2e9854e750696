"""What the gates do not judge and a trainer should know of a recording."""

from __future__ import annotations

from collections.abc import Sequence

from vllm_migrate.smoke.recording import Header, Row


def remarks(header: Header, rows: Sequence[Row]) -> list[str]:
    """Sentences for the notes of a verdict."""
    found = []
    stopped = sum(row.finish == "stop" for row in rows)
    if stopped:
        found.append(
            f"{stopped} of {len(rows)} sequences end in a stop token, which was sampled and has a logprob: "
            "it belongs inside the loss mask on both sides"
        )
    limit = header.effective.get("max_model_len")
    if isinstance(limit, int):
        capped = sum(row.finish == "length" and len(row.prompt) + len(row.tokens) >= limit for row in rows)
        if capped:
            found.append(
                f"{capped} sequences were cut off at max_model_len ({limit}): V1 stops there, V0 one token later"
            )
    versions = sorted({str(version) for row in rows for version in row.versions or ()})
    if versions:
        found.append(f"weight versions: {', '.join(versions[:8])}{' ...' if len(versions) > 8 else ''}")
    return found
