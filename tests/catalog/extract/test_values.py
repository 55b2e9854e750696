"""What a module holds after import, worked out without importing it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import vllm_migrate
from vllm_migrate.catalog.extract.facts import default_of
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.source import SourceTree
from vllm_migrate.catalog.extract.values import External, Unknown

ROOT = Path(vllm_migrate.__file__).parents[1]
Make = Callable[..., Interpreter]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 << 30", 1 << 30),
        ("2 * 3 + 0.5", 6.5),
        ("'a' if 3 > 2 else 'b'", "a"),
        ("not (1 < 2 < 2)", True),
        ("None or 'x'", "x"),
        ("f'{3:02d}-{\"a\".upper()}'", "03-A"),
        ("[x * 2 for x in (1, 2, 3) if x != 2]", [2, 6]),
        ("{k: v for k, v in [('a', 1)]}", {"a": 1}),
        ("{**{'a': 1}, 'b': 2}", {"a": 1, "b": 2}),
        ("[*range(2), 5]", [0, 1, 5]),
        ("sorted({'b', 'a'})", ["a", "b"]),
        ("'a,b'.split(',')[1]", "b"),
        ("(lambda x, *, y=2: x + y)(1)", 3),
        ("cast(int, 4)", 4),
        ("list(get_args(Literal['p', 'q']))", ["p", "q"]),
        ("get_args(Optional[int])[0] is int", True),
        ("os.environ.get('X', 'empty')", "empty"),
        ("'X' in os.environ", False),
        ("math.inf > 1", True),
        ("(y := 3) + y", 6),
    ],
)
def test_expressions(module: Make, expression: str, value: object) -> None:
    head = "import os, math\nfrom typing import Literal, Optional, cast, get_args\n"
    assert module(a=f"{head}X = {expression}\n").lookup("vllm.a.X") == value


@pytest.mark.parametrize(
    "expression",
    [
        "str(torch.cuda.device_count())",
        "f'a{torch.cuda.device_count()}'",
        "torch.cuda.device_count()",
        "1 if torch.ok else 2",
        "[torch.x, 1][0] or 3",
        "open('f').read()",
        "'a' * 10**9",
    ],
)
def test_what_source_does_not_decide_stays_an_expression(module: Make, expression: str) -> None:
    it = module(a=f"import torch\nX = {expression}\n")
    value = it.lookup("vllm.a.X")
    assert isinstance(value, Unknown | External)
    assert "expr" in default_of(value, expression)


def test_names_through_imports_and_reexports(module: Make) -> None:
    paths = {"pkg/__init__": "from .inner import LIMIT as TOP\n", "pkg/inner": "LIMIT = 7\n"}
    it = module(paths, a="from .pkg import TOP\n")
    assert it.lookup("vllm.a.TOP") == 7


def test_packages_lying_beside_vllm_are_not_part_of_the_tree(tmp_path: Path) -> None:
    for name, text in (
        ("vllm/a.py", "import beside\nfrom beside import X\nY = beside.X\n"),
        ("beside/__init__.py", "X = 1\n"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    it = Interpreter(SourceTree(str(tmp_path)))
    assert isinstance(it.lookup("vllm.a.X"), External) and isinstance(it.lookup("vllm.a.Y"), External)


def test_runtime_branch_gives_values_and_typing_branch_gives_types(module: Make) -> None:
    text = """
        from typing import TYPE_CHECKING, Any, Literal
        if TYPE_CHECKING:
            Kind = Literal["x", "y"]
        else:
            Kind = Any
        """
    it = module(a=text)
    found = it.tree.module("vllm.a")
    assert found is not None
    assert str(it.name_in(found, "Kind")) == "typing.Any"
    assert "Literal" in str(it.name_in(found, "Kind", typing_context=True))


def test_import_fallback_is_taken_only_without_the_first(module: Make) -> None:
    it = module(a="try:\n    from .b import V\nexcept ImportError:\n    V = 0\n", b="V = 5\n")
    assert it.lookup("vllm.a.V") == 5


def test_a_container_changed_after_its_assignment(module: Make) -> None:
    it = module(a="X = ['a']\nX.append('b')\nX += ['c']\nfor i in range(2):\n    X.append(i)\n")
    assert it.lookup("vllm.a.X") == ["a", "b", "c", 0, 1]


def test_functions_run_with_loops_errors_and_closures(module: Make) -> None:
    text = """
        def outer(n):
            def inner(x):
                return x + n
            total = 0
            for i in range(10):
                if i == 3:
                    continue
                if i > 5:
                    break
                total = inner(total)
            try:
                return {}["missing"]
            except KeyError:
                return total
        X = outer(2)
        def endless():
            while True:
                pass
        Y = endless()
        """
    it = module(a=text)
    assert it.lookup("vllm.a.X") == 10
    assert isinstance(it.lookup("vllm.a.Y"), Unknown)


def test_enum_members(module: Make) -> None:
    text = """
        import enum
        class Plain(enum.Enum):
            A = "a"
        class Level(enum.IntEnum):
            LOW = 0
            HIGH = enum.auto()
        class Word(str, enum.Enum):
            X = "x"
        VALUES = [Plain.A.value, Level.HIGH, Level["LOW"] == 0, [w.value for w in Word], Word("x").name]
        """
    it = module(a=text)
    assert default_of(it.lookup("vllm.a.VALUES"), "") == ["a", 1, True, ["x"], "X"]


def test_environment_counts_as_empty_and_envs_are_read_through_their_table(module: Make) -> None:
    it = module(
        envs="import os\nenvironment_variables = {'VLLM_X': lambda: os.getenv('VLLM_X', '5')}\n",
        a="import vllm.envs as envs\nY = int(envs.VLLM_X)\n",
    )
    assert it.lookup("vllm.a.Y") == 5


def test_a_registry_of_a_class_is_never_read_as_empty(module: Make) -> None:
    text = """
        class Plain:
            known = {}
        class Manager:
            known: dict = {}
            @classmethod
            def register_module(cls, name): ...
        @Manager.register_module("deep")
        class A: ...
        @Manager.register_module(["one", "two"])
        class B: ...
        X = list(Manager.known)
        Y = list(Plain.known)
        """
    it = module(a=text)
    assert it.lookup("vllm.a.X") == ["deep", "one", "two"]
    assert isinstance(it.lookup("vllm.a.Y"), Unknown)


def test_sets_have_one_order_whatever_the_hash_seed(tmp_path: Path) -> None:
    source = "X = [list({'b', 'a', 'c'}), [x for x in {'q', 'p'}], ','.join({'n', 'm'}), next(x for x in {'w', 'v'})]\n"
    (tmp_path / "vllm").mkdir()
    (tmp_path / "vllm" / "a.py").write_text(source)
    program = (
        "import sys; from vllm_migrate.catalog.extract.interp import Interpreter; "
        "from vllm_migrate.catalog.extract.source import SourceTree; "
        "print(Interpreter(SourceTree(sys.argv[1])).lookup('vllm.a.X'))"
    )
    outputs = set()
    for seed in ("1", "2", "3"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.add(done.stdout)
    assert outputs == {"[['a', 'b', 'c'], ['p', 'q'], 'm,n', 'v']\n"}
