"""`vllm-migrate schema NAME`: JSON Schemas for editors and checks."""

from __future__ import annotations

import json
from argparse import Namespace


def run(call: Namespace) -> int:
    """Print the schema; the exit code."""
    from vllm_migrate.run.schemas import named

    print(json.dumps(named(call.name, call.dialect), ensure_ascii=False, indent=1))
    return 0
