"""Scripts in which somebody has yet to fill in a name: `conda activate < your env name >`, `ROOT=<ROOT_PATH>`.

Bash takes the angle brackets for redirections and refuses the script. With variables of the same length in their place it
can be read, and never be written.
"""

from __future__ import annotations

import re

from vllm_migrate.documents.interface import Source, Unreadable
from vllm_migrate.documents.shell.document import ShellDocument, parse_shell

# Not a heredoc's `<<EOF >`, nor `< file > file`.
_PLACEHOLDER = re.compile(r"(?<!<)<[ \t]*/?[A-Za-z][\w ./-]+>(?![ \t]+[\w./$\"'])")


def parse_filled(source: Source) -> ShellDocument | None:
    """The script as it can be read with its placeholders filled in; None where it has none, or cannot be read with them."""
    text = _PLACEHOLDER.sub(lambda found: "${" + "_" * (len(found[0]) - 3) + "}", source.text)
    if text == source.text:
        return None
    try:
        return parse_shell(Source(source.path, source.data, text, source.bom, source.newline))
    except Unreadable:
        return None
