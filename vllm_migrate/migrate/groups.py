"""Groups of requirements within a file: what an extra or a dependency group lists is installed only when it is asked for."""

from __future__ import annotations

import ast
import os
import re

from vllm_migrate.documents.interface import Unreadable
from vllm_migrate.documents.python.syntax import parse_tree

_TABLE = re.compile(r"^\s*\[{1,2}(?P<name>[^\[\]\n]+)\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(r"^[ \t]*(?P<name>[\w.\"'-]+)\s*=(?!=)")
# Tables whose keys name groups, and those that are of one.
_OF_GROUPS = (
    "project.optional-dependencies",
    "dependency-groups",
    "options.extras_require",
    "tool.pdm.dev-dependencies",
)
_OF_ONE = re.compile(r"(?:tool\.poetry\.group|tool\.pixi\.feature|tool\.hatch\.envs|feature)\.(?P<name>[\w-]+)(?:\.|$)")
_OF_DEVELOPMENT = ("tool.poetry.dev-dependencies", "tool.pixi.dev-dependencies")


def group_of(path: str, text: str, line: int) -> str:
    """The extra or group that a requirement in a line (from 1) is for; "" for one that is always installed."""
    name = os.path.basename(path).lower()
    if name == "setup.py":
        return _of_program(text, line)
    return _of_tables(text, line, name.endswith(".toml")) if name.endswith((".toml", ".cfg")) else ""


def _of_tables(text: str, line: int, toml: bool) -> str:
    table = key = ""
    for written in text.split("\n")[:line]:
        if found := _TABLE.match(written):
            table, key = found["name"].strip().replace('"', ""), ""
        elif (toml or not written[:1].isspace()) and (found := _KEY.match(written)):
            key = found["name"].strip("\"'")
    if table in _OF_GROUPS:
        return key
    if (table == "project" and key.startswith("optional-dependencies.")) or (table, key) == (
        "tool.uv",
        "dev-dependencies",
    ):
        return key.rpartition(".")[2]
    if table in _OF_DEVELOPMENT:
        return "dev"
    one = _OF_ONE.match(table)
    return one["name"] if one is not None and one["name"] != "default" else ""


def _of_program(text: str, line: int) -> str:
    """The same for the mapping that a set-up program gives as `extras_require`."""
    try:
        tree = parse_tree(text)
    except Unreadable:
        return ""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.keyword) and node.arg == "extras_require" and isinstance(node.value, ast.Dict)):
            continue
        for key, value in zip(node.value.keys, node.value.values, strict=True):
            if isinstance(key, ast.Constant) and value.lineno <= line <= (value.end_lineno or value.lineno):
                return str(key.value)
    return ""
