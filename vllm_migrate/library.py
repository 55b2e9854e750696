"""What other programs call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.report.findings import Detail
from vllm_migrate.report.model import Report
from vllm_migrate.run.settings import Options

if TYPE_CHECKING:
    from vllm_migrate.run.dependencies import Dependencies
    from vllm_migrate.run.fix import FixPlan
    from vllm_migrate.run.judging import JudgedEngine
    from vllm_migrate.run.session import Releases


def run_lint(options: Options, detail: Detail, jobs: int | None) -> tuple[Report, Dependencies]:
    from vllm_migrate.run.lint import lint

    return lint(options, detail, jobs)


def run_fix(options: Options) -> FixPlan:
    from vllm_migrate.run.fix import fix

    return fix(options)


def run_effective(options: Options) -> tuple[Releases, tuple[JudgedEngine, ...]]:
    from vllm_migrate.run.session import Session

    session = Session(options)
    return session.releases, session.run(keep=True).judged
