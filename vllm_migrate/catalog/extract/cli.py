"""The command line of `vllm serve`: run the code that builds its parser, and keep the flags."""

from __future__ import annotations

import ast
from typing import Any

from vllm_migrate.catalog.extract import carrier
from vllm_migrate.catalog.extract.classes import ClassValue
from vllm_migrate.catalog.extract.facts import Facts, NotJson, default_of, deprecation, jsonable
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.options import Section, class_named
from vllm_migrate.catalog.extract.parser import Flag, Parser, type_text
from vllm_migrate.catalog.extract.values import Function, Unknown


def serve_parser(it: Interpreter) -> list[Flag]:
    """Flags of `vllm serve` in the order they are added. `it.gaps` tells what could not be followed."""
    parser = Parser()
    command = class_named(it, "ServeSubcommand", "vllm.entrypoints.cli.serve")
    method = command.member("subparser_init")
    assert isinstance(method, Function)
    it.call(method.bound(command), parser)
    if not parser.flags:
        _without_command(it, parser)
    return [flag for flag in parser.flags if not flag.positional]


def _without_command(it: Interpreter, parser: Parser) -> None:
    """The subcommand could not be followed: take the arguments its parts add."""
    it.gaps.append("ServeSubcommand.subparser_init")
    for name in ("FrontendArgs", "AsyncEngineArgs"):
        cls = class_named(it, name)
        it.call(cls.member("add_cli_args"), parser)


def sections(it: Interpreter) -> tuple[Section, Section]:
    """(cli, frontend): options EngineArgs backs, and the others, under their long positive flag."""
    fields = {f.name: f for f in class_named(it, "EngineArgs", "vllm.engine.arg_utils").fields()}
    cli: Section = {}
    frontend: Section = {}
    for flag in serve_parser(it):
        facts = flag_facts(flag)
        section = cli if flag.dest in fields else frontend
        section[flag.name] = facts
        if "doc" not in facts and flag.dest in fields and fields[flag.dest].doc:
            facts["doc"] = fields[flag.dest].doc
    _optimization_shorthand(it, cli)
    return cli, frontend


def _optimization_shorthand(it: Interpreter, section: Section) -> None:
    """From 0.12 on the parser itself spells `-O LEVEL` out as `--optimization-level LEVEL`."""
    flag = "--optimization-level"
    parse = carrier.parser_methods(it).get("parse_args")
    if flag in section and parse is not None and repr(flag) in ast.unparse(parse):
        section[flag]["spelled_out"] = ["-O"]


_IMPLIED: dict[str, Any] = {"store_true": False, "store_false": True}


def flag_facts(flag: Flag) -> Facts:
    """default, dest, option strings, action, nargs, const, type, enforced choices, deprecation, doc."""
    kwargs = flag.kwargs
    action = flag.action
    facts: Facts = {"default": _default(kwargs.get("default", _IMPLIED.get(action)))}
    if kwargs.get("required") is True:
        facts["required"] = True
    facts["action"] = action
    facts["options"] = [option for option in flag.options if option != flag.name]
    if not facts["options"]:
        del facts["options"]
    if flag.dest != flag.name.lstrip("-").replace("-", "_"):
        facts["dest"] = flag.dest
    if action not in ("store_true", "store_false", "bool_optional"):
        facts["type"] = type_text(kwargs.get("type"))
    for key in ("nargs", "const"):
        if kwargs.get(key) is not None:
            facts[key] = kwargs[key]
    _choices(facts, kwargs)
    text = kwargs.get("help")
    doc = text.replace("%%", "%").strip() if isinstance(text, str) else ""
    if found := deprecation(doc, kwargs.get("deprecated")):
        facts["deprecated"] = found
    if doc:
        facts["doc"] = doc
    return facts


def _default(value: Any) -> Any:
    if isinstance(value, Unknown):
        return {"expr": value.expr}
    return default_of(value, str(value))


def _choices(facts: Facts, kwargs: dict[str, Any]) -> None:
    """`choices` is what argparse enforces; `known` what the help names and argparse does not enforce."""
    given = kwargs.get("choices")
    if isinstance(given, Unknown):
        facts["choices"] = {"expr": given.expr}
    elif given is not None:
        try:
            facts["choices"] = [jsonable(value) for value in given]
        except (NotJson, TypeError):
            facts["choices"] = {"expr": str(given)}
    elif isinstance(kwargs.get("metavar"), list | tuple):
        try:
            facts["known"] = [jsonable(value) for value in kwargs["metavar"]]
        except NotJson:
            return


__all__ = ["ClassValue", "flag_facts", "sections", "serve_parser"]
