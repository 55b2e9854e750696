"""The Python interface release by release, as shipped."""

from __future__ import annotations

import pytest

from vllm_migrate.catalog import contract, store


@pytest.mark.parametrize(
    ("name", "since"),
    [
        ("update_weights", "0.16.0"),
        ("init_weight_transfer_engine", "0.16.0"),
        ("reload_weights", "0.10.0"),
        ("update_config", "0.10.0"),
        ("start_weight_update", "0.21.0"),
        ("finish_weight_update", "0.21.0"),
        ("apply_model", "0.11.0"),
        ("update_weights_from_ipc_handles", ""),  # what vLLM's own examples call theirs
        ("report_device_id", ""),
        ("sleep", ""),  # taken from the beginning
    ],
)
def test_since_when_a_worker_extension_is_refused(name: str, since: str) -> None:
    assert contract.load().taken(name, "0.8.5", "0.33.0") == since


def test_what_collides() -> None:
    found = contract.load()
    assert found.collides("sleep", "0.8.5") is True and found.collides("sleep", "0.8.5", "v0") is True
    assert found.collides("__init__", "0.18.1") is False, "names with two underscores are not looked at"
    assert found.collides("device", "0.18.1") is False, "instances have it, the class has not"
    assert found.collides("sleep", "0.33.0", "v0") is None, "there is no V0 worker"
    private = [n for n in found.members(contract.WORKERS["v1"], "0.18.1") or {} if n.startswith("_")]
    assert private and found.collides(private[0], "0.18.1") is True


def test_names_lead_to_their_home_at_each_release() -> None:
    found = contract.load()
    for release in store.load().shipped:
        assert found.signature("vllm.LLM.generate", release) is not None, release
        assert found.signature("vllm.SamplingParams", release) is not None, release
        assert found.has("vllm.LLM.generate", release) and found.has("vllm.LLM.no_such", release) is not True
    assert found.home("vllm.AsyncLLMEngine", "0.18.1") == "vllm.v1.engine.async_llm.AsyncLLM"
    assert found.home("vllm.no.such", "0.18.1") is None
    assert "vllm.v1.worker.worker_base.WorkerBase" in found.bases(contract.WORKERS["v1"], "0.18.1")


def test_calls_that_changed() -> None:
    found = contract.load()
    changes = {(c.kind, c.name) for c in found.call_changes("vllm.LLM.generate", "0.8.5", "0.18.1") or ()}
    assert {("removed", "prompt_token_ids"), ("required", "prompts"), ("keyword_only", "use_tqdm")} <= changes
    (abort,) = list(found.call_changes("vllm.AsyncLLMEngine.abort", "0.8.5", "0.18.1") or ())
    assert abort == contract.CallChange("added", "internal", "", "False")
    info = "vllm.distributed.weight_transfer.nccl_engine.NCCLWeightTransferUpdateInfo"
    changes = {(c.kind, c.name) for c in found.call_changes(info, "0.18.1", "0.33.0") or ()}
    assert {("removed", "packed"), ("removed", "is_checkpoint_format")} <= changes
    assert found.call_changes(info, "0.8.5", "0.33.0") is None, "it was not there"


def test_how_a_signature_is_read() -> None:
    first = contract.Signature(contract._parameters("a, /, b, c=1, *rest, d, e=..., **more"))
    kinds = [(p.name, p.kind, p.default, p.required) for p in first.parameters]
    assert kinds == [
        ("a", "positional", None, True),
        ("b", "plain", None, True),
        ("c", "plain", "1", False),
        ("rest", "args", None, False),
        ("d", "keyword", None, True),
        ("e", "keyword", "...", False),
        ("more", "kwargs", None, False),
    ]
    assert first.open and first.names() == ["b", "c", "d", "e"] and first.positions() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("a, b=1", "a, b=1", []),
        ("a, b=1", "a, *, b=1", [("keyword_only", "b")]),
        ("a, b=1", "b=1", [("removed", "a"), ("position", "b")]),
        ("a", "a, b", [("required", "b")]),
        ("a", "a, b=2", [("added", "b")]),
        ("a, b=1", "a, b", [("required", "b")]),
        ("a, b", "a, b=1", [("optional", "b")]),
        ("a=1", "a=2", [("default", "a")]),
        ("a=1", "a=...", []),
        ("a, b", "a, **more", []),
        ("a, b", "b, a", [("position", "a"), ("position", "b")]),
    ],
)
def test_what_differs_between_two_signatures(old: str, new: str, changes: list[tuple[str, str]]) -> None:
    before, after = (contract.Signature(contract._parameters(text)) for text in (old, new))
    assert [(c.kind, c.name) for c in contract._differences(before, after)] == changes


def test_what_a_class_has_from_its_beginning_did_not_appear() -> None:
    found = contract.load()
    tokens = "vllm.entrypoints.scale_out.token_in_token_out.serving.ServingTokens"
    assert found.has(f"{tokens}.serve_tokens", "0.25.0") is True
    assert found.appeared(tokens, "serve_tokens", "0.8.5", "0.33.0") == ""


def test_attributes_on_the_way_stand_for_their_classes() -> None:
    found = contract.load()
    engine = "vllm.v1.worker.gpu_worker.Worker.weight_transfer_engine"
    assert found.home(f"{engine}.receive_weights", "0.26.0") == (
        "vllm.distributed.weight_transfer.base.WeightTransferEngine.receive_weights"
    )
    assert [c.name for c in found.call_changes(f"{engine}.receive_weights", "0.23.0", "0.26.0") or ()] == [
        "load_weights"
    ]
    assert found.home(engine, "0.26.0") == engine, "the attribute itself is no class"
