"""YAML scalars, both ways: a plain word to the Python value a YAML 1.1 reader makes of it, and back.

Reading follows PyYAML 6 (tables and constructors are its own); OmegaConf 2.3 adds a float resolver, `1e-6`
(omegaconf/_utils.py, get_yaml_loader). Timestamps stay strings in both. Writing quotes a string whenever any of
YAML 1.1, OmegaConf or YAML 1.2 (Go and JavaScript readers of the same file) would read something else.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from vllm_migrate.documents.interface import CannotEdit, Unknown
from vllm_migrate.documents.text.patterns import compiled

# The tags of scalars that have none: read as the file's reader resolves plain words, or as the string it is.
PLAIN, QUOTED = "\0plain", "\0quoted"

_YAML = "tag:yaml.org,2002:"
_OMEGACONF_FLOAT = (
    r"(?:[-+]?[0-9]+(?:_[0-9]+)*\.[0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9]+(?:_[0-9]+)*[eE][-+]?[0-9]+"
    r"|\.[0-9]+(?:_[0-9]+)*(?:[eE][-+][0-9]+)?"
    r"|[-+]?[0-9]+(?:_[0-9]+)*(?::[0-5]?[0-9])+\.[0-9_]*"
    r"|[-+]?\.(?:inf|Inf|INF)"
    r"|\.(?:nan|NaN|NAN))$"
)
_STRINGS = (_YAML + "timestamp", _YAML + "merge", _YAML + "value", _YAML + "yaml", _YAML + "str")

_LONGEST_NUMBER = 400  # characters; base 60 is quadratic in length, and no setting is a longer number

_Table = dict[str, list[tuple[str, re.Pattern[str]]]]
_PLAIN: _Table = {
    first: [(tag, pattern) for tag, pattern in entries if tag not in _STRINGS]
    for first, entries in Resolver.yaml_implicit_resolvers.items()
}


@cache
def _omegaconf() -> _Table:
    """The table with OmegaConf's own float."""
    table = {first: list(entries) for first, entries in _PLAIN.items()}
    for first in "-+0123456789.":
        table.setdefault(first, []).append((_YAML + "float", compiled(_OMEGACONF_FLOAT)))
    return table


_BOOLS = {**dict.fromkeys(("true", "yes", "on"), True), **dict.fromkeys(("false", "no", "off"), False)}


def implicit_tag(text: str, omegaconf: bool = False) -> str:
    """Full tag of a plain scalar, `tag:yaml.org,2002:str` when it is just a word."""
    table = _omegaconf() if omegaconf else _PLAIN
    for tag, pattern in table.get(text[:1], ()):
        if pattern.match(text):
            return tag
    return _YAML + "str"


def construct(tag: str, text: str) -> object:
    """The value of a scalar of a standard tag. Raises ValueError for another tag, or text that does not fit."""
    if tag == _YAML + "str":
        return text
    if tag == _YAML + "bool":
        value = _BOOLS.get(text.lower())
        if value is None:
            raise ValueError(f"not a boolean: {text}")
        return value
    if tag == _YAML + "null":
        return None
    node = yaml.ScalarNode(tag, text)
    if tag == _YAML + "int":
        if text.isdecimal() and text[0] != "0" and len(text) < 19:
            return int(text)
        return SafeConstructor().construct_yaml_int(node)
    if tag == _YAML + "float":
        return SafeConstructor().construct_yaml_float(node)
    raise ValueError(f"tag {tag} is not constructed")


@lru_cache(4096)
def read_plain(text: str, omegaconf: bool = False) -> object:
    """Value of a plain, untagged scalar. What matches a number's pattern and yet is none (`0b_`) stays a string."""
    tag = implicit_tag(text, omegaconf)
    if tag == _YAML + "str" or len(text) > _LONGEST_NUMBER:
        return text
    try:
        return construct(tag, text)
    except (ValueError, IndexError, OverflowError):
        return text


def read_tagged(tag: str, text: str, shown: str) -> object:
    """Value of a scalar with an explicit tag: standard ones are read, others are Unknown(`shown`)."""
    if tag != _YAML + "str" and len(text) > _LONGEST_NUMBER:
        return Unknown(shown)
    try:
        return construct(tag, text)
    except (ValueError, IndexError, OverflowError):
        return Unknown(shown)


# Words that some reader of YAML takes for something other than a string: YAML 1.1's y and n, YAML 1.2's 0o17 and 1e3.
_OTHER_READERS = (
    r"[yYnN]$|[-+]?(?:0o[0-7]+|\.?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|0x[0-9a-fA-F]+)$|[=]$|<<$|[-.]{3}"
)
_PLAIN_START = r"[^\s\-?:,\[\]{}#&*!|>'\"%@`]|-(?=[^\s,\[\]{}])"
_PLAIN_NEVER = r":(?=\s|$)|\s#|^\s|\s$"
_FLOW_NEVER = r"[,\[\]{}:?]|^-"


def reads_as_itself(text: str, flow: bool) -> bool:
    """Whether every reader takes this plain word for the string it is, in block context or inside a flow collection."""
    if (
        not text
        or not text.isprintable()
        or not compiled(_PLAIN_START).match(text)
        or compiled(_PLAIN_NEVER).search(text)
    ):
        return False
    if flow and compiled(_FLOW_NEVER).search(text):
        return False
    if compiled(_OTHER_READERS).match(text):
        return False
    tags = Resolver.yaml_implicit_resolvers.get(text[0], ())
    return implicit_tag(text, True) == _YAML + "str" and not any(pattern.match(text) for _, pattern in tags)


_ESCAPES = {
    "\\": "\\\\",
    '"': '\\"',
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    "\0": "\\0",
    "\x07": "\\a",
    "\x08": "\\b",
}


def _escape(char: str) -> str:
    known = _ESCAPES.get(char)
    if known is not None:
        return known
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


@lru_cache(1024)
def render_string(text: str, flow: bool = False, quote: str = "") -> str:
    """A string in plain style where that is safe, else quoted; `quote` (' or ") asks for quotes anyway."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise CannotEdit("the value holds a lone surrogate, which YAML cannot write")
    if not quote and reads_as_itself(text, flow):
        return text
    single = quote == "'" or (not quote and ("\\" in text or '"' in text))
    if single and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escape, text)) + '"'


class Style:
    """How a file writes values: `capital` for True and False, `quote` for every string (JSON inside YAML)."""

    __slots__ = ("capital", "quote")

    def __init__(self, capital: bool = False, quote: str = "") -> None:
        self.capital = capital
        self.quote = quote


def render(value: object, style: Style, flow: bool = False) -> str:
    """One line of YAML for a str, int, float, bool, None, dict or list. Raises CannotEdit for anything else."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        word = "true" if value else "false"
        return word.capitalize() if style.capital else word
    if isinstance(value, str):
        return render_string(value, flow, style.quote)
    if isinstance(value, int):
        if value.bit_length() > 1024:
            raise CannotEdit("the value is an integer of more than 1024 bits")
        return str(value)
    if isinstance(value, float):
        return render_float(value)
    if isinstance(value, dict):
        return "{" + ", ".join(render_pair(key, item, style) for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(render(item, style, True) for item in value) + "]"
    raise CannotEdit(f"a value of type {type(value).__name__} cannot be written")


def render_pair(key: object, value: object, style: Style) -> str:
    """`key: value` as it stands inside a flow mapping. Keys are strings."""
    if not isinstance(key, str):
        raise CannotEdit(f"a key of type {type(key).__name__} cannot be written")
    return f"{render_string(key, True, style.quote)}: {render(value, style, True)}"


def render_float(value: float) -> str:
    """A float every YAML reader takes for one: YAML 1.1 wants a dot and a signed exponent (`1.0e-06`)."""
    if value != value:
        return ".nan"
    if value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    return text.replace("e", ".0e", 1) if "." not in text and "e" in text else text
