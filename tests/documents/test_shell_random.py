"""Random invented scripts: wherever we claim to know the arguments of a call, bash itself passes the same ones."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from vllm_migrate.documents.interface import decode
from vllm_migrate.documents.shell.document import parse_shell

BASH = shutil.which("bash")
STUB = 'show() { printf "%s\\0" CALL "$@" END; }\n'
ATOMS = ["a", "b=1", "x.y", "-f", "--k=", '"q r"', "'s t'", "$A", "${A}", '"$A"', '"${B}"', "$B", "${C:-d}", "${A:-z}"]
ATOMS += [
    "\\ ",
    "\\\\",
    "\\$",
    '"\\$A"',
    '"\\""',
    "'\"'",
    "#",
    "a#b",
    "=",
    "[1]",
    "{a}",
    "{}",
    "$",
    '"$"',
    "$'t\\t'",
    '"a\\b"',
]
ATOMS += [
    "\\\n",
    '""',
    "''",
    "${A}$B",
    '"$@"',
    "$(echo hi)",
    '"${AR[@]}"',
    "${AR[@]}",
    '"${E[@]}"',
    "+c=d",
    "{a,b}",
    "é",
    "~",
]
SEPARATORS = [" ", " ", "  ", " \\\n  ", "\t"]
TAILS = ["", "", "", " # c \"'", " 2>/dev/null", " >&1", " \\\n", " \\\n  # com \\", " \\ "]


class Writer:
    """Writes a random script in which every call of `show` has its own first argument."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.calls = 0

    def word(self) -> str:
        return "".join(self.rng.choice(ATOMS) for _ in range(self.rng.choice([1, 1, 1, 2, 3])))

    def show(self) -> str:
        text = f"show k{self.calls}"
        self.calls += 1
        for _ in range(self.rng.randint(0, 4)):
            text += self.rng.choice(SEPARATORS) + self.word()
        return text + self.rng.choice(TAILS) + "\n"

    def statement(self, depth: int = 0) -> str:
        rng, kind = self.rng, self.rng.random()
        if kind < 0.45 or depth > 2:
            return self.show()
        if kind < 0.6:
            return rng.choice("ABC") + rng.choice(["=", "=", "+="]) + self.word().replace("\n", "") + "\n"
        if kind < 0.7:
            items = rng.choice([" ", "\n  "]).join(self.word() for _ in range(rng.randint(0, 3)))
            return f"{rng.choice(['AR', 'E'])}{rng.choice(['=', '+='])}({items}{rng.choice(['', ' # c'])}\n)\n"
        if kind < 0.74:
            return f"cat >/dev/null <<{rng.choice(['X', repr('X'), '-X'])}\n{self.word()}\nit's $A\nX\n"
        body = "".join(self.statement(depth + 1) for _ in range(rng.randint(1, 3)))
        shapes = [
            "if true; then\n{}fi\n",
            "if [ a = b ]; then\n{}fi\n",
            "for i in 1 2; do\n{}done\n",
            "{{\n{}}}\n",
            "(\n{})\n",
        ]
        shapes += [
            "f() {{\n{}}}\nf\n",
            "case a in\n b|c) true;;\n a)\n{};;\n --x) show no;;\nesac\n",
            "true && {{\n{}}}\n",
        ]
        return rng.choice(shapes).format(body)

    def script(self) -> str:
        return "".join(self.statement() for _ in range(self.rng.randint(1, 7)))


def first_calls(text: str, folder: Path) -> dict[str, list[str]] | None:
    """The first call for each first argument; None when bash finds the script malformed."""
    assert BASH is not None
    env = {"PATH": os.environ.get("PATH", ""), "HOME": "/nowhere", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([BASH, "-c", STUB + text], capture_output=True, env=env, cwd=folder, timeout=20, check=False)
    if b"syntax error" in done.stderr or b"unexpected" in done.stderr:
        return None
    calls: dict[str, list[str]] = {}
    call: list[str] = []
    for item in done.stdout.decode().split("\0")[:-1]:
        if item == "CALL":
            call = []
        elif item == "END":
            calls.setdefault(call[0], call)
        else:
            call.append(item)
    return calls


@pytest.mark.skipif(BASH is None, reason="no bash")
def test_claims_about_random_scripts_are_true(tmp_path: Path) -> None:
    claimed = 0
    for seed in range(150):
        text = Writer(seed).script()
        real = first_calls(text, tmp_path)
        if real is None:
            continue
        ours: dict[str | None, list[str | None]] = {}
        for command in parse_shell(decode("run.sh", text.encode())).commands:
            values = [word.value for word in command.words]
            if values[0] == "show" and not any(word.maybe for word in command.words):
                ours.setdefault(values[1], values[1:])
        for name, shown in real.items():
            if None not in ours.get(name, [None]):
                assert ours[name] == shown, (seed, text)
                claimed += 1
    assert claimed > 100
