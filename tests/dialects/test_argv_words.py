"""What each release does to the words of a command line before argparse gets them.

The expectations are what the releases' own FlexibleArgumentParser.parse_args hands on.
"""

from __future__ import annotations

import pytest

from vllm_migrate.catalog.store import load
from vllm_migrate.dialects.argv_words import Stop, Token, assemble, era, rewrite

CATALOG = load()


def words(line: str, release: str, config: str = "", serve: bool = True) -> list[object]:
    rules = era(CATALOG, release)
    command = [Token(word, i) for i, word in enumerate(line.split())]
    file = [Token(word, -1) for word in config.split()]
    return [token.text for token in rewrite(assemble(command, file, serve, rules), rules)]


@pytest.mark.parametrize(
    ("line", "release", "want"),
    [
        ("m -O3", "0.9.1", ["m", "-O3"]),
        ("m -O3", "0.9.2", ["m", "-O", {"level": 3}]),
        ("m -O 3", "0.11.0", ["m", "-O", {"level": 3}]),
        ("m -O=3", "0.11.1", ["m", "-O", {"mode": 3}]),
        ("m -O3", "0.12.0", ["m", "--optimization-level", "3"]),
        ("m -O.level=3", "0.12.0", ["m", "-cc", {"level": 3}]),
        ("m -O.level=3", "0.13.0", ["m", "--optimization-level", ".level=3"]),
        ("m --a_b.c_d=1", "0.8.5", ["m", "--a-b.c-d=1"]),
        ("m --a_b.c_d=1", "0.9.0", ["m", "--a-b", {"c-d": "1"}]),
        ("m --a_b.c_d=1", "0.9.1", ["m", "--a-b", {"c_d": "1"}]),
        ("m --a_b.c_d=1", "0.9.2", ["m", "--a-b", {"c_d": 1}]),
        ("m -cc.mode 3", "0.9.1", ["m", "-cc.mode", "3"]),
        ("m -cc.mode 3", "0.9.2", ["m", "-cc", {"mode": 3}]),
        ("m --a.b+ 1,2 --a.b+=3", "0.18.1", ["m", "--a", {"b": ["1", "2", "3"]}]),
        ("m --a.b.c x --seed 1 --a.b.d y", "0.18.1", ["m", "--seed", "1", "--a", {"b": {"c": "x", "d": "y"}}]),
        ("m --a.b 2k", "0.18.1", ["m", "--a", {"b": "2k"}]),
        ("m --a.b 2k", "0.20.0", ["m", "--a", {"b": 2000}]),
        ("m --a=b.c", "0.18.1", ["m", "--a=b.c"]),
        ("--seed 1 --model m", "0.11.1", ["m", "--seed", "1"]),
        ("--seed 1 --model=m", "0.18.1", ["m", "--seed", "1"]),
        ("--seed 1 --model=m", "0.8.5", ["--seed", "1", "--model=m"]),
        ("--served-model-name x m", "0.16.0", ["--served-model-name", "x", "m"]),
    ],
)
def test_rewriting(line: str, release: str, want: list[object]) -> None:
    assert words(line, release) == want


@pytest.mark.parametrize(
    ("line", "release"),
    [
        ("--model m", "0.8.5"),
        ("m --model", "0.11.1"),
        ("--served-model-name x m", "0.17.0"),
        ("m --config", "0.18.1"),
        ("m --config a.yaml --config b.yaml", "0.18.1"),
        ("m --config a.json", "0.18.1"),
        ("--config a.yaml", "0.18.1"),
        ("m --a.b", "0.18.1"),
    ],
)
def test_stops(line: str, release: str) -> None:
    with pytest.raises(Stop):
        words(line, release)


@pytest.mark.parametrize(
    ("line", "release", "serve", "want"),
    [
        ("m --seed 2 --config F.yaml", "0.8.5", True, ["m", "--seed", "1", "--seed", "2"]),
        ("--config F.yaml m", "0.18.1", False, ["--seed", "1", "m"]),
        # The server's module used to keep the word in front of the file's.
        ("--config F.yaml --model m", "0.10.1", False, ["--config", "--seed", "1", "--model", "m"]),
        ("--config F.yaml --model m", "0.10.2", False, ["--seed", "1", "--model", "m"]),
        ("m --config=F.yaml", "0.18.1", True, ["m", "--seed", "1", "--config=F.yaml"]),
    ],
)
def test_where_the_file_goes(line: str, release: str, serve: bool, want: list[object]) -> None:
    assert words(line, release, "--seed 1", serve) == want
