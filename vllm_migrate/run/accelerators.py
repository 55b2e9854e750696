"""Which GPU the text around an engine names (node selectors and resource names of Kubernetes, SkyPilot's accelerators, Slurm's
gres, an accelerator type of Ray), else which platform it is written for."""

from __future__ import annotations

import re

from vllm_migrate.dialects.situation import Known
from vllm_migrate.documents.kinds import kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from vllm_migrate.knowledge.records import Gpu

MAX_BYTES = 256_000
# What stands before a GPU's name, on its line.
_KEY = re.compile(
    rb"accelerator|resourceProfile|gpu[._-]?(?:product|type|model|name)|--gres|--gpus(?:-per-\w+)?[ =]\w|--constraint",
    re.IGNORECASE,
)
_GPU = re.compile(rb"gpu[._-]?(?:product|type|model|name)")
_WORD = re.compile(r"[a-z]+\d+[a-z]*|\d+g[bi]?\b")
# What a text has that has such a key.
_WORDS = (b"accelerator", b"resourceprofile", b"--gres", b"--gpus", b"--constraint")
_BLOCK = re.compile(rb"(?m)^\s*-?\s*accelerators\s*:\s*$")
_CUDA = re.compile(rb"nvidia|CUDA_VISIBLE_DEVICES|vllm-openai:|NCCL_")
# Words in the path of a file, and the platform that they mean.
_OF_PATH = {"npu": "npu", "ascend": "npu", "rocm": "rocm", "xpu": "xpu", "hpu": "hpu", "gaudi": "hpu", "tpu": "tpu"}
# Forms that differ in memory: what says which, and what the bare name means to those who write it.
FORTY = ("40gb", "40g", "40gi")


def accelerator_of(path: str, data: bytes, gpus: Mapping[str, Gpu], within: str = "") -> Known | None:
    """The one GPU or platform that a file asks for, else the platform it is named for; None where it shows none, or several.
    gpus: those that are known; within: the path in its repository.

    A module may name platforms that it only knows how to run on, so that GPUs alone are looked for there.
    """
    low = data.lower()
    if len(data) > MAX_BYTES or b"vllm" not in low:
        return None
    if kind_of(path) == "shell":
        data = _always_run(data)
    asks = any(word in low for word in _WORDS) or _GPU.search(low)
    found = (_named(data, gpus) if asks else {}) or ({} if path.endswith((".py", ".ipynb")) else _platforms(data, gpus))
    if not found and not path.endswith((".py", ".ipynb")):
        named = {_OF_PATH[word] for word in re.findall(r"[a-z]+", (within or path).lower()) if word in _OF_PATH}
        return Known(named.pop(), f"{path} is named for it") if len(named) == 1 else None
    if len(found) != 1:
        return None
    ((name, number),) = found.items()
    return Known(name, f"{path}:{number} asks for it")


def _always_run(data: bytes) -> bytes:
    """A script with empty lines for what a branch of `if` or `case` decides: what stands there may be for another machine."""
    depth, lines = 0, []
    for line in data.split(b"\n"):
        word = line.split(maxsplit=1)[0].rstrip(b";") if line.strip() else b""
        closes = word in (b"fi", b"esac")
        opens = word in (b"if", b"case") and not line.rstrip().endswith((b"fi", b"esac"))
        depth = max(depth - closes, 0)
        lines.append(b"" if depth else line)
        depth += opens
    return b"\n".join(lines)


def _named(data: bytes, gpus: Mapping[str, Gpu]) -> dict[str, int]:
    """The GPUs that stand where one is asked for, with their lines."""
    found: dict[str, int] = {}
    below = False
    for number, line in enumerate(data.splitlines(), 1):
        key = _KEY.search(line)
        if _is_comment(line) or (key is None and not below):
            continue
        sky = below or b"accelerators" in line
        below = _BLOCK.match(line) is not None  # the mapping below it has names as keys
        text = line[key.start() if key is not None else 0 :].decode("utf-8", "replace").partition(" #")[0]
        for name in _names(text.lower(), gpus, sky):
            found.setdefault(name, number)
    return found


def _platforms(data: bytes, gpus: Mapping[str, Gpu]) -> dict[str, int]:
    """The platforms whose signs a file has, with the line of the first."""
    if not any(sign.encode() in data for gpu in gpus.values() for sign in gpu.signs):
        return {}
    found: dict[str, int] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if _is_comment(line) or line.split(maxsplit=1)[:1] == [b"unset"]:
            continue
        if _CUDA.search(line):
            found.setdefault("cuda", number)
        for name, gpu in gpus.items():
            if any(sign.encode() in line for sign in gpu.signs):
                found.setdefault(name, number)
    return found


def _is_comment(line: bytes) -> bool:
    return line.lstrip().startswith(b"#") and not line.startswith((b"#SBATCH", b"#PBS"))


def _names(text: str, gpus: Mapping[str, Gpu], sky: bool) -> set[str]:
    """sky: it is a name of SkyPilot's, whose A100 has 40 GB."""
    words = _WORD.findall(text.replace("_", "-"))
    names = {word for word in words if word in gpus and not gpus[word].signs}
    if "a100" in names:
        sized = [word for word in words if re.fullmatch(r"\d+g[bi]?", word)]
        if any(word in FORTY for word in sized) or (not sized and (sky or "tesla" in text)):
            return {*names - {"a100"}, "a100-40gb"}
    return names
