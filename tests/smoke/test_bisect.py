"""The search for the release that broke a rollout: neighbours, skipped releases, ends that are not what was said."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import pytest

from vllm_migrate.catalog.store import load
from vllm_migrate.cli.main import main
from vllm_migrate.errors import UsageError
from vllm_migrate.smoke import bisect, commands
from vllm_migrate.smoke.verdict import Blame, SmokeVerdict

RELEASES = load().releases


@pytest.mark.parametrize("first_bad", [1, 7, 22, 43, 44])
def test_the_first_bad_release_in_few_runs(first_bad: int) -> None:
    found = bisect.bisect(RELEASES, lambda release: bisect.BAD if RELEASES.index(release) >= first_bad else bisect.GOOD)
    assert (found.good, found.bad, found.sure) == (RELEASES[first_bad - 1], RELEASES[first_bad], True)
    assert len(found.trials) <= 4 + math.ceil(math.log2(len(RELEASES)))
    counted = Counter(trial.release for trial in found.trials)
    assert counted[found.good] == counted[found.bad] == 2


def test_what_is_inconclusive_is_skipped_and_named() -> None:
    names = [str(number) for number in range(10)]

    def test(name: str) -> str:
        return bisect.SKIP if name in "456" else bisect.BAD if int(name) > 5 else bisect.GOOD

    found = bisect.bisect(names, test)
    assert (found.good, found.bad, found.skipped) == ("3", "7", ("4", "5", "6"))
    text = "\n".join(bisect.as_text(found, []))
    assert "nothing is known about 4, 5, 6" in text and "there may be others" in text


def test_a_pair_that_does_not_hold_is_not_sure() -> None:
    count: Counter[str] = Counter()

    def test(name: str) -> str:
        count[name] += 1
        return bisect.GOOD if name == "a" or count[name] > 1 else bisect.BAD

    found = bisect.bisect(["a", "b"], test)
    assert not found.sure and any("more --num-prompts" in line for line in bisect.as_text(found, []))


def test_ends_that_are_not_what_they_are_called() -> None:
    with pytest.raises(UsageError, match="b was given as bad, but its test is good"):
        bisect.bisect(["a", "b"], lambda name: bisect.GOOD)
    with pytest.raises(UsageError, match="a was given as good, but its test is skip"):
        bisect.bisect(["a", "b"], lambda name: bisect.SKIP)


def test_both_directions() -> None:
    assert bisect.between(["1", "2", "3", "4"], "2", "4") == ["2", "3", "4"]
    assert bisect.between(["1", "2", "3", "4"], "3", "1") == ["3", "2", "1"]
    for good, bad in (("1", "1"), ("1", "9")):
        with pytest.raises(UsageError):
            bisect.between(["1", "2"], good, bad)


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[tuple[str, str | None]] = []

    def record(
        config: str, options: commands.EngineOptions, output: str, watch: Any, tokens: str | None = None
    ) -> None:
        asked.append(("record", options.python))

    def run(config: str, reference: str, options: commands.EngineOptions, *rest: Any) -> SmokeVerdict:
        asked.append((str(options.target), options.python))
        if options.target == "0.9.0":
            raise UsageError("cannot start /opt/0.9.0/python")
        bad = RELEASES.index(str(options.target)) >= RELEASES.index("0.9.2")
        return SmokeVerdict("fail" if bad else "pass", Blame(), {}, {}, 1, 1, {})

    monkeypatch.setattr(commands, "record", record)
    monkeypatch.setattr(commands, "run", run)
    words = ["smoke", "bisect", "c.yaml", "--good", "0.8.5", "--bad", "0.10.2", "--python-for", "/opt/{release}/python"]
    assert main([*words, "--output-format", "json"]) == 0
    out = capsys.readouterr()
    report = json.loads(out.out)
    assert (report["good"], report["bad"], report["sure"]) == ("0.9.1", "0.9.2", True)
    assert asked[0] == ("record", "/opt/0.8.5/python") and ("0.10.2", "/opt/0.10.2/python") in asked
    assert main([*words, "--releases", "0.9.0,0.9.2"]) == 0
    text = capsys.readouterr()
    assert "0.8.5 is good, 0.9.2 is bad" in text.out and "nothing is known about 0.9.0" in text.out
    assert "cannot start" in text.err
    assert main([*words[:-1], "/opt/python"]) == 2
    assert main([*words[:-5], "--bad", "0.1", *words[-2:]]) == 2


def test_the_catalog_names_what_changed() -> None:
    changes = bisect.changed("0.9.2", "0.10.0")
    assert any("logprobs_mode" in change for change in changes)
    assert bisect.changed("0.10.0", "0.9.2") == changes
