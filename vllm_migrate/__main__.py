"""`python -m vllm_migrate`."""

from vllm_migrate.cli.main import entry

entry()
