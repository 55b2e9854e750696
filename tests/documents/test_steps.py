"""One file may hold some thousands of engines, settings and findings; what goes beyond is one finding, and quickly."""

from __future__ import annotations

import pytest

from vllm_migrate import fix, lint
from vllm_migrate.catalog.store import FlagTable
from vllm_migrate.documents import editing, steps

MANY = {
    "servers": ("a.sh", "".join(f"vllm serve m{n} --swap-space 4\n" for n in range(12))),
    "here-documents": ("a.sh", "".join(f"bash <<E\nvllm serve m{n} --swap-space 4\nE\n" for n in range(12))),
    "keys": ("a.yaml", "vllm_config:\n  vllm_kwargs:\n" + "".join(f"    k{n}: 1\n" for n in range(40))),
    "documents": ("a.yaml", "---\n".join(["vllm_config:\n  vllm_kwargs:\n    swap-space: 4\n"] * 12)),
    "calls": ("a.py", "from vllm import LLM\n" + "".join(f"a{n} = LLM('m', swap_space=4)\n" for n in range(12))),
    "tables": ("a.toml", "[inference.vllm]\n" + "".join(f"k{n} = 1\n" for n in range(40))),
    "services": (
        "compose.yaml",
        "services:\n"
        + "".join(f"  s{n}: {{image: vllm/vllm-openai:v0.8.5, command: [--model, m]}}\n" for n in range(12)),
    ),
}


@pytest.mark.parametrize("name", MANY)
def test_many_things_in_one_file_are_one_finding(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file, text = MANY[name]
    others = {file: text, "b.sh": "vllm serve m --swap-space 4\n"}
    monkeypatch.setattr(steps, "MAX_STEPS", 3_000)
    found = [one for one in lint(files=others).findings if one.code.startswith("VM9")]
    assert [(one.code, one.path) for one in found] == [("VM908", file)]


@pytest.mark.parametrize("name", MANY)
def test_what_is_judged_in_part_is_not_edited(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file, text = MANY[name]
    monkeypatch.setattr(steps, "MAX_STEPS", 3_000)
    plan = fix(files={file: text, "b.sh": "vllm serve m --swap-space 4\n"}, unsafe=True)
    assert set(plan.texts) == {"b.sh"}


def test_offers_of_a_file_are_proved_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every document has several fixes at one place: the file is read again as often as a document has fixes."""
    text = "---\n".join(["vllm_config:\n  use_v1: true\n  vllm_kwargs:\n    num-scheduler-steps: 1\n"] * 30)
    reads: list[int] = []
    reparse = editing.reparse
    monkeypatch.setattr(editing, "reparse", lambda *given: (reads.append(1), reparse(*given))[1])
    found = lint(files={"a.yaml": text}).findings
    assert sum(bool(finding.fix and finding.fix.edits) for finding in found) >= 60
    assert len(reads) < 30


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.py", "from vllm import LLM\nLLM('m', swap_space=0x{n})\n"),
        ("a.py", "from vllm import LLM\nLLM('m', seed=-0x{n})\n"),
        ("a.py", "from vllm import LLM\nLLM('m', speculative_config={{'num_speculative_tokens': 0x{n}}})\n"),
        ("rl.toml", '[inference.model]\nname = "m"\n[inference.vllm]\nswap_space = 0x{n}\n'),
        ("a.yaml", "vllm_config:\n  vllm_kwargs:\n    swap-space: 0x{n}\n"),
        ("a.yaml", 'defaults:\n- "": x\nvllm_config:\n  vllm_kwargs:\n    seed: {n}\n'),
        ("a.yaml", "defaults:\n- ' ': {n}\nvllm_config:\n  vllm_kwargs:\n    seed: 1\n"),
        ("a.sh", "vllm serve m --swap-space {n} --max-model-len 0x{n}\n"),
    ],
)
def test_no_number_and_no_name_is_an_error_of_ours(file: str, text: str) -> None:
    assert "VM900" not in {found.code for found in lint(files={file: text.format(n="9" * 6000)}).findings}


def test_abbreviations_in_the_order_of_the_parser() -> None:
    table = FlagTable(dict.fromkeys(["--b", "--ab", "--a-c", "--a", "--bc"]))  # type: ignore[arg-type]
    for prefix in ("--a", "--", "--b", "--ab", "--x", "--bcd"):
        assert table.matching(prefix) == [option for option in table if option.startswith(prefix)]
