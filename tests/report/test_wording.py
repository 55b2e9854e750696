"""What counts as a text with a gap. Every rule's own examples are held against it in tests/rules/test_examples.py."""

from __future__ import annotations

import pytest

from tests.report.drafts import Draft
from tests.report.wording import faults

GAPS = (
    *("vLLM 0.18.1 rejects {key}", 'not one of choices ""', "rejects  x", "not with: . Drop one", "it holds None"),
    *("runs ()", "removed ,", "the value is unset"),
)


@pytest.mark.parametrize("message", GAPS)
def test_gaps_are_found(message: str, report: Draft) -> None:
    finding = report.report().findings[0]
    assert faults([finding], "the rule's text") == []
    assert faults([finding._replace(message=message)], "the rule's text")


def test_a_whole_text_passes(report: Draft) -> None:
    whole = 'write disable-log-requests: "" or call LLM(); an unset quantization is fine'
    assert faults([report.report().findings[0]._replace(message=whole)], "an unset quantization") == []
