"""Values as Python source."""

from __future__ import annotations

from vllm_migrate.documents.interface import CannotEdit, Unknown


def render(value: object, quote: str = '"') -> str:
    """Python source of a literal; Unknown gives its text. Raises CannotEdit for other types."""
    if isinstance(value, Unknown):
        return value.text
    if isinstance(value, str):
        return _string(value, quote)
    if isinstance(value, list):
        return "[" + ", ".join([render(item, quote) for item in value]) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join([render(item, quote) for item in value]) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, dict):
        return "{" + ", ".join([f"{render(k, quote)}: {render(v, quote)}" for k, v in value.items()]) + "}"
    if value is None or isinstance(value, bool | int):
        return repr(value)
    if isinstance(value, float) and value == value and abs(value) != float("inf"):
        return repr(value)
    raise CannotEdit(f"no literal for {value!r}")


def _string(text: str, quote: str) -> str:
    shown = repr(text)
    if shown[0] == quote or quote in text or shown[0] in text:
        return shown
    return quote + shown[1:-1] + quote
