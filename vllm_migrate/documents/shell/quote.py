"""Small facts of shell quoting: braces that expand, ANSI-C escapes, and how a literal value is written as a
word.
"""

from __future__ import annotations

import re

from vllm_migrate.documents.shell.skip import compiled

_INSIDE = r"""\\[\s\S]|'[^']*'|"(?:[^"\\]|\\[\s\S])*+"|\$\{|[{},]|\.\."""
_ANSI = r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|([\s\S]))"
_LETTERS = dict(zip("abeEfnrtv", "\a\b\x1b\x1b\f\n\r\t\v", strict=True))


def brace_expansions(raw: str) -> dict[int, int]:
    """Offsets of `{a,b}` and `{1..3}` outside quotes: start to end."""
    found: dict[int, int] = {}
    stack: list[tuple[int, bool]] = []
    for m in compiled(_INSIDE).finditer(raw):
        token = m[0]
        if token in ("{", "${"):
            stack.append((m.start() if token == "{" else -1, False))
        elif token == "}" and stack:
            start, expands = stack.pop()
            if expands and start >= 0:
                found[start] = m.end()
        elif token in (",", "..") and stack:
            stack[-1] = (stack[-1][0], True)
    return found


def ansi(text: str) -> str:
    def one(m: re.Match[str]) -> str:
        for group, base in ((1, 16), (2, 16), (3, 16), (4, 8)):
            if m[group]:
                code = int(m[group], base)
                return chr(code) if code < 0x110000 else m[0]
        return _LETTERS.get(m[5], m[5] if m[5] in "\\'\"?" else m[0])

    return compiled(_ANSI).sub(one, text)


_SAFE = re.compile(r"[\w./:=+,@%^-]+", re.ASCII)
_SAFE_KEY = re.compile(r"[\w./:+,@%^-]+=", re.ASCII)


def quote(text: str) -> str:
    """A word whose value is `text`: bare where that is safe, else its value after `key=` quoted, else all of
    it.
    """
    if _SAFE.fullmatch(text):
        return text
    key = _SAFE_KEY.match(text)
    if key is not None and key.end() < len(text):
        return key[0] + _enclose(text[key.end() :], "'")
    return _enclose(text, "'")


def requote(raw: str, text: str) -> str:
    """`quote`, but keeping the quotes that `raw`, the word it replaces, has around all of it or around its
    value.
    """
    if len(raw) > 1 and raw[0] in "'\"" and raw.find(raw[0], 1) == len(raw) - 1:
        return _enclose(text, raw[0])
    key, eq, value = raw.partition("=")
    same_key = eq and _SAFE_KEY.fullmatch(key + eq) and text.startswith(key + eq)
    if same_key and len(value) > 1 and value[0] in "'\"" and value.find(value[0], 1) == len(value) - 1:
        return key + eq + _enclose(text[len(key) + 1 :], value[0])
    return quote(text)


def _enclose(text: str, mark: str) -> str:
    if mark == "'" and "'" in text and not any(c in text for c in '"$`\\!'):
        mark = '"'
    if mark == '"':
        return '"' + re.sub(r'(["$`\\])', r"\\\1", text) + '"'
    return "'" + text.replace("'", "'\\''") + "'"
