"""Ask a vLLM release what its own `vllm serve` parser makes of an argument list.

Runs inside the interpreter of that release (standard library and vllm only). Reads a JSON list of cases from
stdin and writes a JSON list of the same length to stdout; one process answers many cases, since importing the
parser costs seconds. A case:

    {"argv": [...],             arguments after `vllm`; argv[0] is "serve", unless "entry" says otherwise
     "files": {name: text},     optional: written to a temporary folder; an argument that is `name`, or ends
                                in `=name`, is replaced by the path
     "env": {name: value},      optional: set while the parser is built and used
     "entry": "api_server"}     optional: parse as `python -m vllm.entrypoints.openai.api_server ARGV`

An answer:

    {"ok": bool,                parsed and validated as the release's CLI does before it starts an engine
     "exit": code or null,      status the process would have ended with; null when ok
     "error": [lines],          last lines of stderr, or "Type: message" of an exception
     "argv": [...] or null,     the final list that reaches argparse, the config file spliced in
     "given": {dest: value},    what the arguments set explicitly, even to the default
     "set": {dest: value}}      difference from a bare parse (`vllm serve m`)
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import enum
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BARE = {"serve": ["serve", "m"], "api_server": []}
ERROR_LINES = 4


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: enums by value, configuration objects as class and what they override."""
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(v) for v in value), key=str)
    fields = field_values(value)
    if fields is not None:
        return {"__class__": type(value).__name__, **fields}
    return {"__repr__": type(value).__name__}


def field_values(value: Any) -> dict[str, Any] | None:
    """Fields of a dataclass or pydantic model that differ from a bare instance; None for any other object."""
    if dataclasses.is_dataclass(value):
        names = [f.name for f in dataclasses.fields(value) if f.init]
    elif hasattr(type(value), "model_fields"):
        names = sorted(type(value).model_fields)
    else:
        return None
    try:
        bares = [type(value)(), type(value)()]
    except Exception:
        return {name: plain(getattr(value, name, None)) for name in names}
    out = {}
    for name in names:
        # Two bare instances disagree on random identifiers: those are left out.
        first, second = (plain(getattr(bare, name, None)) for bare in bares)
        got = plain(getattr(value, name, None))
        if first == second and got != first:
            out[name] = got
    return out


def build_parser(entry: str, explicit: bool) -> tuple[argparse.ArgumentParser, Any]:
    """The parser that `vllm` builds, and its `serve` command; `explicit`: without defaults."""
    import vllm.entrypoints.cli.serve as serve

    try:
        from vllm.utils.argparse_utils import FlexibleArgumentParser
    except ImportError:
        from vllm.utils import FlexibleArgumentParser  # 0.8.5
    parser = FlexibleArgumentParser(description="vLLM CLI")
    if entry == "api_server":
        from vllm.entrypoints.openai.cli_args import make_arg_parser

        parser, command = make_arg_parser(parser), serve.cmd_init()[0]
        parsers = [parser]
    else:
        parser.add_argument("-v", "--version", action="version", version="0")
        subparsers = parser.add_subparsers(required=False, dest="subparser")
        (command,) = serve.cmd_init()
        parsers = [command.subparser_init(subparsers)]
    if explicit:
        for action in parsers[0]._actions:
            action.default = argparse.SUPPRESS
        parsers[0]._defaults.clear()
    return parser, command


class Parsers:
    """Both parsers of an entry point, and the namespace of a bare parse."""

    def __init__(self, entry: str) -> None:
        self.full, self.command = build_parser(entry, explicit=False)
        self.explicit, _ = build_parser(entry, explicit=True)
        self.bare = vars(self.full.parse_args(list(BARE[entry])))

    def ask(self, argv: list[str]) -> dict[str, Any]:
        """Parse and validate as the CLI does. May raise whatever the release raises, SystemExit included."""
        namespace = self.full.parse_args(list(argv))
        self.command.validate(namespace)
        parsed = vars(namespace)
        given = vars(self.explicit.parse_args(list(argv)))
        given.pop("subparser", None)
        return {
            "given": {k: plain(v) for k, v in given.items()},
            "set": {k: plain(v) for k, v in parsed.items() if k not in self.bare or differs(v, self.bare[k])},
        }


def differs(a: Any, b: Any) -> bool:
    """True also for 1 against True: argparse types matter."""
    return type(a) is not type(b) or plain(a) != plain(b)


@contextlib.contextmanager
def environment(extra: dict[str, str]) -> Iterator[None]:
    saved = dict(os.environ)
    os.environ.update(extra)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(saved)


class Recorder:
    """Keeps the argument list that the release hands to argparse after its own rewriting."""

    def __init__(self) -> None:
        self.argv: list[str] | None = None
        self._parse_args = argparse.ArgumentParser.parse_args
        recorder = self

        def parse_args(parser: Any, args: Any = None, namespace: Any = None) -> Any:
            recorder.argv = list(args)
            return recorder._parse_args(parser, args, namespace)

        argparse.ArgumentParser.parse_args = parse_args


def substitute(argument: str, files: dict[str, str], folder: Path) -> str:
    for name in files:
        if argument == name or argument.endswith("=" + name):
            return argument[: len(argument) - len(name)] + str(folder / name)
    return argument


def without(folder: str, value: Any) -> Any:
    """`value` with the temporary folder taken out of every string: answers do not change from run to run."""
    if isinstance(value, str):
        return value.replace(folder + os.sep, "")
    if isinstance(value, list):
        return [without(folder, v) for v in value]
    if isinstance(value, dict):
        return {k: without(folder, v) for k, v in value.items()}
    return value


def answer(case: dict[str, Any], shared: dict[str, Parsers], recorder: Recorder) -> dict[str, Any]:
    entry = case.get("entry", "serve")
    files = case.get("files", {})
    out: dict[str, Any] = {"ok": False, "exit": None, "error": [], "argv": None, "given": {}, "set": {}}
    stderr = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, environment(case.get("env", {})):
        for name, text in files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        argv = [substitute(a, files, Path(folder)) for a in case["argv"]]
        parsers = Parsers(entry) if case.get("env") else shared.get(entry)
        if parsers is None:
            parsers = shared[entry] = Parsers(entry)
        recorder.argv = None
        try:
            with contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(io.StringIO()):
                out.update(parsers.ask(argv), ok=True)
        except SystemExit as stop:
            out["exit"] = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
            out["error"] = stderr.getvalue().splitlines()[-ERROR_LINES:]
        except Exception as error:
            out["exit"] = 1
            out["error"] = [f"{type(error).__name__}: {error}"]
        out["argv"] = recorder.argv
        return without(folder, out)


def main() -> None:
    # vLLM logs to stdout: keep the real one for the answer.
    with os.fdopen(os.dup(1), "w") as real_stdout:
        os.dup2(2, 1)
        sys.argv = ["vllm"]
        cases = json.load(sys.stdin)
        recorder = Recorder()
        shared: dict[str, Parsers] = {}
        json.dump([answer(case, shared, recorder) for case in cases], real_stdout)


if __name__ == "__main__":
    main()
