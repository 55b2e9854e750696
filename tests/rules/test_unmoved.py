"""What neither release decides, but is the same at both, is no change; what only one of them leaves open is still said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.situations import move
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.knowledge.expr import Condition, Undetermined
from vllm_migrate.knowledge.load import load
from vllm_migrate.knowledge.parse import compile_expr
from vllm_migrate.rules.unmoved import unmoved
from vllm_migrate.run.judging import Run


class Known:
    """An environment of names."""

    def __init__(self, **names: object) -> None:
        self.names = {name.replace("__", "."): value for name, value in names.items()}

    def name(self, dotted: str) -> object:
        return self.names[dotted]

    def call(self, function: str, args: list[object]) -> object:
        raise KeyError(function)


EITHER = Undetermined(("the executor",), (False, True))
CHANGED = "from.x == False and to.x == True"


@pytest.mark.parametrize(
    ("when", "before", "after", "expected"),
    [
        (CHANGED, EITHER, EITHER, True),
        (CHANGED, EITHER, Undetermined(("the executor",), (False, True)), True),
        (CHANGED, EITHER, Undetermined(("the model",), (False, True)), False),
        (CHANGED, EITHER, Undetermined(("the executor",), (True,)), False),
        (CHANGED, EITHER, True, False),
        ("from.x != to.x", Undetermined(("$DTYPE",)), Undetermined(("$DTYPE",)), True),
        # It asks for what the target runs with, whatever the source did.
        ("x == True and from.x != False", EITHER, EITHER, False),
        ("from.x == True and to.x == True", EITHER, EITHER, False),
    ],
)
def test_one_unknown(when: str, before: object, after: object, expected: bool) -> None:
    env = Known(from__x=before, to__x=after, x=after)
    assert unmoved(Condition(compile_expr(when)), env, lambda name: True) is expected
    assert unmoved(Condition(compile_expr(when)), env, lambda name: False) is False


@pytest.mark.parametrize(
    ("source", "target", "said"), [("0.18.1", "0.18.1", False), ("0.18.1", "0.21.0", False), ("0.8.5", "0.18.1", True)]
)
def test_the_executor_is_not_known(tmp_path: Path, source: str, target: str, said: bool) -> None:
    """Ray switched asynchronous scheduling off from 0.14 to 0.20: what the source ran is known only before that."""
    path = tmp_path / "serve.sh"
    text = 'vllm serve m --tensor-parallel-size "$GPUS" --worker-extension-cls my.Extension\n'  # it makes rollouts
    path.write_text(text, encoding="utf-8")
    run = Run(load_catalog(), load(), Workspace([str(path)], situate=move(source, target)))
    run.judge_file(str(path))
    found = [finding for finding in run.finish().findings if finding.name == "async-scheduling-default"]
    assert bool(found) is said
    assert all(finding.depends_on for finding in found)


def test_the_checkpoint_is_not_known(tmp_path: Path) -> None:
    """float32 checkpoints ran in float16 before 0.9.1: the same unknown, of which the releases make different things."""
    for source, target, said in (("0.8.5", "0.18.1", True), ("0.9.1", "0.18.1", False)):
        path = tmp_path / "serve.sh"
        path.write_text("vllm serve my/model --worker-extension-cls my.Extension\n", encoding="utf-8")
        run = Run(load_catalog(), load(), Workspace([str(path)], situate=move(source, target)))
        run.judge_file(str(path))
        names = [finding.name for finding in run.finish().findings]
        assert ("dtype-auto-fp32-ckpt" in names) is said, names
