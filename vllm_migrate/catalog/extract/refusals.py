"""What a release refuses or replaces because of how settings combine: `raise` and `assert` statements whose conditions read
two settings or more, values that are out of bounds, and settings that are assigned beside a message to the log.

`refusal`, `bound` and `replacement` are named by their message, so that one is the same over releases; `count` says how many
statements there are in all.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from vllm_migrate.catalog.extract import bounds
from vllm_migrate.catalog.extract.conditions import LIMIT, Spot, cut, identity, message, spots
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.resolution import target_name
from vllm_migrate.catalog.extract.routes import negated
from vllm_migrate.catalog.extract.settings import Settings

Facts = dict[str, Any]
Sections = dict[str, dict[str, Facts]]

# Where settings are checked: configuration, arguments, requests on their way in, platforms, workers at start.
_CHECKED = re.compile(
    r"""vllm\.(?:config(?:\..*)?|engine\.(?:arg_utils|async_llm_engine|llm_engine|protocol)|sampling_params|pooling_params
    |platforms\..*|lora\.request|executor\..*|entrypoints\.(?:llm|utils|api_server|launcher|offline.*|cli\..*|common\..*)
    |entrypoints\.(?:.*\.)?(?:cli_args|api_server|serving\w*)|v1\.engine\..*|v1\.executor\..*|v1\.core\.(?:sched\..*|kv_cache_\w+)
    |v1\.(?:sample|spec_decode|structured_output)(?:\..*)?|v1\.worker\.(?:gpu_worker|gpu_model_runner|worker_base|utils)
    |v1\.worker\.gpu\.model_runner|worker\.(?:worker|worker_base|model_runner)|core\.scheduler|spec_decode\.\w+
    |(?:v1\.)?attention\.selector|attention\.layer|distributed\.weight_transfer\..*|inputs\.\w+|renderers\.\w+)\Z""",
    re.VERBOSE,
)
_LOGGED = {"warning", "warning_once", "info", "info_once", "error", "warn"}


def refusals(it: Interpreter) -> Sections:
    """`refusal`, `bound`, `replacement` and `count` of a release."""
    settings = Settings(it)
    found: Sections = {"refusal": {}, "bound": bounds.declared(it, settings), "replacement": {}, "count": {}}
    count = {"statements": 0, "conditional": 0, "none": 0, "one": 0, "several": 0}
    for path in it.tree.files():
        name = it.tree.module_name(path)
        module = it.tree.module(name) if _CHECKED.match(name) else None
        for spot in spots(module) if module is not None else ():
            if isinstance(spot.node, ast.Raise | ast.Assert):
                _refused(spot, name, settings, found, count)
            elif isinstance(spot.node, ast.Assign):
                _replaced(spot, name, settings, found["replacement"])
    found["count"]["all"] = count
    return found


def _refused(spot: Spot, module: str, settings: Settings, found: Sections, count: dict[str, int]) -> None:
    count["statements"] += 1
    node = spot.node
    tests = list(spot.tests)
    if isinstance(node, ast.Assert):
        tests.append(ast.parse(negated(ast.unparse(node.test)), mode="eval").body)
        text = message(node.msg, spot.names) if node.msg is not None else ""
        error = "AssertionError"
    else:
        assert isinstance(node, ast.Raise)
        if node.exc is None:
            return
        call = node.exc
        error = ast.unparse(call.func if isinstance(call, ast.Call) else call).rpartition(".")[2]
        text = message(call.args[0], spot.names) if isinstance(call, ast.Call) and call.args else ""
    if not tests:
        return
    count["conditional"] += 1
    most = 0
    for more, each in _listed(spot, tests):
        most = max(most, _site(spot, module, settings, found, (f"{text} {more}".strip(), each, error)))
    count["none" if not most else "one" if most == 1 else "several"] += 1


def _listed(spot: Spot, tests: list[ast.expr]) -> list[tuple[str, list[ast.expr]]]:
    """One refusal, or one for each reason where the function gathers reasons in a list and raises when there are some."""
    last = tests[-1]
    if isinstance(spot.node, ast.Raise) and isinstance(last, ast.Name) and last.id in spot.appended:
        before = tests[:-1]
        return [
            (message(reason, spot.names), before + [test for test in under if test not in before])
            for reason, under in spot.appended[last.id]
        ]
    return [("", tests)]


def _site(
    spot: Spot,
    module: str,
    settings: Settings,
    found: Sections,
    what: tuple[str, list[ast.expr], str],
) -> int:
    """Put down one refusal if its conditions read two settings or more, or bound one; returns how many they read."""
    text, tests, error = what
    involved = set().union(*(settings.read(test, spot.owner, spot.names) for test in tests))
    involved = {one for one in involved if not any(other.startswith(f"{one}.") for other in involved)}
    bounded = len(involved) == 1 and bool(text) and bounds.compares(tests)
    if len(involved) > 1 or bounded:
        full = spot._replace(tests=tuple(tests))
        when = settings.with_choices(full.condition, module)
        site = {"at": f"{module}:{spot.where}", "when": when, "raises": error, "settings": sorted(involved)}
        _put(found["bound" if bounded else "refusal"], identity(text or full.when), text, site)
    return len(involved)


def _put(section: dict[str, Facts], name: str, text: str, site: Facts) -> None:
    facts = section.setdefault(name, {"text": cut(" ".join(text.split())), "sites": []})
    if site not in facts["sites"]:
        facts["sites"].append(site)


def _replaced(spot: Spot, module: str, settings: Settings, section: dict[str, Facts]) -> None:
    """An assignment to a setting that stands beside a message to the log, or under a condition of an `if` that logs."""
    assert isinstance(spot.node, ast.Assign)
    target = spot.node.targets[0]
    if not isinstance(target, ast.Attribute | ast.Subscript) or not spot.tests:
        return
    option = _assigned(target, spot, settings)
    logged = _logged(spot)
    if not option or logged is None:
        return
    level, text = logged
    site = {"at": f"{module}:{spot.where}", "when": spot.when, "value": ast.unparse(spot.node.value)[:LIMIT]}
    section.setdefault(f"{option}:{identity(text)}", {"text": cut(" ".join(text.split())), "level": level, "sites": []})
    sites = section[f"{option}:{identity(text)}"]["sites"]
    if site not in sites:
        sites.append(site)


def _assigned(target: ast.Attribute | ast.Subscript, spot: Spot, settings: Settings) -> str:
    if isinstance(target, ast.Subscript):
        owner = ast.unparse(target.value)
        if owner == "os.environ" and isinstance(target.slice, ast.Constant):
            return "env." + str(target.slice.value)
        return target_name(target) if target_name(target) in settings.engine else ""
    found = settings.read(target, spot.owner, spot.names)
    return next(iter(found)) if len(found) == 1 else ""


def _logged(spot: Spot) -> tuple[str, str] | None:
    """Level and text of the message to the log in the same block, the nearest one before or after."""
    position = spot.block.index(spot.node)
    for other in sorted(spot.block, key=lambda one: abs(spot.block.index(one) - position)):
        call = other.value if isinstance(other, ast.Expr) else None
        if isinstance(call, ast.Call) and (found := log_call(call)) is not None:
            text = message(call.args[0], spot.names) if call.args else ""
            if text:
                return found, text
    return None


def log_call(call: ast.Call) -> str | None:
    """The level of `logger.warning_once(...)` or `warnings.warn(...)`; None for any other call."""
    func = call.func
    if not isinstance(func, ast.Attribute) or func.attr not in _LOGGED or not isinstance(func.value, ast.Name):
        return None
    if func.value.id not in ("logger", "warnings", "_logger", "init_logger"):
        return None
    return {"warn": "warning"}.get(func.attr, func.attr.removesuffix("_once"))
