"""The parity gate inside a trainer: the smoke proof's statistics, kept while training runs.

    gate = ParityGate(Contract(temperature=0.7, lag=0), every=50, log=wandb.log, stop=True)
    verdict = gate.update(step=step, token_ids=..., rollout_logprobs=..., trainer_logprobs=..., mask=..., entropy=...)

Standard library only; arrays of numpy and torch are taken as they are. Adapters: `trl`, `verl`, `pipelinerl`.
"""

from vllm_migrate.parity.budget import bound
from vllm_migrate.parity.contract import Contract
from vllm_migrate.parity.errors import ParityError
from vllm_migrate.parity.gate import ParityGate
from vllm_migrate.parity.verdict import Verdict

__all__ = ["Contract", "ParityError", "ParityGate", "Verdict", "bound"]
