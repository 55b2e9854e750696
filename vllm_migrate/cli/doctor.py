"""`vllm-migrate doctor`: this machine and its vLLM beside the configuration."""

from __future__ import annotations

import json
from argparse import Namespace

from vllm_migrate.cli.calls import options_of
from vllm_migrate.cli.terminal import say


def run(call: Namespace) -> int:
    """Look; the exit code: 0 nothing is wrong, 1 something is."""
    from vllm_migrate.verify.doctor import WRONG, as_json, as_text, examine

    lines = examine(options_of(call), call.python)
    if call.output_format == "json":
        print(json.dumps(as_json(lines), indent=2))
    else:
        for line in as_text(lines):
            say(line)
    return int(any(line.state == WRONG for line in lines))
