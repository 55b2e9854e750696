"""What the benchmark of real bash takes for a difference that an edit spells, and what it reports."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.argv import Place, spelled, unexplained

OLD = "vllm serve m \\\n  --swap-space 4 \\\n  --port $P\n"
NEW = "vllm serve m \\\n  --no-async-scheduling \\\n  --port $P\n"


def record(*words: str) -> Counter[str]:
    return Counter(["".join(word + "\t" for word in words)])


BEFORE = record("vllm", "serve", "m", "--swap-space", "4", "--port", "1")


@pytest.mark.parametrize(
    ("words", "right"),
    [
        (("vllm", "serve", "m", "--no-async-scheduling", "--port", "1"), True),
        (("vllm", "serve", "m", "--no-async-scheduling", "--port", "2"), False),
        (("vllm", "serve", "m", "--no-async-scheduling"), False),
        (("vllm", "serve", "m", "--other", "--port", "1"), False),
    ],
)
def test_only_what_an_edit_spells_may_differ(words: tuple[str, ...], right: bool) -> None:
    assert (unexplained(BEFORE, record(*words), *spelled(OLD, NEW)) == "") is right


def test_a_command_that_is_lost_is_wrong() -> None:
    assert unexplained(BEFORE, Counter(), *spelled(OLD, NEW))


def test_nothing_exists_where_a_script_runs(tmp_path: Path) -> None:
    place = Place(tmp_path)
    if not place.works:
        pytest.skip("no namespaces of one's own here")
    script = "kill -9 -1; cd /; export VLLM_A=1; A=(x 'y z'); vllm serve \"${A[@]}\" > log 2>&1 | tee log; exec ls\nexit 3\nlast\n"
    wanted = ["vllm\tserve\tx\ty\\ z\tVLLM_A=1\t", "tee\tlog\tVLLM_A=1\t", "ls\tVLLM_A=1\t", "last\tVLLM_A=1\t"]
    assert place.started(script) == Counter(wanted)
    assert place.started("while :; do :; done\n") is None
