"""serve_config_spellings.json is what the releases' own parsers say, and says what our rules rest on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.real.oracles import spellings
from tests.real.oracles.client import RELEASES, OracleError, run_oracle

TABLE = spellings.load()


def in_file(yaml: str, *arguments: str) -> dict[str, Any]:
    return {"argv": ["serve", "m", "--config", "F.yaml", *arguments], "files": {"F.yaml": yaml}}


def on_command_line(*arguments: str) -> dict[str, Any]:
    return {"argv": ["serve", "m", *arguments]}


OFF = {"enable_prefix_caching": False}
ON = {"enable_prefix_caching": True}
NO_CASCADE = {"disable_cascade_attn": True}

# (case, what arrives at 0.8.5, at 0.18.1); an int is the exit code of a refusal
TRUTHS: list[tuple[dict[str, Any], object, object]] = [
    (in_file("enable-prefix-caching: false\n"), {}, {}),
    (in_file("no-enable-prefix-caching: true\n"), OFF, OFF),
    (in_file('enable-prefix-caching: "false"\n'), 2, 2),
    (in_file("enable-prefix-caching: 0\n"), 2, 2),
    (in_file("enable-prefix-caching:\n"), 2, 2),
    (in_file("async-scheduling: false\n"), {}, {}),
    (in_file("no-async-scheduling: true\n"), 2, {"async_scheduling": False}),
    (in_file("disable-cascade-attn: true\n"), NO_CASCADE, NO_CASCADE),
    (in_file("disable-cascade-attn: false\n"), {}, {}),
    (in_file("logprobs-mode: processed_logprobs\n"), 2, {"logprobs_mode": "processed_logprobs"}),
    (in_file("logprobs-mode: processed\n"), 2, 2),
    (in_file("no-such-option: false\n"), {}, {}),
    (in_file("enable-pref: true\n"), ON, ON),
    (in_file("max-num: 8\n"), 2, 2),
    (in_file("hf-overrides:\n  a: 1\n"), 2, {"hf_overrides": {"a": 1}}),
    (
        in_file("served-model-name: [a, b]\n"),
        {"served_model_name": ["['a', 'b']"]},
        {"served_model_name": ["a", "b"]},
    ),
    (in_file("swap-space: 4\n"), {"swap_space": 4.0}, 2),
    (in_file("num-scheduler-steps: 8\n"), {"num_scheduler_steps": 8}, 2),
    (in_file("use-v2-block-manager: true\n"), {"use_v2_block_manager": True}, 2),
    (in_file("disable-log-requests: true\n"), {"disable_log_requests": True}, 2),
    (in_file("seed: 3\n", "--seed", "4"), {"seed": 4}, {"seed": 4}),
    (in_file("seed: 1\nseed: 2\n"), {"seed": 2}, {"seed": 2}),
    (on_command_line("--enable-prefix-caching", "False"), 2, 2),
    (on_command_line("--enable-prefix-caching=False"), 2, 2),
    (on_command_line("--no_enable_prefix_caching"), OFF, OFF),
    (on_command_line("-tp2"), 2, 2),
    (on_command_line("-tp", "2"), {"tensor_parallel_size": 2}, {"tensor_parallel_size": 2}),
    (on_command_line("--max-num-seqs", "1", "--max_num_seqs", "2"), {"max_num_seqs": 2}, {"max_num_seqs": 2}),
]


def arrived(answer: dict[str, Any]) -> object:
    if not answer["ok"]:
        return answer["exit"]
    return {k: v for k, v in answer["given"].items() if k != "model_tag"}


@pytest.mark.parametrize(("release", "column"), [("0.8.5", 1), ("0.18.1", 2)])
def test_truths_that_rules_rest_on(vllm_pythons: dict[str, str], release: str, column: int) -> None:
    answers = run_oracle(vllm_pythons[release], "serve_parser.py", [truth[0] for truth in TRUTHS])
    got = [(truth[0], arrived(answer)) for truth, answer in zip(TRUTHS, answers, strict=True)]
    assert got == [(truth[0], truth[column]) for truth in TRUTHS]


def test_the_equals_sign_leaves_the_config_file_unread(vllm_pythons: dict[str, str]) -> None:
    case = {"argv": ["serve", "m", "--config=F.yaml"], "files": {"F.yaml": "seed: 3\n"}}
    for py in vllm_pythons.values():
        (answer,) = run_oracle(py, "serve_parser.py", [case])
        assert answer["given"] == {"model_tag": "m", "config": "F.yaml"}


@pytest.mark.parametrize("release", RELEASES)
def test_table_is_what_the_parser_says(vllm_pythons: dict[str, str], release: str) -> None:
    measured = spellings.measure(TABLE, {release: vllm_pythons[release]})
    differing = []
    for kept, now in zip(TABLE, measured, strict=True):
        # 0.8.5 builds the choices of this option from a set of two Literals: they depend on the hash seed.
        if release == "0.8.5" and "guided-decoding-backend" in str(spellings.question(kept)):
            continue
        if without_error(kept[release]) != without_error(now[release]):
            differing.append((spellings.question(kept), kept[release], now[release]))
    assert differing == []


def without_error(summary: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in summary.items() if k != "error"}


def test_table_asks_each_question_once_and_covers_refusals() -> None:
    questions = [str(spellings.question(case)) for case in TABLE]
    assert len(set(questions)) == len(questions) >= 60
    for release in RELEASES:
        assert {case[release].get("exit") for case in TABLE} >= {None, 0, 1, 2}


def test_oracle_says_what_went_wrong(vllm_py_085: str) -> None:
    with pytest.raises(OracleError, match="exit 1"):
        run_oracle(vllm_py_085, "serve_parser.py", [{"no argv": 1}])
    with pytest.raises(OracleError, match="no-such-python"):
        run_oracle("/no-such-python", "serve_parser.py", [])
