"""Files of other tools with keys like vLLM's: no dialect finds an engine in them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.dialects.reading import Reading

NEAR_MISSES: dict[str, str] = yaml.safe_load(Path(__file__).with_name("near_misses.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_no_engine_is_found_in(name: str, tmp_path: Path) -> None:
    engines = Reading(tmp_path, {name: NEAR_MISSES[name]}).engines
    assert [engine.id for engine in engines] == []
