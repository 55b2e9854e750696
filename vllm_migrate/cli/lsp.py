"""`vllm-migrate lsp`: the language server on standard input and output."""

from __future__ import annotations

from argparse import Namespace

from vllm_migrate.errors import UsageError
from vllm_migrate.run.settings import Options


def run(call: Namespace) -> int:
    """Serve until the editor ends it; the exit code. Raises UsageError if the extra is missing."""
    try:
        from vllm_migrate.lsp.server import server
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol", "cattrs", "attrs", "attr"):
            raise
        raise UsageError("the language server needs the extra `lsp`", 'pip install "vllm-migrate[lsp]"') from None
    server(Options(source=call.source, target=call.target, config=call.config)).start_io()
    return 0
