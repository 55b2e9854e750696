"""Settings that a release takes are not refused, whatever its configuration classes fill in by themselves."""

from __future__ import annotations

import json

import pytest

from vllm_migrate import lint
from vllm_migrate.catalog import nested
from vllm_migrate.catalog.store import load

CATALOG = load()
RELEASES = [release for release in CATALOG.releases if CATALOG.ordinal(release) >= CATALOG.ordinal("0.10.0")][::3]


def methods(release: str) -> list[str]:
    """The methods of speculation that a release declares."""
    facts = nested.load(CATALOG).fields("speculative_config", release).get("method")
    return [str(choice) for choice in (facts.choices or [])] if facts is not None else []


@pytest.mark.parametrize("release", [*RELEASES, "0.33.0"])
def test_a_plain_speculative_config_is_not_refused(release: str) -> None:
    for method in methods(release):
        config: dict[str, object] = {"method": method, "num_speculative_tokens": 2}
        if method == "ngram":
            config |= {"prompt_lookup_max": 4, "prompt_lookup_min": 2}
        elif not method.endswith("mtp"):
            config["model"] = "org/draft"
        text = f"vllm serve org/m --speculative-config '{json.dumps(config)}'\n"
        report = lint("s.sh", files={"s.sh": text}, from_=release, to=release)
        assert [f.message for f in report.findings if f.code in ("VM218", "VM219")] == [], (release, method)
