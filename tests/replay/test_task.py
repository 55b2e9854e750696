"""The task repeats by seed, shares blocks of the prefix cache, and rewards what it says."""

from __future__ import annotations

import itertools

from benchmarks.replay import task


def some(seed: int, count: int = 16) -> list[task.Group]:
    return list(itertools.islice(task.groups(seed), count))


def test_a_seed_repeats_and_another_differs() -> None:
    assert some(0) == some(0)
    assert some(0) != some(1)


def test_prompts_share_whole_documents_and_nothing_else() -> None:
    prompts = [tuple(group.requests[0].prompt) for group in some(0)]
    assert len({prompt[: task.DOCUMENT_TOKENS] for prompt in prompts}) == task.DOCUMENTS
    assert len({prompt[task.DOCUMENT_TOKENS :] for prompt in prompts}) == len(prompts)
    assert {len(prompt) for prompt in prompts} == {task.DOCUMENT_TOKENS + task.QUESTION_TOKENS}


def test_a_document_is_written_in_its_group_s_dialect() -> None:
    for group in some(3):
        assert task.reward(group.requests[0].prompt[: task.DOCUMENT_TOKENS], group.dialect) == 1.0


def test_requests_of_a_group_differ_in_their_seed_alone() -> None:
    group = some(0, 1)[0]
    assert len(group.requests) == task.GROUP == len({request.seed for request in group.requests})
    assert len({tuple(request.prompt) for request in group.requests}) == 1


def test_the_reward_is_a_share_and_special_tokens_have_no_dialect() -> None:
    assert task.reward([4, 8, 5, 6], 0) == 0.5
    assert task.reward([0, 1, 2, 3], 0) == 0.0
