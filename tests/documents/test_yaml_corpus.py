"""Real files: every one is read or says why not, and edits at their mappings are right at the first try.

`VLLM_MIGRATE_FULL=1` edits at every mapping (minutes) instead of some of each file's.
"""

from __future__ import annotations

import collections
import os
from pathlib import Path

import pytest
import yaml

from tests.documents.test_yaml_properties import places
from vllm_migrate.documents.editing import plan, prove
from vllm_migrate.documents.interface import (
    DELETE,
    INSERT,
    MAP,
    RENAME,
    SCALAR,
    SEQ,
    SET,
    CannotEdit,
    Op,
    Unreadable,
    decode,
)
from vllm_migrate.documents.oracle import equal
from vllm_migrate.documents.yaml.document import YamlDocument, parse_yaml

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
FILES = sorted([*CORPUS.rglob("*.yaml"), *CORPUS.rglob("*.yml")]) if CORPUS.is_dir() else []
FULL = bool(os.environ.get("VLLM_MIGRATE_FULL"))
REFUSALS = ("anchor", "merge", "alias", "explicit tag", "template", "twice", "block scalar", "explicit")

pytestmark = pytest.mark.skipif(not FILES, reason="the corpus of real files is not here")


def read(path: Path) -> YamlDocument | None:
    try:
        return parse_yaml(decode(str(path), path.read_bytes()))
    except Unreadable as error:
        assert error.reason in ("template", "syntax")
        with pytest.raises(yaml.YAMLError):
            list(yaml.compose_all(path.read_text(), yaml.CSafeLoader))
        return None


def operations(document: YamlDocument, index: int) -> list[Op]:
    ops: list[Op] = []
    for number, (path, node) in enumerate(places(document.roots[index])):
        parent = document.roots[index].at(path[:-1])
        if node.kind == MAP:
            keys = [pair.key for pair in node.pairs if not pair.merged]
            ops.append(Op(SET, (*path, "a_new_key"), False))
            ops.append(Op(SET, (*path, "new", "sub"), "no", after=keys[0] if keys else ""))
        elif node.kind == SEQ:
            ops.append(Op(INSERT, (*path, 0), "zz"))
            ops.append(Op(INSERT, (*path, len(node.items)), {"zz": 1, "b": "x"}))
        elif node.value is None and path:
            ops.append(Op(SET, (*path, "sub"), 1))
        if path and (node.kind != SCALAR or number % 3 == 0):
            ops += [Op(SET, path, "a: b"), Op(DELETE, path)]
            if isinstance(path[-1], str) and parent is not None and parent.kind == MAP:
                ops.append(Op(RENAME, path, new_key="renamed"))
    return ops


def test_every_file_is_read_as_pyyaml_reads_it() -> None:
    unread = 0
    for path in FILES:
        document = read(path)
        unread += document is None
        if document is not None and not any("!" in root.text for root in document.trees):
            try:
                loaded = list(yaml.load_all(path.read_text(), yaml.CSafeLoader))
            except (yaml.YAMLError, ValueError, TypeError):
                continue
            assert equal(_texts(loaded), _texts([root.plain() for root in document.roots])), path
    assert unread <= 5 and len(FILES) > 100


def _texts(value: object) -> object:
    """Keys (GitHub's `on`, a boolean to PyYAML) and dates as text: our nodes keep both as written."""
    if isinstance(value, dict):
        return {("on" if key is True else str(key)): _texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return str(value) if hasattr(value, "isoformat") else value


def test_edits_of_real_files_are_right_at_the_first_try() -> None:
    counts: collections.Counter[str] = collections.Counter()
    for path in FILES:
        document = read(path)
        for index in range(len(document.roots) if document is not None else 0):
            assert document is not None
            ops = operations(document, index)
            some = 4 if len(document.source.text) < 10_000 else 1
            for op in ops if FULL else ops[:: max(len(ops) // some, 1)]:
                try:
                    edits = plan(document, [op], index)
                except CannotEdit as error:
                    counts[f"refused {op.kind}"] += 1
                    assert any(word in str(error) for word in REFUSALS), (path, op, error)
                    continue
                prove(document, edits, [op], index)
                counts[op.kind] += 1
    print(dict(counts))
    assert sum(counts[f"refused {kind}"] for kind in (SET, DELETE, RENAME, INSERT)) < sum(counts.values()) / 50
