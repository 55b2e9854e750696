"""Keys inside options whose value is a mapping: the same answer however they are written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.dialects.reading import Reading
from vllm_migrate.catalog import nested, store

OPTIONS = (
    *(
        "compilation_config",
        "speculative_config",
        "kv_transfer_config",
        "structured_outputs_config",
        "attention_config",
    ),
    *("profiler_config", "pooler_config", "override_pooler_config", "hf_overrides"),
)
RELEASES = ("0.8.5", "0.10.2", "0.18.1", "0.28.0", "0.33.0")
CODES = {"VM216": "refused", "VM306": "lost", "VM217": "choice"}


def unknown(option: str, release: str) -> list[str]:
    known = nested.load()
    mine = set(known.fields(option, release))
    elsewhere = {name for other in store.load().shipped for name in known.fields(option, other)} - mine
    return [*sorted(elsewhere)[:12], *(f"key_{number}" for number in range(20))][:20]


def found(folder: Path, name: str, text: str, release: str, option: str = "") -> dict[str, str] | None:
    """Key -> what becomes of it; None where the mapping itself does not arrive."""
    reading = Reading(folder, {name: text}, release, release)
    if option and option not in reading.arrives(release):
        return None
    out = {}
    for finding in reading.result.findings:
        if finding.code in CODES and finding.option.count("."):
            out[finding.option.partition(".")[2]] = CODES[finding.code]
    return out


def texts(option: str, value: dict[str, object], entry: str) -> dict[str, tuple[str, str]]:
    """Carrier -> name and text of a file that has the mapping."""
    flag, packed = option.replace("_", "-"), json.dumps(value)
    if entry == "parser":
        return {
            "json": ("serve.sh", f"vllm serve m --{flag} '{packed}'\n"),
            "dotted": (
                "serve.sh",
                "vllm serve m " + " ".join(f"--{flag}.{k} {json.dumps(v)}" for k, v in value.items()) + "\n",
            ),
            "yaml": ("serve.yaml", f"model: m\nmax-model-len: 8192\nmax-num-seqs: 8\nseed: 0\n{flag}: {packed}\n"),
        }
    head = "policy:\n  generation:\n    backend: vllm\n    vllm_cfg: {tensor_parallel_size: 1}\n"
    kwargs = f"{head}    vllm_kwargs:\n      {option}: {packed}\n"
    call = "LLM" if entry == "llm" else "EngineArgs"
    return {
        "python": ("gen.py", f"from vllm import {call}\nllm = {call}(model='m', {option}={value!r})\n"),
        **({"nemo-rl": ("grpo.yaml", kwargs)} if entry == "llm" else {}),
    }


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("option", OPTIONS)
def test_every_carrier_says_what_the_class_says(option: str, release: str, tmp_path: Path) -> None:
    known = nested.load()
    if option not in known.options(release):
        return
    fields, others = known.fields(option, release), unknown(option, release)
    for entry in nested.ENTRIES:
        become = known.unknown_key(option, entry, release)
        want = (
            {} if become in (None, "kept") else dict.fromkeys(others, {"refused": "refused", "dropped": "lost"}[become])
        )
        want.update(dict.fromkeys((n for n in others if known.internal(option, entry, n, release)), "lost"))
        value: dict[str, object] = dict.fromkeys((*fields, *others), 1)
        for carrier, (name, text) in texts(option, value, entry).items():
            if carrier == "dotted" and store.load().ordinal(release) < store.load().ordinal("0.9.0"):
                continue  # an option of that name is none
            folder = tmp_path / f"{entry}-{carrier}"
            folder.mkdir()
            got = found(folder, name, text, release, option)
            # Up to 0.10.2 a mapping in a `--config` file becomes Python's text of it, which is no JSON.
            assert got == want or (carrier == "yaml" and got is None and release in RELEASES[:2]), f"{entry} {carrier}"


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("serve.sh", "vllm serve m \\\n  --compilation-config.mode 3 \\\n  --compilation-config.lvl 0\n", 3),
        ("serve.yaml", "model: m\nmax-model-len: 8192\ncompilation-config:\n  mode: 3\n  lvl: 0\n", 5),
        ("gen.py", "from vllm import LLM\nllm = LLM(model='m', compilation_config={\n  'mode': 3,\n  'lvl': 0})\n", 4),
        (
            "run.sh",
            "python3 -m verl.trainer.main_ppo actor_rollout_ref.rollout.name=vllm \\\n"
            "  +actor_rollout_ref.rollout.engine_kwargs.vllm.compilation_config.mode=3 \\\n"
            "  +actor_rollout_ref.rollout.engine_kwargs.vllm.compilation_config.lvl=0\n",
            3,
        ),
        (
            "rl.toml",
            "[orchestrator]\nn = 1\n[inference.vllm]\nseed = 1\n[inference.vllm.compilation_config]\nmode = 3\nlvl = 0\n",
            7,
        ),
    ],
)
def test_one_finding_at_the_dead_key(name: str, text: str, line: int, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {name: text}, "0.18.1", "0.18.1")
    mine = [f for f in reading.result.findings if f.code[:3] in ("VM2", "VM3")]
    assert [(f.code, f.spot.file.source.position(f.spot.start).line) for f in mine] == [("VM216", line)]


def test_a_key_inside_a_mapping_inside(tmp_path: Path) -> None:
    text = 'vllm serve m --compilation-config \'{"pass_config": {"fuse_norm_quant": true, "lvl": 1}}\'\n'
    assert found(tmp_path, "serve.sh", text, "0.18.1") == {"pass_config.lvl": "refused"}


def test_a_mapping_that_does_not_arrive_is_not_looked_into(tmp_path: Path) -> None:
    text = "vllm serve m --compilation-config '{\"lvl\": 1}' --compilation-config '{\"mode\": 1}'\n"
    assert found(tmp_path, "serve.sh", text, "0.18.1") == {}
