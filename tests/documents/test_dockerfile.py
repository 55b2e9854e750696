"""Dockerfiles: what a stage's containers run, offsets, and operations that are made and proved."""

from __future__ import annotations

import pytest

from vllm_migrate.documents.dockerfile.document import Dockerfile, parse_dockerfile
from vllm_migrate.documents.editing import plan_proved
from vllm_migrate.documents.interface import DELETE, INSERT, SET, CannotEdit, Op, Unreadable, apply_edits
from vllm_migrate.documents.text.source import Source


def read(text: str) -> Dockerfile:
    return parse_dockerfile(Source("Dockerfile", text.encode(), text, False, "\n"))


def edited(text: str, *ops: Op) -> str:
    return apply_edits(text, plan_proved(read(text), list(ops))[0])


ARGUMENTS = ("FROM a:1\nENTRYPOINT [%s]\n", "FROM a:1\nENTRYPOINT [%s]\nCMD ['x]\n", "FROM a:1\nentrypoint [%s]\n")


@pytest.mark.parametrize("text", ARGUMENTS)
def test_the_exec_form_is_a_list_with_places(text: str) -> None:
    document = read(text % '"vllm", "serve", "a/b"')
    node = document.roots[0].at(("entrypoint",))
    assert node is not None and node.plain() == ["vllm", "serve", "a/b"]
    assert [document.source.text[item.start : item.end] for item in node.items] == ['"vllm"', '"serve"', '"a/b"']


@pytest.mark.parametrize("body", ["vllm serve a/b", "vllm serve a/b \\\n  --port 8", "vllm \\\n # why\n serve a/b"])
def test_the_shell_form_is_a_text_as_long_as_in_the_file(body: str) -> None:
    document = read(f"FROM a\nCMD {body}\nEXPOSE 8\n")
    node = document.roots[0].at(("command",))
    assert node is not None and isinstance(node.value, str)
    assert node.end - node.start == len(node.value) == len(body)
    assert "why" not in node.value


def test_an_empty_line_in_an_instruction_is_read_and_not_as_long() -> None:
    document = read("FROM a\nCMD vllm serve a/b \\\n\n  --port 8\n")
    node = document.roots[0].at(("command",))
    assert node is not None and str(node.value).split() == ["vllm", "serve", "a/b", "\\", "--port", "8"]
    assert len(str(node.value)) != node.end - node.start


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ("A=1", {"A": "1"}),
        ("A=1 B=2", {"A": "1", "B": "2"}),
        ("A=1 \\\n    B=2", {"A": "1", "B": "2"}),
        ('A=\'x y\' B="z\\"w"', {"A": "x y", "B": 'z"w'}),
        ("A=x\\ y", {"A": "x y"}),
        ("A 1", {"A": "1"}),
        ("A hello world", {"A": "hello world"}),
        ("A b=c", {"A": "b=c"}),
        ("A=", {"A": ""}),
    ],
)
def test_variables_in_both_forms(env: str, expected: dict[str, str]) -> None:
    document = read(f"FROM a\nENV {env}\n")
    node = document.roots[0].at(("env",))
    assert node is not None and node.plain() == expected


def test_a_stage_has_what_it_begins_from_and_others_do_not_count() -> None:
    text = 'FROM a:1 AS base\nENV A=1\nENTRYPOINT ["x"]\nCMD ["y"]\nFROM base\nENTRYPOINT ["z"]\n'
    (root,) = read(text).roots
    assert root.plain() == {"image": "a:1", "env": {"A": "1"}, "entrypoint": ["z"]}
    assert len(read(text + "FROM b\n").roots) == 2


def test_an_argument_before_the_first_stage_names_the_image() -> None:
    (root,) = read("ARG V=v0.8.5\nFROM --platform=linux/amd64 x/y:${V}\n").roots
    assert root.plain()["image"] == "x/y:v0.8.5"


@pytest.mark.parametrize(
    ("text", "scripts"),
    [
        ("RUN a && b", ["a && b"]),
        ("RUN --mount=type=cache,target=/x --network=none a", ["a"]),
        ("RUN <<EOF\na\nb\nEOF", ["a\nb\n"]),
        ("RUN cat <<'EOF' > /s.sh\na\nEOF\nENV A=1", ["cat <<'EOF' > /s.sh\na\nEOF"]),
        ("COPY <<-EOF /s.sh\n\ta\n\tEOF", ["\ta\n"]),
        ('RUN ["a", "b"]', []),
        ("COPY a b", []),
    ],
)
def test_scripts(text: str, scripts: list[str]) -> None:
    node = read(f"FROM a\n{text}\n").roots[0].at(("scripts",))
    assert (node.plain() if node is not None else []) == scripts


EXEC = 'FROM a\nCMD ["--x", \\\n     "1", \\\n     "--y"]\n'


def test_an_argument_is_taken_away_added_and_changed() -> None:
    assert '"1", \\\n     "--y"' in edited(EXEC, Op(DELETE, ("command", 0)))
    assert edited('FROM a\nCMD ["x"]\n', Op(INSERT, ("command", 1), "y")) == 'FROM a\nCMD ["x", "y"]\n'
    assert edited('FROM a\nCMD ["x"]\n', Op(SET, ("command", 0), 'q"')) == 'FROM a\nCMD ["q\\""]\n'


@pytest.mark.parametrize("number", range(3))
def test_what_is_left_of_several_lines_reads_back(number: int) -> None:
    after = read(edited(EXEC, Op(DELETE, ("command", number)))).roots[0].at(("command",))
    assert after is not None and after.plain() == [x for n, x in enumerate(["--x", "1", "--y"]) if n != number]


@pytest.mark.parametrize(
    ("env", "left"),
    [
        ("A=1", ""),
        ("A 1", ""),
        ("A=1 B=2", "ENV B=2\n"),
        ("B=2 A=1", "ENV B=2\n"),
        ("B=2 \\\n    A=1", "ENV B=2\n"),
        ("A=1 \\\n    B=2", "ENV B=2\n"),
    ],
)
def test_a_variable_goes_with_its_line(env: str, left: str) -> None:
    assert edited(f"FROM a\nENV {env}\nCMD x\n", Op(DELETE, ("env", "A"))) == f"FROM a\n{left}CMD x\n"


def test_a_variable_that_is_set_twice_is_left() -> None:
    with pytest.raises(CannotEdit):
        edited("FROM a\nENV A=1\nENV A=2\n", Op(DELETE, ("env", "A")))


def test_first_arguments_are_a_new_instruction() -> None:
    text = 'FROM a\nENTRYPOINT ["x"]\nEXPOSE 1\n'
    assert edited(text, Op(SET, ("command",), ["--y"])) == 'FROM a\nENTRYPOINT ["x"]\nCMD ["--y"]\nEXPOSE 1\n'


def test_another_escape_character_is_not_read() -> None:
    with pytest.raises(Unreadable):
        read("# escape=`\nFROM a\n")
