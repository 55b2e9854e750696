"""Commands that a variable holds as one string, and strings that `eval` joins."""

from __future__ import annotations

import subprocess

import pytest

from vllm_migrate.documents.interface import Source
from vllm_migrate.documents.shell.document import parse_shell
from vllm_migrate.documents.shell.nested import nested

SCRIPTS = [
    'C="serve a --x 1"\neval $C',
    'C="serve a --x 1"\neval "$C"',
    'C="serve a --j \'{\\"k\\": 1}\' --y"\neval $C',
    'A="--x 1"\nC="serve a $A --y"\neval "$C" --z',
    'C="serve a"\nC="$C --x 1"\neval "${C}"',
    'C="serve a --x 1 > /dev/null"\neval $C',
]


def read(text: str) -> list[str | None]:
    document = parse_shell(Source("", b"", text, False, "\n"))
    return [word.value for word in document.commands[-1].words][1:]


@pytest.mark.parametrize("text", SCRIPTS)
def test_the_words_are_those_that_bash_makes(text: str) -> None:
    shown = "serve() { printf '%s\\n' serve \"$@\" >&2; }\n" + text
    ran = subprocess.run(["bash", "-c", shown], capture_output=True, text=True, check=True)
    assert read(text) == ran.stderr.splitlines()


def test_the_longest_of_several_commands_counts() -> None:
    assert read('C="cd /x && serve a --x 1 && echo done"\neval $C') == ["serve", "a", "--x", "1"]


def test_what_the_file_does_not_decide_stays_undecided() -> None:
    words = read('C="serve $MODEL --x \\$Y"\neval $C')
    assert words == ["serve", None, "--x", None]


def test_a_word_stands_where_the_string_has_it() -> None:
    text = 'C="serve a --flag 1"\neval $C'
    document = parse_shell(Source("", b"", text, False, "\n"))
    word = document.commands[-1].words[3]
    assert text[word.start : word.end] == "--flag" and word.via == "C"


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ('export COMMAND="python -m a --x 1"\nsbatch ray.sub', [["python", "-m", "a", "--x", "1"]]),
        ('COMMAND="python -m a" sbatch ray.sub', [["python", "-m", "a"]]),
        ('COMMAND="vllm serve a"\nexport COMMAND\nrun', [["vllm", "serve", "a"]]),
        ('TITLE="python is here"\necho "$TITLE"', []),
        ('export NAME="a b"\nrun', []),
        ('eval "serve a --n "x" \\\n  --y 1"', [["serve", "a", "--n", "x", "--y", "1"]]),
        ('C="serve a"\nssh host "$C"', [["serve", "a"]]),
    ],
)
def test_scripts_in_strings(text: str, commands: list[list[str]]) -> None:
    document = parse_shell(Source("", b"", text, False, "\n"))
    assert [
        [word.value for word in command.words] for inner in nested(document) for command in inner.commands
    ] == commands
