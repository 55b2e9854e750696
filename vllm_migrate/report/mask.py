"""Secrets never reach an output: values of keys that look like one, and texts that have the shape of one, become `***`.

`mask` is the one door: every format gets its texts through it (see items.py). What names a secret without being one
(a reference `${HF_TOKEN}`, a file name, `eos_token`) stays readable.
"""

from __future__ import annotations

from vllm_migrate.documents.text.names_of_secrets import (
    HIDDEN,
    KEY_HINTS,
    SHAPE_HINTS,
    is_harmless,
    is_harmless_text,
    is_secret,
)
from vllm_migrate.documents.text.secrets import hide, known

__all__ = ["HIDDEN", "is_secret", "mask", "mask_span", "mask_value", "secret_spans"]

# The same rule says the same of many places: what was found to hold no secret is remembered, up to so many texts.
REMEMBERED = 4096
# A text longer than this that hints at a secret is hidden whole: nobody reads it, and the search is not linear.
LONGEST = 20_000
_clean: set[str] = set()


def mask(text: str, more: tuple[str, ...] = ()) -> str:
    """The text with every secret hidden, those of files that were read and `more` wherever they stand."""
    for secret in more:
        text = text.replace(secret, HIDDEN)
    text = hide(text)
    return text if text in _clean else mask_span(text, 0, 0)[0]


def mask_span(text: str, start: int, end: int) -> tuple[str, int, int]:
    """As mask, and where the span start:end of the text has moved to."""
    out, at, spans = [], 0, spans_of(text)
    moved = [start, end]
    for low, high in spans:
        out += [text[at:low], HIDDEN]
        for i, offset in enumerate((start, end)):
            if offset >= high:
                moved[i] += len(HIDDEN) - (high - low)
            elif offset > low:
                moved[i] += (low if i == 0 else low + len(HIDDEN)) - offset
        at = high
    out.append(text[at:])
    return "".join(out), moved[0], moved[1]


def mask_value(key: str, value: object) -> object:
    """A value of a key (its last part decides), containers deeply."""
    if isinstance(value, dict):
        return {mask(str(name)): mask_value(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mask_value(key, inner) for inner in value]
    if is_secret(key) and not is_harmless(key, value):
        return HIDDEN
    return mask(value) if isinstance(value, str) else value


def spans_of(text: str) -> list[tuple[int, int]]:
    """Where secrets stand in a text: those of its own form, and those that a file was found to have."""
    spans = secret_spans(text)
    for secret in known():
        at = text.find(secret)
        while at >= 0:
            spans = [*spans, (at, at + len(secret))]
            at = text.find(secret, at + len(secret))
    return merged(spans)


def merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in order, those that meet as one."""
    out: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if out and start < out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def secret_spans(text: str) -> list[tuple[int, int]]:
    """Where the secrets of a text stand: offsets of their values, in order, apart from each other."""
    if text in _clean:
        return []
    if not _hints(text.lower()):
        if len(_clean) < REMEMBERED:
            _clean.add(text)
        return []
    if len(text) > LONGEST:
        return [(0, len(text))]
    from vllm_migrate.report.secrets import assignments, shapes

    found = list(shapes(text))
    for key, start, end in assignments(text):
        if is_secret(key) and not is_harmless_text(key, text[start:end]):
            found.append((start, end))
    return merged(found)


def _hints(text: str) -> bool:
    """Whether a (lower-case) text may hold a secret: cheap, and never False for one that does."""
    for shape in SHAPE_HINTS:
        if shape in text:
            return True
    if "://" in text and "@" in text:
        return True
    flag = text.find("--")
    for hint in KEY_HINTS:
        at = text.find(hint)
        while at >= 0:
            end = at + len(hint)
            while end < len(text) and (text[end].isalnum() or text[end] in "_-."):
                end += 1
            while end < len(text) and text[end] in "\"' \t":
                end += 1
            if text[end : end + 1] in (":", "=") or 0 <= flag <= at - 2:
                return True
            at = text.find(hint, end)
    return False
