"""What a rule can ask about one written setting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vllm_migrate.dialects.model import Engine
from vllm_migrate.knowledge.expr import Undetermined
from vllm_migrate.resolve.view import View
from vllm_migrate.rules.setting import Setting

PIPELINERL = "vllm_config:\n  vllm_kwargs:\n    dtype: bfloat16\n"


class Asker:
    """Makes settings of small scripts."""

    def __init__(
        self, folder: Path, read: Callable[[Path, str], Engine], views: Callable[..., tuple[View, View]]
    ) -> None:
        self.folder, self.read, self.views = folder, read, views

    def setting(self, words: str, key: str, source: str = "0.8.5", target: str = "0.18.1") -> Setting:
        """The setting `key` of `vllm serve m <words>`."""
        engine = self.read(self.folder / "serve.sh", f"vllm serve m {words}\n")
        written = next(option for option in engine.options if option.key == key)
        return Setting(*self.views(engine, source, target), written)

    def variable(self, name: str) -> Setting:
        engine = self.read(self.folder / "serve.sh", f"{name}=1 vllm serve m --max-model-len 9\n")
        written = engine.facts[f"env.{name}"].written
        assert written is not None
        return Setting(*self.views(engine, "0.8.5", "0.18.1"), written)


@pytest.fixture
def ask(
    tmp_path: Path, read_engine: Callable[[Path, str], Engine], view_both: Callable[..., tuple[View, View]]
) -> Asker:
    return Asker(tmp_path, read_engine, view_both)


def test_a_removed_option(ask: Asker) -> None:
    found = ask.setting("--swap-space 4", "--swap-space")
    names = (
        "option",
        "key",
        "value",
        "existed",
        "exists",
        "ever",
        "was",
        "diagnostic",
        "renamed",
        "polarity",
        "switched",
    )
    assert [found.fact(name) for name in names] == [
        "swap_space", "--swap-space", "4", True, False, True, "", "unknown", "", "deleted", False,
    ]  # fmt: skip
    assert found.removed_in() == "0.18.0"


def test_an_option_that_lives_on_as_a_flag_of_the_server(ask: Asker) -> None:
    found = ask.setting("--disable-log-requests", "--disable-log-requests", target="0.16.0")
    assert found.fact("exists") is True
    assert found.removed_in() == "0.17.0"
    assert "DEPRECATED" in found.deprecation()
    assert ask.setting("--max-model-len 9", "--max-model-len").deprecation() == ""


def test_a_rename_counts_only_between_the_releases(ask: Asker) -> None:
    words = ("--cuda-graph-sizes 64", "--cuda-graph-sizes")
    between = ask.setting(*words, source="0.10.2")
    assert (between.fact("renamed"), between.fact("polarity")) == ("cudagraph_capture_sizes", "same")
    before = ask.setting(*words, source="0.10.2", target="0.11.0")
    assert (before.fact("renamed"), before.fact("polarity")) == ("", "")


@pytest.mark.parametrize(
    ("words", "key", "hint"),
    [
        ("--max-modle-len 9", "--max-modle-len", "; did you mean max-model-len or max-log-len?"),
        ("--max_modle_len 9", "--max_modle_len", "; did you mean max_model_len or max_log_len?"),
        ("--watermark-config x", "--watermark-config", "; it was added in 0.30.0"),
        ("--zzzz 1", "--zzzz", ""),
    ],
)
def test_hints(ask: Asker, words: str, key: str, hint: str) -> None:
    assert ask.setting(words, key).hint() == hint


def test_a_hint_names_the_release_that_took_it_away(ask: Asker) -> None:
    found = ask.setting("--num-scheduler-steps 1", "--num-scheduler-steps", source="0.12.0")
    assert found.hint() == "; it was removed in 0.10.1"


def test_a_hint_names_what_took_its_place(ask: Asker) -> None:
    task = ask.setting("--task generate", "--task", source="0.18.1", target="0.24.0")
    assert task.hint() == "; it was removed in 0.13.0; use runner instead"
    backend = ask.setting("--guided_decoding_backend x", "--guided_decoding_backend", source="0.18.1", target="0.24.0")
    assert backend.hint() == "; it was removed in 0.12.0; use structured_outputs_config instead"
    opposite = ask.setting("--disable-log-requests", "--disable-log-requests", source="0.18.1", target="0.24.0")
    assert opposite.hint() == "; it was removed in 0.17.0"


NEMO_RL = """policy:
  generation:
    backend: vllm
    vllm_cfg: {tensor_parallel_size: 1}
    vllm_kwargs: {log_config_file: x}
"""


def test_a_flag_of_the_server_is_no_keyword(ask: Asker) -> None:
    engine = ask.read(ask.folder / "grpo.yaml", NEMO_RL)
    written = next(option for option in engine.options if option.key == "log_config_file")
    found = Setting(*ask.views(engine, "0.12.0", "0.24.0"), written)
    assert [found.fact(name) for name in ("existed", "exists", "diagnostic")] == [False, False, "unknown"]
    assert found.hint() == "; it is only a flag of the server"


def test_an_argument_without_a_flag(ask: Asker) -> None:
    found = ask.setting("--mamba-config x", "--mamba-config", source="0.18.1", target="0.24.0")
    assert found.hint() == "; it has no command-line flag"


def test_an_abbreviation_that_means_another_option(ask: Asker) -> None:
    found = ask.setting("--device cuda", "--device", target="0.24.0")
    assert found.fact("option") == "device"
    assert found.fact("switched") is True
    assert found.candidates() == "it is device_ids"


def test_an_ambiguous_abbreviation(ask: Asker) -> None:
    found = ask.setting("--kv-cache fp8", "--kv-cache")
    assert (found.fact("was"), found.fact("diagnostic"), found.fact("option")) == ("", "ambiguous", "kv_cache_dtype")
    assert "--kv-cache-dtype or " in found.candidates()


def test_variables(ask: Asker) -> None:
    found = ask.variable("VLLM_USE_V1")
    assert [found.fact(name) for name in ("option", "existed", "exists")] == ["VLLM_USE_V1", True, False]
    assert found.removed_in() == "0.11.1"
    # Read by vLLM once, but not its own: nothing is said when it no longer reads it.
    assert ask.variable("HF_TOKEN").fact("existed") is False


def test_trouble_that_depends_on_the_framework(ask: Asker) -> None:
    text = PIPELINERL + '    disable-log-requests: ""\n'
    engine = ask.read(ask.folder / "base.yaml", text)
    found = Setting(*ask.views(engine, "0.8.5", "0.18.1"), engine.options[1])
    diagnostic = found.fact("diagnostic")
    assert isinstance(diagnostic, Undetermined)
    assert set(diagnostic.options) == {"dropped", "unknown", ""}
    assert "1d5a8d3" in diagnostic.reasons[0]


def test_a_value_that_the_files_do_not_decide(ask: Asker) -> None:
    value = ask.setting('--dtype "$1"', "--dtype").fact("value")
    assert isinstance(value, Undetermined)


def test_no_such_fact(ask: Asker) -> None:
    with pytest.raises(KeyError):
        ask.setting("--max-model-len 9", "--max-model-len").fact("colour")
