"""The parser-building code of a release, followed instead of imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vllm_migrate.catalog.extract import cli
from vllm_migrate.catalog.extract.interp import Interpreter

Make = Callable[..., Interpreter]
HEAD = """
import argparse, copy, functools, json
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from typing import Any, Literal, Optional, Union, get_args, get_origin
from pydantic.fields import FieldInfo
"""
# derives argparse's keywords from a dataclass, as releases from 0.9 on do
KWARGS = """
def optional_type(return_type):
    def _optional_type(val):
        return None if val == "None" else return_type(val)
    return _optional_type

@functools.lru_cache(maxsize=30)
def _compute_kwargs(cls):
    kwargs = {}
    for f in fields(cls):
        hints = set(get_args(f.type)) if get_origin(f.type) is Union else {f.type}
        default = f.default if f.default is not MISSING else f.default_factory()
        if isinstance(default, FieldInfo):
            default = default.default
        kwargs[f.name] = {"default": default, "help": ""}
        if any(h is bool for h in hints):
            kwargs[f.name]["action"] = argparse.BooleanOptionalAction
        elif any(get_origin(h) is Literal for h in hints):
            literal = next(h for h in hints if get_origin(h) is Literal)
            kwargs[f.name].update(type=str, choices=sorted(get_args(literal)))
        elif any(h is int for h in hints):
            kwargs[f.name]["type"] = int
        else:
            kwargs[f.name]["type"] = str
        if type(None) in hints and "action" not in kwargs[f.name]:
            kwargs[f.name]["type"] = optional_type(kwargs[f.name]["type"])
            if kwargs[f.name].get("choices"):
                kwargs[f.name]["choices"].append("None")
    return kwargs

def get_kwargs(cls):
    return copy.deepcopy(_compute_kwargs(cls))
"""


def flags(module: Make, body: str, before: str = "") -> tuple[dict[str, Any], list[str]]:
    """Facts per flag of a parser whose builder has this body, and the gaps."""
    import textwrap

    text = HEAD + textwrap.dedent(before) + "\ndef build(parser):\n" + textwrap.indent(textwrap.dedent(body), "    ")
    serve = "from vllm.b import build\nclass ServeSubcommand:\n    def subparser_init(self, subparsers):\n"
    serve += "        return build(subparsers.add_parser('serve'))\n"
    it = module({"entrypoints/cli/serve": serve}, b=text)
    found = {f.name: cli.flag_facts(f) for f in _few(it)}
    return found, it.gaps


def _few(it: Interpreter) -> list[Any]:
    from vllm_migrate.catalog.extract.options import class_named
    from vllm_migrate.catalog.extract.parser import Parser

    parser = Parser()
    command = class_named(it, "ServeSubcommand")
    it.call(command.member("subparser_init").bound(command), parser)
    return [flag for flag in parser.flags if not flag.positional]


def test_keywords_derived_from_a_dataclass(module: Make) -> None:
    before = (
        KWARGS
        + """
@dataclass
class C:
    size: Optional[int] = None
    mode: Literal["b", "a"] = "a"
    kind: Optional[Literal["x"]] = None
    on: Optional[bool] = None
    deep: int = field(default_factory=lambda: 4)
"""
    )
    body = """
        kw = get_kwargs(C)
        kw["mode"]["choices"].remove("b")
        kw["size"]["type"] = json.loads
        group = parser.add_argument_group(title="C")
        for key, value in kw.items():
            group.add_argument(f"--{key.replace('_', '-')}", **value)
        """
    found, gaps = flags(module, body, before)
    assert gaps == []
    assert found["--size"] == {"default": None, "action": "store", "type": "json"}
    assert found["--mode"]["choices"] == ["a"]
    assert found["--kind"]["choices"] == ["x", "None"] and found["--kind"]["type"] == "optional_str"
    assert found["--on"] == {"default": None, "action": "bool_optional"}
    assert found["--deep"]["default"] == 4


def test_inline_arguments(module: Make) -> None:
    before = """
        class Format(str, Enum):
            A = "a"
            B = "b"
        """
    body = """
        parser.add_argument("--quiet", action="store_true")
        parser.add_argument("--no-sound", dest="sound", action="store_false")
        parser.add_argument("--format", "-f", choices=[f.value for f in Format], default=Format.A)
        parser.add_argument("--token", nargs="?", const=True)
        parser.add_argument("--hidden", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        for arg, type in [("--first", str), ("--second", int)]:
            parser.add_argument(arg, type=type, deprecated=True, help="Half of it, 50%%.")
        """
    found, _ = flags(module, body, before)
    assert found["--quiet"] == {"default": False, "action": "store_true"}
    assert found["--no-sound"] == {"default": True, "action": "store_false", "dest": "sound"}
    assert found["--format"]["choices"] == ["a", "b"] and found["--format"]["options"] == ["-f"]
    assert found["--format"]["default"] == "a"
    assert found["--token"]["nargs"] == "?" and found["--token"]["const"] is True
    assert found["--first"]["deprecated"] == "deprecated" and found["--first"]["doc"] == "Half of it, 50%."
    assert found["--second"]["type"] == "int"


def test_what_cannot_be_followed_is_told_and_spoils_nothing_else(module: Make) -> None:
    body = """
        parser.add_argument("--one", default=1)
        if platform.is_gpu():
            parser.add_argument("--two", default=2)
        parser.add_argument("--three", choices=["a"] + platform.names())
        """
    found, gaps = flags(module, body, "from somewhere import platform\n")
    assert set(found) == {"--one", "--three"}
    assert found["--three"]["choices"] == {"expr": "['a'] + platform.names()"}
    assert len(gaps) == 1 and "is_gpu" in gaps[0]


def test_a_value_left_over_from_before_is_not_taken_for_one_that_could_not_be_read(module: Make) -> None:
    body = """
        for name, default in [("--one", 1), ("--two", other.missing)]:
            if default == 1:
                value = default
            parser.add_argument(name, default=value)
        """
    found, gaps = flags(module, body, "import other\n")
    assert found["--one"]["default"] == 1
    assert found["--two"]["default"] == {"expr": "value"} and len(gaps) == 1


def test_a_subclass_customises_the_keywords_of_its_base(module: Make) -> None:
    before = (
        KWARGS
        + """
@dataclass
class Base:
    tools: Optional[str] = None
    @classmethod
    def customise(cls, kw):
        kw["tools"]["type"] = json.loads
        return kw
    @classmethod
    def add_cli_args(cls, parser):
        group = parser.add_argument_group(title=cls.__name__.replace("Args", ""), description=cls.__doc__)
        for key, value in cls.customise(get_kwargs(cls)).items():
            group.add_argument(*value.pop("flags", []), f"--{key}", **value)
        return parser
@dataclass
class Front(Base):
    port: int = 8000
    @classmethod
    def customise(cls, kw):
        kw = super().customise(kw)
        del kw["port"]["help"]
        return kw
"""
    )
    found, gaps = flags(module, "return Front.add_cli_args(parser)", before)
    assert gaps == []
    assert found["--tools"]["type"] == "json" and found["--port"] == {"default": 8000, "action": "store", "type": "int"}


def test_sections_split_by_what_engine_arguments_back(small: Any) -> None:
    from vllm_migrate.catalog.extract.source import SourceTree

    mine, front = cli.sections(Interpreter(SourceTree(str(small))))
    assert set(mine) == {"--model", "--width", "--depth", "--lamp"}
    assert set(front) == {"--port", "--chatty"}
    assert front["--chatty"]["deprecated"].startswith("[DEPRECATED]")
