"""What bash refuses is refused, with its place, and nothing else is; and no edit leaves a script that bash refuses."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed, Unreadable, decode
from vllm_migrate.documents.shell.document import ShellDocument, WordOp, parse_shell
from vllm_migrate.documents.shell.edit import plan
from vllm_migrate.documents.shell.proof import prove

BASH = shutil.which("bash")
EXAMPLES = Path(__file__).parents[2] / "examples"


def parse(text: str) -> ShellDocument:
    return parse_shell(decode("run.sh", text.encode()))


def bash_reads(text: str) -> bool:
    """Whether `bash -n` takes the text without a word: it complains of some errors, and yet exits with 0."""
    assert BASH is not None
    done = subprocess.run([BASH, "-n"], input=text.encode(), capture_output=True, timeout=20, check=False)
    return done.returncode == 0 and not done.stderr


# Each with the line and the column where what is wrong begins.
REFUSED = [
    ("p\nq 'a\n", 2, 3, "a single quote is never closed"),
    ("q \"a $(b '\n", 1, 10, "a single quote is never closed"),
    ('q "a\n', 1, 3, "a double quote is never closed"),
    ("q `a\n", 1, 3, "a backtick is never closed"),
    ("q $'a\n", 1, 3, "a single quote is never closed"),
    ("q $(a\n", 1, 3, "`$(` is never closed"),
    ("q ${a\n", 1, 3, "`${` is never closed"),
    ('q "${a:-\'}"\n', 1, 9, "a single quote is never closed"),
    ("q $((a)\n", 1, 3, "`$((` is never closed"),
    ("q $[a\n", 1, 3, "`$[` is never closed"),
    ("q <(a\n", 1, 3, "`<(` is never closed"),
    ("a[1\n", 1, 2, "`[` is never closed"),
    ("a=(b\nc\n", 1, 3, "`(` is never closed"),
    ("a=(b;c)\n", 1, 5, "`;` is not expected here"),
    ("q a=(b)\n", 1, 5, "`(` is not expected here"),
    ("p\nif a; then\n  b\n", 2, 1, "`if` is never closed"),
    ("if a; then b; else\n  c\n", 1, 1, "`if` is never closed"),
    ("for x in a; do\n  b\n", 1, 1, "`for` is never closed"),
    ("for x in a b\n", 1, 1, "`for` is never closed"),
    ("while a; do\n  b\n", 1, 1, "`while` is never closed"),
    ("p\ncase a in\n b) c;;\n", 2, 1, "`case` is never closed"),
    ("f() {\n  a\n", 1, 5, "`{` is never closed"),
    ("(a\n", 1, 1, "`(` is never closed"),
    ("((a\n", 1, 2, "`(` is never closed"),
    ("[[ a == b\n", 1, 1, "`[[` is never closed"),
    ("[[ a b ]]\n", 1, 6, "not a condition"),
    ("[[ -f ]]\n", 1, 7, "not a condition"),
    ("p <<E\na\n", 1, 5, "the heredoc is never closed: no line is `E`"),
    ("p\nfi\n", 2, 1, "`fi` is not expected here"),
    ("done\n", 1, 1, "`done` is not expected here"),
    ("p; esac\n", 1, 4, "`esac` is not expected here"),
    ("then a\n", 1, 1, "`then` is not expected here"),
    ("do a\n", 1, 1, "`do` is not expected here"),
    ("p )\n", 1, 3, "`)` is not expected here"),
    ("p ;;\n", 1, 3, "`;;` is not expected here"),
    ("p\n}\n", 2, 1, "`}` is not expected here"),
    ("if a; then fi\n", 1, 12, "`fi` is not expected here"),
    ("if ; then a; fi\n", 1, 4, "`;` is not expected here"),
    ("while a; do done\n", 1, 13, "`done` is not expected here"),
    ("p; ; q\n", 1, 4, "`;` is not expected here"),
    ("p | | q\n", 1, 5, "`|` is not expected here"),
    ("p &&\n", 1, 3, "nothing follows `&&`"),
    ("p >\n", 1, 3, "nothing follows `>`"),
    ("p | ! q\n", 1, 5, "`!` is not expected here"),
    ("(a) b\n", 1, 5, "`b` is not expected here"),
    ("f() a\n", 1, 5, "`a` is not expected here"),
    ("q $(if)\n", 1, 7, "`)` is not expected here"),
    ("case a in b c) d;; esac\n", 1, 13, "`c` is not expected here"),
    ("for ((a;b)); do c; done\n", 1, 5, "`for ((` needs three expressions"),
    ("coproc\n", 1, 1, "nothing follows `coproc`"),
]

READ = (
    """
! p
time -p p; time; ! { p; }
if [[ a ]] fi
if a; then (b) fi
if a & then b & fi
if a; then if b; then c; fi fi
for x in do b; do c; done
for x; do b; done
for x in a; { b; }
for ((;;)) do d; done
select x in a; do b; done
function if { a; } >f
$x() { a; }
f() [[ a ]]
f() if a; then b; fi 2>f
q "${x:-"}"}" ${x:-{} ${} `if` `a '` $() $(<f) $((1 << 2)) $((a) ) $((a ${)) $[ ( ]
q a[ "$$(a" $${x ]
a[1 + 2]=3
x=( [a b]=c a[b <(f) )
eval a=(b); alias a=(b)
>f if
2>&1 a {fd}>g <<< b >&-
a <(b) > >(c)
case a in (esac) b;; if) c ;& d|e) esac
case in- in in) i;; esac; d
x=$(case a in b) c;; esac)
[[ a =~ ^(b c|d)$ && ! ( -f e || f < g ) ]]
[[ a == @(b|c) ]] || d
((a) || (b)); ((a << 2))
coproc X { a; }
until a; do b; done | c && d
""".replace("if [[ a ]] fi", "if a; then [[ a ]] fi")
    .strip()
    .splitlines()
)


@pytest.mark.parametrize(("text", "line", "column", "message"), REFUSED)
def test_what_bash_refuses_has_its_place(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(text)
    error = caught.value
    assert (error.reason, error.line, error.column) == ("syntax", line, column)
    assert error.message.startswith(message)
    assert BASH is None or not bash_reads(text)


@pytest.mark.parametrize("text", READ)
def test_what_bash_reads_is_read(text: str) -> None:
    parse(text + "\n")
    assert BASH is None or bash_reads(text + "\n")


def test_patterns_with_brackets_are_read_where_bash_is_told_to() -> None:
    with pytest.raises(Unreadable):
        parse("rm !(a|b)\n")
    assert parse("shopt -s extglob\nrm !(a|b)\n").commands[1].written[1].raw == "!(a|b)"


TOKENS = re.compile(r"[ \t]+|\n|[\w./-]+|&&|\|\||;;|\$\(\(|\$\(|\$\{|<<-?|\[\[|\]\]|\(\(|\)\)|.", re.S)
INSERTED = [
    "'",
    '"',
    "`",
    "$(",
    "${",
    "$((",
    "fi",
    "done",
    "esac",
    "then",
    "do",
    ")",
    ";;",
    "}",
    "if",
    "for",
    "while",
    "case",
    "{",
    "(",
    ";",
    "&",
    "&&",
    "||",
    "|",
    "<<EOF",
    "<",
    ">",
    "[[",
    "]]",
    "((",
    "))",
    "else",
    "elif",
    "in",
    "!",
    "#",
    "$'",
    "function",
    "()",
    "a=(",
    "[",
    "]",
    "time",
    "until",
    "coproc",
    "x(",
    "$[",
    "<(",
    "$",
    "=~",
    "==",
]


def mutated(text: str, chance: random.Random) -> str:
    """The script with one token taken out, put in, or moved."""
    tokens = TOKENS.findall(text)
    at = chance.randrange(len(tokens))
    kind = chance.random()
    if kind < 0.4:
        signs = [i for i, token in enumerate(tokens) if token in INSERTED]
        del tokens[chance.choice(signs) if signs and chance.random() < 0.7 else at]
    elif kind < 0.5:
        other = chance.randrange(len(tokens))
        tokens[at], tokens[other] = tokens[other], tokens[at]
    else:
        around = chance.choice(["", " ", "\n"])
        tokens.insert(at, around + chance.choice([*INSERTED, "\n", " \\\n"]) + around)
    return "".join(tokens)


def members(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    scripts = [path.read_text() for path in sorted(EXAMPLES.rglob("*.sh"))] + ["\n".join(READ[:-1]) + "\n"] * 8
    return [mutated(chance.choice(scripts), chance) for _ in range(count)]


def agrees(text: str) -> bool:
    try:
        parse(text)
    except Unreadable:
        return not bash_reads(text) or re.search(r"\[\[[^\n]*(?:!|&&|\|\||\[\[|\()\s*\]\]|for \(\(", text) is not None
    return bash_reads(text)


@pytest.mark.skipif(BASH is None, reason="no bash")
def test_mutated_scripts_are_read_when_bash_reads_them() -> None:
    """But for what `bash -n` passes over in silence, and bash refuses: `[[ a && ]]`, an unbalanced `for ((`."""
    texts = members(300, 11)
    with ThreadPoolExecutor(2) as pool:
        assert [text for text, same in zip(texts, pool.map(agrees, texts), strict=True) if not same] == []


@pytest.mark.skipif(BASH is None, reason="no bash")
def test_no_edit_leaves_what_bash_refuses() -> None:
    chance = random.Random(5)
    written = 0
    for text in members(120, 12):
        try:
            document = parse(text)
        except Unreadable:
            continue
        places = [(c.index, i) for c in document.commands for i in range(1, len(c.words))]
        if not places:
            continue
        command, word = chance.choice(places)
        op = WordOp(chance.choice(["insert_after", "delete"]), command, word, ("--new",))
        try:
            after = prove(document, plan(document, [op]), [op])
        except (CannotEdit, ProofFailed):
            continue
        if not bash_reads(text):
            continue  # what is read although bash refuses it is counted by the test before
        written += 1
        assert bash_reads(after.source.text), after.source.text
    assert written > 20


CRLF = "p a=1 \\\r\n  b=2\r\nexport A=1\r\n"


@pytest.mark.parametrize(
    "op",
    [WordOp("insert_after", 0, 1, ("c=3",)), WordOp("insert_after", 0, 2, ("c=3",)), WordOp("replace", 0, 2, ("b=3",))],
)
def test_no_argument_ends_in_a_carriage_return(op: WordOp) -> None:
    with pytest.raises(CannotEdit, match="CRLF"):
        plan(parse(CRLF), [op])


@pytest.mark.parametrize("edit", [Edit(0, 0, "fi\n"), Edit(0, 0, "x='"), Edit(0, 0, "f() ")])
def test_a_proof_fails_where_the_text_is_refused(edit: Edit) -> None:
    document = parse("p a=1\nexport A=1\n")
    with pytest.raises(ProofFailed, match="does not parse"):
        prove(document, [edit], [])


@pytest.mark.parametrize("text", ["p a=1 b=2\nif x; then\r\n  y\nfi\n", "p a=1 b=2\r\nq\n", "p a=1 b=2\rq\n"])
def test_nothing_is_written_where_only_some_lines_end_in_crlf(text: str) -> None:
    """Whether bash reads such a script at all depends on what stands before each CR."""
    document = parse(text)
    op = WordOp("replace", 0, 1, ("a=2",))
    with pytest.raises(ProofFailed, match="CRLF"):
        prove(document, plan(document, [op]), [op])


@pytest.mark.parametrize(
    "script", ["if a; then b; fi", "while a; do b; done", "{ a; }", "case a in b) c;; esac", "time a"]
)
def test_a_word_that_a_continuation_tears_is_the_word(script: str) -> None:
    """A continuation at each place of each beginning of a script: bash itself is the judge."""
    words = script.split(" ")
    for whole in (" ".join(words[: i + 1]) for i in range(len(words))):
        for at in range(1, len(whole)):
            text = f"{whole[:at]}\\\n{whole[at:]}\n"
            taken = subprocess.run(["bash", "-n", "-c", text], capture_output=True, check=False)
            read = True
            try:
                parse(text)
            except Unreadable:
                read = False
            assert not read or (taken.returncode == 0 and not taken.stderr), text


# What stands around an assignment, what is assigned, and what is glued to it.
HEADS = (
    *("", "", "", "declare ", "export ", "local -a ", "typeset -A ", "eval ", "alias ", "x=1 ", "a=(b) ", "let ", "q "),
    *(
        "! ",
        "time ",
        ">f ",
        "declare >f ",
        "a=(b) >f ",
        "2>f ",
        "command ",
        "exp\\\nort ",
        "f() ",
        "[[ a ]] && ",
        "for i in ",
    ),
)
TARGETS = ("a=", "a=", "a+=", "a[0]=", "a[0]+=", "a[b c]=", "_x9=", "a.b=", "9a=", "$a=", '"a"=', "a\\\n=")
ASSIGNED = (
    *("()", "(x)", "(x)", '("x y" $z)', "([k]=v)", "(x # c\n)", "x", '"x"', "", "(\n)", "(a=(b))", "(a b=c)"),
    *("($(q))", "(x", "(x;y)", "(<(f))", "((x))"),
)
GLUED = (
    *(
        "y",
        '"y z"',
        "$y",
        "${y}",
        "$(y)",
        "`y`",
        "\\\n",
        "y=",
        "y=(z)",
        "(z)",
        "=(z)",
        "+=(z)",
        "#c",
        "[0]=(x)",
        "{a,b}",
    ),
    *(
        "<(f)",
        ">(f)",
        "?(g)",
        "@(g)",
        "\\ ",
        "\\(",
        "}",
        ")",
        ";",
        ">f",
        "1>f",
        "{d}>g",
        "<<<b",
        "$'y'",
        "$((1))",
        "$[1]",
    ),
    *("é", "\t", "$", "*", "[", "]", "&", "|q"),
)
AFTER = (
    "",
    "",
    "",
    " b=(c)",
    " q",
    "; q",
    " & q",
    " | q",
    " b=c",
    " # n",
    " >f",
    " b=(c)d",
    " (z)",
    "\n(z)",
    " \\\n q",
)
AROUND = (
    "{}",
    "{}",
    "{}",
    "x=$({})",
    "if a; then {}\nfi",
    "f() {{ {}\n}}",
    'q "$({})"',
    "( {} )",
    "case a in b) {};; esac",
)


def assignments(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    texts = []
    for _ in range(count):
        around, head = chance.choice(AROUND), chance.choice(HEADS)
        if "$(" in around and head == "time ":
            head = ""  # bash 5.2 takes `time` for no reserved word right behind `$(`
        glued = "".join(chance.choices(GLUED, k=chance.choice([0, 1, 1, 2, 3])))
        body = head + chance.choice(TARGETS) + chance.choice(ASSIGNED) + glued + chance.choice(AFTER)
        texts.append(around.format(body) + "\n")
    return texts


@pytest.mark.skipif(BASH is None, reason="no bash")
def test_what_is_glued_to_an_array_belongs_to_its_word() -> None:
    texts = assignments(500, 3)
    with ThreadPoolExecutor(2) as pool:
        read = list(pool.map(bash_reads, texts))
    assert 100 < sum(read) < 400
    assert [text for text, same in zip(texts, read, strict=True) if same != reads(text)] == []


def reads(text: str) -> bool:
    try:
        parse(text)
    except Unreadable:
        return False
    return True


@pytest.mark.parametrize(
    "text", ["a=(x)y\n", 'a=(x)"y z"\n', "declare a=(x)$b\n", "a=(x)\\\ny\n", "a=(x)#y\n", "a[0]=(x)y\n"]
)
def test_an_array_with_something_glued_to_it_has_a_value_that_is_not_known(text: str) -> None:
    document = parse(text + 'q "${a[@]}" "$a"\n')
    assert not document.arrays and document.commands[-1].words[1].value is None


@pytest.mark.parametrize("text", ["ab\\\nc=d\n", "export ab\\\nc=d\n", "exp\\\nort abc=d\n"])
def test_a_torn_name_is_the_name(text: str) -> None:
    value = parse(text + "q $abc\n").commands[-1].words[1].value
    assert value == "d"
