"""Sources that try to reach the machine, or to grow without end, through what the evaluator computes."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from vllm_migrate.catalog.extract import texts
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.values import Undecidable, Unknown

Make = Callable[..., Interpreter]

HOSTILE = [
    # from a value to its attributes
    '"{0.__class__}".format(1)',
    '"{0[0]}".format([1])',
    '"{x.__init__.__globals__}".format(x=os.getenv)',
    '"{x.__class__}".format_map({"x": os.environ})',
    'str.format("{0.__class__}", 1)',
    '"{}".format(os.getenv)',
    '"%s" % os.getenv',
    '"%(a)s" % {"a": os.environ}',
    # from little to much
    '"{:>999999999}".format(1)',
    'f"{1:>999999999}"',
    '"%999999999d" % 1',
    '"%*d" % (999999999, 1)',
    '"x".ljust(10 ** 9)',
    '("a" * 90000).replace("a", "b" * 90000)',
    '"".join("x" for _ in range(10 ** 12))',
    "sum(range(10 ** 12))",
    "max(range(10 ** 12))",
    "sorted(range(10 ** 12))",
    "list(range(10 ** 9))",
    "tuple(range(10 ** 9))",
    "set(range(10 ** 9))",
    "bytes(10 ** 10)",
    "dict.fromkeys(range(10 ** 9))",
    "[*range(10 ** 9)]",
    "pow(7, 10 ** 9)",
    "all(x < 10 ** 13 for x in range(10 ** 12))",
    "list(itertools.product(range(100), repeat=8))",
    "list(enumerate(range(10 ** 9)))",
    "list(map(str, range(10 ** 9)))",
    "[].extend(range(10 ** 9))",
    "copy.deepcopy([0] * 99999) * 99999",
    're.match("(a+)+$", "a" * 40 + "b")',
    "double()",
    "count()",
    "grow()",
    "triangle()",
]
MODULE = """
import copy, itertools, os, re
def double():
    text = "x"
    for _ in range(200):
        text = text + text
    return text
def count():
    for _ in range(10 ** 12):
        pass
def grow():
    items = [1]
    while True:
        items += items
def triangle():
    number = 3
    for _ in range(100000):
        number = number * number
    return number
"""


@pytest.mark.parametrize("expression", HOSTILE)
def test_it_stays_undecided(module: Make, expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_MACHINE", "hunter2")
    it = module(hostile=f"{MODULE}\nvalue = {expression}\n")
    begin = time.process_time()
    value = it.lookup("vllm.hostile.value")
    assert isinstance(value, Unknown), value
    assert "hunter2" not in repr(value)
    assert time.process_time() - begin < 20, "seconds of processor time"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('"{}-{b:>3}".format(1, b="x")', "1-  x"),
        ('"{0}{0}".format("a")', "aa"),
        ('"%s of %d" % ("a", 3)', "a of 3"),
        ('"%(a)s" % {"a": 1}', "1"),
        ('f"{3:02d}"', "03"),
        ('"a,b".replace(",", "-").ljust(5)', "a-b  "),
        ('",".join(str(x) for x in (1, 2))', "1,2"),
        ("sum(x for x in range(4))", 6),
        ("max([1, 3], key=abs)", 3),
        ("sorted({3, 1})", [1, 3]),
        ("pow(2, 10)", 1024),
        ('bool(re.match("a+b", "aab"))', True),
    ],
)
def test_what_releases_do_is_still_evaluated(module: Make, expression: str, value: object) -> None:
    assert module(plain=f"import re\nvalue = {expression}\n").lookup("vllm.plain.value") == value


def test_a_formatter_without_attributes() -> None:
    assert texts.formatted("{a}")(a=1) == "1"
    with pytest.raises(Undecidable):
        texts.formatted("{a.real}")(a=1)
