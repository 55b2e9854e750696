"""Broken continuations are mended so that bash itself then passes every argument."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed, apply_edits, decode
from vllm_migrate.documents.shell.document import ShellDocument, parse_shell

BASH = shutil.which("bash")


def parse(text: str) -> ShellDocument:
    return parse_shell(decode("run.sh", text.encode()))


CASES = [
    ("p a.b=1 \\\n\n  c.d=2 \\\n  e=3\n", "p a.b=1 \\\n  c.d=2 \\\n  e=3\n"),
    ("p a.b=1 \\\n \t\n\n  --x 2\nq\n", "p a.b=1 \\\n  --x 2\nq\n"),
    ("p a.b=1 \\  \n  c.d=2\n", "p a.b=1 \\\n  c.d=2\n"),
    ("p a.b=1\\\n\n  c.d=2\n", "p a.b=1 \\\n  c.d=2\n"),
    ("p \\\n  --x 1\n  --y 2 \\\n  --z\n", "p \\\n  --x 1 \\\n  --y 2 \\\n  --z\n"),
    ("p a.b=1 \\\n  # c.d=2 \\\n  +e.f=3\n", "# c.d=2 \\\np a.b=1 \\\n  +e.f=3\n"),
    (
        "if true; then\n  p a.b=1 \\\n    # one\n\n    # two\n    c.d=2 \\\n\n    e.f=3\nfi\n",
        "if true; then\n  # one\n  # two\n  p a.b=1 \\\n    c.d=2 \\\n    e.f=3\nfi\n",
    ),
    ("p a.b=1 \\\n\n  x=1 c.d=2\n", "p a.b=1 \\\n  x=1 c.d=2\n"),
    ('p a.b=1 \\\n  # c\n  "$@"\n', '# c\np a.b=1 \\\n  "$@"\n'),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_join(text: str, expected: str) -> None:
    document = parse(text)
    command = document.lost[0].command
    edits = document.plan_join(command)
    assert apply_edits(text, edits) == expected
    after = document.prove_join(command, edits)
    assert after.lost == []
    with pytest.raises(CannotEdit):
        after.plan_join(command)


@pytest.mark.skipif(BASH is None, reason="no bash")
@pytest.mark.parametrize("text", [text for text, _ in CASES])
def test_bash_then_passes_every_argument(text: str) -> None:
    assert BASH is not None
    stub = 'p() { echo "$#"; }; q() { :; }; set -- 9\n'
    document = parse(text)
    mended = apply_edits(text, document.plan_join(document.lost[0].command))
    counts = []
    for script in (text, mended):
        done = subprocess.run([BASH, "-c", stub + script], capture_output=True, timeout=20, check=False)
        counts.append(int(done.stdout.split()[0]))
    spaces = sum(broken.reason == "space" for broken in document.lost)
    lost = sum(len(broken.lost) for broken in document.lost)
    assert counts[1] == counts[0] - spaces + lost


def test_refused_and_failed() -> None:
    document = parse("x; p a.b=1 \\\n  # c\n  c.d=2\n")
    with pytest.raises(CannotEdit, match="comments"):
        document.plan_join(1)
    document = parse("p a.b=1 \\\n  # c\n  c.d=2\n")
    with pytest.raises(ProofFailed):
        document.prove_join(0, [Edit(8, 16, "\\\n")])  # the comment is gone
    with pytest.raises(ProofFailed):
        document.prove_join(0, [])
