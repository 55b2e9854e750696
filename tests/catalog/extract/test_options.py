"""Fields of engine arguments and config classes, construct by construct."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vllm_migrate.catalog.extract import options
from vllm_migrate.catalog.extract.facts import annotation_text, deprecation, field_facts
from vllm_migrate.catalog.extract.interp import Interpreter

Make = Callable[..., Interpreter]
HEAD = """
import dataclasses
from dataclasses import InitVar, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Optional, Union, cast
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr
"""


def fields(module: Make, text: str, name: str = "C") -> dict[str, Any]:
    import textwrap

    it = module(a=HEAD + textwrap.dedent(text))
    return {f.name: field_facts(f, it) for f in options.public_fields(it.lookup(f"vllm.a.{name}"))}


@pytest.mark.parametrize(
    ("declaration", "default"),
    [
        ("x: int = 3", 3),
        ("x: float = 4", 4),
        ("x: Any = Field(default=128, ge=1)", 128),
        ("x: Any = Field(None, gt=0)", None),
        ("x: Any = field(default_factory=lambda: ['*'])", ["*"]),
        ("x: Any = Field(default_factory=dict)", {}),
        ("x: Any = field(default_factory=Odd)", {}),
        ("x: Any = Kind.B", "b"),
        ("x: Any = (1, 2)", [1, 2]),
        ("x: set = field(default_factory=set)", []),
        ("x: Any = other", {"expr": "elsewhere.other"}),
        ("x: Any = field(default_factory=Part)", {"expr": "Part()"}),
        ("x: Any = field(default_factory=Part.make)", {"expr": "Part()"}),
    ],
)
def test_defaults(module: Make, declaration: str, default: object) -> None:
    text = f"""
        from elsewhere import other
        class Odd(dict[str, int]): ...
        class Kind(str, Enum):
            B = "b"
        @dataclass
        class Part:
            y: int = 1
            @classmethod
            def make(cls):
                return cls()
        @dataclass
        class C:
            {declaration}
        """
    assert fields(module, text)["x"]["default"] == default


def test_required_class_variables_init_variables_and_private_names(module: Make) -> None:
    text = """
        @dataclass
        class C:
            must: int
            shared: ClassVar[int] = 1
            mirror: InitVar[int] = 2
            _own: int = 3
            late: Any = Field(init=False, default=4)
        """
    found = fields(module, text)
    assert set(found) == {"must", "late"}
    assert found["must"]["required"] is True


def test_fields_follow_the_bases_and_a_subclass_overrides(module: Make) -> None:
    text = """
        @dataclass
        class A:
            x: int = 1
            y: int = 2
        @dataclass
        class C(A):
            y: int = 3
        """
    found = fields(module, text)
    assert [(n, f["default"]) for n, f in found.items()] == [("x", 1), ("y", 3)]


def test_a_default_taken_from_another_class(module: Make) -> None:
    text = """
        def get_field(cls, name):
            found = next(f for f in dataclasses.fields(cls) if f.name == name)
            default, factory = found.default, found.default_factory
            if hasattr(default, "default_factory") and default.default_factory is not None:
                factory, default = default.default_factory, dataclasses.MISSING
            return field(default=default, default_factory=factory)
        @dataclass
        class A:
            size: int = Field(default=16, ge=1)
            names: list = field(default_factory=list)
            more: dict = Field(default_factory=dict)
        @dataclass
        class C:
            size: int = A.size
            names: list = get_field(A, "names")
            more: dict = cast(dict, get_field(A, "more"))
        """
    assert {n: f["default"] for n, f in fields(module, text).items()} == {"size": 16, "names": [], "more": {}}


def test_a_decorator_named_config_makes_a_dataclass(module: Make) -> None:
    text = "@config(config=ConfigDict(extra='forbid'))\nclass AConfig:\n    x: int = 1\n"
    it = module({"config/__init__": HEAD + text})
    assert set(options.config(it)) == {"AConfig.x"}


def test_a_plain_class_gives_its_constructor_and_a_nested_class_its_fields(module: Make) -> None:
    text = """
class ModelConfig:
    def __init__(self, model: str, *, seed: Optional[int] = None, **kwargs): ...
class CompilationConfig(BaseModel):
    level: int = 0
    class PassConfig(BaseModel):
        fuse: bool = True
"""
    it = module(config=HEAD + text)
    found = options.config(it)
    assert found["ModelConfig.model"] == {"required": True, "type": "str"}
    assert found["ModelConfig.seed"]["default"] is None
    assert found["PassConfig.fuse"]["default"] is True


def test_choices_and_documentation(module: Make) -> None:
    text = '''
        if TYPE_CHECKING:
            Method = Literal["awq", "gptq"]
        else:
            Method = Any
        class Kind(Enum):
            A = "a"
            B = "b"
        @dataclass
        class C:
            mode: Literal["fast", "slow"] = "fast"
            """How fast."""
            method: Union[str, Method, None] = None
            kind: Optional[Kind] = None
            sizes: list[Literal[1, 2]] = field(default_factory=list)
        '''
    found = fields(module, text)
    assert found["mode"]["choices"] == ["fast", "slow"] and found["mode"]["doc"] == "How fast."
    assert found["method"]["choices"] == ["awq", "gptq"] and found["method"]["open"] is True
    assert found["kind"]["choices"] == ["a", "b"] and "open" not in found["kind"]
    assert found["sizes"]["choices"] == [1, 2]


@pytest.mark.parametrize(
    ("doc", "deprecated"),
    [
        ("[DEPRECATED] Use x.", True),
        ("Deprecated: gone soon.", True),
        ("The mode. This flag is deprecated and will go.", True),
        ("Warns about deprecated models.", False),
        ("Keeps what is not yet deprecated elsewhere.", False),
    ],
)
def test_deprecation_is_read_from_the_announcement(doc: str, deprecated: bool) -> None:
    assert (deprecation(doc) is not None) is deprecated


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        ("Optional[int]", "int | None"),
        ("Union[None, str, List[int]]", "str | list[int] | None"),
        ("'Dict[str, Any]'", "dict[str, Any]"),
        ("Annotated[int, Field(ge=1)]", "int"),
        ("Literal['a', 'b'] | None", "Literal['a', 'b'] | None"),
    ],
)
def test_types_have_one_spelling(annotation: str, text: str) -> None:
    import ast

    assert annotation_text(ast.parse(annotation, mode="eval").body) == text


def test_llm_parameters_and_what_its_constructor_forces(small: Path) -> None:
    from vllm_migrate.catalog.extract.source import SourceTree

    found = options.llm(Interpreter(SourceTree(str(small))))
    assert found["model"] == {"required": True}
    assert found["width"]["default"] == 1.5
    assert found["chatty"] == {"default": True, "forced": True}
