# ruff: noqa: E501 - tables of examples
"""What is read by lines is what the parser reads: the same nodes, or nothing at all."""

from __future__ import annotations

import random

import pytest
import yaml

from vllm_migrate.documents.interface import DELETE, MAP, SEQ, SET, Node, Op, decode
from vllm_migrate.documents.yaml import lines as yaml_lines
from vllm_migrate.documents.yaml.compose import compose
from vllm_migrate.documents.yaml.document import parse_yaml
from vllm_migrate.documents.yaml.edit import Planner
from vllm_migrate.documents.yaml.layout import find_duplicate
from vllm_migrate.documents.yaml.nodes import BlockNode
from vllm_migrate.documents.yaml.usual import usual_edit

KEYS = (
    "a",
    "b",
    "max-num-seqs",
    "use_v1",
    "hydra/launcher",
    "two words",
    "1",
    "$x",
    "a.b@c",
    "x--",
    "true",
    "-a",
    "?",
    ".b",
    "<<",
    '"q"',
    "é",
)
VALUES = (
    *("1", "x", "0.9", "true", "null", "~", "-1", "--flag", "--", "-", "${a.b:c}", "a b  c", "a:b", "a#b", "http://x/y?z=1", "+x", "/data", "...", "---"),
    *('"q"', "'q'", '""', "''", '"a: b # c"', "'it''s'", '"\\n"', '"a" b', "'", '"'),
    *("[]", "[1, 2]", "[ a,b , -1 ]", '["x y", \'z\']', "[a: 1]", "[[1]]", "[1,]", "{}", "{a: 1}", "{a: 1, b: 'x'}", "{a: 1, a: 2}", "{a:1}", "{ a: [1] }", "{{ x }}"),
    *("a: b", "a:", "b #c", "b  # c", "# c", "#c", "|", ">-", "&x 1", "*x", "!t 1", "@x", "%x", "`x", "=", "<x>", "(a)", "a, b]", "é ü", "\u2028", "\t", "x ", "x\t# y", "? x", "- x"),
)  # fmt: skip
ENDS = ("", "", "", "", " ", "  # note", " # é", "#no", " #")


def line(draw: random.Random) -> str:
    blanks = " " * draw.choice((0, 0, 0, 1, 2, 2, 2, 3, 4, 4, 6))
    kind = draw.random()
    if kind < 0.08:
        return draw.choice(("", "  ", "# note", "  # note: x", "---", "--- # x", "...", "text", "- # x", "\t"))
    dashes = "".join(draw.choice(("- ", "- ", "-   ")) for _ in range(draw.choice((0, 0, 0, 1, 1, 2))))
    key = draw.choice(KEYS[: 4 if draw.random() < 0.8 else None]) + ":" if kind < 0.75 else ""
    value = draw.choice(VALUES[: 10 if draw.random() < 0.7 else None]) if draw.random() < 0.6 else ""
    gap = draw.choice((" ", " ", " ", "  ", "")) if key and value else ""
    return blanks + dashes + key + gap + value + draw.choice(ENDS)


def text(draw: random.Random) -> str:
    lines = [line(draw) for _ in range(draw.randint(1, 7))]
    return "\n".join(lines) + draw.choice(("\n", "\n", "", "\n\n", "\n   \n"))


def shape(node: yaml.Node, out: list[object]) -> list[object]:
    """Everything that is known of a node and what is in it."""
    start, end = node.start_mark, node.end_mark
    out.append((node.id, node.tag, start.index, start.line, start.column, end.index))
    if isinstance(node, yaml.ScalarNode):
        out.append((node.value, node.style))
        return out
    out.append(node.flow_style)
    for item in node.value:
        for part in item if isinstance(item, tuple) else (item,):
            shape(part, out)
    return out


def agrees(source: str) -> bool:
    """Whether a text is read by lines; then it must be what the parser reads."""
    blocks = yaml_lines.scan(source)
    if blocks is None:
        return False
    roots, shared = compose(source)  # raises where the parser refuses what was read by lines
    assert not shared
    assert [shape(yaml_lines.composed(block), []) for block in blocks] == [shape(root, []) for root in roots], source
    assert all(find_duplicate(root, source) is None for root in roots)
    return True


@pytest.mark.parametrize("seed", range(8))
def test_random_texts_are_read_as_the_parser_reads_them(seed: int) -> None:
    draw = random.Random(seed)
    read = sum(agrees(text(draw)) for _ in range(1_500))
    assert read > 150  # the comparison is not empty


@pytest.mark.parametrize(
    "source",
    [
        "a: 1\n",
        "a: 1",
        "# head\n\na:\n  b: x # c\n  c:\n  - 1\n  -\n  - d: 2\n    e: [1, 2]\nf: {g: 'h'}\n",
        "- - - a\n    - b\n  - c: 1\n    d: 2\n-\n  - x\n",
        "---\na: 1\n---\n- b\n# end\n",
        "a:\n- b:\n  - c\n- d\ne:\n",
        "  a: 1\n  b: 2\n",
        "a: b   \nc:   \n\n\n",
        "",
        "# nothing\n",
    ],
)
def test_usual_texts_are_read_by_lines(source: str) -> None:
    assert agrees(source)


@pytest.mark.parametrize(
    "source",
    [
        *("a: 1\na: 2\n", "a: {b: 1, b: 2}\n", "a: &x 1\nb: *x\n", "a: !t 1\n", "a: |\n  x\n", "a: b\n  c\n", "a: 'b\n  c'\n"),
        *("a:\tb\n", "a: 1\r\n", "a: \x07\n", "a: \u2028\n", "\ufeffa: 1\n", "a: [1,\n 2]\n", "? a\n: b\n", "a: b: c\n", "a\n"),
        *("a: 1\n b: 2\n", "a: 1\n- b\n", "- a\nb: 1\n", "---\n", "---\n---\na: 1\n", "a: 1\n...\n", "%YAML 1.1\n---\na: 1\n", "{{ x }}\n"),
        "".join(" " * level + "a:\n" for level in range(60)),
        "- " * 60 + "a\n",
        "a: x\n" + "# long\n" * 20_000,
    ],
)  # fmt: skip
def test_all_else_is_left_to_the_parser(source: str) -> None:
    assert yaml_lines.scan(source) is None


def operations(draw: random.Random, node: Node, path: tuple[str | int, ...] = ()) -> list[Op]:
    """Some operations on a random document: on keys that are there, and on one that is not."""
    found: list[Op] = []
    for pair in node.pairs if node.kind == MAP else []:
        here = (*path, pair.key)
        value = draw.choice((True, False, 7, "x", "a b", "1", None, ["y"]))
        found += [Op(DELETE, here), Op(SET, here, value), *operations(draw, pair.value, here)]
    for number, item in enumerate(node.items if node.kind == SEQ else []):
        found += operations(draw, item, (*path, number))
    return [*found, Op(SET, (*path, "new"), draw.choice((True, 1, "x: y"))), Op(DELETE, (*path, "none"))]


@pytest.mark.parametrize("seed", range(4))
def test_usual_edits_are_the_planners_first(seed: int) -> None:
    draw = random.Random(seed)
    compared = 0
    for _ in range(2_000):
        source = text(draw)
        if yaml_lines.scan(source) is None:
            continue
        document = parse_yaml(decode("a.yaml", source.encode()))
        for tree in document.trees:
            for op in operations(draw, tree):
                assert isinstance(tree, BlockNode)
                edits = usual_edit(op, tree)
                if edits is not None:
                    compared += 1
                    assert edits == next(Planner(document.source, tree, document.context).candidates(op)), (source, op)
    assert compared > 300
