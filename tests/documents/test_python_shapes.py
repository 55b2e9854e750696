"""Shapes of lists of token ids: what is not plain is not said."""

from __future__ import annotations

import ast

import pytest

from vllm_migrate.documents.python.shapes import MANY, ONE, UNKNOWN, shape_of

CASES = [
    ("f([1, 2])", ONE),
    ("f([[1, 2], [3]])", MANY),
    ("f([int(x) for x in y])", ONE),
    ("f([tokenizer.encode(x) for x in y])", MANY),
    ("f([row.tolist() for row in y])", MANY),
    ("f([list(row) for row in y])", MANY),
    ("f([x for x in y])", UNKNOWN),
    ("f([x.id for x in y])", UNKNOWN),
    ("f(tokenizer.encode(t))", ONE),
    ("f(tokenizer.encode(t) + [2])", ONE),
    ("f([[1]] * n)", MANY),
    ("f(sample['input_ids'])", UNKNOWN),
    ("f(batch)", UNKNOWN),
    ("f([])", UNKNOWN),
    ("ids = tokenizer.encode(t)\nf(ids)", ONE),
    ("ids = tokenizer.encode(t)\nf([ids])", UNKNOWN),
    ("ids = []\nfor t in texts:\n    ids.append(tokenizer.encode(t))\nf(ids)", MANY),
    ("ids = []\nfor t in texts:\n    ids.append(7)\nf(ids)", ONE),
    ("ids = []\nfor t in texts:\n    one = tokenizer.encode(t)\n    ids.append(one)\nf(ids)", MANY),
    ("ids = []\nfor t in texts:\n    ids.extend(g(t))\nf(ids)", UNKNOWN),
    ("if a:\n    ids = tokenizer.encode(t)\nelse:\n    ids = [tokenizer.encode(x) for x in t]\nf(ids)", UNKNOWN),
    ("def g(ids):\n    f(ids)", UNKNOWN),
    ("ids = tokenizer.encode(t)\ndef g(texts):\n    ids = [tokenizer.encode(t) for t in texts]\n    f(ids)", MANY),
    ("for ids in batch:\n    f(ids)", UNKNOWN),
    ("ids = ids\nf(ids)", UNKNOWN),
]


@pytest.mark.parametrize(("text", "shape"), CASES)
def test_the_shape_of_an_argument(text: str, shape: str) -> None:
    tree = ast.parse(text)
    (call,) = [
        n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "f"
    ]
    assert shape_of(call.args[0], tree) == shape
