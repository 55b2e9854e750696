"""Judging engines that say the same once changes nothing: a corpus is linted with the memory and without it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from vllm_migrate.cli.options import Call
from vllm_migrate.dialects.model import Engine
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.build import read_rules, rules_folder
from vllm_migrate.knowledge.expr import Undetermined
from vllm_migrate.report.json import render
from vllm_migrate.rules import memo
from vllm_migrate.run import judging as run
from vllm_migrate.run.session import lint


def texts_of_rules() -> dict[str, str]:
    """The YAML files of all rules' examples, each under a folder of its own."""
    out = {}
    for rule in read_rules(rules_folder()):
        assert rule.examples is not None
        for number, example in enumerate([*rule.examples.fires, *rule.examples.silent]):
            out.update(
                {f"{rule.name}/{number}/{name}": t for name, t in example.files.items() if name.endswith("yaml")}
            )
    return out


def variants(text: str) -> list[str]:
    """The same at other places; other values of the same settings; the same values in other types."""
    return [
        text,
        "# moved\n\n" + text,
        re.sub(r"(?<=: )(\d+)$", lambda found: str(int(found[1]) + 1), text, flags=re.MULTILINE),
        re.sub(r"(?<=: )(true|false)$", lambda found: {"true": "1", "false": "0"}[found[1]], text, flags=re.MULTILINE),
        re.sub(r"(?<=: )(\w+)$", r'"\1"', text, flags=re.MULTILINE),
        text.replace("use_v1: false", "use_v1: true").replace("bfloat16", "float16"),
    ]


def linted(folder: Path) -> object:
    """What JSON says of a folder, every file with all that it depends on."""
    outcome = lint(Call(paths=[str(folder)], isolated=True))
    for entry in outcome.report.entries:
        entry.finding.message += repr((entry.finding.why, entry.finding.advice, entry.finding.fix is None))
    return json.loads(render(outcome.report))


def test_a_corpus_gives_the_same_with_and_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in texts_of_rules().items():
        for number, variant in enumerate(variants(text)):
            path = tmp_path / str(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(variant, encoding="utf-8")
    recalled: list[bool] = []
    recall = memo.Memo.recall

    def counted(self: memo.Memo, engine: Engine, key: memo.Key) -> memo.Judgement | None:
        found = recall(self, engine, key)
        recalled.append(found is not None)
        return found

    monkeypatch.setattr(memo.Memo, "recall", counted)
    remembered = linted(tmp_path)
    assert recalled.count(True) > 100
    assert recalled.count(False) > 100
    monkeypatch.setattr(run, "signature", lambda engine: None)
    assert linted(tmp_path) == remembered


def test_what_conditions_read_is_compared(tmp_path: Path) -> None:
    """Two files with the same settings: a key that only a dialect's condition reads tells them apart."""
    same = "actor_rollout_ref:\n  rollout:\n    name: vllm\n    mode: {mode}\n    enable_prefix_caching: true\n"
    found = []
    for modes in (("sync", "async"), ("async", "sync")):
        folder = tmp_path / modes[0]
        folder.mkdir()
        for number, mode in enumerate(modes):
            (folder / f"{number}.yaml").write_text(same.format(mode=mode), encoding="utf-8")
        outcome = lint(Call(paths=[str(folder)], isolated=True))
        by_file: dict[str, list[str]] = {mode: [] for mode in modes}
        for entry in outcome.report.sorted_entries():
            mode = modes[int(Path(entry.finding.spot.file.path).stem)]
            by_file[mode].append(f"{entry.finding.code} {entry.finding.message} {entry.finding.depends_on}")
        found.append(by_file)
    assert found[0] == found[1]


def test_frozen_tells_types_apart() -> None:
    values: list[object] = [
        *(1, 1.0, True, "1", None, "", [], {}, [1], (1,), {"a": 1}, {"a": True}, float("nan")),
        *(Unknown("1"), Undetermined(("1",)), Undetermined(("1",), (1,)), Undetermined(("1",), (True,))),
    ]
    frozen = [memo.frozen(value) for value in values]
    assert len(set(frozen)) == len(frozen)
    assert memo.frozen(float("nan")) == memo.frozen(float("nan"))
