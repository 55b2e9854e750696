"""The configuration that a Hydra command names: found through what variables hold, and where it is not, nothing is assumed."""

from __future__ import annotations

import pytest

from vllm_migrate import effective

CONFIG = "defaults: [ppo_trainer, _self_]\nactor_rollout_ref: {rollout: {name: vllm, tensor_model_parallel_size: 4}}\n"
RUN = "python3 -m verl.trainer.main_ppo {flags} actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.temperature=0.7\n"
ROOT = 'ROOT=${ROOT:-"$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"}\n'


def ranks(script: str, files: dict[str, str]) -> object:
    """What tensor_parallel_size comes to, and what it depends on."""
    (engine,) = effective("scripts/train/run.sh", files={".git/HEAD": "", "scripts/train/run.sh": script, **files})
    (row,) = [row for row in engine.settings if row.option == "tensor_parallel_size"]
    return row.target.value if not row.target.depends_on else None


@pytest.mark.parametrize(
    ("head", "flags"),
    [
        (ROOT + 'CONF=${CONF:-"${ROOT}/config"}\n', '--config-path="${CONF}" --config-name=grpo'),
        (ROOT + "CONF=$ROOT/config\n", "--config-path $CONF --config-name grpo"),
        (ROOT + 'export CONF="${ROOT}/config"\n', "--config-path=${CONF} --config-name='grpo'"),
        (ROOT + 'A="$ROOT/config"\nCONF=${CONF:-$A}\n', '--config-path="$CONF" --config-name=grpo'),
        (ROOT, '--config-path="${CONF:-$ROOT/config}" --config-name=grpo'),
        ("", '--config-path="$(pwd)/config" --config-name=grpo'),
    ],
)
def test_found_through_what_variables_hold(head: str, flags: str) -> None:
    script = "#!/bin/bash\n" + head + RUN.format(flags=flags)
    assert ranks(script, {"config/grpo.yaml": CONFIG}) == 4


@pytest.mark.parametrize(
    "flags", ["--config-path=/elsewhere --config-name=grpo", '--config-path="$CONF" --config-name=grpo']
)
def test_not_found_is_not_the_framework_s_default(flags: str) -> None:
    assert ranks(RUN.format(flags=flags), {}) is None


@pytest.mark.parametrize("flags", ["", "--config-name=ppo_trainer", "--config-name ppo_megatron_trainer.yaml"])
def test_the_framework_s_own_configuration_is_known(flags: str) -> None:
    assert ranks(RUN.format(flags=flags), {}) == 2
