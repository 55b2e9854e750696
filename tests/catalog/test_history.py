"""An option's life over all releases, as `explain` shows it."""

from __future__ import annotations

import pytest

from vllm_migrate.catalog import details, history, store


def text(cat: store.Catalog, name: str) -> str:
    found = history.explain_option(cat, name)
    assert found is not None
    return history.render_text(found)


def test_swap_space(cat: store.Catalog) -> None:
    found = history.explain_option(cat, "swap_space")
    assert found is not None
    story = found.stories[0]
    assert (story.section, story.option) == ("engine", "swap_space")
    assert [(s.since, s.until, s.facts.default) for s in story.spans] == [("0.8.5", "0.18.0", 4)]
    assert story.note and "V1" in story.note and story.replaced_by is None


def test_async_scheduling_shows_its_default_and_what_sets_it_later(cat: store.Catalog) -> None:
    page = text(cat, "async_scheduling")
    assert "0.14.0     default null" in page
    assert "VllmConfig.__post_init__: True" in page


def test_a_variable_that_became_an_argument(cat: store.Catalog) -> None:
    page = text(cat, "VLLM_ATTENTION_BACKEND")
    assert "0.15.0     removed; now attention_backend" in page


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("--swap-space", ("cli", "--swap-space")),
        ("swap-space", ("engine", "swap_space")),
        ("--no-enable-prefix-caching", ("cli", "--enable-prefix-caching")),
        ("vllm_use_v1", ("env", "VLLM_USE_V1")),
        ("CompilationConfig.level", ("config", "CompilationConfig.level")),
        ("/pause", ("route", "POST /pause")),
        ("cudagraph_mode", ("config", "CompilationConfig.cudagraph_mode")),
    ],
)
def test_any_spelling(cat: store.Catalog, name: str, first: tuple[str, str]) -> None:
    assert first in history.found(cat, name)


def test_an_unknown_name_has_no_story(cat: store.Catalog) -> None:
    assert history.explain_option(cat, "no_such_option") is None


def test_timeline_has_one_mark_per_release(cat: store.Catalog) -> None:
    spans = [history.Span(*one) for one in cat.life("engine", "async_scheduling")]
    marks = history.timeline(cat.releases, spans).split()[1]
    assert len(marks) == len(cat.releases)
    assert marks.index("=") == cat.ordinal("0.10.0")
    assert marks[cat.ordinal("0.14.0")] == "|"
    gone = [history.Span(*one) for one in cat.life("engine", "swap_space")]
    assert history.timeline(cat.releases, gone).split()[1].endswith("..")


def test_a_condition_is_shown_whole(cat: store.Catalog) -> None:
    """A condition that is cut at its head may read as its opposite."""
    late = details.load(cat)
    for name in ("async_scheduling", "worker_cls", "enable_prefix_caching", "distributed_executor_backend"):
        found = history.explain_option(cat, name)
        assert found is not None
        guards = {g for entries in late.late_of(name, cat.releases[-1]).values() for g, _ in entries if g}
        text = history.render_text(found)
        assert guards and all(f"  if {guard}" in text for guard in guards)
        words = history.render_text(found, 80).split()
        assert words == text.split()
        assert all(len(line) <= 80 or " " not in line.strip() for line in history.render_text(found, 80).splitlines())


def test_choices_in_another_order_are_no_change(cat: store.Catalog) -> None:
    for name in ("logprobs-mode", "kv_cache_dtype", "quantization", "load_format", "dtype"):
        found = history.explain_option(cat, name)
        assert found is not None
        for story in found.stories:
            shown = [what for _, what in history.steps(story)]
            assert not any('choices ""' in what for what in shown), (name, story.section)
            assert len(story.spans) <= len(shown)
