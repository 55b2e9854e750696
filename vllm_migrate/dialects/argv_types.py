"""What the parser's converters make of one argument's text, by the name the catalog gives them.

Text that a converter refuses raises Refused with its words. Values that no file decides pass unconverted.
"""

from __future__ import annotations

from collections.abc import Callable

from vllm_migrate.documents.interface import Unknown


class Refused(Exception):
    """The converter does not take the text."""


def convert(value: object, kind: str) -> object:
    """The value that argparse stores for an argument. A mapping stands for its JSON. Raises Refused."""
    if isinstance(value, Unknown) or not isinstance(value, (str, dict)):
        return value
    if kind.startswith("optional_"):
        if value in ("", "None"):
            return None
        kind = kind[len("optional_") :]
    if isinstance(value, dict):
        return _mapping(value, kind)
    plain = _PLAIN.get(kind)
    if plain is not None:
        return plain(value)
    if kind.startswith("dataclass:"):
        return _object(_json(value))
    if kind.endswith(".from_cli") or kind.startswith("lambda x, f=from_cli"):
        return _from_cli(value, kind)
    if kind.endswith(".from_json") or "json.loads" in kind:
        return _object(_json(value))
    if kind.startswith("lambda") and ".lower()" in kind:
        text = value.lower()
        return text.replace("-", "_") if ".replace('-', '_')" in kind else text
    return value


def _mapping(value: dict[str, object], kind: str) -> object:
    if kind in ("json", "json_or_kvs", "union_dict_and_str") or "json" in kind or kind.endswith(".from_cli"):
        return value
    if kind.startswith("dataclass:"):
        return value
    if kind in ("int", "float") or kind.startswith("human"):
        raise Refused("a mapping")
    if kind.startswith("lambda x, f=from_cli"):
        return value
    import json

    return json.dumps(value, default=str)


def _from_cli(text: str, kind: str) -> object:
    """CompilationConfig: a level, else Python's literals (0.8.5) or JSON (0.9.0). Others: JSON."""
    if kind.startswith(("CompilationConfig", "lambda")) and text in ("0", "1", "2", "3"):
        return {"level": int(text)}
    if kind.startswith("CompilationConfig"):
        import ast

        try:
            return _object(ast.literal_eval(text))
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise Refused("not a Python literal") from None
    return _object(_json(text))


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise Refused("not a JSON object")
    return value


def _json(text: str) -> object:
    import json

    try:
        return json.loads(text)
    except ValueError:
        raise Refused("not JSON") from None


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Refused("not a whole number") from None


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Refused("not a number") from None


_SCALES = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def human(text: str) -> int:
    """2k is 2,000 and 2K is 2,048; fractions with the decimal letters only."""
    text = text.strip()
    scale = _SCALES.get(text[-1:])
    number = text[:-1]
    if scale is None or not number.replace(".", "", 1).isdecimal() or not number[0].isdecimal() or number[-1] == ".":
        return _integer(text)
    return int(float(number) * scale) if text[-1].islower() else _integer(number) * scale


def _human_or_auto(text: str) -> int:
    return -1 if text.strip().lower() == "auto" else human(text)


def _json_or_pairs(text: str) -> object:
    """A JSON object, else `image=2,video=1`."""
    if text.startswith("{") and text.endswith("}") and "\n" not in text:
        return _json(text)
    out: dict[str, object] = {}
    for item in text.split(","):
        key, eq, number = (part.strip() for part in item.lower().partition("="))
        if not eq or "=" in number:
            raise Refused("not of the form key=number")
        count = _integer(number)
        if out.get(key, count) != count:
            raise Refused(f"two values of {key}")
        out[key] = count
    return out


def _json_object_or_text(text: str) -> object:
    stripped = text.strip()
    return _json(text) if stripped.startswith("{") and stripped.endswith("}") and len(stripped) > 1 else text


_PLAIN: dict[str, Callable[[str], object]] = {
    "": str,
    "str": str,
    "int": _integer,
    "float": _real,
    "bool": bool,
    "json": _json,
    "json_or_kvs": _json_or_pairs,
    "union_dict_and_str": _json_object_or_text,
    "human_readable_int": human,
    "human_readable_int_or_auto": _human_or_auto,
}


def adapter(text: str) -> object:
    """One item of `--lora-modules`: `name=path` or a JSON object. Raises Refused."""
    if "=" in text and "," not in text:
        name, _, path = text.partition("=")
        if "=" in path:
            raise Refused("two equals signs")
        return {"name": name, "path": path}
    return _object(_json(text))
