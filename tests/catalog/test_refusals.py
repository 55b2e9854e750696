"""What releases refuse over several settings, and what they replace, as shipped."""

from __future__ import annotations

import pytest

from vllm_migrate.catalog import refusals, store


def lives(settings: set[str]) -> list[tuple[str, str | None]]:
    """The spans in which some refusal is about these settings, one after the other."""
    found = refusals.load()
    releases = store.load().shipped
    there = [bool(found.about(settings, release)) for release in releases]
    spans: list[tuple[str, str | None]] = []
    for position, release in enumerate(releases):
        if there[position] and (not position or not there[position - 1]):
            spans.append((release, None))
        elif not there[position] and position and there[position - 1]:
            spans[-1] = (spans[-1][0], release)
    return spans


@pytest.mark.parametrize(
    ("settings", "since"),
    [
        ({"async_scheduling", "enable_return_routed_experts"}, "0.21.0"),
        ({"pipeline_parallel_size", "enable_return_routed_experts"}, "0.21.0"),
        ({"sampling.n", "sampling.temperature"}, "0.8.5"),
        ({"min_tokens", "max_tokens"}, "0.8.5"),
        ({"kv_transfer_config.kv_connector", "kv_transfer_config.kv_role"}, "0.8.5"),
        ({"enable_eplb", "enable_expert_parallel"}, "0.9.2"),
    ],
)
def test_since_when_a_combination_is_refused(settings: set[str], since: str) -> None:
    assert lives(settings)[0][0] == since


def test_min_p_and_logit_bias_under_speculation() -> None:
    for name in ("min_p", "logit_bias"):
        assert lives({name, "speculative_config"})[-1][1] is None
        assert refusals.load().about({name, "speculative_config"}, "0.14.0")


def test_routed_experts_are_refused_with_async_scheduling_at_one_release() -> None:
    assert lives({"async_scheduling", "enable_return_routed_experts"}) == [("0.21.0", "0.22.0")]


def test_a_refusal_has_one_name_while_its_condition_changes() -> None:
    found = refusals.load()
    (one,) = [r for r in found.at("0.18.1") if r.text.startswith("Please specify kv_role when kv_connector is set")]
    assert found.life(one.id) == [("0.11.1", None)] and found.get(one.id, "0.33.0") is not None
    assert one.sites[0].what == "ValueError" and "self.kv_role is None" in one.sites[0].when
    assert one.settings == {"kv_transfer_config.kv_connector", "kv_transfer_config.kv_role"}


def test_what_is_new_at_a_target() -> None:
    found = refusals.load()
    new = found.new("0.8.5", "0.18.1")
    known = {r.id for r in found.at("0.8.5")}
    assert len(new) > 50 and not {r.id for r in new} & known
    assert found.new("0.18.1", "0.18.1") == []


@pytest.mark.parametrize(
    ("setting", "release", "value"),
    [
        ("all2all_backend", "0.18.1", "'allgather_reducescatter'"),
        ("async_scheduling", "0.18.1", "False"),
        ("compilation_config.cudagraph_mode", "0.18.1", "CUDAGraphMode.NONE"),
    ],
)
def test_what_is_replaced_at_start(setting: str, release: str, value: str) -> None:
    found = refusals.load().replacements_of(setting, release)
    assert value in {site.what for one in found for site in one.sites}
    assert all(one.text and one.level in ("warning", "info", "error") for one in found)


def test_every_refusal_reads_two_settings_or_more() -> None:
    found = refusals.load()
    for release in store.load().shipped:
        count = found.count(release)
        assert count["none"] + count["one"] + count["several"] == count["conditional"] <= count["statements"]
        for one in found.at(release):
            assert all(len(site.settings) > 1 for site in one.sites) and one.sites, one.id
