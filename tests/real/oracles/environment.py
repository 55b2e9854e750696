"""Executes the getters of one release's vllm/envs.py in an empty environment: `environment.py PATH`.

Needs no vLLM: the file is run alone, as the module vllm.envs. Prints {variable: value}, homes as `~`;
{"error": text} for a getter that raises, {"object": name} for a value without a JSON form.
"""

from __future__ import annotations

import json
import os
import sys
import types
from typing import Any


def plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value.replace(os.path.expanduser("~"), "~")
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(v) for v in value)
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    return {"object": type(value).__name__}


def main(path: str) -> None:
    os.environ.clear()
    os.environ["HOME"] = "/nowhere/home"
    package, module = types.ModuleType("vllm"), types.ModuleType("vllm.envs")
    package.__path__ = []
    module.__file__ = path
    package.envs = module
    sys.modules.update({"vllm": package, "vllm.envs": module})
    with open(path, encoding="utf-8") as stream:
        exec(compile(stream.read(), path, "exec"), module.__dict__)
    found = {}
    for name, getter in module.environment_variables.items():
        try:
            found[name] = plain(getter())
        except Exception as error:
            found[name] = {"error": repr(error)}
        os.environ.clear()
        os.environ["HOME"] = "/nowhere/home"
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
