"""A tiny random Qwen2 and recordings of it, made once a session by the torch engine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vllm_migrate.smoke.backends.interface import Job
from vllm_migrate.smoke.recording import Header, Recording, Row

CONTRACT = {"temperature": 0.7, "top_p": 0.9, "top_k": 20, "max_tokens": 48}
SHARED = Path(__file__).resolve().parents[3] / "shared" / "recordings"


def make_model(
    folder: Path, *, seed: int = 0, dtype: str = "float32", perturb: float = 0.0, scale: float = 0.25
) -> Path:
    """The model the real recordings were made with (`seed` 0): random, two layers, 1,024 tokens."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = transformers.Qwen2Config(
        vocab_size=1024,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    torch.set_num_threads(1)  # the tensors are tiny; a second thread only waits
    torch.manual_seed(seed)
    model = transformers.Qwen2ForCausalLM(config).float().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2:
                spread = {"model.embed_tokens.weight": 1.0, "lm_head.weight": scale}.get(name, 0.15)
                parameter.normal_(0, spread)
            elif "norm" not in name:
                parameter.normal_(0, 0.05)
        if perturb:
            generator = torch.Generator().manual_seed(seed + 1)
            for parameter in model.parameters():
                parameter.mul_(1 + perturb * torch.randn(parameter.shape, generator=generator))
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_bf16(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("tiny-bf16"), dtype="bfloat16")


@pytest.fixture(scope="session")
def tiny_updated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("tiny-updated"), perturb=0.2)


def prompts(count: int = 16, length: int = 24, seed: int = 0) -> list[list[int]]:
    generator = random.Random(seed)
    return [[generator.randrange(3, 1024) for _ in range(length)] for _ in range(count)]


def job(
    model: Path,
    *,
    mode: str = "record",
    sampling: dict[str, Any] | None = None,
    sequences: Sequence[Any] = (),
    update: Any = None,
    count: int = 16,
    **args: Any,
) -> Job:
    sampling = {**CONTRACT, **(sampling or {})}
    requests = [{"prompt": p, "contract": "user", "prompt_index": i} for i, p in enumerate(prompts(count))]
    return Job(
        mode,
        {"model": str(model), **args},
        {"user": sampling},
        requests if mode == "record" else [],
        list(sequences),
        update or {},
    )


def run(work: Job) -> Recording:
    from vllm_migrate.smoke.backends.torch_engine import TorchEngine

    lines = list(TorchEngine().run(work, lambda line: None))
    return Recording(Header.model_validate(lines[0]), [Row.model_validate(line) for line in lines[1:]])


def scored(recording: Recording, model: Path, *, updated: Path | None = None, **options: Any) -> Recording:
    from vllm_migrate.smoke.score import Model, Options, Scorer

    chosen = Options(**options)
    after = Model(str(updated), chosen) if updated else None
    scorer = Scorer(recording.header, Model(str(model), chosen), chosen, after)
    rows = list(scorer.rows(recording.rows))
    return Recording(recording.header.model_copy(update={"score": scorer.info}), rows)


@pytest.fixture(scope="session")
def lab(tiny: Path) -> SimpleNamespace:
    """The helpers above, as one fixture, since test folders are not packages."""
    return SimpleNamespace(job=job, run=run, scored=scored, prompts=prompts, make_model=make_model, model=tiny)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Recordings of real vLLM, where they are at hand."""
    if not SHARED.is_dir():
        pytest.skip("no recordings of real vLLM here")
    return SHARED
