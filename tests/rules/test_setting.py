"""What a rule can ask about one written setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.knowledge.expr import Unsure
from vllm_migrate.knowledge.load import load
from vllm_migrate.rules.run import Judged, Question, Run
from vllm_migrate.rules.setting import Setting

PIPELINERL = "vllm_config:\n  vllm_kwargs:\n    dtype: bfloat16\n"


def engine_of(folder: Path, name: str, text: str, source: str, target: str) -> Judged:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    run = Run(Question(source, target), load_catalog(), load(), Workspace([str(path)]))
    run.judge_file(str(path))
    return run.finish().engines[0]


def setting(folder: Path, words: str, key: str, source: str = "0.8.5", target: str = "0.18.1") -> Setting:
    """The setting `key` of `vllm serve m <words>`."""
    judged = engine_of(folder, "serve.sh", f"vllm serve m {words}\n", source, target)
    written = next(option for option in judged.engine.options if option.key == key)
    return Setting(judged.source, judged.target, written)


def variable(folder: Path, name: str, source: str = "0.8.5", target: str = "0.18.1") -> Setting:
    judged = engine_of(folder, "serve.sh", f"{name}=1 vllm serve m --max-model-len 9\n", source, target)
    written = judged.engine.given[f"env.{name}"].written
    assert written is not None
    return Setting(judged.source, judged.target, written)


def test_a_removed_option(tmp_path: Path) -> None:
    found = setting(tmp_path, "--swap-space 4", "--swap-space")
    names = ("option", "key", "value", "existed", "exists", "ever", "was", "trouble", "renamed", "polarity", "switched")
    assert [found.fact(name) for name in names] == [
        "swap_space", "--swap-space", "4", True, False, True, "", "unknown", "", "deleted", False,
    ]  # fmt: skip
    assert found.removed_in() == "0.18.0"


def test_an_option_that_lives_on_as_a_flag_of_the_server(tmp_path: Path) -> None:
    found = setting(tmp_path, "--disable-log-requests", "--disable-log-requests", target="0.16.0")
    assert found.fact("exists") is True
    assert found.removed_in() == "0.17.0"
    assert "DEPRECATED" in found.deprecation()
    assert setting(tmp_path, "--max-model-len 9", "--max-model-len").deprecation() == ""


def test_a_rename_counts_only_between_the_releases(tmp_path: Path) -> None:
    words = ("--cuda-graph-sizes 64", "--cuda-graph-sizes")
    between = setting(tmp_path, *words, source="0.10.2")
    assert (between.fact("renamed"), between.fact("polarity")) == ("cudagraph_capture_sizes", "same")
    before = setting(tmp_path, *words, source="0.10.2", target="0.11.0")
    assert (before.fact("renamed"), before.fact("polarity")) == ("", "")


@pytest.mark.parametrize(
    ("words", "key", "hint"),
    [
        ("--max-modle-len 9", "--max-modle-len", "; did you mean max-model-len or max-log-len?"),
        ("--max_modle_len 9", "--max_modle_len", "; did you mean max_model_len or max_log_len?"),
        ("--watermark-config x", "--watermark-config", "; it exists since 0.30.0"),
        ("--zzzz 1", "--zzzz", ""),
    ],
)
def test_hints(tmp_path: Path, words: str, key: str, hint: str) -> None:
    assert setting(tmp_path, words, key).hint() == hint


def test_a_hint_names_the_release_that_took_it_away(tmp_path: Path) -> None:
    found = setting(tmp_path, "--num-scheduler-steps 1", "--num-scheduler-steps", source="0.12.0")
    assert found.hint() == "; it was removed in 0.10.1"


def test_an_abbreviation_that_means_another_option(tmp_path: Path) -> None:
    found = setting(tmp_path, "--device cuda", "--device", target="0.24.0")
    assert found.fact("option") == "device"
    assert found.fact("switched") is True
    assert found.candidates() == "it is device_ids"


def test_an_ambiguous_abbreviation(tmp_path: Path) -> None:
    found = setting(tmp_path, "--kv-cache fp8", "--kv-cache")
    assert (found.fact("was"), found.fact("trouble"), found.fact("option")) == ("", "ambiguous", "kv_cache_dtype")
    assert "--kv-cache-dtype or " in found.candidates()


def test_variables(tmp_path: Path) -> None:
    found = variable(tmp_path, "VLLM_USE_V1")
    assert [found.fact(name) for name in ("option", "existed", "exists")] == ["VLLM_USE_V1", True, False]
    assert found.removed_in() == "0.11.1"
    # Read by vLLM once, but not its own: nothing is said when it no longer reads it.
    assert variable(tmp_path, "HF_TOKEN").fact("existed") is False


def test_trouble_that_depends_on_the_framework(tmp_path: Path) -> None:
    text = PIPELINERL + '    disable-log-requests: ""\n'
    judged = engine_of(tmp_path, "base.yaml", text, "0.8.5", "0.18.1")
    found = Setting(judged.source, judged.target, judged.engine.options[1])
    trouble = found.fact("trouble")
    assert isinstance(trouble, Unsure)
    assert set(trouble.options) == {"dropped", "unknown", ""}
    assert "1d5a8d3" in trouble.reasons[0]


def test_a_value_that_the_files_do_not_decide(tmp_path: Path) -> None:
    value = setting(tmp_path, '--dtype "$1"', "--dtype").fact("value")
    assert isinstance(value, Unsure)


def test_no_such_fact(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        setting(tmp_path, "--max-model-len 9", "--max-model-len").fact("colour")
