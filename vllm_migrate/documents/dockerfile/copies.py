"""What COPY and ADD of a Dockerfile bring from the build's context into the image."""

from __future__ import annotations

import json
import posixpath
import re

from vllm_migrate.documents.dockerfile.document import Dockerfile

_FLAG = re.compile(r"--[a-z-]+(?:=\S*)?\s+")
_WORD = re.compile(r"\"[^\"]*\"|'[^']*'|\S+")


def copied(document: Dockerfile) -> dict[str, str]:
    """Absolute paths in the image, each with the path in the build's context that stands there, later ones last. What comes
    from another stage or image, or whose names are patterns or variables, is left out."""
    out: dict[str, str] = {}
    folder = "/"
    for each in document.instructions:
        if each.name == "FROM":
            folder = "/"
        elif each.name == "WORKDIR":
            folder = posixpath.join(folder, each.text.strip().strip("\"'"))
        elif each.name in ("COPY", "ADD") and not each.heredocs:
            sources, target = _words(each.text.replace("\\\n", " ").strip())
            several = target.endswith("/") or len(sources) > 1 or target in (".", "./")
            for source in sources:
                whole = posixpath.normpath(posixpath.join(folder, target))
                if several and posixpath.splitext(source)[1]:
                    whole = posixpath.join(whole, posixpath.basename(source))
                out.pop(whole, None)
                out[whole] = source
    return out


def _words(text: str) -> tuple[list[str], str]:
    """Sources and target of one instruction; none where something outside the file decides them."""
    while found := _FLAG.match(text):
        if found[0].startswith("--from="):
            return [], ""
        text = text[found.end() :]
    try:
        words = json.loads(text) if text.startswith("[") else [word.strip("\"'") for word in _WORD.findall(text)]
    except ValueError:
        return [], ""
    if len(words) < 2 or not all(isinstance(word, str) and not set(word) & set("$*?<") for word in words):
        return [], ""
    return [word for word in words[:-1] if "://" not in word], words[-1]
