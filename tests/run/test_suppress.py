"""Suppression comments: what they cover, what is left over, and how they are written."""

from __future__ import annotations

import textwrap

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vllm_migrate.documents.interface import apply_edits
from vllm_migrate.run.add_ignores import add_ignores
from vllm_migrate.run.suppress import KnownRules, Suppressions, line_spans


def hidden(text: str, code: str = "VM101", name: str = "some-rule") -> list[int]:
    """The lines on which a finding would be hidden."""
    lines = text.count("\n") + 1
    return [line for line in range(1, lines + 1) if Suppressions.parse(text).match(code, name, line)]


@pytest.mark.parametrize(
    ("comment", "covered"),
    [
        ("# vllm-migrate: ignore[VM101] reason", True),
        ("# vllm-migrate: ignore[VM999, vm101]", True),
        ("# vllm-migrate: ignore[some-rule]", True),
        ("# vllm-migrate: ignore[VM1]", True),
        ("# vllm-migrate: ignore", True),
        ("#vllm-migrate:ignore[VM101]", True),
        ("## vllm-migrate: ignore [VM101]", True),
        ("# see issue 3 # vllm-migrate: ignore[VM101]", True),
        ("# vllm-migrate: ignore[VM2] # vllm-migrate: ignore[VM101]", True),
        ("// vllm-migrate: ignore[VM101]", True),
        ("# vllm-migrate: ignore[VM102]", False),
        ("# vllm-migrate: ignore[VM1011]", False),
        ("# vllm-migrate: ignore[some]", False),
        ("# vllm-migrate: see the docs", False),
        ("vllm-migrate: ignore[VM101]", False),
        ("x#vllm-migrate: ignore[VM101]", False),
    ],
)
def test_end_of_line(comment: str, covered: bool) -> None:
    assert hidden(f"a: 1\nb: 2  {comment}\nc: 3\n") == ([2] if covered else [])


def test_reason_is_kept() -> None:
    found = Suppressions.parse("a: 1  # vllm-migrate: ignore[VM101, x-y]: measured, see #12\n")
    match = found.match("VM101", "", 1)
    assert match is not None
    assert (match.reason, match.codes, match.line, match.column) == ("measured, see #12", ("vm101", "x-y"), 1, 7)


def test_line_of_its_own_counts_for_the_next_line_only() -> None:
    assert hidden("a: 1\n# vllm-migrate: ignore[VM101]\nb: 2\nc: 3\n") == [3]
    assert hidden("a: 1\n  # vllm-migrate: ignore[VM101]\n# because\nb: 2\nc: 3\n") == [4]
    assert hidden("a: 1\n# vllm-migrate: ignore[VM101]\n\nb: 2\n") == [3]
    assert hidden("# vllm-migrate: ignore[VM101]\na: 1\nb: 2\n") == [2]


def test_command_continued_over_lines_is_covered_from_above() -> None:
    script = "cd x\n# vllm-migrate: ignore[VM101]\nvllm serve m \\\n  --a 1 \\\n  --b 2\nvllm serve n\n"
    assert hidden(script) == [3, 4, 5]
    assert hidden(script.replace("\n", "\r\n")) == [3, 4, 5]
    assert hidden("# vllm-migrate: ignore\necho a\\\\\nb\n") == [2]


@pytest.mark.parametrize(
    "head",
    [
        "# vllm-migrate: ignore-file[VM101] why\na: 1\n",
        "#!/bin/bash\n# licence\n# vllm-migrate: ignore-file\na\n",
        "a: 1  # vllm-migrate: ignore-file[some-rule]\n",
        "# vllm-migrate: ignore[VM101]\n\na: 1\n",
        "# about\n\n# vllm-migrate: ignore[VM101]\n---\na: 1\n",
    ],
)
def test_once_for_a_file(head: str) -> None:
    text = head + "b: 2\n"
    assert Suppressions.parse(text).match("VM101", "some-rule", text.count("\n"))
    assert Suppressions.parse(text).match("VM101", "some-rule", 1)


def test_unused_is_told_code_by_code() -> None:
    text = "a: 1  # vllm-migrate: ignore[VM101,VM2,x-y]\nb: 2 # vllm-migrate: ignore\nc: 3 # vllm-migrate: ignore\n"
    found = Suppressions.parse(text)
    assert found.match("VM101", "", 1)
    assert found.match("VM203", "", 1)
    assert found.match("VM300", "", 2)
    assert [(each.line, each.column, each.codes) for each in found.unused()] == [(1, 7, ("x-y",)), (3, 6, ())]
    assert [each.line for each in found.unused(lambda code: code != "x-y")] == [3]


def test_a_suppression_of_the_line_is_used_before_one_of_the_file() -> None:
    found = Suppressions.parse("# vllm-migrate: ignore-file\na: 1  # vllm-migrate: ignore[VM101]\n")
    assert found.match("VM101", "", 2)
    assert [each.line for each in found.unused()] == [1]


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("# vllm-migrate: ignore[VM101", "no closing bracket"),
        ("# vllm-migrate: ignore[]", "no code between the brackets"),
        ("# vllm-migrate: ignored[VM1]", "'ignored' is not known"),
        ("# vllm-migrate: disable=VM1", "'disable' is not known"),
        ("# vllm-migrate: ignore(VM105)", r"square brackets, ignore[CODE]"),
        ("# vllm-migrate: ignore (vm105)", "square brackets"),
        ("# vllm-migrate: ignore: VM105", "square brackets"),
        ("# vllm-migrate: ignore VM105 measured", "square brackets"),
        ("# vllm-migrate: ignore VMX", "square brackets"),
        ("# vllm-migrate: ignore=some-rule", "square brackets"),
        ("# vllm-migrate: ignore(made-up)", "square brackets"),
        ("# vllm-migrate: ignore - some-rule", "square brackets"),
        ("# vllm-migrate: ignore: [VM105]", "square brackets"),
        ("# vllm-migrate: ignore {VM105}", "square brackets"),
        ("# vllm-migrate: ignore-file(VM105)", "square brackets, ignore-file[CODE]"),
        ("# vllm-migrate: ignore-file some-rule", "square brackets"),
    ],
)
def test_mistakes(comment: str, message: str) -> None:
    found = Suppressions.parse(f"a: 1 {comment}\n", ["some-rule"])
    assert [each.line for each in found.malformed] == [1]
    assert message in found.malformed[0].message
    assert not found.all


@pytest.mark.parametrize("reason", ["", "measured", ": see #12", "- see VM105", "(twice measured)", "vmem is enough"])
def test_without_brackets_all_rules_are_meant_and_a_reason_may_follow(reason: str) -> None:
    found = Suppressions.parse(f"a: 1 # vllm-migrate: ignore {reason}\n", ["some-rule"])
    assert found.match("VM101", "some-rule", 1) and not found.malformed


def test_what_a_run_can_tell_of_a_comment() -> None:
    judged = KnownRules([("VM101", "some-rule", True), ("VM102", "other-rule", False), ("VM200", "third-rule", True)])
    assert [judged.exists(given) for given in ("vm101", "vm1", "some-rule", "vm9", "nonsense", "all")] == (
        [True, True, True, False, False, False]
    )
    assert [judged.tells(given) for given in ("vm101", "vm102", "vm1", "vm2", "vm9", "other-rule")] == (
        [True, False, False, True, True, False]
    )
    assert [judged.looks_at(given) for given in ("vm101", "vm102", "vm9")] == [True, False, False]


def test_ignore_file_far_down_is_a_mistake() -> None:
    assert Suppressions.parse("a: 1\n" * 30 + "# vllm-migrate: ignore-file\n").malformed[0].line == 31


@given(st.text(alphabet="ab\r\n\u2028", max_size=30))
def test_lines_are_those_of_an_editor(text: str) -> None:
    lines = [text[a:b] for a, b in line_spans(text)]
    assert lines == text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


@given(st.text(alphabet="#/ \n\\[],ab", max_size=40), st.text(alphabet=" :[]-,ignorefilVM1", max_size=30))
def test_no_text_is_too_strange(before: str, after: str) -> None:
    text = f"{before}# vllm-migrate: ignore{after}\nb: 1\n" * 2
    found = Suppressions.parse(text)
    for line in range(1, text.count("\n") + 1):
        found.match("VM101", "x", line)
    assert len(found.unused()) <= len(found.all) <= 2


def added(path: str, text: str, *wanted: tuple[int, str]) -> str:
    text = textwrap.dedent(text)
    return apply_edits(text, add_ignores(path, text, wanted).edits)


def test_add_at_the_end_of_a_line_above_a_command_and_into_brackets() -> None:
    assert added("a.yaml", "a: 1\nb: 2  # why\n", (2, "VM101"), (2, "VM102"), (1, "VM3")) == (
        "a: 1  # vllm-migrate: ignore[VM3]\nb: 2  # why  # vllm-migrate: ignore[VM101, VM102]\n"
    )
    assert added("a.sh", "if x; then\n  vllm serve \\\n    --a\nfi", (3, "VM1"), (2, "VM2")) == (
        "if x; then\n  # vllm-migrate: ignore[VM1, VM2]\n  vllm serve \\\n    --a\nfi"
    )
    assert added("a.yaml", "a: 1  # vllm-migrate: ignore[VM101] why\r\n", (1, "VM102")) == (
        "a: 1  # vllm-migrate: ignore[VM101, VM102] why\r\n"
    )
    assert added("a.jsonc", '{\r\n"a": 1,  \r\n"b": 2}', (2, "VM1")) == (
        '{\r\n"a": 1,  // vllm-migrate: ignore[VM1]\r\n"b": 2}'
    )


def test_what_is_added_hides_the_finding() -> None:
    for path, text in (
        ("a.yaml", "a:\n  b: 1\n  c: 2"),
        ("a.sh", "x\ny \\\n z \\\n w\n"),
        ("a.toml", "a = 1\r\nb = 2\r\n"),
    ):
        for line in range(1, 3):
            edited = added(path, text, (line, "VM101"))
            shift = edited.count("\n") - text.count("\n")
            assert Suppressions.parse(edited).match("VM101", "", line + shift), (path, line, edited)
            assert not Suppressions.parse(edited).unused(lambda code: False)


def test_nothing_is_written_where_it_would_change_the_data() -> None:
    text = 'a: "one\n  two"\nb: |\n  text\n  more\nc: 1\n'

    def same(edited: str) -> bool:
        return bool(yaml.safe_load(edited) == yaml.safe_load(text))

    result = add_ignores("a.yaml", text, [(1, "VM1"), (4, "VM2"), (3, "VM3"), (6, "VM4")], keeps_meaning=same)
    assert result.refused == [4]
    edited = apply_edits(text, result.edits)
    assert same(edited)
    assert edited.splitlines()[0] == "# vllm-migrate: ignore[VM1]"
    assert edited.splitlines()[3] == "b: |  # vllm-migrate: ignore[VM3]"
    assert add_ignores("a.yaml", "a: 1\n\n", [(2, "VM1")]).refused == [2]
    assert add_ignores("a.json", '{"a": 1}', [(1, "VM1")]).refused == [1]
