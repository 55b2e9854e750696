"""Images that `docker run IMAGE ...` starts: where the image stands among docker's options, and whether vLLM is its program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.argv import is_option
from vllm_migrate.dialects.flags import is_serve_option, is_short, is_telling_option, is_vllms_own
from vllm_migrate.documents.shell.expand import Word

PROGRAMS = frozenset(("docker", "podman", "nerdctl"))
# What may stand before a program, with options and variables of its own.
_LAUNCHERS = frozenset(("sudo", "exec", "time", "nohup", "command", "env", "nice", "setsid", "timeout", "srun", "ssh"))
_STARTS = frozenset(("run", "create"))
# The options of `docker run`, `podman run` and `nerdctl run` that take no value in a word of its own.
_SWITCHES = frozenset(
    (
        "--detach", "--disable-content-trust", "--env-host", "--help", "--http-proxy", "--init", "--interactive", "--no-healthcheck",
        "--no-hostname", "--no-hosts", "--oom-kill-disable", "--passwd", "--privileged", "--publish-all", "--quiet", "--read-only",
        "--read-only-tmpfs", "--replace", "--rm", "--rmi", "--rootfs", "--sig-proxy", "--tls-verify", "--tty", "--unsetenv-all",
        "--use-api-socket",
    )
)  # fmt: skip
_LETTERS = re.compile(r"-[diPqt]+\Z")
# The options of the program itself, before `run`, that do.
_GLOBAL = frozenset(("--config", "--context", "--host", "--log-level", "-c", "-H", "-l", "--namespace", "-n", "--url"))
# Parts of names of images whose program has options of vLLM's names.
_OTHERS = (
    "sglang", "aphrodite", "text-generation", "tgi", "tensorrt", "trtllm", "lmdeploy", "lightllm", "llama-cpp", "llama.cpp", "ollama",
    "triton", "djl", "mlc",
)  # fmt: skip
_MODEL = re.compile(r"(?!.*\.(?:py|sh)\Z)[\w.-]+/[\w.-]+\Z")


def image_at(words: Sequence[Word], catalog: Catalog) -> int:
    """Index of the image's word in a command that runs or creates a container; 0 where it does neither, or names none."""
    at = _behind_run(words)
    doubtful = 0
    while 0 < at < len(words):
        word = words[at]
        text = word.value if word.value is not None else word.prefix
        if text.startswith("-") and text != "-":
            at += 1 if "=" in text or text in _SWITCHES or _LETTERS.match(text) or _glued(text) else 2
        elif word.value is None and word.wide and not word.hint and not _server_option(words, at + 1, catalog):
            doubtful = doubtful or at  # docker's options, or the image
            at += 1
        elif "=" in text:
            at += 1  # the value of an option that a variable ends in
        else:
            return at
    return doubtful


def image_text(word: Word) -> str:
    """An image's name, with the defaults of variables taken."""
    return word.value or word.hint or word.raw


def image_name(text: str) -> str:
    """The last part of an image's name: `vllm-openai` of `docker.io/vllm/vllm-openai:v0.8.5@sha256:...`."""
    return text.partition("@")[0].rpartition("/")[2].partition(":")[0]


def tells(image: str, arguments: Sequence[str], variables: Iterable[str], least: int, catalog: Catalog) -> bool:
    """Whether what an image's own program gets shows that it is vLLM's server, whatever the image is called.

    All options have to be of `vllm serve`, one of them of the engine; of those that other servers lack, and of the
    variables that vLLM reads, there have to be `least`.
    """
    first = arguments[0] if arguments else ""
    if (
        image[:1] in (".", "/")
        or any(part in image.lower() for part in _OTHERS)
        or not (first[:1] in ("-", "$") or _MODEL.match(first))
    ):
        return False
    names = {
        text.partition("=")[0].partition(".")[0].lstrip("-").replace("_", "-")
        for text in arguments
        if is_option(text) and not is_short(catalog, text.partition("=")[0])
    }
    if not all(is_serve_option(catalog, name) for name in names):
        return False
    if not any(name == "model" or is_telling_option(catalog, name) for name in names):
        return False
    known = set(catalog.all_names("env")) - {"VLLM_API_KEY", "VLLM_HOST_IP", "VLLM_PORT"}
    return sum(is_vllms_own(catalog, name) for name in names) + len(known & set(variables)) >= least


def _behind_run(words: Sequence[Word]) -> int:
    """Index of the first word behind `docker run`; 0 where the command is another."""
    names = [(word.value or "").rpartition("/")[2] for word in words]
    program = next((at for at, name in enumerate(names) if name in PROGRAMS), len(names))
    if program and names[0] not in _LAUNCHERS:
        return 0
    at = program + 1
    while at < len(words) and names[at].startswith("-"):
        at += 2 if (words[at].value or "") in _GLOBAL else 1
    at += names[at : at + 1] == ["container"]
    return at + 1 if at < len(words) and names[at] in _STARTS else 0


def _glued(text: str) -> bool:
    """Whether a short option has its value in the same word: `-p80:80`, `-eA=1`."""
    return not text.startswith("--") and len(text) > 2 and text[1] not in "diPqt"


def _server_option(words: Sequence[Word], at: int, catalog: Catalog) -> bool:
    """Whether an option of the server stands at an index, which docker does not have."""
    text = (words[at].value or words[at].prefix) if at < len(words) else ""
    name = text.partition("=")[0].lstrip("-").replace("_", "-")
    return text.startswith("--") and name != "device" and is_serve_option(catalog, name)
