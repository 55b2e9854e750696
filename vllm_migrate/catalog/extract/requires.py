"""What a release requires, as its own files declare it: Python, packages per platform, extras, and the versions that its
image is built with.
"""

from __future__ import annotations

import ast
import os
import re
import tomllib
from typing import Any

from vllm_migrate.opening import read_text

Facts = dict[str, Any]
Sections = dict[str, dict[str, Facts]]

PLATFORMS = ("cuda", "rocm", "cpu", "xpu", "tpu", "hpu", "neuron")
SIZE_LIMIT = 4 << 20  # bytes of one file
_IMAGE = re.compile(r"ARG\s+((?:CUDA|PYTHON|FLASHINFER|NCCL|UBUNTU)_VERSION|torch_cuda_arch_list)=(.+)")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_DEPTH = 4  # requirement files that include others


def requires(root: str) -> Sections:
    """`python`, `image`, `extra`, and a section of packages for each platform, of the source tree at `root`."""
    found: Sections = {"python": {}, "image": {}, "extra": {}}
    metadata = _metadata(root)
    project = _project(os.path.join(root, "pyproject.toml"))
    python = project.get("requires-python") or next(iter(metadata.get("Requires-Python", ())), None)
    if python:
        found["python"]["python"] = {"spec": _ordered(str(python))}
    for platform in PLATFORMS:
        lines = _lines(os.path.join(root, "requirements", f"{platform}.txt"))
        if not lines and platform == "cuda":
            lines = [line for line in metadata.get("Requires-Dist", ()) if "extra ==" not in line]
        if lines:
            found[platform] = _packages(lines)
    found["extra"] = _extras(_read(os.path.join(root, "setup.py"))) or _declared_extras(metadata)
    for line in _read(os.path.join(root, "docker", "Dockerfile")).splitlines():
        if (match := _IMAGE.match(line.strip())) and "$" not in match[2]:
            found["image"].setdefault(match[1], {"value": match[2].strip().strip("'\"")})
    main = re.search(r'^MAIN_CUDA_VERSION = "([\d.]+)"', _read(os.path.join(root, "setup.py")), re.MULTILINE)
    if main:
        found["image"]["VLLM_MAIN_CUDA_VERSION"] = {"value": main[1]}
    return found


def _read(path: str) -> str:
    """Text of a plain file of moderate size, "" for anything else."""
    try:
        return read_text(path, SIZE_LIMIT, "replace")
    except OSError:
        return ""


def _project(path: str) -> dict[str, Any]:
    try:
        found = tomllib.loads(_read(path)).get("project", {})
    except tomllib.TOMLDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _metadata(root: str) -> dict[str, list[str]]:
    """Headers of PKG-INFO, or of the METADATA of an installed vLLM beside the package."""
    text = _read(os.path.join(root, "PKG-INFO"))
    if not text and os.path.isdir(root):
        names = sorted(n for n in os.listdir(root) if re.fullmatch(r"vllm(?:_cpu)?-[^/]+\.dist-info", n))
        text = _read(os.path.join(root, names[0], "METADATA")) if names else ""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line.strip():
            break
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name, []).append(value.strip())
    return found


def _lines(path: str, depth: int = 0) -> list[str]:
    """Requirements of a file and of the files it includes, without comments and options."""
    found: list[str] = []
    for raw in _read(path).splitlines():
        line = re.sub(r"(?:^|\s)#.*", "", raw).strip()
        if line.startswith("-r ") and depth < _DEPTH:
            name = os.path.basename(line[3:].strip())
            found += _lines(os.path.join(os.path.dirname(path), name), depth + 1)
        elif line and not line.startswith("-"):
            found.append(line)
    return found


def _packages(lines: list[str]) -> dict[str, Facts]:
    """Package -> {"spec": ..., "extras": ..., "when": [[marker, spec], ...]} of requirement lines."""
    found: dict[str, Facts] = {}
    for line in lines:
        requirement, _, marker = line.partition(";")
        match = _NAME.match(requirement)
        if match is None:
            continue
        name = re.sub(r"[-_.]+", "-", match[0]).lower()
        rest = requirement[match.end() :].strip()
        extras = re.match(r"\[([^\]]*)\]", rest)
        spec = _ordered(rest[extras.end() :].strip() if extras else rest)
        facts = found.setdefault(name, {})
        if marker.strip():
            facts.setdefault("when", []).append([_quoted(marker.strip()), spec])
        else:
            facts["spec"] = spec
        if extras:
            facts["extras"] = sorted(part.strip() for part in extras[1].split(","))
    return found


def _quoted(marker: str) -> str:
    return marker.replace("'", '"')


def _ordered(spec: str) -> str:
    """Specifiers in one order and without spaces; an address stays as it is."""
    if spec.startswith("@"):
        return spec
    parts = [part.replace(" ", "") for part in spec.strip("() ").split(",") if part.strip()]
    return ",".join(sorted(parts, key=lambda part: (part.lstrip("<>=!~"), part)))


def _extras(text: str) -> dict[str, Facts]:
    """`extras_require={...}` of setup.py, as far as it is made of literals."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[str, Facts] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "extras_require" and isinstance(node.value, ast.Dict):
            for key, value in zip(node.value.keys, node.value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(value, ast.List):
                    lines = [str(e.value) for e in value.elts if isinstance(e, ast.Constant)]
                    found[str(key.value)] = {"packages": _packages(lines)}
    return found


def _declared_extras(metadata: dict[str, list[str]]) -> dict[str, Facts]:
    found: dict[str, Facts] = {}
    for name in metadata.get("Provides-Extra", ()):
        mine = [line for line in metadata.get("Requires-Dist", ()) if f'extra == "{name}"' in line]
        found[name] = {"packages": _packages([line.partition(";")[0] for line in mine])}
    return found
