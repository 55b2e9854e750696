"""Layouts: padded, ragged, packed, numpy, torch, nested; versions; what is no evidence."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.parity.conftest import Columns, MakeRollout
from vllm_migrate.parity import Contract, ParityGate, batch
from vllm_migrate.parity.batch import Layout, Left, Slice, pieces
from vllm_migrate.smoke.contract import Contract as SmokeContract

IDS = [[5, 6, 7, 8], [9, 10, 11, 0]]
OURS = [[-0.1, -0.2, -0.3, -0.4], [-0.5, -0.6, -0.7, 0.0]]
THEIRS = [[-0.1, -0.25, -0.3, -0.4], [-0.5, -0.6, -0.75, 0.0]]
MASK = [[1, 1, 0, 1], [1, 1, 1, 0]]
TABLE: dict[str, list[list[Any]]] = {"token_ids": IDS, "rollout": OURS, "trainer": THEIRS, "mask": MASK}


def read(layout: Any = None, most: Any = None, **changes: Any) -> Any:
    named = {**TABLE, **changes}
    return list(pieces(batch.Columns(**named), cast(Layout, layout or {}), most))


def test_only_what_lies_inside_the_mask_is_read() -> None:
    first, second = read()
    assert first.tokens == [5, 6, 8] and first.reported == [-0.1, -0.2, -0.4]
    assert first.starts == [0, 2] and second.starts == [0], "a hole in the mask begins a turn"
    assert first.left_out is None and second.left_out == (0, 0.0)


def test_the_same_batch_in_every_shape() -> None:
    torch, numpy = pytest.importorskip("torch"), pytest.importorskip("numpy")
    wanted = read()
    as_torch = {
        name: torch.tensor(rows, dtype=torch.float64 if name in ("rollout", "trainer") else None)
        for name, rows in TABLE.items()
    }
    assert read(**as_torch) == wanted
    as_torch["trainer"].requires_grad_(True)
    assert read(**as_torch) == wanted, "a tensor with a graph is read, not kept"
    assert read(**{name: numpy.array(rows) for name, rows in TABLE.items()}) == wanted
    assert read(**{name: [numpy.array(row) for row in rows] for name, rows in TABLE.items()}) == wanted
    nested = {
        name: torch.nested.nested_tensor([torch.tensor(row, dtype=torch.float64) for row in rows], layout=torch.jagged)
        for name, rows in TABLE.items()
    }
    assert [piece.reported for piece in read(**nested)] == [piece.reported for piece in wanted]
    flat = {name: [v for row in rows for v in row] for name, rows in TABLE.items()}
    packed = read({"cu_seqlens": [0, 4, 8]}, **flat)
    assert [p.tokens for p in packed] == [p.tokens for p in wanted]
    assert packed == read({"cu_seqlens": torch.tensor([0, 4, 8])}, **{n: [v] for n, v in flat.items()})


def test_a_slice_of_a_packed_row() -> None:
    flat = {name: [v for row in rows for v in row][3:7] for name, rows in TABLE.items()}
    first, second = read({"cu_seqlens": [0, 4, 8], "offset": 3, "sequences": ["a", "b"]}, **flat)
    assert (first.sequence, first.tokens, first.first, first.starts) == ("a", [8], False, [])
    assert (second.sequence, second.tokens, second.first, second.starts) == ("b", [9, 10, 11], True, [0])


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"rollout": [OURS[0][:3], OURS[1]]}, "length-mismatch"),
        ({"trainer": [[float("nan")] * 4, THEIRS[1]]}, "trainer-logprob"),
        ({"token_ids": [[5, -1, 7, 8], IDS[1]]}, "impossible-token"),
        ({"mask": [[0, 0, 0, 0], MASK[1]]}, "masked"),
    ],
)
def test_a_sequence_that_is_no_evidence(changes: Any, kind: str) -> None:
    first, second = read(**changes)
    assert isinstance(first, Left) and first.kind == kind and isinstance(second, Slice)


def test_scored_ids_are_compared_with_the_engines() -> None:
    first, second = read({"rollout_token_ids": [[5, 6, 99, 8], [9, 10, 12, 0]]})
    assert isinstance(first, Slice), "they differ outside the mask"
    assert isinstance(second, Left) and second.kind == "unequal-tokens"


def test_a_batch_with_missing_rows() -> None:
    assert [found.kind for found in read(trainer=THEIRS[:1])] == ["length-mismatch"]
    assert read(token_ids=[], rollout=[], trainer=[], mask=[]) == []


def test_versions_by_batch_sequence_and_token() -> None:
    assert [p.versions for p in read(versions=3)] == [3, 3]
    assert [p.versions for p in read(versions=[3, 4])] == [3, 4]
    assert [p.versions for p in read(versions=[[3, 3, 4, 4], [5, 5, 5, 5]])] == [[3, 3, 4], [5, 5, 5]]
    flat = {name: [v for row in rows for v in row] for name, rows in TABLE.items()}
    layout = {"cu_seqlens": [0, 4, 8]}
    assert [p.versions for p in read(layout, **flat, versions=[3, 4])] == [3, 4]
    assert [p.versions for p in read(layout, **flat, versions=[3, 3, 4, 4, 5, 5, 5, 5])] == [[3, 3, 4], [5, 5, 5]]


def test_a_version_ahead_of_the_trainers_is_refused(rollout: MakeRollout, columns: Columns) -> None:
    verdict = ParityGate(Contract()).update(step=2, **columns(rollout()), weight_version=3)
    assert verdict.invalid == {"version-ahead": 16} and verdict.blame.suspects == ("version-counting",)


def test_a_large_batch_is_read_in_part_by_position(rollout: MakeRollout, columns: Columns) -> None:
    made = columns(rollout())
    verdict = ParityGate(Contract(lag=0, group_size=16), most=300).update(step=0, **made, groups=["p"] * 16)
    assert verdict.decision in ("pass", "inconclusive") and verdict.n_sequences == 4
    assert any("12 sequences were skipped" in note for note in verdict.notes)


def test_a_stop_token_outside_the_mask_is_pointed_out(rollout: MakeRollout, columns: Columns) -> None:
    made = columns(rollout())
    for row, mask in zip(made["token_ids"], made["mask"], strict=True):
        row[:] = [token or 1 for token in row]
        row[-1], mask[-1] = 0, 0
    verdict = ParityGate(Contract(lag=0, stop_token_ids=(0,))).update(step=0, **made)
    assert any("stop token of 16 sequences" in note for note in verdict.notes)


def test_a_contract_is_taken_from_mappings_and_objects() -> None:
    found = Contract.of(SmokeContract(temperature=0.7, top_p=0.9))
    assert (found.temperature, found.top_p, found.kind) == (0.7, 0.9, "bf16")
    assert Contract.of({"temperature": 0.7, "epsilon": 0.1, "max_tokens": 5}).epsilon == (0.1, 0.1)
    assert Contract.of(found) is found


NAN, INFINITE = float("nan"), float("inf")
ONE_ROW: dict[str, Any] = {
    "token_ids": [5, 6, 7, 8],
    "rollout_logprobs": [-0.1, -0.2, -0.3, -0.4],
    "trainer_logprobs": [-0.1, -0.25, -0.3, -0.4],
    "mask": [1, 1, 0, 1],
}
ROWS: dict[str, Any] = {
    "token_ids": IDS,
    "rollout_logprobs": OURS,
    "trainer_logprobs": THEIRS,
    "mask": MASK,
    "entropy": [[0.5] * 4] * 2,
    "varentropy": [[0.1] * 4] * 2,
}


def refused(columns: dict[str, Any], kinds: set[str]) -> None:
    """The batch is no evidence, by one of the kinds, on one rank and on several, and raises nothing but the verdict."""
    for reduce in (None, lambda window: [window]):
        gate = ParityGate({"lag": 0}, reduce=reduce)
        verdict = gate.update(step=0, **columns)
        assert verdict.decision == "invalid" and set(verdict.invalid) <= kinds, verdict.describe()
        assert verdict.json() and verdict.scalars() and verdict.blame.reasons


@pytest.mark.filterwarnings("ignore:batch 1:RuntimeWarning")
@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("value", ["text", 1j, [1.0], {}], ids=str)
def test_what_is_no_number(name: str, value: Any) -> None:
    column = [[value, *ROWS[name][0][1:]], ROWS[name][1]]
    refused({**ROWS, name: column}, {"malformed"})


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        *(("token_ids", value, "impossible-token") for value in (-1, NAN, INFINITE)),
        *(("mask", value, "malformed") for value in (-1, NAN, INFINITE)),
        *(("entropy", value, "impossible-entropy") for value in (NAN, INFINITE, -1.0)),
        *(("varentropy", value, "impossible-entropy") for value in (NAN, INFINITE)),
        *(("trainer_logprobs", value, "trainer-logprob") for value in (NAN, INFINITE, 0.5)),
        *(("rollout_logprobs", value, "impossible-logprob") for value in (INFINITE, -INFINITE, -9999.0)),
    ],
)
def test_what_is_no_value_of_its_column(name: str, value: float, kind: str) -> None:
    refused({**ROWS, name: [[value, *ROWS[name][0][1:]], ROWS[name][1]]}, {kind})


@pytest.mark.filterwarnings("ignore:batch 1:RuntimeWarning")
@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize(
    "shape",
    [lambda rows: rows[:1], lambda rows: rows[0], lambda rows: [rows[0][:2], rows[1]], lambda rows: [rows, rows]],
)
def test_what_has_another_shape(name: str, shape: Any) -> None:
    refused({**ROWS, name: shape(ROWS[name])}, {"length-mismatch", "malformed"})


@pytest.mark.filterwarnings("ignore:batch 1:RuntimeWarning")
@pytest.mark.parametrize("name", ["groups", "sequences", "weight_version"])
@pytest.mark.parametrize("value", [[0], [0, 0, 0], [[0], [0], [0]]], ids=str)
def test_ids_that_do_not_fit(name: str, value: Any) -> None:
    refused({**ROWS, name: value}, {"malformed"})


@pytest.mark.filterwarnings("ignore:batch 1:RuntimeWarning")
@pytest.mark.parametrize(
    "layout",
    [
        *({"cu_seqlens": value} for value in ([], [0], [0, 9], [1, 4], [0, 3, 2, 4], [-1, 4], [0, 2], "x", [[0, 4]])),
        *({"cu_seqlens": [0, 4], "offset": value} for value in (-1, 9, "x")),
    ],
    ids=str,
)
def test_boundaries_that_do_not_fit(layout: Any) -> None:
    refused({**ONE_ROW, **layout}, {"boundaries", "malformed"})


def test_boundaries_belong_to_one_row_and_may_leave_padding_out() -> None:
    refused({**ROWS, "cu_seqlens": [0, 4]}, {"boundaries"})
    padded = {**ONE_ROW, "mask": [1, 1, 0, 0], "cu_seqlens": [0, 2]}
    assert ParityGate({"lag": 0}).update(step=0, **padded).n_tokens == 2


def test_a_column_that_is_missing_beside_others() -> None:
    refused({**ROWS, "token_ids": None}, {"length-mismatch"})
    refused({**ROWS, "token_ids": []}, {"length-mismatch"})
    nothing: dict[str, Any] = {name: [] for name in ROWS}
    assert ParityGate({"lag": 0}).update(step=0, **nothing).decision == "inconclusive", "a rank without sequences"
