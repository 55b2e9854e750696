"""The structure of scripts: words against tree-sitter-bash, heredocs, scopes, lost overrides, hostile input."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
import tree_sitter
import tree_sitter_bash

from vllm_migrate.documents.interface import Unreadable, decode
from vllm_migrate.documents.shell.document import ShellDocument, parse_shell

LANGUAGE = tree_sitter.Language(tree_sitter_bash.language())


def parse(text: str) -> ShellDocument:
    return parse_shell(decode("run.sh", text.encode()))


LAUNCH = """#!/usr/bin/env bash
# invented launcher: every construct the scanner must see through
set -xeuo pipefail
export VLLM_USE_V1=1 TOKEN="x y"
MODEL=${MODEL:-org/model}
ENGINE=${1:-vllm}
n=8
DATA=(
    data.train="${DIR}/train.parquet"   # a comment with 'a quote
    data.files="['$DIR/a', '$DIR/b']"

    +data.extra=1
)
ROLLOUT=( rollout.name=$ENGINE rollout.n=$n 'rollout.stop=["a b"]' )
case "${ENGINE}" in
    vllm | "hf")
        ROLLOUT+=(
            ++rollout.kw.seed=0
        )
        ;;
    --flag) echo no ;;
    *)
        echo "unsupported: $ENGINE" >&2
        exit 1
        ;;
esac
if [ "$n" -gt 4 ] && [[ $MODEL == *org* || ( -n $n ) ]]; then
    extra="--x $(nproc --all | awk '{print $1}')"
elif test -f x; then
    for f in a b "c d"; do python one.py --file="$f" --n $((n * 2)); done
else
    while read -r line; do echo "$line" | tr a b; done < <(cat list.txt)
fi
prepare() {
    local where=$1
    cat <<EOF > "$where"
key: $MODEL
--not-a-flag x=1
EOF
    PYTHONPATH=. python prepare.py --out "$where" || return 1
}
prepare /tmp/x && ( cd sub; make all )
VLLM_X=0 python3 -m pkg.main --config-path=conf \\
    "${DATA[@]}" \\
    ~actor.unused \\
    actor.lr=1e-6 actor.betas='[0.9, 0.95]' \\
    "trainer.logger=['console','wandb']" \\
    trainer.name="run-${ENGINE}_$(date +%s)" \\
    "${ROLLOUT[@]}" \\
    -O3 --flag value "$@" 2>&1 | tee -a log.txt
ray job submit --address="http://127.0.0.1:8265" -- vllm serve "$MODEL" \\
    --port 8000 --hf-overrides '{"a": {"b": 1}}' &
wait
"""


def tree_words(text: str) -> set[tuple[int, int]]:
    """Spans of arguments, array elements and assignments as tree-sitter-bash sees them."""
    data = text.encode()
    root = tree_sitter.Parser(LANGUAGE).parse(data).root_node
    assert not root.has_error
    spans: set[tuple[int, int]] = set()
    stack = [root]
    skipped = {"command_substitution", "process_substitution", "test_command"}
    plain = {"file_redirect", "heredoc_redirect", "herestring_redirect", "comment", "(", ")"}
    while stack:
        node = stack.pop()
        if node.type in skipped and not data.startswith(b"[ ", node.start_byte):
            continue
        if node.type in ("command", "array", "declaration_command"):
            for child in node.children:
                if child.type in plain or (node.type == "array" and not child.is_named):
                    continue
                spans.add((len(data[: child.start_byte].decode()), len(data[: child.end_byte].decode())))
        stack += node.children
    return spans


def our_words(document: ShellDocument) -> set[tuple[int, int]]:
    commands = [
        command for command in document.commands if command.written[0].raw != "["
    ]  # a test there, a command here
    spans = {(word.start, word.end) for command in commands for word in command.written}
    spans |= {
        (word.start - len(name) - 1, word.end) for command in document.commands for name, word in command.assignments
    }
    for arrays in document.arrays.values():
        spans |= {(word.start, word.end) for array in arrays for word in array.items}
    return spans


def test_words_are_those_of_tree_sitter() -> None:
    assert our_words(parse(LAUNCH)) == tree_words(LAUNCH)
    assert len(our_words(parse(LAUNCH))) > 80


def test_words_are_those_of_tree_sitter_with_windows_newlines() -> None:
    windows = LAUNCH.replace("\n", "\r\n")
    ours = [[word.raw for word in command.written] for command in parse(windows).commands]
    assert ours == [[word.raw for word in command.written] for command in parse(LAUNCH).commands]


def test_commands_in_order_with_their_names() -> None:
    names = [command.words[0].raw for command in parse(LAUNCH).commands]
    inner = ["echo", "echo", "exit", "[", "test", "python", "read", "echo", "tr", "local", "cat", "python", "return"]
    assert names == ["set", "export", *inner, "prepare", "cd", "make", "python3", "tee", "ray", "wait"]


def test_a_launch_behind_arrays() -> None:
    command = next(c for c in parse(LAUNCH).commands if c.words[0].raw == "python3")
    values = [word.value for word in command.words]
    assert values[:6] == ["python3", "-m", "pkg.main", "--config-path=conf", None, None]
    assert [word.prefix for word in command.words if word.via] == [
        "data.train=",
        "data.files=['",
        "+data.extra=1",
        "rollout.name=",
        "rollout.n=8",
        'rollout.stop=["a b"]',
        "++rollout.kw.seed=0",
    ]
    assert [word.raw for word in command.words if word.maybe] == ["++rollout.kw.seed=0"]
    assert [(name, word.value) for name, word in command.assignments] == [("VLLM_X", "0")]
    assert command.sure is False  # its output is piped
    assert [(op, word.raw) for op, word in command.redirects] == [(">&", "1")]


def test_exports_variables_and_heredocs() -> None:
    document = parse(LAUNCH + "LATE=1\nexport LATE\n")
    assert [(name, word.value) for name, word in document.exports] == [
        ("VLLM_USE_V1", "1"),
        ("TOKEN", "x y"),
        ("LATE", "1"),
    ]
    assert document.variables["n"].value == "8"
    assert document.variables["MODEL"].hint == "org/model"
    (heredoc,) = document.heredocs
    assert document.source.text[heredoc.start : heredoc.end] == "key: $MODEL\n--not-a-flag x=1\n"
    assert (heredoc.delimiter, heredoc.quoted, heredoc.target and heredoc.target.raw) == ("EOF", False, '"$where"')
    assert document.commands[heredoc.command].words[0].raw == "cat"


def test_sure_is_what_no_branch_decides() -> None:
    text = "a\nif b; then c; fi\nd && e\n{ f; }\n( g )\nh() { i; }\nfor x in y; do j; done\nk | l\nm &\nn"
    sure = {command.words[0].raw: command.sure for command in parse(text).commands}
    assert [name for name, is_sure in sure.items() if is_sure] == ["a", "d", "f", "n"]


def test_comments_are_kept_with_their_place() -> None:
    text = "#!/bin/sh\na #b\nA=(\n  x # y\n)\n: '#no' a#no $# ${x#no}\n"
    assert [text[start:end] for start, end in parse(text).comments] == ["#!/bin/sh", "#b", "# y"]


# (script, [(reason, first lost word, how many)])
BROKEN = [
    ("p a.b=1 \\\n\n  c.d=2 \\\n  e=3\n", [("blank", "c.d=2", 2)]),
    ("p a.b=1 \\\n   \t\n  --flag x\n", [("blank", "--flag", 2)]),
    ("p a.b=1 \\\r\n\r\n  c.d=2\r\n", [("blank", "c.d=2", 1)]),
    ("p a.b=1 \\\n  # c.d=2 \\\n  +e.f=3 \\\n  g=4\n", [("comment", "+e.f=3", 2)]),
    ("p a.b=1 \\\n  # one\n  # two \\\n\n  ~g.h\n", [("comment", "~g.h", 1)]),
    ("p a.b=1 \\ \n  c.d=2\n", [("space", "c.d=2", 1)]),
    ("p a.b=1 \\\t \n  ++c=2\n", [("space", "++c=2", 1)]),
    ("p a.b=1 \\\n  c.d=2\n  e.f=3 \\\n  g.h=4\n", [("missing", "e.f=3", 2)]),
    ("vllm serve m \\\n  --x 1\n  --y 2\n", [("missing", "--y", 2)]),
    ("vllm serve m \\\n  --x\n  --y 2\n", [("missing", "--y", 2)]),
    ('p a.b=1 \\\n  # c=1 \\\n  "$@"\n', [("comment", '"$@"', 1)]),
    ('p a.b=1 \\\n\n  "${REST[@]}" c=1\n', [("blank", '"${REST[@]}"', 2)]),
    ("p a.b=1 \\\n\n  x=1 c.d=$e\n", [("blank", "x=1", 2)]),
    ("p a.b=1 \\\n\n  'c.d=[1]'\n", [("blank", "'c.d=[1]'", 1)]),
    ("p a=1 \\\n\n  b.c=2 \\\n\n  d.e=3\n", [("blank", "b.c=2", 1), ("blank", "d.e=3", 1)]),
    ("if x; then\n  p a=1 \\\n\n    b.c=2\nfi\n", [("blank", "b.c=2", 1)]),
    # nothing is lost
    ("p a.b=1 \\\n  c.d=2 \\\n\necho done\n", []),
    ("p a.b=1 \\\n\nX=1\n", []),
    ("p a.b=1 \\\n\nexport X=1\n", []),
    ("p a.b=1 \\\n\n# the next one\npython --flag\n", []),
    ("p a.b=1 \\\n\nif true; then --x; fi\n", []),
    ("p a.b=1\n\n# c.d=1 \\\n# e.f=2\n", []),
    ("p a.b=1 # why \\\n\nq c.d=2\n", []),
    ("case $x in\n  --flag) p a=1 \\\n\n  ;;\n  --other|-o)\n    q ;;\n  +x=*) r ;;\nesac\n", []),
    ("while [ $# -gt 0 ]; do\n  case $1 in\n    --a) A=$2; shift 2 \\\n\n ;;\n    --b=*) B=1 ;;\n  esac\ndone\n", []),
    ("cat <<EOF\np a=1 \\\n\n  b.c=2\nEOF\n", []),
    ("echo 'p a=1 \\\n\n  b.c=2'\n", []),
    ("A=(\n  a=1 \\\n\n  b.c=2\n)\n", []),
    ("p a.b=1 \\\n\n~/bin/tool x\n", []),
    ("p a.b=1 \\\n\n./dir/x=1/run\n", []),
    ("p a.b=1 \\\n", []),
    ("p a.b=1 \\", []),
    ("p a.b=1 &&\n\n  q c.d=2\n", []),
]


@pytest.mark.parametrize(("text", "expected"), BROKEN)
def test_lost_overrides(text: str, expected: list[tuple[str, str, int]]) -> None:
    document = parse(text)
    assert [(broken.reason, broken.lost[0].raw, len(broken.lost)) for broken in document.lost] == expected
    for broken in document.lost:
        assert text[broken.at] == "\\" or broken.reason == "missing"
        owner = document.commands[broken.command + 1].after
        assert broken in document.commands[owner].lost
        assert document.commands[owner].written[0].raw in ("p", "vllm")


def test_binary_and_huge_files_are_unreadable() -> None:
    with pytest.raises(Unreadable) as caught:
        parse("ab\ncd\0e")
    assert (caught.value.reason, caught.value.line, caught.value.column) == ("binary", 2, 3)
    with pytest.raises(Unreadable) as caught:
        parse("#" * 1_000_001)
    assert caught.value.reason == "too-large"


def look_at_everything(document: ShellDocument) -> None:
    text = document.source.text
    for command in document.commands:
        assert 0 <= command.start <= command.end <= len(text)
        for word in command.written:
            assert text[word.start : word.end] == word.raw != ""
        for word in command.words:
            assert 0 <= word.start <= word.end <= len(text)
            assert isinstance(word.value, str | None) and isinstance(word.hint, str | None)
            assert (word.unknown == "") == (word.value is not None)
    for arrays in document.arrays.values():
        for array in arrays:
            assert array.start < array.open <= array.end <= len(text)
    assert isinstance(document.variables, dict)


def test_mutations_never_crash() -> None:
    rng = random.Random(20240611)
    seeds = [LAUNCH, *[text for text, _ in BROKEN]]
    bits = ["\\", "\n", "'", '"', "$(", "${", "`", ")", "}", "(", "<<E", "case x in ", "esac"]
    bits += [";;", "#", " ", "$", "{", "\r", ""]
    for _ in range(1500):
        text = rng.choice(seeds)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(text) + 1)
            cut = at + rng.choice([0, 0, 1, 3, 40])
            text = text[:at] + rng.choice(bits) + text[cut:]
        with suppress(Unreadable):
            look_at_everything(parse(text))


UNITS = [
    "p a.b=1 \\\n",
    "x=$y$x\n",
    "{ ",
    "`",
    "'",
    '"',
    "<<E ",
    "case x in a) ",
    "if a; then ",
]
UNITS += ["A+=($A)\n", "\\\n", "\\", "#\n", "a=1 \\\n\n", "f() {", "[[ ", "a{", "E\n", "$A ", "echo ${A[@]}\n"]
UNITS += [
    "{{,",
    "a\\\nb",
    "\t",
    "$'",
    "<<E\nE \n",
    "-- \\\n # \\\n",
    'x="$x',
    "a;",
    "|",
    "export A=$A\n",
]


@pytest.mark.parametrize("unit", ["$(", '"$(', "${", "$(case x in a) ", "${a:-", "<(", "$(b `a` "])
def test_what_nests_too_deep_is_refused(unit: str) -> None:
    with pytest.raises(Unreadable, match="never closed"):
        parse("vllm serve x=" + unit * 40)
    with pytest.raises(Unreadable, match="nest deeper") as caught:
        parse("vllm serve x=" + unit * 10_000)
    assert caught.value.reason == "too-deep"


@pytest.mark.parametrize("unit", UNITS)
def test_long_repetitions_end(unit: str) -> None:
    """Eighty thousand characters of anything are read, or refused; what a scan costs is measured in benchmarks/."""
    text = ("A=(a)\n" if "A" in unit else "") + unit * (80_000 // len(unit))
    try:
        document = parse(text)
    except Unreadable as error:
        assert error.line >= 1
        return
    for command in document.commands:
        assert command.end <= len(text)
        assert all(word.raw is not None for word in command.words[:50])
