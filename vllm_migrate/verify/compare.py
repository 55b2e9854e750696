"""The settings of one engine as the files have them, beside what one source tells of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from vllm_migrate.catalog import details
from vllm_migrate.dialects.model import Engine
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.expr import Undetermined, same
from vllm_migrate.opening import loads
from vllm_migrate.report.mask import mask, mask_value
from vllm_migrate.resolve.table import REFUSED, Cell, rows
from vllm_migrate.resolve.view import View, decides
from vllm_migrate.rules.finding import Firing
from vllm_migrate.smoke.source import REFUSALS
from vllm_migrate.verify.model import (
    ARGUMENT,
    CONFIG,
    DEFAULT,
    DIFFERS,
    ENVIRONMENT,
    NOT_TOLD,
    SAME,
    Reported,
    Running,
    Setting,
)

ALIASES = {"half": "float16", "float": "float32", "fp16": "float16", "bf16": "bfloat16", "fp32": "float32"}
_SIZE = re.compile(r"(\d{1,40}(?:\.\d{1,40})?)([kmgKMG]?)")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "K": 2**10, "M": 2**20, "G": 2**30}
EMPTY: tuple[object, ...] = (None, False, "", {}, [])
# Variables that a start sets by itself, or that only steer the process around the engine.
OWN = frozenset(
    f"env.VLLM_{name}"
    for name in (
        *("MIGRATE_RECORD", "NO_USAGE_STATS", "SERVER_DEV_MODE", "CPU_KVCACHE_SPACE", "CPU_OMP_THREADS_BIND", "PORT"),
        *("HOST_IP", "WORKER_MULTIPROC_METHOD", "DISABLE_SHARED_EXPERTS_STREAM", "CACHE_ROOT", "CONFIG_ROOT"),
        *("XLA_CACHE_PATH", "DO_NOT_TRACK", "RPC_BASE_PATH", "ASSETS_CACHE", "LOGGING_LEVEL", "CONFIGURE_LOGGING"),
        *("SSM_CONV_STATE_LAYOUT", "USE_AOT_COMPILE", "USE_BREAKABLE_CUDAGRAPH", "USE_DEEP_GEMM_E8M0", "DIST_IDENT"),
        *("MOE_SKIP_PADDING", "USE_RAY_COMPILED_DAG", "USE_RAY_COMPILED_DAG_CHANNEL_TYPE", "USE_RAY_SPMD_WORKER"),
        *("ROCM_USE_SKINNY_GEMM", "USE_TRITON_AWQ", "CUSTOM_ALLREDUCE_ALGO", "ALLREDUCE_USE_SYMM_MEM"),
        *("RPC_TIMEOUT", "LORA_RESOLVER_CACHE_DIR", "VERSION", "CUDART_SO_PATH", "ENABLE_V1_MULTIPROCESSING", "USE_V1"),
    )
)
# What an entry point sets for its own log.
LOGGING = frozenset(("disable_log_stats", "enable_log_requests", "disable_log_requests"))
# Where the model lies is the machine's matter.
PLACES = frozenset(("model", "tokenizer", "served_model_name", "download_dir", "model_weights"))


def settings(view: View, running: Running, findings: Sequence[Firing]) -> tuple[Setting, ...]:
    """Every option that either side has something to say of: differing ones first, then those not told, then by name."""
    found = []
    seen = set()
    for row in rows(view, view):
        seen.add(row.option)
        found.append(_setting(view, row.option, row.target, running, findings))
    for option, reported in running.reported.items():
        if option not in seen and _unwritten(view, option, reported):
            found.append(_setting(view, option, _declared(view, option), running, findings))
    order = {DIFFERS: 0, SAME: 2, NOT_TOLD: 1}
    return tuple(sorted(found, key=lambda one: (order[one.verdict], one.option)))


def _unwritten(view: View, option: str, reported: Reported) -> bool:
    """Whether what the files do not speak of is worth a row: something that is not the release's default was set."""
    if option in PLACES or option in LOGGING or ("." in option and not option.startswith("env.")):
        return False
    if reported.kind == ENVIRONMENT:
        name = option.removeprefix("env.")
        sections = ("env", "env_other")
        return option not in OWN and any(view.catalog.get(one, name, view.release) for one in sections)
    if reported.kind == DEFAULT:
        return False
    facts = view.catalog.get("engine", option, view.release)
    if facts is None or not decides(facts):
        return reported.kind == ARGUMENT
    late = details.load(view.catalog).late_of(option, view.release)
    return (reported.kind == ARGUMENT or not late) and not alike(facts.default, reported.value)


def _declared(view: View, option: str) -> Cell:
    if option.startswith("env."):
        name = option.removeprefix("env.")
        facts = view.catalog.get("env", name, view.release) or view.catalog.get("env_other", name, view.release)
        return Cell(facts.default if facts is not None and facts.decided else None, "not set", None)
    value = view.value(option).value
    return Cell(None if isinstance(value, Undetermined) else value, "not written", None)


def _setting(view: View, option: str, cell: Cell, running: Running, findings: Sequence[Firing]) -> Setting:
    reported = _reported_of(view, option, running)
    cell = _as_written(view, option, cell)
    verdict, is_open = _verdict(view, option, cell, reported)
    confirms, refutes = _judged(view, option, reported, verdict, findings)
    return Setting(
        option,
        mask_value(option, cell.value),
        cell.origin,
        mask(cell.depends_on) if cell.depends_on else "",
        None if reported is None else reported.value,
        "" if reported is None else f"{reported.kind}, {reported.where}",
        verdict,
        is_open,
        confirms,
        refutes,
    )


def _as_written(view: View, option: str, cell: Cell) -> Cell:
    """The cell of a setting that does not arrive and stops no start: what the file has, which is not what runs."""
    mine = [one for one in view.delivery.diagnostics if one.option == option]
    if cell.origin != REFUSED or not mine or any(one.kind in REFUSALS for one in mine):
        return cell
    written = mine[-1].written
    if isinstance(written.value, Undetermined | Unknown) or written.spot is None:
        return cell
    line = written.spot.file.source.position(written.spot.start).line
    return Cell(written.value, f"{written.spot.file.path}:{line}", None)


def _reported_of(view: View, option: str, running: Running) -> Reported | None:
    """What was reported of an option; a server's sampling default only where no request sets the parameter itself."""
    reported = running.reported.get(option)
    if option == "disable_cascade_attn" and "engine" in running.reported and running.reported["engine"].value == "v0":
        return None  # V0 has no cascade attention, whatever its configuration holds
    if (
        option.startswith("sampling.")
        and reported is not None
        and reported.kind == CONFIG
        and view.value(option).written
    ):
        return None
    return reported


def _verdict(view: View, option: str, cell: Cell, reported: Reported | None) -> tuple[str, bool]:
    """same, differs or not-told; and whether the files leave it open, so that what runs settles it."""
    if cell.origin == REFUSED:
        # A start that the release refuses did not happen so: what runs got there by another way.
        refused = any(one.option == option and one.kind in REFUSALS for one in view.delivery.diagnostics)
        return (
            DIFFERS if refused and reported is not None and reported.kind in (CONFIG, ARGUMENT) else NOT_TOLD
        ), False
    if reported is None or option in PLACES:
        return NOT_TOLD, False
    if reported.kind == DEFAULT and cell.origin == "resolved at run time":
        # That nobody passed it does not tell what the engine made of that.
        return (SAME, False) if alike(cell.value, reported.value) else (NOT_TOLD, False)
    if cell.undecided or cell.depends_on or cell.value == "auto" or (cell.value is None and _late(cell)):
        values = cell.value if cell.undecided and isinstance(cell.value, list) else []
        if cell.undecided or cell.value in (None, "auto") or not alike(cell.value, reported.value):
            fits = not values or any(alike(value, reported.value) for value in values)
            return (SAME if fits else DIFFERS), True
    return (SAME if alike(cell.value, reported.value) else DIFFERS), False


def _late(cell: Cell) -> bool:
    """Whether an unset option asks for a later decision."""
    return cell.origin in ("vLLM default", "unknown", "resolved at run time", "not written")


def _judged(
    view: View, option: str, reported: Reported | None, verdict: str, findings: Iterable[Firing]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Codes of findings on an option that what runs confirms, and of those that it refutes."""
    confirms: list[str] = []
    refutes: list[str] = []
    for finding in findings:
        if finding.option != option or reported is None or verdict == NOT_TOLD:
            continue
        holds = _holds(view, finding, reported)
        if holds is not None:
            (confirms if holds else refutes).append(finding.code)
    return tuple(dict.fromkeys(confirms)), tuple(dict.fromkeys(refutes))


def _holds(view: View, finding: Firing, reported: Reported) -> bool | None:
    """Whether what runs is what a finding says; None where it says nothing of a value.

    Findings of VM3 say that what is written does not arrive, the others what the value becomes.
    """
    if finding.code.startswith("VM3") and isinstance(view.engine, Engine):
        mine = (one for one in view.engine.options if finding.option == one.option or finding.spot == one.spot)
        written = [one.value for one in mine]
        return not alike(written[-1], reported.value) if written else None
    if finding.new is None or isinstance(finding.new, Undetermined | Unknown):
        return None
    return alike(finding.new, reported.value)


def alike(written: object, running: object) -> bool:
    """Whether two values mean the same to vLLM; of a mapping, the keys that are written."""
    written, running = _plain(written), _plain(running)
    if isinstance(written, dict) and isinstance(running, dict):
        return all(alike(value, running.get(key)) for key, value in written.items())
    if isinstance(written, list) and isinstance(running, list):
        return len(written) == len(running) and all(map(alike, written, running))
    if isinstance(written, str) and isinstance(running, str):
        return written.casefold() == running.casefold()
    if any(written is one or same(written, one) for one in EMPTY) and any(
        running is one or same(running, one) for one in EMPTY
    ):
        return True
    return same(written, running)


def _plain(value: object) -> object:
    """Text as vLLM's parser would read it: sizes, JSON, other words for one dtype, digits."""
    if isinstance(value, tuple):
        return list(value)
    if not isinstance(value, str):
        return value
    if value.startswith(("{", "[")):
        try:
            return loads(value)
        except ValueError:
            return value
    size = _SIZE.fullmatch(value)
    if size is not None:
        number = float(size[1]) * _UNITS[size[2]]
        return int(number) if number == int(number) else number
    return {"true": True, "false": False, **ALIASES}.get(value.lower(), value)
