"""The gate on simulated training: no false alarm, and every planted fault named or refused."""

from __future__ import annotations

import random
import threading
from itertools import pairwise
from typing import Any

import pytest

from tests.parity.conftest import Columns, MakeRollout
from vllm_migrate.errors import UsageError, VllmMigrateError
from vllm_migrate.parity import Contract, ParityError, ParityGate, bound
from vllm_migrate.parity.blame import FAULTS, OWN
from vllm_migrate.parity.budget import Budget, Evidence
from vllm_migrate.smoke.attribute import NOT_RULES, RULES

TEMPERED = Contract(temperature=0.7, lag=0)


def known(verdict: Any) -> Any:
    """Every suspect is one of the smoke proof's or of the gate's own."""
    blames = (verdict.blame, *verdict.informs)
    assert {s for blame in blames for s in blame.suspects} <= {*RULES, *NOT_RULES, *OWN}
    return verdict


def judged(contract: Contract, made: dict[str, Any], **changes: Any) -> Any:
    return known(ParityGate(contract).update(step=0, **{**made, **changes}))


@pytest.mark.parametrize(("every", "noise"), [(1, 0.036), (50, 0.036), (1, 0.1)])
def test_no_false_alarm_over_200_clean_steps(rollout: MakeRollout, columns: Columns, every: Any, noise: float) -> None:
    gate = ParityGate(Contract(temperature=0.8, lag=0), every=every)
    seen = [
        gate.update(step=step, **columns(rollout(seed=step, t=0.8, noise=noise, sequences=8, tokens=48)))
        for step in range(200)
    ]
    assert not [verdict.describe() for verdict in seen if verdict.alarm]
    assert sum(verdict.decision != "pending" for verdict in seen) == gate.looks == gate.clean == 200 // every
    assert bound(200) == pytest.approx(0.0149, abs=1e-4)


def test_the_error_budget_covers_a_run_of_any_length() -> None:
    assert sum(Budget(0.01).share(look) for look in range(100_000)) <= 0.01
    planned = Budget(0.01, looks=200)
    assert sum(planned.share(look) for look in range(200)) == pytest.approx(0.01)
    assert planned.levels(0).d == pytest.approx(1 - 0.01 / 200 / 5)
    assert planned.levels(0).b == pytest.approx(4.42, abs=0.01)


@pytest.mark.parametrize("shape", ["rare", "heavy", "level", "short"])
def test_the_evidence_keeps_the_budget_at_the_ceiling_itself(shape: str) -> None:
    """A mean of exactly the ceiling, in every shape: no more runs with an alarm than the budget allows."""
    random_ = random.Random(shape)

    def cluster() -> tuple[float, int]:
        tokens = random_.randrange(1, 200) if shape == "short" else 50
        if shape == "rare":
            return tokens * (1000.0 if random_.random() < 0.001 else 0.0), tokens
        if shape == "heavy":  # log-normal with mean 1
            return tokens * random_.lognormvariate(-2.0, 2.0), tokens
        return tokens * random_.uniform(0.0, 2.0), tokens

    alarms = 0
    for _ in range(200):
        evidence, budget = Evidence(), Budget(0.5, gates=1)  # a budget large enough to be seen in 200 runs
        for look in range(25):
            evidence = evidence.after([cluster() for _ in range(4)], 1.0, budget.each(look))
            alarms += evidence.enough
            if evidence.enough:
                break
    assert alarms <= 100


@pytest.mark.parametrize("excess", [3.0, 1e3])
def test_evidence_accumulates_over_looks_of_four_prompts(excess: float) -> None:
    evidence, budget = Evidence(), Budget()
    for look in range(20):
        evidence = evidence.after([(10.0, 50)] * 4, 1.0, budget.each(look))
        assert not evidence.enough
    looks = 0
    while not evidence.enough:
        looks += 1
        evidence = evidence.after([(50 * excess, 50)] * 4, 1.0, budget.each(20 + looks))
    assert looks <= (2 if excess > 20 else 8)
    assert not evidence.after([(10.0, 50)] * 4, 1.0, budget.each(40)).enough, "a clean look ends the alarm"


def test_one_wild_cluster_is_no_evidence() -> None:
    evidence = Evidence().after([(1e300, 50), *[(0.0, 50)] * 3], 1.0, Budget().each(0))
    assert not evidence.enough and not evidence.after([(1e300, 50)], 1.0, Budget().each(1)).enough
    assert Evidence().after([], 1.0, 0.1) == Evidence((0.1,) * 5) and not Evidence().after([(0.0, 0)], 1.0, 0.1).enough


def test_a_stale_cache_is_found_with_four_prompts_a_look(rollout: MakeRollout, columns: Columns) -> None:
    torch = pytest.importorskip("torch")
    gate = ParityGate(Contract(lag=0, kind="fp32"), every=1)
    names = ("token_ids", "rollout_logprobs", "trainer_logprobs", "mask")
    fading = torch.linspace(0.2, 0.01, 32)[:, None]
    groups = [i // 4 for i in range(16)]
    found = []
    for step in range(5):
        made = (
            rollout(seed=step, tokens=32, noise=1e-6) if step < 2 else perturbed(rollout, fading, seed=step, tokens=32)
        )
        found.append(known(gate.update(step=step, groups=groups, **columns(made, *names))))
    assert [verdict.decision for verdict in found[:2]] == ["pass", "pass"]
    alarm = next(verdict for verdict in found if verdict.alarm)
    assert alarm.step <= 3 and alarm.blame.layer == "weight-update"
    assert "prefix-caching-default" in alarm.blame.suspects


def test_a_clean_step_passes_with_what_it_cannot_show(rollout: MakeRollout, columns: Columns) -> None:
    made = columns(rollout(t=0.7))
    verdict = judged(TEMPERED, made)
    assert verdict.decision == "pass" and not verdict.alarm and verdict.blame.suspects == ()
    assert {name for name, metric in verdict.metrics.items() if metric.gate} == {"D", "b", "k3", "out", "k3_start"}
    blind = judged(TEMPERED, made, entropy=None, varentropy=None)
    assert blind.decision == "pass"
    assert any("cannot see raw on both sides" in note for note in blind.notes)
    assert any("T = 1" in note for note in judged(Contract(lag=0), columns(rollout())).notes)


def test_raw_logprobs_at_another_temperature(rollout: MakeRollout, columns: Columns) -> None:
    verdict = judged(TEMPERED, columns(rollout(t=0.7, reported_t=1.0)))
    assert verdict.decision == "fail"
    assert (verdict.blame.layer, verdict.blame.suspects) == ("semantic", ("logprobs-semantics",))
    assert verdict.metrics["D"].gate == "fail" and verdict.metrics["b"].gate == "pass"
    assert "processed_logprobs" in verdict.blame.decide


def test_raw_logprobs_are_named_where_d_cannot_be_read(rollout: MakeRollout, columns: Columns) -> None:
    verdict = judged(Contract(temperature=0.2, lag=0), columns(rollout(t=0.2, reported_t=1.0)))
    assert any("D cannot be estimated" in note for note in verdict.notes)
    assert verdict.decision == "fail" and verdict.blame.suspects == ("logprobs-semantics",)


def test_raw_on_both_sides(rollout: MakeRollout, columns: Columns) -> None:
    made = columns(rollout(t=0.7, reported_t=1.0, claimed_t=1.0))
    verdict = judged(TEMPERED, made)
    assert verdict.metrics["D"].gate == verdict.metrics["k3"].gate == "pass" and verdict.metrics["b"].gate == "fail"
    assert (verdict.blame.layer, verdict.blame.suspects[0]) == ("semantic", "logprobs-semantics")
    alone = judged(TEMPERED, made, varentropy=None)
    assert alone.blame == verdict.blame._replace(reasons=alone.blame.reasons), "entropy alone shows it too"
    assert judged(TEMPERED, made, entropy=None, varentropy=None).decision == "pass"


def test_a_trainer_that_forgets_the_temperature(rollout: MakeRollout, columns: Columns) -> None:
    verdict = judged(TEMPERED, columns(rollout(t=0.7, claimed_t=1.0)))
    assert verdict.decision == "fail" and verdict.blame.suspects == ("trainer-temperature",)


@pytest.mark.parametrize("exact", [True, False], ids=["varentropy", "entropy"])
def test_a_policy_that_is_nearly_certain_is_no_sharper_than_it_says(exact: bool) -> None:
    """All of the variance lies in rare tokens, of which a look has none or one: its own squares then say nothing of it."""
    torch = pytest.importorskip("torch")
    for seed in range(6):
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(16, 32, 256, generator=generator, dtype=torch.float64)
        logits[..., 0] += 17
        law = logits.log_softmax(-1)
        drawn = law.exp().flatten(0, 1).multinomial(1, generator=generator).view(16, 32, 1)
        own = law.gather(-1, drawn).squeeze(-1)
        entropy = -(law.exp() * law).sum(-1)
        made = {"token_ids": drawn.squeeze(-1), "rollout_logprobs": own, "trainer_logprobs": own - 1e-6, "mask": None}
        made |= {"entropy": entropy, "varentropy": (law.exp() * law**2).sum(-1) - entropy**2 if exact else None}
        verdict = judged(Contract(temperature=0.7, lag=0, kind="fp32"), made)
        assert not verdict.alarm, (seed, verdict.describe())


def test_truncation_that_the_trainer_does_not_replay(rollout: MakeRollout, columns: Columns) -> None:
    made = rollout(t=1.0, noise=0.002)
    renormalised = [[min(0.0, r + 0.08) for r in row] for row in made.rollout_logprobs]
    verdict = judged(Contract(top_p=0.92, lag=0), columns(made), rollout_logprobs=renormalised)
    assert verdict.decision == "fail" and verdict.blame.suspects == ("truncation-bias",)


def test_a_head_in_bfloat16_against_one_in_float32(columns: Columns) -> None:
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(3)
    hidden = torch.randn(32, 64, 64, generator=generator)
    head = torch.randn(64, 48, generator=generator) * 0.3
    exact, rounded = (hidden @ head), (hidden.bfloat16() @ head.bfloat16()).float()
    drawn = exact.softmax(-1).flatten(0, 1).multinomial(1, generator=generator).view(32, 64, 1)
    sides = [logits.log_softmax(-1).gather(-1, drawn).squeeze(-1) for logits in (exact, rounded)]
    law = rounded.log_softmax(-1)
    verdict = judged(
        Contract(lag=0, kind="bf16"),
        {"token_ids": drawn.squeeze(-1), "rollout_logprobs": sides[0], "trainer_logprobs": sides[1], "mask": None},
        entropy=-(law.exp() * law).sum(-1),
    )
    assert verdict.decision == "pass", verdict.describe()
    assert 1e-6 < verdict.metrics["k3"].value < 1e-3
    tokens = {"token_ids": drawn.squeeze(-1), "mask": None}
    strict = judged(Contract(lag=0, kind="fp32"), tokens, rollout_logprobs=sides[0], trainer_logprobs=sides[1])
    assert strict.decision == "fail" and strict.blame.layer == "numerics" and "fp32-lm-head" in strict.blame.suspects


def perturbed(rollout: MakeRollout, by: Any, *, seed: int = 0, **shape: Any) -> Any:
    """A step whose trainer has other weights than the engine that sampled."""
    torch = pytest.importorskip("torch")
    made = rollout(seed=seed, noise=0.01, **shape)
    other = made.logits + by * torch.randn(made.logits.shape, generator=torch.Generator().manual_seed(seed))
    law = other.log_softmax(-1)
    tokens = torch.tensor(made.token_ids)[..., None]
    made.trainer_logprobs = law.gather(-1, tokens).squeeze(-1).tolist()
    made.entropy = (-(law.exp() * law).sum(-1)).tolist()
    made.varentropy = ((law.exp() * law**2).sum(-1) - (law.exp() * law).sum(-1) ** 2).tolist()
    return made


def test_weights_that_were_not_updated(rollout: MakeRollout, columns: Columns) -> None:
    gate = ParityGate(Contract(lag=0), every=1)
    assert gate.update(step=0, **columns(rollout())).decision == "pass"
    names = ("token_ids", "rollout_logprobs", "trainer_logprobs", "mask")
    verdict = known(gate.update(step=1, **columns(perturbed(rollout, 0.4), *names)))
    assert verdict.decision == "fail" and verdict.metrics["D"].gate != "fail"
    assert verdict.blame.layer == "weight-update" and "stale-weights" in verdict.blame.suspects


def test_a_prompt_answered_from_an_old_cache_is_no_other_prompt(rollout: MakeRollout, columns: Columns) -> None:
    torch = pytest.importorskip("torch")
    fading = perturbed(rollout, torch.linspace(0.9, 0.05, 64)[:, None])
    names = ("token_ids", "rollout_logprobs", "trainer_logprobs", "mask")
    first = known(ParityGate(Contract(lag=0)).update(step=0, **columns(fading, *names)))
    assert first.blame.suspects == ("chat-template",)
    gate = ParityGate(Contract(lag=0), every=1)
    gate.update(step=0, **columns(rollout()))
    verdict = known(gate.update(step=1, **columns(fading, *names)))
    assert verdict.blame.layer == "weight-update" and verdict.blame.suspects[0] == "prefix-caching-default"


def test_staleness_is_no_mismatch(rollout: MakeRollout, columns: Columns) -> None:
    made = columns(perturbed(rollout, 0.4))
    stale = judged(Contract(), made, weight_version=3, trainer_version=5)
    assert stale.decision == "inconclusive"
    assert any("cannot be separated" in note for note in stale.notes)
    assert stale.metrics["k3_stale"].value > 0.01 and "k3_fresh" not in stale.metrics
    gate = ParityGate(Contract())
    gate.add(step=7, **made, weight_version=5)
    gate.add(step=7, **columns(rollout(seed=9)), weight_version=7)
    both = gate.judge(7)
    assert both.metrics["k3"].gate == "pass" and both.metrics["k3"].value == both.metrics["k3_fresh"].value
    assert both.metrics["k3_stale"].value > 50 * both.metrics["k3_fresh"].value


def test_no_versions_and_no_promise_of_synchrony(rollout: MakeRollout, columns: Columns) -> None:
    gate = ParityGate(Contract(), every=1)
    names = ("token_ids", "rollout_logprobs", "trainer_logprobs", "mask")
    assert "k3_fresh" in gate.update(step=0, **columns(rollout())).metrics, "before the first update nothing is stale"
    later = gate.update(step=1, **columns(perturbed(rollout, 0.4), *names))
    assert later.decision == "inconclusive" and any("cannot be separated" in note for note in later.notes)
    assert gate.update(step=2, **columns(rollout(seed=2))).metrics["k3"].gate == "pass", "lag only adds to the spread"


def test_keys_and_values_of_older_weights(rollout: MakeRollout, columns: Columns) -> None:
    """Sequences that an update has interrupted: 24 tokens of version 4, then version 5 on a cache of version 4."""
    gate = ParityGate(Contract())
    gate.add(step=5, **columns(rollout(seed=1, noise=0.02)), weight_version=[5] * 16)
    mixed = perturbed(rollout, 0.15, seed=2)
    gate.add(step=5, **columns(mixed), weight_version=[[4] * 24 + [5] * 40 for _ in range(16)])
    verdict = known(gate.judge(5))
    assert not verdict.alarm, "it informs"
    assert verdict.informs[0].suspects == ("inflight-weight-update", "prefix-caching-default")
    assert verdict.metrics["k3_mixed"].value > 3 * verdict.metrics["k3_fresh"].value
    gate.add(step=6, **columns(rollout(seed=3)), weight_version=[6] * 16)
    gate.add(step=6, **columns(rollout(seed=4)), weight_version=[[5] * 24 + [6] * 40 for _ in range(16)])
    assert gate.judge(6).informs == ()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (None, "null-logprob"),
        (float("nan"), "nan-logprob"),
        (-9999.0, "impossible-logprob"),
        (0.5, "impossible-logprob"),
    ],
)
def test_a_missing_logprob_is_an_error(rollout: MakeRollout, columns: Columns, values: Any, kind: str) -> None:
    made = columns(rollout())
    made["rollout_logprobs"][3][5] = values
    verdict = judged(Contract(lag=0), made)
    assert verdict.decision == "invalid" and verdict.invalid == {kind: 1}
    made["mask"][3][5] = 0
    assert judged(Contract(lag=0), made).decision == "pass", "outside the mask it is nobody's business"


def test_no_logprobs_at_all(rollout: MakeRollout, columns: Columns) -> None:
    made = columns(rollout())
    assert judged(Contract(lag=0), made, rollout_logprobs=None).invalid == {"missing-logprobs": 1}
    assert judged(Contract(lag=0), made, trainer_logprobs=made["rollout_logprobs"]).invalid == {"same-tensor": 1}
    zeros = [[0.0] * 64 for _ in range(16)]
    verdict = judged(Contract(lag=0), made, rollout_logprobs=zeros)
    assert verdict.decision == "invalid" and "unsampled-token" in verdict.invalid


@pytest.mark.parametrize("fill", [0.0, None])
def test_a_mask_that_keeps_tool_tokens(rollout: MakeRollout, columns: Columns, fill: Any) -> None:
    made = columns(rollout(seed=1))
    generator = random.Random(0)
    for row, logprobs, trainer in zip(
        made["token_ids"], made["rollout_logprobs"], made["trainer_logprobs"], strict=True
    ):
        for i in range(20, 30):
            row[i], logprobs[i], trainer[i] = generator.randrange(24), fill, -generator.uniform(2, 9)
    verdict = judged(Contract(lag=0), made)
    assert verdict.decision == "invalid"
    assert verdict.blame.suspects == (("loss-mask",) if fill == 0.0 else ("logprobs-semantics",))
    masked = [[int(not 20 <= i < 30) for i in range(64)] for _ in range(16)]
    turns = judged(Contract(lag=0), made, mask=masked)
    assert turns.decision == "pass" and turns.metrics["k3_later_turns"].value < 1e-3


def test_a_mask_that_keeps_tool_tokens_which_the_engine_has_scored(rollout: MakeRollout, columns: Columns) -> None:
    made = rollout(seed=1)
    torch = pytest.importorskip("torch")
    law = made.logits.log_softmax(-1)
    for s in range(16):
        for i in range(20, 30):
            made.token_ids[s][i] = (s + i) % 24
            value = float(law[s, i, (s + i) % 24])
            made.rollout_logprobs[s][i], made.trainer_logprobs[s][i] = value, min(0.0, value + 0.01 * (-1) ** i)
    verdict = judged(Contract(lag=0), columns(made))
    assert torch and verdict.decision == "fail" and verdict.metrics["D"].gate == "pass"
    assert verdict.metrics["b"].gate == "fail" and "loss-mask" in verdict.blame.suspects


def packed(
    made: dict[str, Any],
    names: tuple[str, ...] = ("token_ids", "rollout_logprobs", "trainer_logprobs", "mask", "entropy", "varentropy"),
) -> Any:
    """The rows of a step as one packed row."""
    flat = {name: [v for row in made[name] for v in row] for name in names}
    ends = [0]
    for row in made["token_ids"]:
        ends.append(ends[-1] + len(row))
    return {**flat, "cu_seqlens": ends}


def test_a_shift_of_one_inside_a_packed_boundary(rollout: MakeRollout, columns: Columns) -> None:
    made = columns(rollout(seed=5))
    whole = judged(Contract(lag=0), packed(made))
    assert whole.decision == "pass" and whole.n_sequences == 16
    made["trainer_logprobs"][6] = [made["trainer_logprobs"][6][-1], *made["trainer_logprobs"][6][:-1]]
    verdict = judged(Contract(lag=0), packed(made))
    assert verdict.decision == "invalid" and verdict.invalid == {"shifted-by-one": 1}
    assert (verdict.blame.layer, verdict.blame.suspects) == ("semantic", ("token-alignment",))


def test_the_first_token_of_packed_sequences_scored_after_the_sequence_before(
    rollout: MakeRollout, columns: Columns
) -> None:
    made = columns(rollout(seed=5, sequences=48))
    others = rollout(seed=6, sequences=48).trainer_logprobs
    for row, other in zip(made["trainer_logprobs"], others, strict=True):
        row[0] = other[0]
    verdict = judged(Contract(lag=0), packed(made))
    assert verdict.decision == "fail" and verdict.metrics["k3_start"].gate == "fail"
    assert "token-alignment" in verdict.blame.suspects


def test_an_outcome_filter_before_the_gate_is_refused_where_groups_show_it(
    rollout: MakeRollout, columns: Columns
) -> None:
    made = columns(rollout(seed=7))
    groups = [i // 4 for i in range(16)]
    contract = Contract(lag=0, group_size=4)
    assert judged(contract, made, groups=groups).decision == "pass"
    better = sorted(range(16), key=lambda i: sum(made["trainer_logprobs"][i]) - sum(made["rollout_logprobs"][i]))[6:]
    kept = {name: [values[i] for i in better] for name, values in made.items()}
    verdict = judged(contract, kept, groups=[groups[i] for i in better])
    assert verdict.decision == "invalid" and "short-group" in verdict.invalid
    assert verdict.blame.suspects == ("outcome-filter",)


def test_an_outcome_filter_is_among_the_suspects_where_groups_are_unknown(
    rollout: MakeRollout, columns: Columns
) -> None:
    """Outcomes that go with the update: the kept half has the larger ratios, and D leaves its margin."""
    made = columns(perturbed(rollout, 0.25, sequences=384, seed=8))
    x = [sum(a) - sum(r) for a, r in zip(made["trainer_logprobs"], made["rollout_logprobs"], strict=True)]
    assert judged(Contract(), made, weight_version=0, trainer_version=1).metrics["D"].gate != "fail"
    better = sorted(range(384), key=lambda i: x[i])[192:]
    kept = {name: [values[i] for i in better] for name, values in made.items()}
    verdict = judged(Contract(), kept, weight_version=0, trainer_version=1)
    assert verdict.decision == "fail" and "outcome-filter" in verdict.blame.suspects


def test_greedy_is_judged_by_its_spread_alone(rollout: MakeRollout, columns: Columns) -> None:
    verdict = judged(Contract(temperature=0.0, lag=0), columns(rollout()))
    assert "D" not in verdict.metrics and "b" not in verdict.metrics and verdict.metrics["k3"].gate == "pass"


def test_looks_are_at_the_first_step_and_every_so_many(rollout: MakeRollout, columns: Columns) -> None:
    made = columns(rollout())
    gate = ParityGate(Contract(lag=0), every=10)
    looks = [step for step in range(3, 45) if gate.update(step=step, **made).decision != "pending"]
    assert looks == [3, 10, 20, 30, 40]
    assert gate.last is not None and gate.last.n_sequences == 160


def test_numbers_are_logged_flat(rollout: MakeRollout, columns: Columns) -> None:
    logged: list[dict[str, float]] = []
    gate = ParityGate(Contract(temperature=0.7, lag=0), log=logged.append)
    verdict = gate.update(step=0, **columns(rollout(t=0.7, reported_t=1.0)))
    assert logged == [verdict.scalars()] and all(type(value) is float for value in logged[0].values())
    assert logged[0]["parity/decision"] == 2 and logged[0]["parity/D_low"] > 0.01
    assert set(verdict.json()) >= {"verdict", "layer", "suspects", "metrics", "notes", "step"}


def test_a_stop_is_an_error_with_the_verdict(rollout: MakeRollout, columns: Columns) -> None:
    logged: list[dict[str, float]] = []
    gate = ParityGate({"temperature": 0.7, "lag": 0}, stop=True, log=logged.append)
    with pytest.raises(ParityError, match=r"fail \[semantic\] logprobs-semantics") as caught:
        gate.update(step=0, **columns(rollout(t=0.7, reported_t=1.0)))
    assert isinstance(caught.value, VllmMigrateError) and caught.value.remedy
    assert caught.value.verdict.decision == "fail" and len(logged) == 1, "logged before it stops"


class Ranks:
    """all_gather_object over threads."""

    def __init__(self, size: Any) -> None:
        self.parts: list[Any] = [None] * size
        self.barrier = threading.Barrier(size, timeout=20)

    def gather(self, rank: Any) -> Any:
        def reduce(part: Any) -> Any:
            self.parts[rank] = part
            self.barrier.wait()
            found = list(self.parts)
            self.barrier.wait()
            return found

        return reduce


def on_ranks(batches: Any, contract: Contract, **options: Any) -> Any:
    """The verdict or ParityError of each rank, each with its own batch."""
    ranks = Ranks(len(batches))
    found: list[Any] = [None] * len(batches)

    def work(rank: Any) -> None:
        try:
            found[rank] = ParityGate(contract, reduce=ranks.gather(rank), **options).update(step=0, **batches[rank])
        except ParityError as error:
            found[rank] = error

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(len(batches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_data_parallel_ranks_reach_one_verdict(rollout: MakeRollout, columns: Columns) -> None:
    made = columns(rollout(seed=3, t=0.7))
    halves = [{name: values[part] for name, values in made.items()} for part in (slice(0, 8), slice(8, 16))]
    found = on_ranks(halves, TEMPERED)
    assert found[0] == found[1]
    whole = judged(TEMPERED, made)
    assert found[0].n_sequences == 16 and found[0].metrics["D"] == pytest.approx(whole.metrics["D"], nan_ok=True)


def test_sequence_parallel_slices_are_the_whole_row(rollout: MakeRollout, columns: Columns) -> None:
    made = packed(columns(rollout(seed=3, t=0.7)))
    ends = made.pop("cu_seqlens")
    cuts = [0, 250, 700, ends[-1]]
    slices = [
        {name: values[low:high] for name, values in made.items()} | {"cu_seqlens": ends, "offset": low}
        for low, high in pairwise(cuts)
    ]
    found = on_ranks(slices, TEMPERED)
    whole = judged(TEMPERED, {**made, "cu_seqlens": ends})
    assert found[0] == found[1] == found[2] and found[0].n_sequences == 16
    for name in ("D", "b", "k3"):
        assert found[0].metrics[name].low == pytest.approx(whole.metrics[name].low)
        assert found[0].metrics[name].gate == whole.metrics[name].gate == "pass"
    assert found[0].metrics["ess_sequence"].value == pytest.approx(whole.metrics["ess_sequence"].value)


def test_one_bad_rank_stops_all_alike(rollout: MakeRollout, columns: Columns) -> None:
    good, bad = columns(rollout(seed=3)), columns(rollout(seed=4))
    bad["rollout_logprobs"][0][0] = None
    empty: dict[str, list[float]] = {name: [] for name in good}
    found = on_ranks([good, bad, empty], Contract(lag=0), stop=True)
    assert all(isinstance(error, ParityError) for error in found)
    assert len({str(error) for error in found}) == 1 and found[0].verdict.invalid == {"null-logprob": 1}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("every", value) for value in (0, -1, 1.5, "1", None, float("nan"))),
        *(("looks", value) for value in (0, -3, 1.5)),
        *(("most", value) for value in (0, -1, 0.5)),
        *(("false_alarms", value) for value in (0, 1, 0.0, 2.0, "x")),
        *((name, value) for name in ("log", "reduce") for value in (3, "x")),
    ],
)
def test_what_a_gate_cannot_be_made_of(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=name):
        ParityGate({}, **{name: value})


@pytest.mark.parametrize(
    ("source", "what"),
    [
        *((value, "is no contract") for value in (None, 3, "x", [0.7])),
        *(({"temperature": value}, "temperature") for value in (-1, "0.7", float("nan"), float("inf"), True)),
        *(({"top_p": value}, "top_p") for value in (0, 1.5, "x")),
        *(({"top_k": value}, "top_k") for value in (-7, 0.5)),
        ({"min_p": 2}, "min_p"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        *(({"kind": value}, "kind") for value in ("BF16", "int3", ["bf16"])),
        *(({"lag": value}, "lag") for value in (1, "0", False)),
        *(({"group_size": value}, "group_size") for value in (0, -1, "4")),
        *(({"epsilon": value}, "epsilon") for value in ((0.2,), (0.2, 0.3, 0.4), "x", (0, 0.2), (2.0, 0.2))),
        ({"logprobs_mode": "raw"}, "logprobs_mode"),
        *(({"stop_token_ids": value}, "stop_token_ids") for value in ("5", [-1], [0.5])),
        ({"per_sequence": "no"}, "per_sequence"),
        *(({name: 0.7}, f"has no {name}") for name in ("Temperature", "temprature", "temperatur")),
    ],
)
def test_what_is_no_contract(source: Any, what: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        Contract.of(source)
    assert caught.value.remedy


def test_what_a_contract_takes() -> None:
    params = {"temperature": 1, "n": 8, "max_tokens": 64, "stop": None, "logprobs": 0, "min_tokens": 1, "top_k": 0}
    assert Contract.of(params) == Contract(temperature=1, top_k=0)
    assert Contract.of({"epsilon": 0.2, "stop_token_ids": 5}) == Contract(epsilon=(0.2, 0.2), stop_token_ids=(5,))


def test_a_logger_that_fails_stops_nothing_and_hides_nothing(rollout: MakeRollout, columns: Columns) -> None:
    def broken(numbers: dict[str, float]) -> None:
        raise RuntimeError("no network")

    with pytest.warns(RuntimeWarning, match="no network"):
        verdict = ParityGate(TEMPERED, log=broken).update(step=0, **columns(rollout(t=0.7)))
    assert verdict.decision == "pass"
    gate = ParityGate(TEMPERED, log=broken, stop=True)
    with pytest.warns(RuntimeWarning), pytest.raises(ParityError, match="logprobs-semantics"):
        gate.update(step=0, **columns(rollout(t=0.7, reported_t=1.0)))


@pytest.mark.parametrize("found", [None, [], 3, [None]])
def test_a_reduce_that_returns_no_windows(rollout: MakeRollout, columns: Columns, found: Any) -> None:
    with pytest.raises(UsageError, match="reduce"):
        ParityGate(TEMPERED, reduce=lambda window: found).update(step=0, **columns(rollout(t=0.7)))


@pytest.mark.parametrize("step", [None, "3", 1.5, float("nan")])
def test_a_step_is_a_whole_number(rollout: MakeRollout, columns: Columns, step: Any) -> None:
    with pytest.raises(UsageError, match="step"):
        ParityGate(TEMPERED).update(step=step, **columns(rollout(t=0.7)))


def test_logprobs_beyond_what_a_float_holds_are_judged(rollout: MakeRollout, columns: Columns) -> None:
    for low in (-800.0, -5000.0):
        made = columns(rollout(t=0.7))
        made["trainer_logprobs"] = [[low] * 64 for _ in range(16)]
        verdict = judged(TEMPERED, made)
        assert verdict.decision in ("fail", "invalid"), low
        assert verdict.json() and verdict.scalars()


def test_every_fault_is_explained_and_has_a_place_in_the_order() -> None:
    assert all(FAULTS.values()) and set(FAULTS) >= {"null-logprob", "shifted-by-one", "short-group"}


def test_an_argument_that_is_misspelt(rollout: MakeRollout, columns: Columns) -> None:
    with pytest.raises(UsageError, match="cu_seqlen") as caught:
        ParityGate(TEMPERED).update(step=0, **columns(rollout(t=0.7)), cu_seqlen=[0, 64])  # type: ignore[call-arg]
    assert caught.value.remedy == "did you mean cu_seqlens?"


@pytest.mark.parametrize("layout", ["meta", "sparse"])
def test_a_tensor_without_its_values_is_no_evidence(rollout: MakeRollout, columns: Columns, layout: str) -> None:
    torch = pytest.importorskip("torch")
    made = columns(rollout(t=0.7))
    values = torch.as_tensor(made["trainer_logprobs"])
    made["trainer_logprobs"] = values.to("meta") if layout == "meta" else values.to_sparse()
    with pytest.warns(RuntimeWarning, match="cannot be read"):
        assert ParityGate(TEMPERED).update(step=0, **made).decision == "invalid"
