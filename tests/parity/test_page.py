"""docs/parity-gate.md shows what runs, and names what there is."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace

from tests.parity.conftest import MakeRollout
from vllm_migrate.parity import Contract, ParityGate
from vllm_migrate.parity.batch import Layout

PAGE = (Path(__file__).parents[2] / "docs" / "parity-gate.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_five_lines_run(rollout: MakeRollout) -> None:
    logged: list[dict[str, float]] = []
    scope = {"batches": [rollout(t=0.7), rollout(t=0.7, seed=1)], "log": logged.append}
    assert sum(bool(line) for line in BLOCKS[0].splitlines()) <= 5
    exec(BLOCKS[0], scope)
    assert logged[0]["parity/decision"] == 0.0 and len(logged) == 1


def test_every_block_parses_and_calls_what_there_is() -> None:
    from vllm_migrate import parity
    from vllm_migrate.parity import pipelinerl, trl, verl

    modules = SimpleNamespace(trl=trl, verl=verl, pipelinerl=pipelinerl, parity=parity)
    for block in BLOCKS:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and hasattr(modules, node.value.id):
                assert hasattr(getattr(modules, node.value.id), node.attr), node.attr


def test_the_arguments_in_its_table_are_the_gates() -> None:
    table = PAGE.split("| argument |")[1].split("\n\n")[0]
    named = {word for line in table.splitlines()[2:] for word in re.findall(r"`(\w+)`", line.split("|")[1])}
    accepted = set(ParityGate.update.__annotations__) | set(Layout.__annotations__)
    assert named <= accepted and accepted - named <= {"step", "return", "layout"}
    fields = set(Contract.__dataclass_fields__)
    assert {"kind", "lag", "epsilon", "per_sequence", "stop_token_ids", "group_size"} <= fields
