"""Reading YAML: nodes, spans, values, aliases and merges; what cannot be read, and why."""

from __future__ import annotations

import itertools
import re
import sys

import pytest
import yaml

from vllm_migrate.documents.interface import MAP, SCALAR, SEQ, Node, Unknown, Unreadable, decode
from vllm_migrate.documents.yaml import compose as yaml_compose
from vllm_migrate.documents.yaml.document import C_PARSER, YamlDocument, parse_yaml
from vllm_migrate.documents.yaml.nodes import YamlNode


def read(text: str, omegaconf: bool = False) -> YamlDocument:
    return parse_yaml(decode("f.yaml", text.encode()), omegaconf)


def node(text: str, *path: str | int) -> Node:
    root = read(text).root
    found = root.at(path) if root else None
    assert found is not None
    return found


def span(text: str, *path: str | int) -> str:
    found = node(text, *path)
    return text[found.start : found.end]


def test_the_c_parser_is_there_and_used() -> None:
    assert C_PARSER
    assert issubclass(yaml_compose._Composer, yaml._yaml.CParser)


def test_kinds_values_and_flow() -> None:
    root = node("a: 1\nb: [x, 2.5]\nc: {d: true}\ne:\n- ~\n")
    assert root.kind == MAP and not root.flow
    assert [(p.key, p.value.kind, p.value.flow) for p in root.pairs] == [
        ("a", SCALAR, False), ("b", SEQ, True), ("c", MAP, True), ("e", SEQ, False),
    ]  # fmt: skip
    assert root.plain() == {"a": 1, "b": ["x", 2.5], "c": {"d": True}, "e": [None]}


def test_only_what_is_asked_for_becomes_a_node() -> None:
    document = read("a: {x: 1}\nb: {y: 2}\n")
    assert document.trees[0].at(("b", "y")).value == 2
    assert document.trees[0]._pairs is None
    assert list(document.trees[0]._cache or ()) == ["b"]


def test_get_and_pairs_return_the_same_object() -> None:
    root = node("a: {x: 1}\n")
    child = root.get("a")
    assert root.pairs[0].value is child and root.get("a") is child


def test_several_documents() -> None:
    assert [root.plain() for root in read("a: 1\n---\nb: 2\n---\n...\n").roots] == [{"a": 1}, {"b": 2}, None]
    assert read("").roots == [] and read("# only\n").root is None


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("a:\n  b: 1\n  # tail\n\nc: 2\n", ("a",), "b: 1"),  # the end mark swallows comments and blanks
        ("a:\n  b:\n  - x # note\n\n# c\nd: 1\n", ("a",), "b:\n  - x"),
        ("a: |\n  text\n\nb: 1\n", ("a",), "|\n  text"),
        ("a: |+\n  text\n\n\nb: 1\n", ("a",), "|+\n  text"),
        ("a: &x 5\n", ("a",), "5"),
        ("a: &x\n  # note\n  b: 1\n", ("a",), "b: 1"),
        ("a: &x\nb: 1\n", ("a",), ""),
        ("a: !tag 5\n", ("a",), "!tag 5"),
        ("a: &x 5\nb: *x\nc: 1\n", ("b",), "*x"),
        ("a: &x [1]\nb: [*x, 2, *x ]\n", ("b", 2), "*x"),
        ("a: &x [1]\nb:\n- *x # c\n- # d\n  *x\n", ("b", 1), "*x"),
        ("a: &x [1]\nb:\n- *x\n# tail\nc: 1\n", ("b",), "- *x"),
        ("a: 'it''s'\n", ("a",), "'it''s'"),
        ("a: {b: 1, c: }\n", ("a",), "{b: 1, c: }"),
        ("é: 'ü'\nb: 1\n", ("b",), "1"),
        ("a: '\u2028'\r\nb: 1\r\n", ("b",), "1"),
    ],
)
def test_spans(text: str, path: tuple[str | int, ...], expected: str) -> None:
    assert span(text, *path) == expected


def test_a_byte_order_mark_does_not_shift_spans() -> None:
    source = decode("f.yaml", b"\xef\xbb\xbfa: 1\nb: 22\n")
    found = parse_yaml(source).root.get("b")
    assert source.text[found.start : found.end] == "22"
    assert source.position(found.start) == (2, 4)


def test_columns_count_code_points_and_yaml_line_breaks_do_not_shift_lines() -> None:
    source = decode("f.yaml", "a: 'x\u2028y'\nb: 😀 # c\nc: 1\n".encode())
    assert source.position(parse_yaml(source).root.get("c").start) == (3, 4)


def test_raw_text_and_style() -> None:
    root = read("a: 'x'\nb: \"y\"\nc: z\nd: |\n  t\n").trees[0]
    nodes = [p.value for p in root.pairs if isinstance(p.value, YamlNode)]
    assert [(value.text, value.style) for value in nodes] == [
        ("'x'", "'"), ('"y"', '"'), ("z", ""), ("|\n  t", "|"),
    ]  # fmt: skip


def test_anchors_aliases_and_merges() -> None:
    text = "base: &b {x: 1, y: {z: 2}}\nuse: *b\nplain: 3\nm:\n  <<: *b\n  x: 5\n"
    root = node(text)
    assert root.get("base").shared and root.get("use").shared and root.at(("use", "y", "z")).shared
    assert not root.get("plain").shared and not root.get("m").shared
    merged = root.get("m")
    assert [(p.key, p.merged) for p in merged.pairs] == [("x", False), ("x", True), ("y", True)]
    assert merged.get("x").value == 5 and merged.at(("y", "z")).value == 2
    assert merged.plain() == {"x": 5, "y": {"z": 2}}


def test_an_anchor_nobody_uses_is_not_shared() -> None:
    root = node("a: &x 1\nb: '*x'\n")
    assert not root.get("a").shared


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {k: 1, l: 1}\nb: &b {k: 2, m: 2}\nc:\n  <<: [*a, *b]\n",
        "a: &a {k: 1}\nb: &b\n  <<: *a\n  l: 2\nc:\n  m: 3\n  <<: *b\n",
        "c:\n  <<: {k: 1}\n  l: 2\n",
        "c: {'<<': 1, k: 2}\n",
    ],
)
def test_merges_agree_with_pyyaml(text: str) -> None:
    loaded = yaml.safe_load(text)
    root = node(text)
    assert root.plain() == loaded
    for key, value in loaded["c"].items():
        assert root.get("c").get(key).plain() == value


@pytest.mark.parametrize(
    "text", ["a: &a {k: 1}\nb: &b {k: 2}\nc:\n  <<: *a\n  <<: *b\n", "a: &a {k: 1, k: 2}\nc:\n  <<: *a\n"]
)
def test_of_duplicates_that_are_merged_the_last_wins(text: str) -> None:
    """As PyYAML read them up to 6.0.3; 6.0.4 takes the first."""
    assert node(text).plain()["c"] == {"k": 2}


def test_duplicate_keys_are_kept_and_the_last_wins() -> None:
    root = node("a: 1\nb: 2\na: 3\n")
    assert [p.key for p in root.pairs] == ["a", "b", "a"]
    assert root.get("a").value == 3 and root.plain() == {"a": 3, "b": 2}


def test_keys_are_text() -> None:
    root = node("on: 1\n2: b\n~: c\n'q': d\n? [x, y]\n: e\n")
    assert [p.key for p in root.pairs] == ["on", "2", "~", "q", "[x, y]"]


def test_explicit_tags_are_never_constructed() -> None:
    root = node("a: !!python/object/apply:os.system ['x']\nb: !secret s\nc: !Ref {d: 1}\ne: !!str 5\nf: !!int '7'\n")
    assert root.get("a").value == Unknown("!!python/object/apply:os.system ['x']")
    assert root.get("b").value == Unknown("!secret s")
    assert (root.get("c").kind, root.get("c").value) == (SCALAR, Unknown("!Ref {d: 1}"))
    assert (root.get("e").value, root.get("f").value) == ("5", 7)
    assert root.plain()["c"] == Unknown("!Ref {d: 1}")


def test_template_holes_that_parse_are_unknown() -> None:
    root = node("a: {{ .Values.x }}\nb: '{{ y }}'\nc: ${z}\n")
    assert root.get("a").value == Unknown("{{ .Values.x }}")
    assert root.get("b").value == "{{ y }}" and root.get("c").value == "${z}"
    assert root.plain()["a"] == Unknown("{{ .Values.x }}")


# --- what cannot be read


def unreadable(text: str) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        read(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: 1\nb: [1,\nc: 2\n", 4, 1),
        ("a: 1\n  b: 2\n", 2, 4),
        ("a: *nobody\n", 1, 4),
        ("a: 'x\n", 2, 1),
        ("a: 1\nb: \x01\n", 2, 4),
        ("\ufeffa: 1\n", 1, 1),
    ],
)
def test_syntax_errors_have_a_place(text: str, line: int, column: int) -> None:
    if text.startswith("\ufeff"):
        text = "\ufeff" + text
    error = unreadable(text)
    assert (error.reason, error.line, error.column) == ("syntax", line, column)
    assert "\n" not in error.message and error.message


@pytest.mark.parametrize(
    "text", ["{{- if .Values.x }}\na: 1\n{{- end }}\n", "a: {% if x %}1{% endif %}\n", "a: {{x}}{{y}}\n"]
)
def test_templates_are_told_apart(text: str) -> None:
    assert unreadable(text).reason == "template"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10_000 + "]" * 10_000,
        "[" * 1_000_000,
        "{a: " * 10_000,
        "- " * 10_000 + "x",
        "? " * 10_000 + "x",
        "\n".join(" " * depth + "a:" for depth in range(1_000)),
        "".join(f"a{i}: &a{i} [{'*a' + str(i - 1) if i else 1}]\n" for i in range(1_000)),
        "\n".join(["a: [1]"] * 0 + ["[" * 201 + "]" * 201]),
    ],
)
def test_deep_nesting_is_refused_early(text: str) -> None:
    assert unreadable(text).reason == "too-deep"


def test_what_just_fits_is_read_without_touching_the_recursion_limit() -> None:
    limit = sys.getrecursionlimit()
    deep = yaml_compose.MAX_DEPTH
    value: object = read("[" * deep + "]" * deep).root.plain()
    for _ in range(deep - 1):
        assert isinstance(value, list)
        value = value[0]
    assert value == [] and sys.getrecursionlimit() == limit
    block = "\n".join(" " * depth + "a:" for depth in range(99)) + " 1\n"
    assert isinstance(read(block).root.plain(), dict)


def test_alias_bombs() -> None:
    names = "abcdefghi"
    bomb = 'a: &a ["lol","lol","lol","lol","lol","lol","lol","lol","lol"]\n'
    for before, name in itertools.pairwise(names):
        bomb += f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    assert unreadable(bomb).reason == "alias-bomb"
    assert unreadable("a: &a [*a]\n").reason == "alias-bomb"
    assert unreadable("a: &a\n  b: {c: *a}\n").reason == "alias-bomb"
    assert unreadable("a: &a\n  <<: *a\n").reason == "alias-bomb"


def test_harmless_aliases_are_read() -> None:
    text = "a: &a [1, 2]\nb: &b [*a, *a]\nc: {x: *b, y: *a}\n"
    assert node(text).plain() == yaml.safe_load(text)


def test_large_files() -> None:
    assert unreadable("a: '" + "x" * yaml_compose.MAX_CHARACTERS + "'\n").reason == "too-large"
    assert unreadable("[" + "a," * 250_000 + "]").reason == "too-large"
    assert len(node("\n".join(f"k{i}: {i}" for i in range(20_000))).pairs) == 20_000


def test_the_pure_parser_gives_the_same_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x {b: 1, c: [on, 'off']}\nd: *x\ne: |\n  text\n\n# c\nf:\n- 1e-6\n-\n"
    fast = read(text)
    monkeypatch.setattr(yaml_compose, "_Composer", yaml_compose._PureComposer)
    slow = read(text)
    assert slow.root.plain() == fast.root.plain()

    def walk(found: Node) -> list[tuple[int, int, str, bool]]:
        below = [p.value for p in found.pairs] + found.items
        return [(found.start, found.end, found.kind, found.shared)] + [row for one in below for row in walk(one)]

    assert slow.root is not None and fast.root is not None
    assert walk(slow.root) == walk(fast.root)
    assert unreadable("[" * 500).reason == "too-deep"
    assert unreadable("a: [1,\n").reason == "syntax"


def test_messages_never_hold_the_text_of_the_file() -> None:
    assert not re.search("hunter2", unreadable("password: 'hunter2\n").message)
