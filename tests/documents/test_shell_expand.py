"""Arguments as bash itself sees them: the scripts are invented and harmless; a stub prints its arguments."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from vllm_migrate.documents.interface import decode
from vllm_migrate.documents.shell.document import Command, ShellDocument, parse_shell

BASH = shutil.which("bash")
STUB = 'show() { printf "%s\\0" CALL "$@" END; }\n'


def parse(text: str) -> ShellDocument:
    return parse_shell(decode("run.sh", text.encode()))


def shows(text: str) -> list[Command]:
    return [command for command in parse(text).commands if command.words[0].value == "show"]


def argv(text: str) -> list[list[str | None]]:
    """What we say the calls of `show` get."""
    return [[word.value for word in command.words[1:]] for command in shows(text)]


def run_bash(text: str) -> list[list[str]]:
    """What they really get."""
    assert BASH is not None
    env = {"PATH": os.environ.get("PATH", ""), "HOME": "/nowhere"}
    done = subprocess.run([BASH, "-c", STUB + text], capture_output=True, env=env, timeout=20, check=False)
    calls: list[list[str]] = []
    for item in done.stdout.decode().split("\0")[:-1]:
        if item == "CALL":
            calls.append([])
        elif item != "END":
            calls[-1].append(item)
    return calls


DECIDED = [
    "show a b  c",
    "show --k=\\\n\\$ b\\\n\\ c",
    "show a=1 \\\n  b=2 \\\n  c=3\nshow d",
    "show a\\\nb 'x y' \"z w\" q\\ r $'t\\tn\\x41\\'s' \"a\\$b\\\"c\\\\d\\e\"",
    "show '' \"\" a\"\"b x''",
    "show a#b #c\nshow '#d' \\#e",
    "show 'it'\\''s' \"it's\" it\\'s",
    'show \'{"a": [1, 2]}\' key=\'["console","wandb"]\' key="[1,2]"',
    'A=1\nB="x y"\nshow $A "$A" ${A} k=$A $B "$B" k="$B" "${B}z"',
    'A=\nshow $A "$A" x$A k=$A',
    'A=(a \'b c\' "d" e=1)\nshow "${A[@]}" z',
    'A=(\n  a=1  # one\n  # none\n  b=2\n)\nA+=(c=3)\nshow x "${A[@]}" y',
    'A=(a b)\nB=("${A[@]}" c)\nshow "${B[@]}"',
    'A=()\nshow "${A[@]}" ${A[@]} x',
    "A=('a b' c)\nshow ${A[@]}",
    'A=(a b)\nshow ${A[@]+"${A[@]}"} z',
    "A=1\nA=2\nshow $A\nA=3\nshow $A",
    "f() { local A=2 B=3; B=4; show $B; }\nA=1\nf\nshow $A",
    'f() { A=1; declare -a C=(x); show $A "${C[@]}"; }\nf',
    'A=1\nA+=2\nA+="3 4"\nshow $A "$A"',
    'A=x\nB=$A/y\nC="${B}/z"\nshow $C "$C.d"',
    'A=v\nshow ${A:-d} ${A-d} ${A:=d} ${A:?e}\nB=\nshow ${B:-d} "${B:-d e}" ${B-d}.',
    "show a; show b && show c || true; show d & wait; show e | cat; { show f; }; ( show g )",
    "if true; then show a; else :; fi; for i in 1; do show b; done; while false; do :; done; show c",
    "f() { show in; }\nf\nfunction g { show two; }\ng",
    "case x in\n  x) show a;;\n  *) true;;\nesac\nshow b",
    "case --flag in\n  --flag|-f) show a b=1 ;;\n  (--other) true ;;\nesac",
    "cat <<EOF >/dev/null\nshow no\nEOF\nshow a",
    "cat <<'EOF' >/dev/null\nshow $no 'un\nEOF\nshow a",
    "cat <<-EOF >/dev/null\n\tshow no\n\tEOF\nshow a",
    "cat <<A <<B >/dev/null\none\nA\ntwo\nB\nshow c",
    "show a >/dev/stdout 2>&1 b\nshow c 2>/dev/null d &>/dev/stdout",
    'export A=1 B="b c"\nshow $A "$B"',
    "readonly R=5\ndeclare D=6\ndeclare -a E=(7 '8 9')\nshow $R $D \"${E[@]}\"",
    "show a \\\n\n  show b",
    "show a \\\n  # comment \\\n show b",
    "show a=1 \\ \n:",
    "set -euo pipefail; show --flag --key=value -O3 +a.b=c ++d=e '~f'",
    "show ~nobodyhere.key a~b a=b~c",
    "read -r -d '' ARGS <<EOF || true\n--a 1 \\\n  --b \"2\"\nEOF\nshow $ARGS",
    "read -r -d '' ARGS <<'EOF' || true\n--a $x\n--b\nEOF\nshow $ARGS",
    'A="\\\n  a=1 \\\n  b=2"\nshow $A',
    'A="--x 1 --y=$((0))"\nshow z',
    "show a=$'x' \"a\"'b'c",
    "show \\\\ a\\b 'a\\b' \"a\\b\"",
    "show [ab] *.nothinghere {} {a} a{b}c {a",
    'A=a\nshow "$A$A" $A-$A ${A}b$A.c "pre $A post"',
    "A='x  y'\nshow p$A'q r'$A \"$A\"",
    "show 'multi\nline' next",
    "[[ -n a && ( b == b || c < d ) ]] && show a\nshow b",
    "(( 1 < 2 )) && show a; show b",
    "show a\n#comment with 'quote\nshow b",
    "A=1; unset B; show ${A}",
    "! false && show a",
    "time show a 2>/dev/null",
    "A=`echo \\`echo q\\``\nshow b",
    "A=$(case x in x) echo y;; esac)\nshow b",
    "A=$(cat <<EOF\nit's )\nEOF\n)\nshow b",
    'A="${B:-"q}"}"\nshow b',
]


@pytest.mark.skipif(BASH is None, reason="no bash")
@pytest.mark.parametrize("text", DECIDED)
def test_arguments_are_those_of_bash(text: str) -> None:
    ours = argv(text)
    real = run_bash(text)
    assert len(ours) == len(real)
    assert ours == real


# (script, for each call of show: the arguments we are sure of; None is one we must not claim to know)
UNDECIDED = [
    ("show $X", [[None]]),
    ('show "$@" a', [[None, "a"]]),
    ("show $(echo x) `echo y` k=$(echo 'z)') b", [[None, None, None, "b"]]),
    ("show \"$(echo 'x)' | cat)\"; show b", [[None], ["b"]]),
    ("X=${X:-1}\nshow k=$X", [[None]]),
    ("X=${1:-1}\nshow k=$X", [[None]]),
    ("X=1\nif true; then X=2; fi\nshow k=$X", [[None]]),
    ("X=1\n[ -n a ] && X=2\nshow k=$X", [[None]]),
    ("X=1\nf() { X=2; }\nf\nshow k=$X", [[None]]),
    ("f() { X=2; }\nX=1\nf\nshow k=$X", [[None]]),
    ("f() { read X <<<2; }\nX=1\nf\nshow k=$X", [[None]]),
    ("f() { export X=2; }\nX=1\nif true; then f; fi\nshow k=$X", [[None]]),
    ("g() { show k=$X; }\nX=1\ng\nX=2\ng", [[None]]),
    ("local X=1\nshow k=$X", [[None]]),
    ("X=1\nshow $\\\nX $X\\\nY", [[None, None]]),
    ("X=1\nfor X in a b; do show k=$X; done", [[None]]),
    ("X=1\nfor i in a b; do show k=$X; X=2; done", [[None]]),
    ("X=1\nwhile read X; do :; done </dev/null\nshow k=$X", [[None]]),
    ("X=1\nread X <<<2\nshow k=$X", [[None]]),
    ("X=1\nprintf -v X 2\nshow k=$X", [[None]]),
    ("X=1\n(( X += 1 ))\nshow k=$X", [[None]]),
    ("X=1\nsource ./nothing.sh 2>/dev/null\nshow k=$X", [[None]]),
    ("X=1\nunset X\nshow k=$X", [[None]]),
    ("X=1 Y='a b' show $X z; show b", [[None, "z"], ["b"]]),
    ("( X=1 )\nshow k=$X", [[None]]),
    ("X=1 | cat\nshow k=$X", [[None]]),
    ("show k=$X\nX=1", [[None]]),
    ('show "${A[@]}" z', [[None, "z"]]),
    ('A=(1 2)\nA[0]=3\nshow "${A[@]}"', [[None]]),
    ('A=(1 2)\nshow "${#A[@]}" "${A[1]}" $A', [[None, None, None]]),
    ("show {a,b} {1..3} k={x,y}", [[None, None, None]]),
    ("show ~ ~/x k=~/x", [[None, None, "k=~/x"]]),
    ("X=abc\nshow ${X%c} ${X/a/b} ${#X} ${X:1}", [[None, None, None, None]]),
    ("show $((1 + 2)) $? $# $$ $0", [[None] * 5]),
]


@pytest.mark.parametrize(("text", "expected"), UNDECIDED)
def test_what_the_file_does_not_decide_is_unknown(text: str, expected: list[list[str | None]]) -> None:
    assert argv(text) == expected


HINTS = [
    ("E=${E:-vllm}\nshow name=$E", "name=vllm"),
    ("E=${1:-vllm}\nshow name=${E}", "name=vllm"),
    ('show "${A:-x y}"', "x y"),
    ("A=${B:-1}\nC=${D:-$A}\nshow $C", "1"),
    ("show ${A:-${B:-'c d'}}", "c d"),
    ("X=1\nif true; then X=2; fi\nshow $X", "1"),
    ("show $X", None),
    ("show ${X:+alt}x", "x"),
    ("X=${HOME}/a\nshow $X", None),
    ("show ${A:=b}", "b"),
    ("show plain", "plain"),
]


@pytest.mark.parametrize(("text", "hint"), HINTS)
def test_hint_is_the_value_when_nothing_outside_says_otherwise(text: str, hint: str | None) -> None:
    word = shows(text)[0].words[1]
    assert word.hint == hint
    assert (word.value is None) == (hint != "plain")


def test_unknown_prefix_and_wide_describe_the_undecided_part() -> None:
    a, b, c, d = shows('show k=$X $Y "$@" "${Z}"')[0].words[1:]
    assert (a.prefix, a.unknown, a.wide) == ("k=", "$X", False)
    assert (b.prefix, b.unknown, b.wide) == ("", "$Y", True)
    assert (c.unknown, c.wide) == ("$@", True)
    assert (d.unknown, d.wide) == ("${Z}", False)


def test_quoted_is_the_quote_around_the_word_or_its_value() -> None:
    words = shows("show a 'b' \"c\" k='v' k=\"v\" k=v'w' 'a'b'c'")[0].words[1:]
    assert [word.quoted for word in words] == ["", "'", '"', "'", '"', "", ""]


def test_words_of_an_array_point_at_its_elements() -> None:
    text = 'A=(\n  a=1\n)\nif x; then A+=(b=2); fi\nshow "${A[@]}" c=3\n'
    a, b, c = shows(text)[0].words[1:]
    assert text[a.start : a.end] == "a=1" and a.via == "A" and a.array is not None and not a.maybe
    assert text[b.start : b.end] == "b=2" and b.via == "A" and b.maybe
    assert c.via == "" and c.array is None and not c.maybe


def test_an_array_replaced_in_a_branch_leaves_its_elements_in_doubt() -> None:
    word = shows('A=(a)\nif x; then A=(b); fi\nshow "${A[@]}"')[0].words[1]
    assert (word.value, word.maybe) == ("a", True)
    word = shows('if x; then A=(a); else A=(b); fi\nshow "${A[@]}"')[0].words[1]
    assert (word.value, word.maybe) == ("a", True)


def test_words_split_out_of_a_string_point_into_it() -> None:
    text = 'A="a=1 \\\n  b=$X c=3"\nshow $A\n'
    words = shows(text)[0].words[1:]
    assert [word.value for word in words] == ["a=1", None, "c=3"]
    assert [text[word.start : word.end] for word in words] == ["a=1", "b=$X", "c=3"]
    assert {word.via for word in words} == {"A"} and all(word.array is None for word in words)


def test_a_doubling_chain_of_variables_stays_small() -> None:
    chain = "A0=xxxxxxxx\n" + "".join(f"A{i}=$A{i - 1}$A{i - 1}\n" for i in range(1, 60)) + "show $A59 $A3"
    big, small = shows(chain)[0].words[1:]
    assert big.value is None and small.value == "x" * 64
    arrays = "A0=(x y)\n" + "".join(f'A{i}=("${{A{i - 1}[@]}}" "${{A{i - 1}[@]}}")\n' for i in range(1, 60))
    assert len(shows(arrays + 'show "${A59[@]}"')[0].words) < 300_000
