"""The task of the replay: prompts that share a document, and a reward that a tiny model can learn in fifty steps.

A prompt is one of a few documents, as long as one block of V1's prefix cache on CPU, and a short question of its own.
Every document is written in one of four dialects, which are the residues of a token id modulo four; the reward of a
response is the share of its tokens in the dialect of its document, 0.25 by chance.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

VOCABULARY = 256
SPECIAL = 4  # token ids below are the model's special tokens
DIALECTS = 4
DOCUMENTS = 8
DOCUMENT_TOKENS = 128
QUESTION_TOKENS = 16
GROUP = 8  # responses to one prompt


class Request(NamedTuple):
    """One response to sample: its prompt as token ids and the seed of its sampling."""

    id: str
    prompt: list[int]
    seed: int


class Group(NamedTuple):
    """The requests for one prompt, whose rewards are compared with each other."""

    id: int
    dialect: int
    requests: list[Request]


def dialect_of(token: int) -> int | None:
    return None if token < SPECIAL else token % DIALECTS


def documents(seed: int) -> list[list[int]]:
    """The documents of a run; the one at place i is written in dialect i modulo four."""
    chance = random.Random(f"documents {seed}")
    words = [[t for t in range(SPECIAL, VOCABULARY) if t % DIALECTS == dialect] for dialect in range(DIALECTS)]
    return [[chance.choice(words[i % DIALECTS]) for _ in range(DOCUMENT_TOKENS)] for i in range(DOCUMENTS)]


def groups(seed: int) -> Iterator[Group]:
    """Endless groups; every document comes once before one comes again."""
    chance = random.Random(f"groups {seed}")
    texts = documents(seed)
    number = 0
    while True:
        for place in chance.sample(range(DOCUMENTS), DOCUMENTS):
            question = [chance.randrange(SPECIAL, VOCABULARY) for _ in range(QUESTION_TOKENS)]
            prompt = texts[place] + question
            requests = [Request(f"{number}-{k}", prompt, chance.randrange(2**31)) for k in range(GROUP)]
            yield Group(number, place % DIALECTS, requests)
            number += 1


def reward(tokens: Sequence[int], dialect: int) -> float:
    """The share of `tokens` in `dialect`."""
    return sum(dialect_of(token) == dialect for token in tokens) / len(tokens)
