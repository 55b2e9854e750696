"""The lines that a fix shows."""

from __future__ import annotations

import random

import pytest

from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Edit, Source
from vllm_migrate.report import preview as module
from vllm_migrate.report.preview import preview


def test_whole_lines_are_shown_as_any_edit_is(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(3)
    short = module._whole_lines
    compared = 0
    for _ in range(20_000):
        text = "".join(draw.choice(("a", "b", " ", "\n", "\n", "\r\n")) for _ in range(draw.randint(0, 12)))
        start = draw.randint(0, len(text))
        end = draw.choice((start, draw.randint(start, len(text))))
        edit = Edit(start, end, "".join(draw.choice(("a", " ", "\n", "\r\n")) for _ in range(draw.randint(0, 5))))
        found = short(text, edit)
        if found is not None:
            monkeypatch.setattr(module, "_whole_lines", lambda *_: None)
            file = File.bare(Source("a.yaml", b"", text, False, "\n"))
            assert found == preview({file: [edit]}), (text, edit)
            compared += 1
    assert compared > 1_000
