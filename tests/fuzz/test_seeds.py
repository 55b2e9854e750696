"""A short, fixed walk of the fuzzer's targets: what run.py tries for minutes, tried for a second in every test run."""

from __future__ import annotations

import collections
import random

import pytest

from tests.fuzz import differential, targets

TRIES = {"yaml": 500, "toml": 400, "json": 600, "shell": 500, "python": 500, "program": 40}
PIECES = [
    *(
        b": ",
        b"- ",
        b"&a ",
        b"*a",
        b"|\n",
        b"---\n",
        b"? ",
        b"{",
        b"}",
        b"[",
        b"]",
        b"#",
        b"\\\n",
        b"[[",
        b'"""',
        b"'''",
    ),
    *(
        b"/*",
        b"//",
        b"$(",
        b"${",
        b"))",
        b"<<EOF\n",
        b"&&",
        b"||",
        b"\xef\xbb\xbf",
        b"\r\n",
        b"\t",
        b"\xc2\x85",
        b"\xff",
    ),
    *(
        b"vllm serve ",
        b"export ",
        b"LLM(",
        b"**",
        b'f"',
        b"\0",
        b"\xf0\x9f\x98\x80",
        b"1",
        b"true",
        b"null",
        b"'",
        b'"',
    ),
]


def mutated(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """A few cuts, insertions, repetitions and splices."""
    for _ in range(chance.choice([1, 1, 2, 4])):
        at = chance.randint(0, len(data))
        match chance.randint(0, 4):
            case 0 | 1:
                data = data[:at] + chance.choice(PIECES) + data[at:]
            case 2:
                data = data[:at] + data[at + chance.choice([1, 2, 8, 40]) :]
            case 3:
                data = data[:at] + data[at : at + chance.randint(1, 30)] * 2 + data[at:]
            case _ if chance.random() < 0.3:
                other = chance.choice(others)
                data = data[:at] + other[chance.randint(0, len(other)) :]
    return data


@pytest.mark.parametrize("kind", targets.KINDS)
def test_a_fixed_walk(kind: str) -> None:
    chance, seeds = random.Random(7), targets.seeds(kind)
    inputs = seeds + [mutated(chance.choice(seeds), seeds, chance) for _ in range(TRIES[kind])]
    outcomes = collections.Counter(targets.attempt(kind, data) for data in inputs)
    assert outcomes["proved"] > len(inputs) // 20, outcomes


WALKS = {"notebook": 25, "dockerfile": 25, "effective": 20, "report": 15, "hydra": 20, "bash": 200}
AGREED = ("proved", "engines", "findings", "alike")


@pytest.mark.parametrize("kind", differential.KINDS)
def test_a_fixed_walk_beside_readers_of_other_hands(kind: str) -> None:
    chance, seeds = random.Random(8), differential.seeds(kind)[:40]
    inputs = seeds[:8] + [mutated(chance.choice(seeds), seeds, chance) for _ in range(WALKS.get(kind, 400))]
    outcomes = collections.Counter(differential.attempt(kind, data) for data in inputs)
    assert sum(outcomes[name] for name in AGREED) > len(inputs) // 20, outcomes


# What the fuzzer found, made small.
FOUND = [
    ("yaml", b"?"),
    ("yaml", b"\ne:\n  <<: /-*x  "),
    ("shell", b"vllm serve m\n" + b"a" + b"@" * 40 + b"/\n"),
    ("shell", b"vllm serve " + b"${a:-" * 5_000),
    ("program", b".sh\nvllm serve Qw" + b"@" * 30 + b"en \\\n  &&--max-mo;el-len 8192 \\\n t\n\nvllm serve m\n"),
    (
        "program",
        b".yaml\nservices:\n  policy:\n    image: vllm/vllm-openai:v0.8.5\n    command: >\n      --modwen/Qwen2.5-7B\n"
        b'      --disable-log-reqQwen/Qwen2.5-1.5B", "--num-scheduler-steps", "1"]\n',
    ),
    ("program", b'.sh\nvllm serve m \\\n    --num-scheduler-steps 1 \\\n    --port!80f"001=0\n\nvllm serve m \\\n    --num\n'),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "data"), FOUND)
def test_found_before(kind: str, data: bytes) -> None:
    targets.attempt(kind, data)
