"""Which vLLM a file needs at least by the models that it names: a release from before a model's architecture cannot load it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from vllm_migrate.dialects.specifiers import parse_version
from vllm_migrate.knowledge.records import ModelName
from vllm_migrate.opening import loads
from vllm_migrate.run.pins import SCRIPT, VLLM, Pin

# The last part of a path, among which the names of models are looked for.
_LAST = re.compile(rb"/([\w.-]+)")
# An address on the web names what can be read there; on the model hub it names a model.
_LINK = re.compile(rb"https?://(?!(?:www\.)?(?:huggingface\.co|hf\.co|modelscope\.cn)/)[^\s\"'<>]*", re.IGNORECASE)


def bounds_of_models(path: str, data: bytes, models: Mapping[str, ModelName]) -> list[Pin]:
    """The bound that the names of models in a file set: of several, the one that excludes least."""
    if b"register_model(" in data:
        return []  # it brings its own class
    low = _what_runs(path, data).lower()
    parts = b"\n".join(_LAST.findall(low))
    found: list[Pin] = []
    for name, model in models.items():
        if not model.since or (name.encode() not in parts and name.replace("-", "").encode() not in parts):
            continue
        match = re.search(
            rb"[\w.-]/[\w.-]*" + re.escape(name.encode()).replace(rb"\-", b"-?") + rb"(?![0-9.]*[0-9])", low
        )
        if match is not None:
            line = data.count(b"\n", 0, match.end()) + 1
            text = f"{name} is {model.architecture}, new in {model.since}"
            found.append(Pin(VLLM, "", path, line, text, SCRIPT, False, at=match.start(), bounds=f">={model.since}"))
    return sorted(found, key=lambda pin: parse_version(pin.bounds[2:]))[:1]


def _what_runs(path: str, data: bytes) -> bytes:
    """The file with blanks for links, and of a notebook for all but its code; every byte in its place."""
    if path.endswith(".ipynb"):
        data = _code_of(data)
    return _LINK.sub(lambda link: b" " * len(link[0]), data)


def _code_of(data: bytes) -> bytes:
    """The lines of a notebook that are lines of its code cells; nothing where they do not stand on lines of their own."""
    try:
        cells = loads(data)["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, TypeError, KeyError):
        return b" " * len(data)
    code = {line for source in sources if isinstance(source, list) for line in source if isinstance(line, str)}
    return b"".join(
        line if _decoded(line) in code else re.sub(rb"[^\n]", b" ", line) for line in data.splitlines(keepends=True)
    )


def _decoded(line: bytes) -> str:
    try:
        found = loads(line.strip().removesuffix(b","))
    except ValueError:
        return ""
    return found if isinstance(found, str) else ""
