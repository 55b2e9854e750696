"""Columns against a slow, literal transcription of what vLLM's samplers do."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from vllm_migrate.smoke.columns import NUCLEUS, History, evaluate, plan, replay
from vllm_migrate.smoke.contract import Contract, bfloat16

torch = pytest.importorskip("torch")

NO_HISTORY = History((), (), 0)


def literal(logits: Any, contract: Contract, order: str) -> Any:
    """Ascending sort, masks in the engine's order, log-softmax: the shape of both releases' samplers."""
    x = logits / contract.temperature

    def min_p(x: Any) -> Any:
        p = x.softmax(1)
        return x.masked_fill(p < contract.min_p * p.amax(1, keepdim=True), -torch.inf)

    if order == "v1" and contract.has_min_p:
        x = min_p(x)
    if contract.has_top_k:
        x = x.masked_fill(x < x.sort(1).values[:, -contract.top_k, None], -torch.inf)
    if contract.has_top_p:
        values, index = x.sort(1)
        mask = values.softmax(1).cumsum(1) <= 1 - contract.top_p
        mask[:, -1] = False
        x = values.masked_fill(mask, -torch.inf).scatter(1, index, values.masked_fill(mask, -torch.inf))
    if order == "v0" and contract.has_min_p:
        x = min_p(x)
    return x.log_softmax(1)


@pytest.mark.parametrize("vocabulary", [50, NUCLEUS + 700])
@pytest.mark.parametrize("order", ["v0", "v1"])
@pytest.mark.parametrize(
    "given",
    [
        {"temperature": 0.7},
        {"temperature": 0.7, "top_k": 5},
        {"top_p": 0.8},
        {"temperature": 1.3, "top_p": 0.97},
        {"temperature": 0.7, "top_k": 20, "top_p": 0.9},
        {"min_p": 0.02, "top_p": 0.6},
        {"min_p": 0.3, "top_k": 3},
        {"temperature": 1.2, "min_p": 1e-3, "top_p": 0.95},
    ],
)
def test_every_cut_agrees_with_the_samplers(given: dict[str, Any], order: Literal["v0", "v1"], vocabulary: int) -> None:
    torch.manual_seed(0)
    logits = torch.randn(60, vocabulary) * 2.5
    contract = Contract.of(given)
    truth = literal(logits, contract, order)
    tokens = truth.exp().multinomial(1).squeeze(1)
    chosen = plan(contract, order)
    values = evaluate(logits, tokens, chosen.columns, NO_HISTORY)[chosen.claimed]
    torch.testing.assert_close(values.logp, truth.gather(1, tokens[:, None]).squeeze(1), atol=2e-5, rtol=0)
    finite = truth.masked_fill(truth == -torch.inf, 0)
    entropy = -(truth.exp() * finite).sum(1)
    torch.testing.assert_close(values.entropy, entropy, atol=2e-5, rtol=0)
    square = (truth.exp() * finite**2).sum(1) - entropy**2
    torch.testing.assert_close(values.varentropy, square, atol=2e-4, rtol=0)


def test_a_token_outside_the_support_is_minus_infinity() -> None:
    logits = torch.tensor([[3.0, 2.0, 1.0, 0.0]])
    chosen = plan(Contract(top_k=2), "v1")
    values = evaluate(logits, torch.tensor([3]), chosen.columns, NO_HISTORY)
    assert values["k"].logp.item() == -torch.inf
    assert values["raw"].logp.item() == pytest.approx(-3.4402, abs=1e-4)


def test_ties_at_the_kth_logit_stay() -> None:
    logits = torch.tensor([[3.0, 2.0, 2.0, 2.0, 0.0]])
    values = evaluate(logits, torch.tensor([3]), plan(Contract(top_k=2), "v1").columns, NO_HISTORY)
    assert values["k"].logp.item() > -torch.inf


def test_names_follow_what_is_applied() -> None:
    names = [c.name for c in plan(Contract(temperature=0.7, top_p=0.9, top_k=20), "v1").columns]
    assert names == ["raw", "T", "T+k", "T+k+p"]
    both = plan(Contract(temperature=0.7, top_p=0.9, min_p=0.1), "v1")
    assert [c.name for c in both.columns] == ["raw", "T", "T+p", "T+p+m", "T+p+m@v0"]
    assert both.claimed == "T+p+m"
    assert [c.name for c in plan(Contract(), "v1").columns] == ["raw"]


def test_v0_beside_bfloat16_claims_rounded_parameters() -> None:
    chosen = plan(Contract(temperature=0.7, top_p=0.999), "v0", bf16=True)
    assert chosen.claimed == "T"  # 0.999 rounds to 1.0: off
    assert next(c for c in chosen.columns if c.name == "T").contract.temperature == pytest.approx(0.699219, abs=1e-6)
    assert "T@unrounded" in {c.name for c in chosen.columns}
    assert [bfloat16(v) for v in (0.6, 0.99)] == pytest.approx([0.601562, 0.988281], abs=1e-6)


def test_a_generation_config_fills_only_what_the_request_left_open() -> None:
    chosen = plan(
        Contract(temperature=0.7),
        "v1",
        inherited={"temperature": 0.1, "repetition_penalty": 1.3},
        given={"temperature": 0.7},
    )
    inherited = next(c for c in chosen.columns if c.name.endswith("@generation_config"))
    assert (inherited.contract.temperature, inherited.contract.repetition_penalty) == (0.7, 1.3)
    assert inherited.penalties


def test_penalties_look_at_the_prompt_and_at_the_output_so_far() -> None:
    contract = Contract(repetition_penalty=2.0, presence_penalty=0.5, frequency_penalty=0.25)
    logits = torch.tensor([[2.0, -1.0, 0.5, 0.0]] * 3)
    chosen = plan(contract, "v1")
    tokens = torch.tensor([2, 2, 3])
    values = evaluate(logits, tokens, chosen.columns, History([0], [2, 2, 3], 0))["pen"]
    rows = torch.tensor([[1.0, -1.0, 0.5, 0.0], [1.0, -1.0, 0.25 - 0.75, 0.0], [1.0, -1.0, 0.25 - 1.0, 0.0]])
    torch.testing.assert_close(values.logp, rows.log_softmax(1).gather(1, tokens[:, None]).squeeze(1))


def test_penalties_do_not_depend_on_how_positions_are_chunked() -> None:
    torch.manual_seed(1)
    logits, output = torch.randn(8, 12), torch.randint(0, 12, (8,)).tolist()
    chosen = plan(Contract(frequency_penalty=0.7, repetition_penalty=1.2, min_tokens=5), "v1")
    tokens = torch.tensor(output)
    whole = evaluate(logits, tokens, chosen.columns, History([1, 2], output, 0, [3]))["pen"].logp
    late = evaluate(logits[3:], tokens[3:], chosen.columns, History([1, 2], output, 3, [3]))["pen"].logp
    torch.testing.assert_close(whole[3:], late)


def test_replaying_the_recorded_support_keeps_a_token_that_rounding_pushed_out() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.999, -3.0]])
    token = torch.tensor([2])
    assert evaluate(logits, token, plan(Contract(top_k=2), "v1").columns, NO_HISTORY)["k"].logp.item() == -torch.inf
    value = replay(logits, token, Contract(top_k=2), [[0, 2]]).item()
    assert value == pytest.approx(torch.tensor([2.0, 0.999]).log_softmax(0)[1].item(), abs=1e-6)
    assert replay(logits, token, Contract(top_k=2), [[]]).item() == pytest.approx(logits.log_softmax(1)[0, 2].item())


@pytest.mark.parametrize(
    ("given", "blind"),
    [
        ({}, True),
        ({"temperature": 0.0}, True),
        ({"temperature": 0.7}, False),
        ({"top_p": 0.9}, False),
        ({"top_k": -1, "top_p": 1.0, "temperature": 1.0}, True),
        ({"presence_penalty": 0.1}, False),
        ({"temperature": None}, True),
    ],
)
def test_blind_contracts_are_known(given: dict[str, Any], blind: Any) -> None:
    assert Contract.of(given).blind is blind
