"""The language server (`vllm-migrate lsp`); it needs the extra `lsp`."""
