"""The gate: batches in, a verdict at the first step and every so many after it."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Unpack

from vllm_migrate.errors import UsageError
from vllm_migrate.parity.batch import Columns, Layout
from vllm_migrate.parity.budget import Budget, Evidence
from vllm_migrate.parity.contract import Contract
from vllm_migrate.parity.errors import ParityError
from vllm_migrate.parity.judge import Look, gather, judge
from vllm_migrate.parity.tally import Where, Window
from vllm_migrate.parity.verdict import Verdict

Log = Callable[[dict[str, float]], object]
# Takes this rank's window and returns those of all ranks, in the same order on each (all_gather_object).
Reduce = Callable[[Window], Sequence[Window]]

MOST = 65_536  # tokens read of one batch and rank


class ParityGate:
    """Running statistics of the smoke proof over a trainer's batches.

    `contract`: a Contract, a mapping, or an object with such attributes. `every`: steps between looks, after the one at
    the first step seen. `log`: called with flat numbers at each look (`wandb.log`). `stop`: raise ParityError when a look
    fails or its evidence is invalid. `reduce`: gathers the windows of all ranks; then every rank must call with the same
    steps, reaches the same verdict and raises alike. `looks`: how many are planned, to split `false_alarms`, the
    probability of any false alarm in the run, evenly. `most`: tokens read of a batch, whole sequences by position.
    """

    def __init__(
        self,
        contract: Contract | Mapping[str, Any] | object,
        *,
        every: int = 50,
        log: Log | None = None,
        stop: bool = False,
        reduce: Reduce | None = None,
        looks: int | None = None,
        false_alarms: float = 0.01,
        most: int | None = MOST,
    ) -> None:
        for name, value in (("every", every), ("looks", looks), ("most", most)):
            if not (value is None and name != "every") and _whole(name, value) < 1:
                raise UsageError(f"{name} is {value}", "a whole number from 1 on")
        if not isinstance(false_alarms, float) or not 0 < false_alarms < 1:
            raise UsageError(f"false_alarms is {false_alarms!r}", "a probability between 0 and 1")
        for name, function in (("log", log), ("reduce", reduce)):
            if function is not None and not callable(function):
                raise UsageError(f"{name} is {function!r}, which cannot be called", "a function, such as wandb.log")
        self.contract = Contract.of(contract)
        self.every, self.log, self.stop, self.reduce, self.most = every, log, stop, reduce, most
        self.budget = Budget(false_alarms, looks)
        self.last: Verdict | None = None
        self.looks = self.clean = 0
        self._window = Window.empty()
        self._next: int | None = None
        self.calls = 0
        self._passed = False
        self._spread = Evidence()

    def update(
        self,
        *,
        step: int,
        token_ids: Any,
        rollout_logprobs: Any,
        trainer_logprobs: Any,
        mask: Any,
        weight_version: Any = None,
        entropy: Any = None,
        varentropy: Any = None,
        **layout: Unpack[Layout],
    ) -> Verdict:
        """Adds a batch, scored before the optimizer step, and judges where a look is due.

        Columns have one value a token: padded rows, ragged rows, or one packed row with `cu_seqlens`; nested lists, numpy
        or torch. `mask` holds exactly the sampled tokens. `weight_version`: one, one a sequence, or one a token.
        Where one process trains, invalid evidence is judged at once. Raises ParityError when asked to stop.
        """
        self.add(
            step=step,
            token_ids=token_ids,
            rollout_logprobs=rollout_logprobs,
            trainer_logprobs=trainer_logprobs,
            mask=mask,
            weight_version=weight_version,
            entropy=entropy,
            varentropy=varentropy,
            **layout,
        )
        return self.check(step)

    def add(
        self,
        *,
        step: int,
        token_ids: Any,
        rollout_logprobs: Any,
        trainer_logprobs: Any,
        mask: Any,
        weight_version: Any = None,
        entropy: Any = None,
        varentropy: Any = None,
        **layout: Unpack[Layout],
    ) -> None:
        """Adds a batch (one of several of a step) without judging. What cannot be read of it is no evidence, and no error: an
        exception on one rank would leave the others waiting.
        """
        for name in layout:
            if name not in Layout.__annotations__:  # a misspelt one would leave boundaries or versions out in silence
                known = sorted(Layout.__annotations__)
                near = get_close_matches(name, known, 1)
                raise UsageError(
                    f"no argument {name!r}", f"did you mean {near[0]}?" if near else f"one of {', '.join(known)}"
                )
        step = _whole("step", step)
        self.calls += 1
        columns = Columns(token_ids, rollout_logprobs, trainer_logprobs, mask, weight_version, entropy, varentropy)
        version = layout.get("trainer_version")
        where = Where(step, self.calls, step if version is None else version, step == 0, self.most)
        self._window.add(columns, layout, self.contract, where)

    def due(self, step: int) -> bool:
        """Whether a look is due: at the first step seen, and whenever a multiple of `every` is reached."""
        return self._next is None or _whole("step", step) >= self._next

    def check(self, step: int) -> Verdict:
        """Judges where a look is due, or, where one process trains, where evidence is invalid; else pending."""
        faulty = self.reduce is None and self._window.faulty
        return self.judge(step) if faulty or self.due(step) else Verdict(step, "pending")

    def judge(self, step: int) -> Verdict:
        """Judges what was added since the last look. With `reduce`, all ranks must call it at the same steps."""
        step, window = _whole("step", step), self._whole_window()
        self._spread = gather(window, self.contract, self._spread, self.budget.each(self.looks))
        look = Look(step, self.budget.levels(self.looks), self._passed, self._spread)
        verdict = judge(window, self.contract, look)
        self._window = Window.empty()
        if self.due(step):
            self._next = (step // self.every + 1) * self.every
            self.looks += 1
        self.clean = 0 if verdict.alarm else self.clean + 1
        self._passed |= verdict.decision == "pass"
        self.last = verdict
        if self.log is not None:
            self._write(self.log, verdict)
        if self.stop and verdict.alarm:
            raise ParityError(verdict)
        return verdict

    def _whole_window(self) -> Window:
        """What all ranks have seen. Raises UsageError."""
        if self.reduce is None:
            return self._window
        parts = self.reduce(self._window)
        if not isinstance(parts, Sequence) or not parts or not all(isinstance(part, Window) for part in parts):
            raise UsageError("reduce returns no windows", "those of all ranks, in the same order on each")
        return Window.merged(parts)

    @staticmethod
    def _write(log: Log, verdict: Verdict) -> None:
        """A logger that fails neither stops training nor hides the verdict."""
        try:
            log(verdict.scalars())
        except Exception as error:
            warnings.warn(
                f"the parity gate's log failed: {type(error).__name__}: {error}", RuntimeWarning, stacklevel=3
            )


def _whole(name: str, value: Any) -> int:
    """Raises UsageError for what is no whole number."""
    try:
        return operator.index(value)
    except TypeError:
        raise UsageError(f"{name} is {value!r}", "a whole number") from None
