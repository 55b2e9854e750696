"""Ask a vLLM release whether its own `LLM`, `EngineArgs` and `AsyncEngineArgs` take the keywords of a call.

Runs inside the interpreter of that release (standard library and vllm only); no model is loaded or run. `calls.py MODEL` reads a
JSON list of cases from stdin and writes a JSON list of the same length to stdout. A case:

    {"call": "llm",             or "async_llm" or "engine": LLM(), AsyncEngineArgs(), EngineArgs()
     "keywords": {...},         `model` and `tokenizer` are MODEL whatever they say
     "open": [...],             optional: keywords whose value nobody knows; only their names are asked about
     "engine": true}            optional: where the call is taken, its configuration is built for MODEL as well

An answer:

    {"ok": bool,                the call is taken
     "error": text,             "Type: message" of what it raises, "" for nothing
     "engine": text}            the same of building the configuration, "" for nothing or where it was not asked for

Building is done as on eight H100 (see engine_config.py). What MODEL and not the call would be refused for, its files and length, is
replaced.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import Any

from engine_config import pretend_cuda
from serve_parser import environment

# Of the user's model, which is not here.
OF_MODEL = (
    "tokenizer",
    "revision",
    "tokenizer_revision",
    "hf_config_path",
    "quantization",
    "load_format",
    "served_model_name",
)


class Taken(Exception):
    """LLM() has made its engine arguments, and would start the engine."""


def made(case: dict[str, Any], model: str) -> Any:
    """The engine arguments that a call makes. Raises whatever the call raises."""
    from vllm.engine.arg_utils import AsyncEngineArgs, EngineArgs

    kind = AsyncEngineArgs if case["call"] == "async_llm" else EngineArgs
    known = {field.name for field in dataclasses.fields(kind)}
    unknown = {name: None for name in case.get("open", ()) if name not in known}
    keywords = {**case["keywords"], **unknown, "model": model}
    if "tokenizer" in keywords:
        keywords["tokenizer"] = model
    if case["call"] != "llm":
        return kind(**keywords)
    from vllm.entrypoints.llm import LLM
    from vllm.v1.engine.llm_engine import LLMEngine

    def taken(**given: Any) -> None:
        raise Taken(given["engine_args"])

    LLMEngine.from_engine_args = taken
    try:
        LLM(**keywords)
    except Taken as stop:
        return stop.args[0]
    raise RuntimeError("LLM() started no engine")


def answer(case: dict[str, Any], model: str) -> dict[str, Any]:
    try:
        arguments = made(case, model)
    except Exception as error:
        return {"ok": False, "error": f"{type(error).__name__}: {error}", "engine": ""}
    return {"ok": True, "error": "", "engine": built(arguments, model) if case.get("engine") else ""}


def built(arguments: Any, model: str) -> str:
    from vllm.engine.arg_utils import EngineArgs
    from vllm.usage.usage_lib import UsageContext

    bare = EngineArgs(model=model)
    for name in OF_MODEL:
        setattr(arguments, name, getattr(bare, name, None))
    arguments.model = model
    try:
        with environment({"VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1"}):
            arguments.create_engine_config(usage_context=UsageContext.LLM_CLASS)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def main() -> None:
    # vLLM logs to stdout: keep the real one for the answer.
    with os.fdopen(os.dup(1), "w") as real_stdout:
        os.dup2(2, 1)
        cases = json.load(sys.stdin)
        pretend_cuda()
        json.dump([answer(case, sys.argv[1]) for case in cases], real_stdout)


if __name__ == "__main__":
    main()
