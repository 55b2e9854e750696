"""How time grows with the length of hostile inputs: for each family of texts, CPU seconds at growing sizes.

    python benchmarks/growth.py [--largest 1000000] [--seconds 20] [FAMILY...]

The exponent is that of the last step (1: time grows as the text does, 2: with its square). A family stops growing where
one text takes longer than --seconds. `reason` is that of the VM9xx finding where a text is refused.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from functools import partial

from vllm_migrate.documents.interface import Unreadable, decode

Make = Callable[[int], str]


def repeated(piece: str, before: str = "", after: str = "") -> Make:
    """A text of about n characters."""
    return lambda n: before + piece * (n // len(piece)) + after


def nested(opening: str, closing: str, before: str = "", inner: str = "", after: str = "") -> Make:
    def make(n: int) -> str:
        depth = n // (len(opening) + len(closing))
        return before + opening * depth + inner + closing * depth + after

    return make


YAML = {
    "one long scalar": repeated("x", "a: "),
    "one long quoted": repeated("''", "a: '", "'"),
    "one long line of colons": repeated(":", "a: b"),
    "flow nest": nested("[", "]", "a: "),
    "flow list": repeated("x, ", "a: [", "]"),
    "flow map": repeated("x: 1, ", "a: {", "}"),
    "many keys": repeated("key: 1\n"),
    "deep maps": lambda n: "".join(" " * i + "a:\n" for i in range(int(math.sqrt(2 * n)))),
    "spaces": repeated(" ", "a:", "b"),
    "blank lines": repeated("\n", "a:\n", "  b: 1\n"),
    "comments": repeated("# x\n", "a: 1\n"),
    "documents": repeated("---\na: 1\n"),
    "aliases": repeated("- *a\n", "a: &a 1\nb:\n"),
    "anchors": lambda n: "".join(f"k{i}: &a{i} 1\n" for i in range(n // 14)),
    "block scalar": repeated("  x\n", "a: |\n"),
    "dashes": repeated("- ", "a:\n  "),
    "tabs": repeated("\t", "a:", "1"),
    "interpolations": repeated("${a.", "a: ", "}"),
}
TOML = {
    "many keys": lambda n: "".join(f"k{i} = 1\n" for i in range(n // 12)),
    "many tables": lambda n: "".join(f"[t{i}]\na = 1\n" for i in range(n // 14)),
    "array of tables": repeated("[[t]]\na = 1\n"),
    "array": repeated("1,", "a = [", "]"),
    "nest": nested("[", "]", "a = "),
    "inline nest": nested("{a=", "}", "a = ", "1"),
    "dotted": lambda n: "a." * (n // 2) + "a = 1\n",
    "dotted keys": lambda n: "".join(f"a.b{i}.c = 1\n" for i in range(n // 14)),
    "string": repeated("x", 'a = "', '"'),
    "multiline": repeated('x"', 'a = """', ' """'),
    "comments": repeated("# x\n"),
    "number": repeated("1", "a = "),
}
JSON = {
    "array": repeated("1,", "[", "1]"),
    "object": lambda n: "{" + ",".join(f'"k{i}": 1' for i in range(n // 13)) + "}",
    "nest": nested("[", "]"),
    "object nest": nested('{"a":', "}", inner="1"),
    "string": repeated("\\n", '"', '"'),
    "open string": repeated("\\", '"'),
    "comments": repeated("/**/", "[", "]"),
    "slashes": repeated("/", "[1, ", "]"),
    "number": repeated("1"),
    "spaces": repeated(" ", "[", "]"),
}
SHELL = {
    "words": repeated("a ", "vllm serve "),
    "one word": repeated("a", "vllm serve "),
    "commands": repeated("a b\n"),
    "continued": repeated("a \\\n", "vllm serve "),
    "assignments": repeated("A=1\n"),
    "variables": repeated("$A ", "A=x\nvllm serve "),
    "self growing": repeated('A="$A x"\n', "A=x\n", "vllm serve $A\n"),
    "doubling": repeated('A="$A$A"\n', "A=x\n", "vllm serve $A\n"),
    "substitutions": nested("$(", ")", "vllm serve ", "x"),
    "defaults": nested("${a:-", "}", "vllm serve ", "x"),
    "quoted defaults": nested('"${a:-', '}"', "vllm serve ", "x"),
    "braces": nested("{ ", "; }", inner="a"),
    "parentheses": nested("(", ")", inner="a"),
    "ifs": nested("if a; then\n", "fi\n", inner="b\n"),
    "heredocs": repeated("cat <<E\nx\nE\n"),
    "open heredocs": repeated("<<E ", "cat "),
    "backticks": repeated("`", "vllm serve "),
    "open quotes": repeated("'\"", "vllm serve "),
    "backslashes": repeated("\\", "vllm serve "),
    "pipes": repeated("a | ", "", "b\n"),
    "arrays": repeated("a=1\n", "A=(\n", ')\nvllm serve "${A[@]}"\n'),
    "array twice": repeated('B=("${A[@]}" x)\n', "A=(a)\n", 'vllm serve "${B[@]}"\n'),
    "appended": repeated("A+=(x)\n", "A=()\n", 'vllm serve "${A[@]}"\n'),
    "functions": repeated("f() { a; }\n"),
    "functions called": repeated("f\n", "f() { a; }\n"),
    "bash -c": nested('bash -c "', '"', inner="vllm serve m"),
    "arithmetic": nested("$((1+", "))", "x=", "1"),
    "brace lists": repeated("{a,b}", "vllm serve "),
    "case": repeated("a) b;;\n", "case x in\n", "esac\n"),
    "lost": repeated("a.b=1 \\\n\n"),
    "comments": repeated("# a\n"),
    "spaces": repeated(" ", "vllm serve", "m"),
}
PYTHON = {
    "calls": repeated("f(a=1)\n"),
    "call nest": nested("f(", ")"),
    "keywords": lambda n: "f(" + ",".join(f"k{i}=1" for i in range(n // 9)) + ")\n",
    "additions": repeated("+1", "x = 1", "\n"),
    "attributes": repeated(".a", "x", "()\n"),
    "call chain": repeated("().a", "x", "()\n"),
    "ifs": lambda n: "".join(" " * i + "if a:\n" for i in range(90)) + " " * 90 + "f()\n" * 1,
    "list": repeated("1,", "f(a=[", "])\n"),
    "strings": repeated("'a'", "f(a=", ")\n"),
    "é": repeated("é", 'f(a="', '", b=1)\n'),
    "long line of calls": repeated("f(é);"),
    "statements on a line": repeated("f(a=1);"),
}
TEXT = {
    "plain": repeated("x"),
    "keys": repeated("token "),
    "key signs": repeated("token_"),
    "assignments": repeated("api_key: a "),
    "quotes": repeated("token='"),
    "colons": repeated(":"),
    "urls": repeated("://a@"),
    "shapes": repeated("hf_"),
    "dashes": repeated("--token "),
    "marks": repeated("# vllm-migrate: ignore[VM101] "),
    "mark lines": repeated("# vllm-migrate: ignore[VM101]\n"),
    "open marks": repeated("vllm-migrate: ignore["),
    "codes": repeated("V,", "# vllm-migrate: ignore["),
    "marks over continued lines": repeated("# vllm-migrate: ignore\n" + "a \\\n" * 20),
    "continued lines before a mark": repeated("a \\\n", "", "# vllm-migrate: ignore\n"),
    "spaces": repeated(" ", "token", ":"),
}


PINS = {
    "requirements": repeated("vllm==0.8.5 "),
    "requirement lines": repeated("vllm==0.8.5\n"),
    "names": repeated("vllm"),
    "open requirement": repeated("vllm==$"),
    "images": repeated("vllm/vllm-openai:$V V="),
    "quotes": repeated('"vllm >='),
    "direct": repeated("\nvllm @ x"),
}


def numbered(piece: str, before: str = "", after: str = "") -> Make:
    """A text of about n characters, in which `@` is the number of the piece."""
    return lambda n: before + "".join(piece.replace("@", str(i)) for i in range(n // len(piece))) + after


POD = (
    "apiVersion: v1\nkind: Pod\nmetadata: {name: p@}\nspec:\n  containers:\n"
    "  - {name: c, image: 'vllm/vllm-openai:v0.8.5', args: [--model, m]}\n---\n"
)
CELL = '{"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": null, "source": ["%s\\n"]}'
NOTEBOOK = '{"cells": [', CELL % "from vllm import LLM" + '], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
ENGINES: dict[str, tuple[str, Make]] = {
    "commands": ("a.sh", numbered("vllm serve m@ --max-model-len 1000\n")),
    "commands of one shell each": ("a.sh", numbered("bash -c 'vllm serve m@ --max-model-len 1000'\n")),
    "repeated options": ("a.sh", numbered("--max-model-len @ ", "vllm serve m ", "\n")),
    "appended options": ("a.sh", numbered("A+=(--seed @)\n", "A=(vllm serve m)\n", '"${A[@]}"\n')),
    "suppressed": ("a.sh", numbered("x=@ # vllm-migrate: ignore[VM102]\n", "vllm serve m\n")),
    "calls": ("a.py", numbered('a@ = LLM(model="m", seed=@)\n', "from vllm import LLM\n")),
    "functions": ("a.py", numbered('def f@():\n    return LLM(model="m", seed=@)\n', "from vllm import LLM\n")),
    "calls of dicts": ("a.py", numbered('k@ = {"model": "m"}\na@ = LLM(**k@)\n', "from vllm import LLM\n")),
    "lists of arguments": ("a.py", numbered('run(["vllm", "serve", "m", "--seed", "@"])\n', "import vllm\n")),
    "literal": ("a.py", numbered("@,", "from vllm import LLM\nx = [", ']\nLLM(model="m")\n')),
    "services": (
        "compose.yaml",
        numbered("  s@:\n    image: vllm/vllm-openai:v0.8.5\n    command: [--model, m]\n", "services:\n"),
    ),
    "pods": ("pods.yaml", numbered(POD)),
    "lines of a block scalar": ("s.yaml", numbered("  vllm serve m@ --seed 1\n", "resources: {}\nrun: |\n")),
    "unknown keys": ("rl.toml", numbered("k@ = 1\n", '[inference.model]\nname = "m"\n[inference.vllm]\n')),
    "keys": ("a.yaml", numbered("    k@: 1\n", "actor_rollout_ref:\n  rollout:\n    name: vllm\n")),
    "cells": ("a.ipynb", numbered(CELL % "LLM(model='m', seed=@)" + ", ", *NOTEBOOK)),
    "stages": ("Dockerfile", numbered('FROM vllm/vllm-openai:v0.8.5 AS s@\nCMD ["--model", "m"]\n')),
}


def linting(name: str) -> Callable[[str], str]:
    """A lint of a project in memory, with what it offers to write."""
    from vllm_migrate import lint

    def work(text: str) -> str:
        report = lint(files={name: text, "requirements.txt": "vllm==0.8.5\n"})
        return ", ".join(sorted({found.code for found in report.findings if found.code.startswith("VM90")}))

    return work


def reading(kind: str) -> Callable[[str], str]:
    """Everything a lint asks of a document: parsing, and what is read off it."""
    from vllm_migrate.dialects.workspace import parse
    from vllm_migrate.documents.python.calls import parse_python

    def read(text: str) -> str:
        try:
            source = decode(f"f.{kind}", text.encode())
            if kind == "py":
                program = parse_python(source)
                _ = [call.keywords for call in program.calls]
            elif kind == "sh":
                from vllm_migrate.documents.shell.document import parse_shell

                script = parse_shell(source)
                _ = [[word.value for word in command.words] for command in script.commands], script.variables
            else:
                for root in parse(source).roots:  # type: ignore[union-attr]
                    root.plain()
            source.position(len(text))
        except Unreadable as error:
            return error.reason
        return ""

    return read


def masking(text: str) -> str:
    from vllm_migrate.report.mask import mask, secret_spans

    mask(text)
    secret_spans(text + "\n")
    return ""


def suppressing(text: str) -> str:
    from vllm_migrate.run.suppress import Suppressions

    found = Suppressions.parse(text)
    for line in range(1, 200):
        found.match("VM101", "x", line)
    found.unused()
    return ""


def pinning(text: str) -> str:
    from vllm_migrate.run.versions import pins_in

    for name in ("requirements.txt", "pyproject.toml", "Dockerfile"):
        pins_in(name, text.encode())
    return ""


def laying_out(text: str) -> str:
    from vllm_migrate.report.layout import excerpt, fill

    excerpt(text, len(text) // 2, len(text) // 2 + 1, 80)
    fill(text, 100, "a: ", "   ")
    return ""


FAMILIES: dict[str, tuple[Callable[[], Callable[[str], str]], dict[str, Make]]] = {
    "yaml": (lambda: reading("yaml"), YAML),
    "toml": (lambda: reading("toml"), TOML),
    "json": (lambda: reading("json"), JSON),
    "shell": (lambda: reading("sh"), SHELL),
    "python": (lambda: reading("py"), PYTHON),
    "mask": (lambda: masking, TEXT),
    "suppress": (lambda: suppressing, TEXT),
    "layout": (lambda: laying_out, TEXT),
    "pins": (lambda: pinning, PINS),
    **{name: (partial(linting, file), {file: make}) for name, (file, make) in ENGINES.items()},
}


def measure(work: Callable[[str], str], make: Make, largest: int, limit: float) -> tuple[list[tuple[int, float]], str]:
    """(size, CPU seconds) pairs, and the reason of the last refusal."""
    out, reason, size = [], "", 1000
    while size <= largest:
        text = make(size)
        start = time.process_time()
        reason = work(text)
        out.append((len(text), time.process_time() - start))
        if out[-1][1] > limit:
            break
        size *= 10
    return out, reason


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", default=list(FAMILIES))
    parser.add_argument("--largest", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=20)
    call = parser.parse_args()
    worst = 0.0
    print("| family | text | characters: seconds | exponent | reason |\n|---|---|---|---|---|")
    for family in call.families:
        prepare, texts = FAMILIES[family]
        work = prepare()
        for name, make in texts.items():
            steps, reason = measure(work, make, call.largest, call.seconds)
            (few, before), (many, after) = steps[-2:] if len(steps) > 1 else (steps[0], steps[0])
            exponent = math.log(max(after, 1e-3) / max(before, 1e-3)) / math.log(max(many / max(few, 1), 1.001))
            worst = max(worst, after)
            listed = ", ".join(f"{size:,}: {seconds:.3f}" for size, seconds in steps)
            print(f"| {family} | {name} | {listed} | {exponent:.2f} | {reason} |", flush=True)
    print(f"\nslowest: {worst:.2f} s")


if __name__ == "__main__":
    main()
