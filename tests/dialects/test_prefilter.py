"""Which files may hold a vLLM setting, told from their bytes."""

from __future__ import annotations

import pytest

from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.prefilter import Prefilter
from vllm_migrate.knowledge.load import load as load_knowledge

PREFILTER = Prefilter(load_knowledge().dialects, load_catalog())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max-model-len: 8192\n", True),
        ("max_model_len: 8192\n", True),
        ('\ufeff"max-model-len" : 8192\n', True),
        ("{max-model-len: 8192, seed: 1}\n", True),
        ("a: 1\r\nmax-model-len: 8192\r\n", True),
        ("a: 1\r  no-enable-prefix-caching: true\r", True),
        ("'max-model-len'\n", True),
        ("seed: 1\nmodel: m\n", False),
        ("log-level: info\n", False),
        ("description: set max-model-len: 3\n", False),
        ("max-model-length: 8192\n", False),
        ("x:\ndefaults:\n  - base\n", True),
        ("x:\n  defaults:\n    - base\n", False),
        ("policy:\n  generation:\n    vllm_cfg: {}\n", True),
    ],
)
def test_yaml(text: str, expected: bool) -> None:
    assert PREFILTER.may_concern("conf/a.yaml", text.encode()) is expected


def test_other_files() -> None:
    assert PREFILTER.may_concern("run.sh", b"vllm serve m\n") and not PREFILTER.may_concern("run.sh", b"ls\n")
    assert not PREFILTER.may_concern("README.md", b"vllm serve m\n")
