"""`vllm-migrate route`: the releases between two, and which of them every engine of a project can run with."""

from __future__ import annotations

import json
import sys
from argparse import Namespace

from vllm_migrate.cli.bar import progress
from vllm_migrate.cli.calls import options_of
from vllm_migrate.cli.lint import NO_FILES
from vllm_migrate.cli.terminal import say


def run(call: Namespace) -> int:
    """Print the routes; the exit code: 0, or 3 without input files."""
    from vllm_migrate.migrate.route import as_json, as_text, routes
    from vllm_migrate.report.layout import clean

    with progress():
        found, files = routes(options_of(call))
    if files == 0:
        print(NO_FILES, file=sys.stderr)
        return 3
    if call.output_format == "json":
        print(json.dumps(as_json(found), indent=2))
        return 0
    for line in as_text(found):
        say(clean(line))
    if not found:
        print("no engine moves to a different release, so there are no releases to list")
    return 0
