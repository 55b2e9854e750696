"""Options whose value is a mapping, as shipped."""

from __future__ import annotations

import pytest

from vllm_migrate.catalog import nested, store


@pytest.mark.parametrize(
    ("option", "release", "llm", "engine", "parser"),
    [
        ("compilation_config", "0.8.5", "dropped", "dropped", "dropped"),
        ("compilation_config", "0.10.2", "dropped", "dropped", "dropped"),
        ("compilation_config", "0.18.1", "refused", "refused", "refused"),
        ("compilation_config", "0.33.0", "refused", "refused", "refused"),
        ("speculative_config", "0.8.5", "refused", "refused", "refused"),
        ("speculative_config", "0.10.2", "dropped", "dropped", "dropped"),
        ("speculative_config", "0.18.1", "refused", "refused", "refused"),
        ("additional_config", "0.18.1", "kept", "kept", "kept"),
        ("override_generation_config", "0.8.5", "kept", "kept", "kept"),
        ("attention_config", "0.8.5", None, None, None),
    ],
)
def test_what_becomes_of_an_unknown_key(
    option: str, release: str, llm: str | None, engine: str | None, parser: str | None
) -> None:
    found = nested.load()
    assert [found.unknown_key(option, entry, release) for entry in nested.ENTRIES] == [llm, engine, parser]


def test_fields_of_an_option() -> None:
    found = nested.load()
    fields = found.fields("compilation_config", "0.18.1")
    assert "mode" in fields and "level" not in fields and "level" in found.fields("compilation_config", "0.8.5")
    assert "cudagraph_mode" in fields and fields["cudagraph_mode"].type
    assert found.fields("additional_config", "0.18.1") == {} == found.fields("attention_config", "0.8.5")
    assert "enabled_custom_ops" not in fields, "no user can write it"


def test_every_option_with_a_class_has_fields() -> None:
    found = nested.load()
    for release in store.load().shipped:
        options = found.options(release)
        assert {"compilation_config", "speculative_config", "kv_transfer_config"} <= set(options)
        for option, cls in options.items():
            assert cls is None or found.fields(option, release), f"{release} {option} {cls}"
