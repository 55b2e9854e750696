"""`vllm-migrate verify CONFIG`: what the files say beside what runs."""

from __future__ import annotations

import json
from argparse import Namespace

from vllm_migrate.cli.calls import options_of


def run(call: Namespace) -> int:
    """Compare; the exit code: 0 nothing differs, 1 something does."""
    from vllm_migrate.verify.check import Sources, verify
    from vllm_migrate.verify.show import as_json, as_text, exit_code

    sources = Sources(call.server, call.log, call.run, call.python, call.record, call.target)
    found = verify(options_of(call)._replace(paths=(call.path,), target=None), sources, call.engine)
    if call.output_format == "json":
        print(json.dumps(as_json(found), indent=2, allow_nan=False))
    else:
        for line in as_text(found, call.everything):
            print(line)
    return exit_code(found)
