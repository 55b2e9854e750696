"""How time grows with the length of hostile inputs: CPU seconds at sizes that double, up to the largest.

    python benchmarks/growth.py [--largest 990000] [--seconds 20] [--call fix] [--steep 1.3] [--list] [FAMILY[/TEXT]...]

Most families are whole runs in a process of their own: `lint --output-format json` and then `fix --unsafe` on a project whose
file has the text (`commands`: every other command and format). `read` families are one step of it in this process, where the text
needs no engine to be looked at.
The exponent is the greatest of the doublings whose smaller text took 0.3 s (1: time grows as the text does, 2: with its square);
a doubling that is steeper than --steep is measured once more, and the better counts. A text stops growing where it takes longer
than --seconds. `said` lists the VM9xx findings. At the end: the slowest, the steepest, the greatest peak of memory.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import math
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

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


def nested_maps(head: str, tail: str = "") -> Make:
    return lambda n: head + "".join("  " * i + "a:\n" for i in range(int(math.sqrt(n)))) + tail


POD = (
    "apiVersion: v1\nkind: Pod\nmetadata: {name: p@}\nspec:\n  containers:\n"
    "  - {name: c, image: 'vllm/vllm-openai:v0.8.5', args: [--model, m]}\n---\n"
)
ONE_POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
CELL = '{"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": null, "source": ["%s\\n"]}'
NOTEBOOK = '{"cells": [', CELL % "from vllm import LLM" + '], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
SERVE = "vllm serve m --max-model-len 1000\n"
IMPORT = "from vllm import LLM\n"
VERL = "actor_rollout_ref:\n  rollout:\n    name: vllm\n    tensor_model_parallel_size: 1\n"
PIPELINE = "vllm_config:\n  use_v1: true\n  vllm_kwargs:\n    num-scheduler-steps: 1\n"
PRIME = '[inference.model]\nname = "m"\n[inference.vllm]\n'
IMAGE = "FROM vllm/vllm-openai:v0.8.5\n"
COMPOSE = "services:\n  s:\n    image: vllm/vllm-openai:v0.8.5\n    command: [--model, m]\n"
Files = dict[str, Make]


def fixed(text: str) -> Make:
    return lambda _: text


def beside(name: str, make: Make, **others: str) -> Files:
    """A file that grows, with a script that serves and a pin beside it."""
    files = {"run.sh": fixed(SERVE), "requirements.txt": fixed("vllm==0.8.5\n")}
    return {**files, **{other.replace("__", "."): fixed(text) for other, text in others.items()}, name: make}


def headed(name: str, head: str, texts: dict[str, Make], tail: str = "") -> dict[str, Files]:
    """Texts below the head of a file in which an engine is recognised."""
    return {what: {name: lambda n, make=make: head + make(n) + tail} for what, make in texts.items()}  # type: ignore[misc]


LINES = {
    "comments": numbered("# note @\n"),
    "mark lines": numbered("# @ vllm-migrate: ignore[VM101]\n"),
    "a long comment": repeated("x", "# ", "\n"),
    "blank lines": repeated("\n"),
    "secrets": numbered("# api_key=sk-@aZ\n"),
    "addresses": numbered("# https://u:p@@h/x\n"),
}
PROJECTS: dict[str, dict[str, Files]] = {
    "yaml": {
        **headed("a.yaml", PIPELINE, {f"verbatim {name}": make for name, make in YAML.items() if name != "documents"}),
        **headed("a.yaml", PIPELINE, LINES),
        "keys": {"a.yaml": numbered("    k@: 1\n", VERL)},
        "keys inside": {"a.yaml": numbered("    k@: 1\n", PIPELINE)},
        "documents": {"a.yaml": numbered("---\n" + PIPELINE)},
        "interpolations": {"a.yaml": numbered("    k@: ${actor_rollout_ref.rollout.name}\n", VERL)},
        "chain": {"a.yaml": numbered("k@: ${k@}\n", VERL)},
        "anchored": {"a.yaml": numbered("    k@: *a\n", "x: &a {b: 1}\n" + VERL)},
        "anchors": {"a.yaml": numbered("    k@: &a@ 1\n", VERL)},
        "merges": {"a.yaml": numbered("    k@: {<<: *a}\n", "x: &a {b: 1}\n" + VERL)},
        "defaults": {"a.yaml": numbered("- d@\n", "defaults:\n"), "b.yaml": fixed(VERL)},
        "deep": {"a.yaml": nested_maps(VERL)},
        "block scalar": {"a.yaml": numbered("  vllm serve m@ --seed 1\n", "resources: {}\nrun: |\n")},
        "block scalars": {"a.yaml": numbered("run@: |\n  vllm serve m@ --seed 1\n", "resources: {}\n")},
    },
    "toml": {
        **headed("rl.toml", PRIME, {f"verbatim {name}": make for name, make in TOML.items()}),
        **headed("rl.toml", PRIME, LINES),
        "unknown keys": {"rl.toml": numbered("k@ = 1\n", PRIME)},
        "tables": {"rl.toml": numbered("[inference.vllm.t@]\na = 1\n", PRIME)},
    },
    "json": {
        **headed("a.json", '{"model": "m", "max-model-len": 8192, "x": ', JSON, "}"),
        "keys": {"a.json": numbered('"k@": 1,', '{"model": "m", "max-model-len": 8192,', '"x": 1}')},
        "secrets": {"a.json": numbered('"api_key": "aZ@",', '{"model": "m", "max-model-len": 8192,', '"x": 1}')},
        "escaped": {"a.json": repeated('\\"token\\": \\"x\\", ', '{"model": "m", "max-model-len": 1, "x": "', '"}')},
    },
    "shell": {
        **headed("a.sh", SERVE, {f"verbatim {name}": make for name, make in SHELL.items()}),
        **headed("a.sh", SERVE, LINES),
        "servers": {"a.sh": numbered("vllm serve m@ --max-model-len 1000\n")},
        "servers with a variable": {"a.sh": numbered("M=m@\nvllm serve $M --max-model-len 1000\n")},
        "one shell each": {"a.sh": numbered("bash -c 'vllm serve m@ --max-model-len 1000'\n")},
        "one here-document each": {"a.sh": numbered("bash <<E\nvllm serve m@ --swap-space 4\nE\n")},
        "here-document of servers": {"a.sh": numbered("vllm serve m@ --swap-space 4\n", "bash <<'E'\n", "E\n")},
        "options": {"a.sh": numbered("--max-model-len @ ", "vllm serve m ", "\n")},
        "unknown options": {"a.sh": numbered("--opt@ @ ", "vllm serve m ", "\n")},
        "options a line": {"a.sh": numbered("  --opt@ @ \\\n", "vllm serve m \\\n", "  --seed 1\n")},
        "overrides": {"a.sh": numbered("+a.b@=1 ", "python -m verl.trainer.main_ppo ", "\n")},
        "rollouts": {
            "a.sh": numbered("actor_rollout_ref.rollout.k@=1 ", "python -m verl.trainer.main_ppo ", "\n"),
        },
        "appended": {"a.sh": numbered("A+=(--seed @)\n", "A=(vllm serve m)\n", '"${A[@]}"\n')},
        "appended text": {"a.sh": numbered('A+=" --seed @"\n', 'A="vllm serve m"\n', "$A\n")},
        "array of each": {"a.sh": numbered('A@=(--seed @)\nvllm serve m "${A@[@]}"\n'.replace("[@]", "[*]"))},
        "array used by each": {"a.sh": numbered('vllm serve m@ "${A[*]}"\n', "A=(--swap-space 4 --seed 1)\n")},
        "long array used by each": {
            "a.sh": lambda n: (
                "A=(" + "--x 1 " * int(math.sqrt(n)) + ")\n" + 'vllm serve m "${A[@]}"\n' * int(math.sqrt(n))
            )
        },
        "exports": {"a.sh": numbered("export VLLM_X@=@\n", "", SERVE)},
        "known exports": {"a.sh": numbered("export VLLM_USE_V1=@\n", "", SERVE)},
        "functions of servers": {"a.sh": numbered("f@() {\n  vllm serve m@ --swap-space 4\n}\nf@\n")},
        "sourced": {"a.sh": numbered(". ./x@.sh\n", "", SERVE)},
        "loops": {"a.sh": numbered("for i in 1 2 3; do vllm serve m@ --port $i; done\n")},
        "suppressed": {"a.sh": numbered("vllm serve m --x@ 1 # vllm-migrate: ignore[VM102]\n")},
    },
    "python": {
        **headed("a.py", IMPORT + "LLM('m')\n", {f"verbatim {name}": make for name, make in PYTHON.items()}),
        **headed("a.py", IMPORT + "LLM('m')\n", LINES),
        "calls": {"a.py": numbered('a@ = LLM(model="m", seed=@)\n', IMPORT)},
        "fixed calls": {"a.py": numbered('a@ = LLM(model="m", num_scheduler_steps=8)\n', IMPORT)},
        "functions": {"a.py": numbered('def f@():\n    return LLM(model="m", seed=@)\n', IMPORT)},
        "classes": {"a.py": numbered("class C@:\n    def f(self):\n        self.m = LLM(self.n, seed=@)\n", IMPORT)},
        "calls of dicts": {"a.py": numbered('k@ = {"model": "m"}\na@ = LLM(**k@)\n', IMPORT)},
        "one dict": {"a.py": numbered("a@ = LLM(**k)\n", IMPORT + 'k = {"model": "m", "seed": 1}\n')},
        "keys set": {"a.py": numbered('k["o@"] = @\n', IMPORT + 'k = {"model": "m"}\n', "LLM(**k)\n")},
        "lists": {"a.py": numbered('run(["vllm", "serve", "m", "--seed", "@"])\n', "import vllm\n")},
        "one list": {"a.py": numbered('"--o@", "@", ', 'import vllm\nrun(["vllm", "serve", "m", ', "])\n")},
        "appended lists": {
            "a.py": numbered('c.append("--o@")\n', 'import vllm\nc = ["vllm", "serve", "m"]\n', "run(c)\n")
        },
        "literal": {"a.py": numbered("@,", IMPORT + "x = [", ']\nLLM(model="m")\n')},
        "environment": {"a.py": numbered('os.environ["VLLM_X@"] = "1"\n', "import os\n" + IMPORT, "LLM('m')\n")},
        "strings of commands": {"a.py": numbered("run('vllm serve m@ --swap-space 4')\n", "import vllm\n")},
        "one string of commands": {"a.py": numbered("vllm serve m@ --seed 1\n", 'import vllm\nrun("""\n', '""")\n')},
        "imports": {"a.py": numbered("from vllm.a@ import b@\n", IMPORT)},
        "uses": {"a.py": numbered("x@ = llm.generate(p, SamplingParams(n=@))\n", "from vllm import *\n")},
        "attributes": {"a.py": numbered("vllm.a.b.c@\n", "import vllm\n")},
        "requests": {
            "a.py": numbered('post(u, json={"model": "m", "k@": 1})\n', "import vllm\nu = 'x/v1/completions'\n")
        },
    },
    "notebook": {
        "cells": {"a.ipynb": numbered(CELL % "LLM(model='m', seed=@)" + ", ", *NOTEBOOK)},
        "cells of commands": {"a.ipynb": numbered(CELL % "!vllm serve m --seed @" + ", ", *NOTEBOOK)},
        "a long cell": {
            "a.ipynb": numbered(
                '"x@ = 1\\n",', NOTEBOOK[0] + '{"cell_type": "code", "source": [', '""]}, ' + NOTEBOOK[1]
            )
        },
        "outputs": {
            "a.ipynb": numbered(
                '"line @\\n",',
                NOTEBOOK[0] + '{"cell_type": "code", "source": [], "outputs": [{"text": [',
                '""]}]}, ' + NOTEBOOK[1],
            )
        },
    },
    "dockerfile": {
        **headed("Dockerfile", IMAGE, LINES),
        "stages": {"Dockerfile": numbered('FROM vllm/vllm-openai:v0.8.5 AS s@\nCMD ["--model", "m"]\n')},
        "runs": {"Dockerfile": numbered("RUN pip install vllm==0.8.@\n", IMAGE)},
        "environment": {"Dockerfile": numbered("ENV VLLM_X@=1\n", IMAGE, "CMD --model m\n")},
        "one environment": {"Dockerfile": numbered("VLLM_X@=1 ", IMAGE + "ENV ", "\nCMD --model m\n")},
        "arguments": {"Dockerfile": numbered("ARG A@=1\n", "", IMAGE + "CMD --model m\n")},
        "command": {"Dockerfile": numbered('"--o@", "1", ', IMAGE + "CMD [", '"--model", "m"]\n')},
        "continued": {"Dockerfile": numbered(" && x@ \\\n", IMAGE + "RUN a \\\n", " && b\n")},
        "here-documents": {"Dockerfile": numbered("RUN <<E\nvllm serve m@\nE\n", IMAGE)},
    },
    "compose": {
        **headed("compose.yaml", COMPOSE, LINES),
        "services": {
            "compose.yaml": numbered(
                "  s@:\n    image: vllm/vllm-openai:v0.8.5\n    command: [--model, m]\n", "services:\n"
            )
        },
        "a command": {"compose.yaml": numbered('"--o@", "1", ', COMPOSE[:-11] + "[", "--model, m]\n")},
        "a command's text": {"compose.yaml": numbered("--o@ 1 ", COMPOSE[:-11] + "--model m ", "\n")},
        "environment": {"compose.yaml": numbered("      VLLM_X@: 1\n", COMPOSE + "    environment:\n")},
        "a list of environment": {"compose.yaml": numbered("    - VLLM_X@=1\n", COMPOSE + "    environment:\n")},
        "variables": {"compose.yaml": numbered("${A@:-x} ", COMPOSE[:-11] + "--model m ", "\n")},
        "one anchor": {
            "compose.yaml": numbered(
                "  s@: {<<: *a}\n", "x: &a {image: 'vllm/vllm-openai:v0.8.5', command: [--model, m]}\nservices:\n"
            )
        },
    },
    "kubernetes": {
        **headed("pods.yaml", POD, LINES),
        "pods": {"pods.yaml": numbered(POD)},
        "containers": {
            "pods.yaml": numbered("  - {name: c@, image: 'vllm/vllm-openai:v0.8.5', args: [--model, m]}\n", ONE_POD)
        },
        "arguments": {
            "pods.yaml": numbered(
                '"--o@", "1", ', ONE_POD + "  - {name: c, image: 'vllm/vllm-openai:v0.8.5', args: [", "--model, m]}\n"
            )
        },
        "environment": {
            "pods.yaml": numbered(
                "    - {name: VLLM_X@, value: '1'}\n",
                ONE_POD + "  - name: c\n    image: 'vllm/vllm-openai:v0.8.5'\n    args: [--model, m]\n    env:\n",
            )
        },
        "a shell's servers": {
            "pods.yaml": numbered(
                "        vllm serve m@ --swap-space 4\n",
                ONE_POD
                + "  - name: c\n    image: 'vllm/vllm-openai:v0.8.5'\n    command: [sh, -c]\n    args:\n    - |\n",
            )
        },
        "config maps": {
            "pods.yaml": numbered(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c@}\ndata:\n  a.sh: |\n    vllm serve m@\n---\n"
            )
        },
    },
    "helm": {
        "actions": {
            "templates/a.yaml": numbered("{{ .Values.a@ }}\n", POD),
            "Chart.yaml": fixed("apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        },
        "values": {
            "values.yaml": numbered("  k@: 1\n", "servingEngineSpec:\n"),
            "Chart.yaml": fixed("apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        },
        "models": {
            "values.yaml": numbered(
                "  - name: m@\n    repository: vllm/vllm-openai\n    tag: v0.8.5\n    modelURL: m\n    vllmConfig: {maxModelLen: 1}\n",
                "servingEngineSpec:\n  modelSpec:\n",
            )
        },
        "filled": {"pods.yaml": numbered("# {{ .Values.a@ }}\n", POD.replace("[--model, m]", "[{{ .Values.m }}]"))},
    },
    "side": {
        "requirements": beside("requirements.txt", numbered("vllm==0.8.5\n")),
        "other requirements": beside("requirements.txt", numbered("pkg@==1.0 --hash=sha256:@\n", "vllm==0.8.5\n")),
        "included requirements": beside("requirements.txt", numbered("-r r@.txt\n", "vllm==0.8.5\n")),
        "a long requirement": beside("requirements.txt", repeated(">=1,", "vllm==0.8.5,", "\n")),
        "conda": beside("environment.yml", numbered("  - p@=1\n", "dependencies:\n  - pip:\n    - vllm==0.8.5\n")),
        "pyproject": beside(
            "pyproject.toml", numbered('"p@==1", ', '[project]\ndependencies = ["vllm==0.8.5", ', "]\n")
        ),
        "pyproject tables": beside("pyproject.toml", numbered("[tool.t@]\na = 1\n", "[project]\nname = 'x'\n")),
        "extras": beside(
            "pyproject.toml",
            numbered("e@ = ['vllm==0.8.5']\n", "[project]\nname='x'\n[project.optional-dependencies]\n"),
        ),
        "uv.lock": beside("uv.lock", numbered('[[package]]\nname = "p@"\nversion = "1.@"\n', "version = 1\n")),
        "poetry.lock": beside("poetry.lock", numbered('[[package]]\nname = "vllm"\nversion = "0.8.@"\n')),
        "Pipfile.lock": beside("Pipfile.lock", numbered('"p@": {"version": "==1"},', '{"default": {', '"x": {}}}')),
        "setup.py": beside("setup.py", numbered("'p@==1', ", "setup(install_requires=['vllm==0.8.5', ", "])\n")),
        "setup.cfg": beside("setup.cfg", numbered("  p@==1\n", "[options]\ninstall_requires =\n  vllm==0.8.5\n")),
        "env file": beside(".env", numbered("VLLM_X@=1\n")),
        "known env file": beside(".env", numbered("VLLM_USE_V1=1\n")),
        "compose env file": {
            "compose.yaml": fixed(COMPOSE + "    env_file: a.env\n"),
            "a.env": numbered("VLLM_X@=1\n"),
        },
        "configuration": beside("vllm-migrate.toml", numbered('"a@/**", ', "exclude = [", "]\n")),
        "per-file": beside("vllm-migrate.toml", numbered('"a@/**" = ["VM101"]\n', "[per-file-ignores]\n")),
        "gitignore": beside(".gitignore", numbered("a@/**/b*\n")),
        "baseline": beside(
            ".vllm-migrate-baseline.json",
            numbered('"@": {"rule": "VM101", "path": "a@.sh"},', '{"version": 1, "findings": {', '"x": {}}}'),
            vllm_migrate__toml='baseline = ".vllm-migrate-baseline.json"\n',
        ),
        "model-config": beside(
            "config.json", numbered('"k@": @,', '{"model_type": "qwen2",', '"x": 1}'), run__sh="vllm serve .\n"
        ),
        "model-config nest": beside("config.json", nested('{"a":', "}", inner="1"), run__sh="vllm serve .\n"),
        "serve config": {"run.sh": fixed("vllm serve m --config c.yaml\n"), "c.yaml": numbered("k@: 1\n")},
        "sourced script": {"run.sh": fixed(". ./c.sh\nvllm serve m $X\n"), "c.sh": numbered("X@=1\n")},
        "sourced by many": {"run.sh": numbered(". ./c.sh\nvllm serve m@ $X\n"), "c.sh": fixed("X=1\n" * 100)},
        "read by many": {
            "run.sh": numbered("vllm serve m@ --config c.yaml\n"),
            "c.yaml": fixed("".join(f"k{i}: 1\n" for i in range(100))),
        },
        "many files": {f"d{i}/a.sh": lambda n: SERVE * max(n // 100 // len(SERVE) // 10, 1) for i in range(100)},
    },
}


def chained(head: str, line: str, files: int = 100) -> Files:
    """Files of which each has the next for a parent, with lines of their own."""

    def make(number: int) -> Make:
        parent = f"defaults: [c{number + 1}]\n" if number + 1 < files else ""
        lines = numbered(line)
        return lambda n: parent + head + lines(n // files)

    return {f"c{number}.yaml": make(number) for number in range(files)}


PROJECTS["hydra"] = {
    "chain of parents": chained(VERL, "    k@: 1\n"),
    "a parent of keys": {"a.yaml": fixed("defaults: [b]\n" + VERL), "b.yaml": numbered("k@: 1\n")},
    "a parent of many": {
        **{f"a{i}.yaml": fixed("defaults: [b]\n" + VERL) for i in range(100)},
        "b.yaml": numbered("    j@: 1\n", VERL),
    },
    "groups": {"a.yaml": numbered("- g@: x\n", "defaults:\n"), "g1/x.yaml": fixed("a: 1\n")},
    "a group named again": {"a.yaml": numbered("- g@_@: x\n", "defaults:\n", VERL), "g/x.yaml": fixed("a: 1\n")},
    "interpolations of a parent": {
        "a.yaml": numbered("    k@: ${p@}\n", "defaults: [b]\n" + VERL),
        "b.yaml": numbered("p@: 1\n"),
    },
    "deep interpolations": {"a.yaml": numbered("    k@: ${actor_rollout_ref.rollout.k@}\n", VERL)},
    "overrides of a configuration": {
        "a.yaml": fixed(VERL),
        "run.sh": numbered(
            "actor_rollout_ref.rollout.k@=1 ", "python -m verl.trainer.main_ppo --config-path . --config-name a ", "\n"
        ),
    },
}
PROJECTS["env"] = {
    "docker's file": {
        "run.sh": fixed("docker run --env-file a.env vllm/vllm-openai:v0.8.5 --model m\n"),
        "a.env": numbered("VLLM_X@=1\n"),
    },
    "one line": {
        "run.sh": fixed("docker run --env-file a.env vllm/vllm-openai:v0.8.5 --model m\n"),
        "a.env": repeated("A=1 "),
    },
    "secrets": {
        "compose.yaml": fixed(COMPOSE + "    env_file: a.env\n"),
        "a.env": numbered("API_KEY_@=sk-@aZ\n"),
    },
    "a file of many": {
        "run.sh": numbered("docker run --env-file a.env vllm/vllm-openai:v0.8.5 --model m@\n"),
        "a.env": fixed("VLLM_X=1\n" * 100),
    },
    "config map of a pod": {
        "pods.yaml": numbered(
            "  K@: '1'\n",
            ONE_POD
            + "  - {name: c, image: 'vllm/vllm-openai:v0.8.5', args: [--model, m], envFrom: [{configMapRef: {name: e}}]}\n"
            + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: e}\ndata:\n",
        )
    },
    "config map of many pods": {
        "pods.yaml": numbered(
            POD.replace("args: [--model, m]", "args: [--model, m], envFrom: [{configMapRef: {name: e}}]"),
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: e}\ndata: {A: '1'}\n---\n",
        )
    },
}
for family, name, head in (
    ("yaml", "a.yaml", PIPELINE),
    ("toml", "rl.toml", PRIME),
    ("shell", "a.sh", SERVE),
    ("python", "a.py", IMPORT + "LLM('m')\n"),
    ("dockerfile", "Dockerfile", IMAGE),
    ("compose", "compose.yaml", COMPOSE),
    ("kubernetes", "pods.yaml", POD),
):
    LONG = {
        "one line": repeated("x ", "# vllm "),
        "quotes in a comment": repeated("'\"`", "# "),
        "prefixes": numbered("# vllm vllm serve --api-key=x@ vllm-migrate: ignor @\n"),
    }
    PROJECTS[family] |= headed(name, head, LONG)


class Cost(NamedTuple):
    """What one call on a text of `size` characters took, and the VM9xx findings; ended: by a signal."""

    size: int
    seconds: float
    megabytes: float
    said: str
    ended: bool


SERVERS: Files = {"a.sh": numbered("vllm serve m@ --swap-space 4\n"), "requirements.txt": fixed("vllm==0.8.5\n")}
ENGINES: Files = {"a.yaml": numbered("---\n" + PIPELINE), "requirements.txt": fixed("vllm==0.8.5\n")}
LINES_OF_DIFF = numbered("+vllm serve m@\n", "--- a/a.sh\n+++ b/a.sh\n@@ -0,0 +1,1000000 @@\n")
FORMATS = ("text", "concise", "sarif", "github", "gitlab", "junit", "markdown", "html", "full")
COMMANDS = (
    *(["lint", "--no-cache", "--output-format", name] for name in FORMATS),
    ["lint", "--no-cache", "--all", "--stale-pins"],
    ["lint", "--no-cache", "--statistics"],
    ["lint", "--no-cache", "--add-ignores"],
    ["lint", "--no-cache", "--baseline", "b.json", "--write-baseline"],
    ["lint"],
    ["fix", "--unsafe", "--write"],
    ["migrate"],
    ["route"],
    ["effective", "--all"],
    ["effective", "--output-format", "json"],
    ["lock", "-o", "x.lock"],
)
ONE: Files = {"a.sh": fixed(SERVE), "requirements.txt": fixed("vllm==0.8.5\n")}
LOCK = '{"path": "a@.sh", "id": "a@", "settings": []},'
OTHERS: tuple[tuple[str, Files, tuple[list[str], ...]], ...] = (
    ("servers", SERVERS, COMMANDS),
    ("engines", ENGINES, COMMANDS),
    ("a diff", {**ONE, "d.patch": LINES_OF_DIFF}, (["lint", "--no-cache", "--diff", "d.patch"],)),
    (
        "a baseline",
        {
            **ONE,
            "b.json": numbered('"@": {"rule": "VM101", "path": "a@.sh"},', '{"version": 1, "findings": {', '"x": {}}}'),
        },
        (["lint", "--no-cache", "--baseline", "b.json"],),
    ),
    (
        "a lock",
        {**ONE, "x.lock": numbered(LOCK, '{"schema": 1, "engines": [', "{}]}")},
        (["lock", "--check", "-o", "x.lock"],),
    ),
    (
        "a log",
        {**ONE, "s.log": numbered("INFO 04-30 09:00:00 [x.py:1] args: Namespace(k@=@)\n")},
        (["verify", "--log", "s.log"],),
    ),
)
CALLS = {"lint": ["lint", "--no-cache", "--jobs", "1", "--output-format", "json"], "fix": ["fix", "--unsafe"]}


def warm_up() -> None:
    """Import in this process what its children need."""
    from vllm_migrate.cli.main import main

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        for name, text in {
            "a.sh": SERVE,
            "a.py": IMPORT + "LLM('m', swap_space=4)\n",
            "a.yaml": PIPELINE,
            "a.toml": PRIME,
        }.items():
            Path(folder, name).write_text(text)
        for words in CALLS.values():
            with contextlib.suppress(SystemExit):
                main([*words, folder])


def run(words: list[str], files: Files, n: int, limit: float) -> Cost:
    """One call of the command line in a child, with limits on its time and memory."""
    from vllm_migrate.cli.main import COLLECT_AFTER, main

    with tempfile.TemporaryDirectory(prefix="growth-") as folder, tempfile.TemporaryFile() as out:
        for name, make in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(make(n), encoding="utf-8")
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit * 3), int(limit * 3)))
            resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
            gc.set_threshold(COLLECT_AFTER)
            os.chdir(folder)
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
            try:
                main([*words, folder])
            except SystemExit as ended:
                sys.stdout.flush()
                os._exit(ended.code if isinstance(ended.code, int) else 3)
            os._exit(0)
        _, status, used = os.wait4(child, 0)
        out.seek(0)
        said = out.read().decode("utf-8", "replace")
    code = os.waitstatus_to_exitcode(status)
    words_said = [f"exit {code}"] if code not in (0, 1) else []
    if words[:3] == CALLS["lint"][:3] and not words_said:
        found = {finding["code"] for finding in json.loads(said)["findings"]}
        words_said = sorted(code for code in found if code.startswith("VM9"))
    elif "Traceback" in said or "VM900" in said:
        words_said.append("traceback")
    return Cost(size, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, " ".join(words_said), code < 0)


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


READ: dict[str, tuple[Callable[[str], str], dict[str, Make]]] = {
    "mask": (masking, TEXT),
    "suppress": (suppressing, TEXT),
    "layout": (laying_out, TEXT),
    "pins": (pinning, PINS),
}


def read(work: Callable[[str], str], make: Make, n: int) -> Cost:
    text, start = make(n), time.process_time()
    work(text)
    return Cost(len(text), time.process_time() - start, 0, "", False)


def families() -> Iterator[tuple[str, str, Callable[[int, float], Cost]]]:
    """(name, what is done, how) of everything that is measured."""
    for family, (work, texts) in READ.items():
        for text, make in texts.items():
            yield f"{family}/{text}", "read", lambda n, _, work=work, make=make: read(work, make, n)  # type: ignore[misc]
    for family, projects in PROJECTS.items():
        for text, files in projects.items():
            for name, words in CALLS.items():
                call = lambda n, limit, words=words, files=files: run(words, files, n, limit)  # noqa: E731
                yield f"{family}/{text}", name, call
    for text, files, commands in OTHERS:
        for words in commands:
            call = lambda n, limit, words=words, files=files: run(words, files, n, limit)  # noqa: E731
            yield f"commands/{text}", " ".join(words), call


LEAST = 0.3  # seconds of the smaller text of a doubling


class Growth(NamedTuple):
    """What the sizes took, and the greatest exponent of a doubling (None: none took long enough)."""

    costs: list[Cost]
    exponent: float | None


def measure(call: Callable[[int, float], Cost], largest: int, limit: float, start: float, steep: float) -> Growth:
    """start: the seconds that an empty text takes."""
    costs: list[Cost] = []
    steps: list[float] = []
    for part in (64, 32, 16, 8, 4, 2, 1):
        costs.append(call(largest // part, limit))
        if len(costs) > 1 and costs[-2].seconds >= start + LEAST:
            step = exponent(costs[-2], costs[-1], start)
            if step > steep:
                again = [call(largest // size, limit) for size in (part * 2, part)]
                step = min(step, exponent(again[0], again[1], start))
            steps.append(step)
        if costs[-1].seconds > limit:
            break
    return Growth(costs, max(steps, default=None))


def exponent(first: Cost, last: Cost, start: float) -> float:
    return math.log(max(last.seconds - start, 0.01) / max(first.seconds - start, 0.01)) / math.log(
        last.size / first.size
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY[/TEXT]")
    parser.add_argument("--largest", type=int, default=990_000)  # a head stands before a text: 1 MB together
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--call", choices=[*CALLS, "read"], help="measure this alone")
    parser.add_argument("--steep", type=float, default=1.3)
    parser.add_argument("--list", action="store_true")
    call = parser.parse_args()
    chosen = [
        row
        for row in families()
        if call.call in (None, row[1])
        and (not call.families or {row[0], row[0].partition("/")[0]} & set(call.families))
    ]
    if call.list:
        print("\n".join(dict.fromkeys(name for name, _, _ in chosen)))
        return
    warm_up()
    starts = {name: run(words, {"a.sh": fixed(SERVE)}, 0, call.seconds).seconds for name, words in CALLS.items()}
    worst, steepest, fattest, steep = 0.0, 0.0, 0.0, 0
    print("| text | call | bytes: seconds | exponent | MB | said |\n|---|---|---|---|---|---|")
    for name, what, how in chosen:
        costs, power = measure(how, call.largest, call.seconds, starts.get(what, 0.0), call.steep)
        worst, steepest = max(worst, max(cost.seconds for cost in costs)), max(steepest, power or 0)
        fattest, steep = max(fattest, max(cost.megabytes for cost in costs)), steep + ((power or 0) > call.steep)
        listed = ", ".join(f"{cost.size:,}: {cost.seconds:.2f}" for cost in costs[-4:])
        shown = "" if power is None else f"{power:.2f}"
        print(f"| {name} | {what} | {listed} | {shown} | {costs[-1].megabytes:.0f} | {costs[-1].said} |", flush=True)
    print(f"\n{len(chosen)} texts and calls; slowest: {worst:.2f} s; most memory: {fattest:.0f} MB")
    print(f"greatest exponent: {steepest:.2f}; steeper than {call.steep}: {steep}")


if __name__ == "__main__":
    main()
