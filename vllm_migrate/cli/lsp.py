"""`vllm-migrate lsp`: the language server on standard input and output."""

from __future__ import annotations

from typing import Annotated

import typer

from vllm_migrate.errors import UsageError
from vllm_migrate.run.settings import Options


def command(
    source: Annotated[str | None, typer.Option("--from", help="The vLLM release you use today.")] = None,
    target: Annotated[str | None, typer.Option("--to", help="The vLLM release you move to.")] = None,
    config: Annotated[str | None, typer.Option(help="Read this vllm-migrate.toml or pyproject.toml.")] = None,
    stdio: Annotated[
        bool,
        typer.Option(
            "--stdio", help="Accepted because editors pass it; the server always uses standard input and output."
        ),
    ] = True,
) -> None:
    """Run the language server for editors.

    It speaks the Language Server Protocol on standard input and output.

    docs/editors.md says how to set up VS Code, Cursor, Neovim, Helix and Emacs. Needs: pip install "vllm-migrate[lsp]"
    """
    try:
        from vllm_migrate.lsp.server import server
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol", "cattrs", "attrs", "attr"):
            raise
        raise UsageError("the language server needs the extra `lsp`", 'pip install "vllm-migrate[lsp]"') from None
    server(Options(source=source, target=target, config=config)).start_io()
