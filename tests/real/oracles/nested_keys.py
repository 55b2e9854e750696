"""What a release's real entry points make of one key inside an option whose value is a mapping.

Runs inside the interpreter of that release: `nested_keys.py MODEL` reads a JSON list of cases from stdin, each {"entry": "llm", "engine"
or "parser", "option": ..., "value": {...}, "key": the key that is asked about}, and writes a JSON list of answers: "refused" (as a key
that is not known), "lost" (the class has no such attribute afterwards), "kept", or "other: ..." where something else is raised.
No model is loaded: the configuration is built, and no more.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import sys
from typing import Any

UNKNOWN = re.compile(
    r"unexpected keyword|not found in|Extra inputs are not permitted|Unexpected keyword|extra_forbidden"
)


class Captured(Exception):
    pass


def parser_of() -> Any:
    from vllm.engine.arg_utils import AsyncEngineArgs

    try:
        from vllm.utils.argparse_utils import FlexibleArgumentParser
    except ImportError:
        from vllm.utils import FlexibleArgumentParser
    parser = AsyncEngineArgs.add_cli_args(FlexibleArgumentParser(exit_on_error=False))

    def raised(message: str) -> Any:
        raise ValueError(message)

    parser.error = raised
    return parser


def llm_class() -> Any:
    from vllm import LLM
    from vllm.v1.engine.llm_engine import LLMEngine as V1

    def capture(*args: Any, **kwargs: Any) -> Any:
        raise Captured(kwargs.get("engine_args") or args[0])

    V1.from_engine_args = capture
    home = sys.modules[LLM.__init__.__module__]
    if hasattr(home, "LLMEngine"):
        home.LLMEngine.from_engine_args = capture
    return LLM


def made(case: dict[str, Any], model: str, llm: Any, parser: Any) -> Any:
    """The engine arguments that an entry point makes of the case."""
    from vllm.engine.arg_utils import EngineArgs

    option, value = case["option"], json.loads(json.dumps(case["value"]))
    if case["entry"] == "engine":
        return EngineArgs(model=model, **{option: value})
    if case["entry"] == "parser":
        text = ["--model", model, f"--{option.replace('_', '-')}", json.dumps(value)]
        return EngineArgs.from_cli_args(parser.parse_args(text))
    try:
        llm(model=model, **{option: value})
    except Captured as caught:
        return caught.args[0]
    raise AssertionError("LLM() built an engine")


def answer(case: dict[str, Any], model: str, llm: Any, parser: Any) -> str:
    option, key = case["option"], case["key"]
    try:
        arguments = made(case, model, llm, parser)
        value = getattr(arguments, option)
        if isinstance(value, dict):
            built = arguments.create_engine_config()
            value = getattr(built if hasattr(built, option) else built.model_config, option, value)
    except StopIteration:
        return "refused"  # LLM() looks the key up among the fields
    except BaseException as error:
        text = f"{type(error).__name__}: {error}"
        return "refused" if UNKNOWN.search(text) and key in text else f"other: {text[:300]}"
    return "kept" if key in settable(value) else "lost"


def settable(value: Any) -> Any:
    """The names that a caller may set in what the mapping became."""
    if isinstance(value, dict):
        return value
    model = getattr(type(value), "model_fields", None)
    return model if model is not None else [f.name for f in dataclasses.fields(value) if f.init]


def main() -> None:
    cases = json.load(sys.stdin)
    logging.disable(logging.CRITICAL)
    out, sys.stdout = sys.stdout, sys.stderr
    llm, parser = llm_class(), parser_of()
    json.dump([answer(case, sys.argv[1], llm, parser) for case in cases], out)


if __name__ == "__main__":
    main()
