"""Secrets of the texts that a process has read: found once per text, hidden wherever they turn up later.

`note` remembers them when a file is decoded; `hide` is asked by everything that is printed or written. What is a secret
is decided by the name before it, by the shape of well-known tokens, and by the form of an address (patterns and the search
itself are in finding_secrets.py, which is loaded only for a text that hints at one).
"""

from __future__ import annotations

from vllm_migrate.documents.text.names_of_secrets import HIDDEN, KEY_HINTS, SHAPE_HINTS

# An editor's server reads texts as long as it runs: beyond this many the oldest secrets go, and texts are searched again.
MOST = 20_000

_known: dict[str, None] = {}
_longest_first: tuple[str, ...] = ()
_noted: set[int] = set()


def note(path: str, text: str) -> None:
    """Find the secrets of a text that was read, and remember them. path: says by its suffix whether bare words are code."""
    lowered = text.lower()
    for hint in KEY_HINTS + SHAPE_HINTS:
        if hint in lowered:
            break
    else:
        if "://" not in text or "@" not in text:
            return
    mark = hash((path, text))
    if mark in _noted:
        return
    if len(_noted) >= MOST:
        _noted.clear()
    _noted.add(mark)
    from vllm_migrate.documents.text.finding_secrets import secrets_of

    remember(secrets_of(text, code=path.endswith((".py", ".ipynb"))))


def remember(found: tuple[str, ...]) -> None:
    """Hide these from now on, too: what another process found."""
    global _longest_first
    before = len(_known)
    _known.update(dict.fromkeys(found))
    if len(_known) != before:
        for oldest in list(_known)[: max(0, len(_known) - MOST)]:
            del _known[oldest]
        _longest_first = tuple(sorted(_known, key=len, reverse=True))


def known() -> tuple[str, ...]:
    """The secrets that were found so far, longest first."""
    return _longest_first


def hide(text: str) -> str:
    """The text with every secret that was found so far hidden."""
    for secret in _longest_first:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def forget() -> None:
    """Forget all of them."""
    global _longest_first
    _known.clear()
    _noted.clear()
    _longest_first = ()
