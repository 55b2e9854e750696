"""Which combinations of settings a release refuses when its configuration is built, or its sampling parameters are.

Runs inside the interpreter of that release: `refused.py MODEL` reads cases {"kwargs": {...}} or {"sampling": {...}} from stdin and writes
the message of what each raises, "" where nothing is raised. No model is loaded.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any


def message(case: dict[str, Any], model: str) -> str:
    from vllm import SamplingParams
    from vllm.engine.arg_utils import EngineArgs

    try:
        if "sampling" in case:
            SamplingParams(**case["sampling"])
        else:
            EngineArgs(model=model, **case["kwargs"]).create_engine_config()
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return ""


def main() -> None:
    cases = json.load(sys.stdin)
    logging.disable(logging.CRITICAL)
    out, sys.stdout = sys.stdout, sys.stderr
    json.dump([message(case, sys.argv[1]) for case in cases], out)


if __name__ == "__main__":
    main()
