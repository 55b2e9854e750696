"""All edits of a fix are proved together: judged again, the project has no finding that it did not have."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from vllm_migrate import fix, lint
from vllm_migrate.report.model import Report

VERL = "actor_rollout_ref.rollout"
CONF = """\
actor_rollout_ref:
  rollout:
    name: vllm
    gpu_memory_utilization: 0.5
    engine_kwargs:
      vllm: {}
"""
SCRIPT = f"python3 -m verl.trainer.main_ppo --config-path=conf --config-name=ppo {VERL}.temperature=0.7\n"
OTHER = f"python3 -m verl.trainer.main_ppo --config-path=conf --config-name=ppo {VERL}.tensor_model_parallel_size=2\n"
PINNED = f"+{VERL}.engine_kwargs.vllm.no_async_scheduling=True"


def keys(report: Report) -> set[tuple[str, str, str]]:
    return {(finding.code, finding.path, finding.option) for finding in report.findings if finding.kind == "finding"}


def fixed(files: Mapping[str, str]) -> dict[str, str]:
    """The project after every fix there is."""
    return {**files, **fix(files=files, unsafe=True).texts}


@pytest.mark.parametrize(
    "files",
    [
        {"conf/ppo.yaml": CONF, "run.sh": SCRIPT},
        {"conf/ppo.yaml": CONF, "a.sh": SCRIPT, "b.sh": OTHER},
        {"conf/ppo.yaml": CONF, "a.sh": SCRIPT.replace("\n", f" {PINNED}\n"), "b.sh": OTHER},
        {"conf/ppo.yaml": CONF},
    ],
)
def test_a_script_and_the_file_that_it_names(files: dict[str, str]) -> None:
    """A pin with + in one place, and the same key in the other, would not compose."""
    after = fixed(files)
    assert keys(lint(files=after)) <= keys(lint(files=files))
    assert fix(files=after, unsafe=True).texts == {}
    for text in after.values():
        assert text.count("no_async_scheduling") <= 1


def test_what_shows_the_old_engine_is_kept_where_the_rest_would_not_be_known() -> None:
    """Without its attention backend nobody knows any more that V0 ran here."""
    script = "export VLLM_ATTENTION_BACKEND=XFORMERS\nvllm serve m --kv-cache-dtype fp8 --max-model-len 4096 --swap-space 8\n"
    plan = fix(files={"run.sh": script}, unsafe=True)
    after = {"run.sh": plan.texts["run.sh"]}
    assert keys(lint(files=after)) <= keys(lint(files={"run.sh": script}))
    assert "--swap-space" not in after["run.sh"], "what stops the server goes all the same"


def test_a_fix_that_is_taken_back_says_why() -> None:
    """As an option the backend is accepted and replaced, which is a finding of its own."""
    script = "VLLM_ALL2ALL_BACKEND=pplx vllm serve m --enable-expert-parallel --max-model-len 4096\n"
    plan = fix(files={"run.sh": script}, from_="0.10.0", unsafe=True).plan
    reasons = {finding.name: why for finding, why in plan.refused}
    assert reasons["env-var-removed"] == "it would cause VM308 all2all-backend-replaced at run.sh:1"


def test_what_a_fix_was_taken_back_for_in_vain_is_made() -> None:
    """Steps in one go show V0, and stop the server; without them nobody knows which core ran, whatever else is kept."""
    script = "VLLM_USE_TRITON_FLASH_ATTN=0 vllm serve m --num-scheduler-steps 8 --kv-cache-dtype fp8 --enable-chunked-prefill=false\n"
    after = fixed({"run.sh": script})
    assert "FLASH_ATTN" not in after["run.sh"] and "--enable-chunked-prefill=false" not in after["run.sh"]
    assert fix(files=after, unsafe=True).texts == {}


def test_what_stops_the_engine_goes_though_nobody_knows_then_which_core_ran() -> None:
    script = "export VLLM_ATTENTION_BACKEND=FLASHINFER\nvllm serve m --kv-cache-dtype fp8 --num-scheduler-steps 8\n"
    plan = fix(files={"run.sh": script}, unsafe=True)
    assert "--num-scheduler-steps" not in plan.texts["run.sh"]


def test_the_pin_of_logprobs_is_written_where_requests_truncate() -> None:
    """Truncated logprobs in the loss are older than the pin that restores them."""
    config = "llm:\n  parameters: {temperature: 0.7, top_p: 0.9}\nvllm_config:\n  use_v1: false\n  vllm_kwargs:\n    dtype: float32\n"
    assert "logprobs-mode: processed_logprobs" in fix(files={"conf/base.yaml": config}).texts["conf/base.yaml"]


def test_engines_that_are_counted_anew_are_not_new() -> None:
    """A mapping that a fix adds is one more mapping of the module, and those behind it get other numbers."""
    held = '{"backend": "vllm", "vllm_cfg": {"tensor_parallel_size": 1, "max_model_len": 512}, "max_new_tokens": 16}'
    body = f"    return run(policy={{'generation': {held}}})\n"
    plan = fix(files={"test_it.py": f"def a():\n{body}\n\ndef b():\n{body}"}, unsafe=True).plan
    assert plan.applied and not plan.refused


GUIDED = (
    "vllm serve m --guided-decoding-backend outlines --guided-decoding-disable-any-whitespace "
    '--override-pooler-config \'{"pooling_type": "MEAN"}\'\n'
)
SERVERS = "vllm serve a --max-model-len 8192\nvllm serve b --max-model-len 8192\n"


@pytest.mark.parametrize("files", [{"run.sh": GUIDED}, {"run.sh": SERVERS}, {"conf/ppo.yaml": CONF, "run.sh": SCRIPT}])
def test_lint_offers_what_fix_writes(files: dict[str, str]) -> None:
    report, fixed = lint(files=files, from_="0.9.2"), fix(files=files, from_="0.9.2", unsafe=True)
    offered = [f for f in report.findings if f.fix is not None and f.fix.edits]
    assert {(f.code, f.option) for f in offered} == {(f.code, f.option) for f in fixed.plan.applied}
    assert len(offered) == fixed.settled > 0
    edits = {edit for f in offered if f.fix is not None for edit in f.fix.edits}
    assert edits == set(fixed.edits) or len(edits) > len(fixed.edits), "where two edits touch, the plan has one of both"


def test_a_pin_that_refuses_what_is_written_is_named() -> None:
    """0.8.5 has no such option: the fix is not safe beside a pin of it, and needs another release."""
    files = {
        "requirements.txt": "torch\nvllm==0.8.5\n",
        "conf/base.yaml": "vllm_config:\n  vllm_kwargs:\n    dtype: float32\n",
    }
    pinned, free = (
        {f.name: f.fix for f in lint(files=each).findings}
        for each in (files, {"conf/base.yaml": files["conf/base.yaml"]})
    )
    fix_, alone = pinned["async-scheduling-default"], free["async-scheduling-default"]
    assert fix_ is not None and alone is not None
    assert (fix_.needs, fix_.safety, fix_.conflicts) == ("0.10.0", "review", (("requirements.txt", 2, "vllm==0.8.5"),))
    assert (alone.needs, alone.conflicts) == ("0.10.0", ())


VERL_RUN = (
    f"python3 -m verl.trainer.main_ppo {VERL}.name=vllm {VERL}.temperature=0.7 {VERL}.gpu_memory_utilization=0.5\n"
)


@pytest.mark.parametrize("vllm", ["", "vllm==0.8.3\n", "vllm==0.8.5.post1\n"])
@pytest.mark.parametrize("verl", ["0.4.1", "0.5.0"])
def test_a_framework_that_the_target_rules_out_makes_its_pins_reviews(verl: str, vllm: str) -> None:
    """What is written is spelled for the framework's release that runs with the target; the installed one would refuse it."""
    files = {"requirements.txt": f"verl=={verl}\n{vllm}", "run.sh": VERL_RUN}
    written = [f for f in lint(files=files).findings if f.fix is not None and f.fix.edits]
    assert written
    for finding in written:
        assert finding.fix is not None and finding.fix.safety == "review"
        assert ("requirements.txt", 1, f"verl=={verl}") in finding.fix.conflicts
        assert any(text == vllm.strip() for _, _, text in finding.fix.conflicts) == bool(vllm)
    assert fix(files=files).texts == {}


def test_a_framework_that_runs_with_both_releases_keeps_a_safe_fix() -> None:
    files = {"requirements.txt": "trl==0.29.0\nvllm==0.12.0\n", "run.sh": "vllm serve org/m --async-scheduling=true\n"}
    assert all(f.fix.conflicts == () for f in lint(files=files).findings if f.fix is not None)


@pytest.mark.parametrize(
    "option",
    [
        "enable_chunked_prefill",
        "compilation_config",
        "guided_decoding_backend",
        "enforce_eager",
        "kv_cache_dtype",
        "task",
    ],
)
@pytest.mark.parametrize("text", ["gen.py", "serve.sh"])
def test_no_fix_writes_a_value_over_a_variable(option: str, text: str) -> None:
    flag = option.replace("_", "-")
    files = {
        "gen.py": f"from vllm import LLM\nllm = LLM(model='org/m', {option}=chosen.value, max_model_len=4096)\n",
        "serve.sh": f'vllm serve org/m --{flag} "$CHOSEN" --max-model-len 4096\n',
    }
    texts = fix(files={text: files[text]}, unsafe=True).texts
    after = texts.get(text, files[text])
    mine = [
        line for line in after.replace(",", "\n").replace("--", "\n--").splitlines() if option in line or flag in line
    ]
    assert all("chosen.value" in line or "$CHOSEN" in line for line in mine)


def test_a_literal_beside_it_is_replaced() -> None:
    files = {
        "gen.py": "from vllm import LLM\nllm = LLM(model='org/m', enable_chunked_prefill=False, max_model_len=4096)\n"
    }
    assert "enable_chunked_prefill=True" in fix(files=files, unsafe=True, from_="0.10.2").texts["gen.py"]
