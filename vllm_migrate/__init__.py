"""vllm-migrate: lint and migrate vLLM settings of RL training configurations.

    from vllm_migrate import lint
    report = lint("conf", from_="0.8.5", to="0.18.1")

docs/library.md is the reference. What is named here is loaded when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from vllm_migrate.errors import UsageError as UsageError
    from vllm_migrate.errors import VllmMigrateError as VllmMigrateError
    from vllm_migrate.library import effective as effective
    from vllm_migrate.library import fix as fix
    from vllm_migrate.library import lint as lint
    from vllm_migrate.report.finding import Finding as Finding
    from vllm_migrate.report.finding import OfferedFix as OfferedFix
    from vllm_migrate.report.finding import Region as Region
    from vllm_migrate.report.finding import TextEdit as TextEdit
    from vllm_migrate.report.model import Report as Report
    from vllm_migrate.run.effective import EngineView as EngineView
    from vllm_migrate.run.fix import FixPlan as FixPlan

__version__ = "0.1.0"

_HOMES = {
    "EngineView": "run.effective",
    "Finding": "report.finding",
    "FixPlan": "run.fix",
    "OfferedFix": "report.finding",
    "Region": "report.finding",
    "Report": "report.model",
    "TextEdit": "report.finding",
    "UsageError": "errors",
    "VllmMigrateError": "errors",
    "effective": "library",
    "fix": "library",
    "lint": "library",
}
__all__ = [
    "EngineView",
    "Finding",
    "FixPlan",
    "OfferedFix",
    "Region",
    "Report",
    "TextEdit",
    "UsageError",
    "VllmMigrateError",
    "__version__",
    "effective",
    "fix",
    "lint",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
