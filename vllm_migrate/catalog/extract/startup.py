"""What a starting or running engine says of itself: messages to the log, the keys of the configuration that it prints, and
the parameters of the server's endpoints.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from vllm_migrate.catalog.extract import routes
from vllm_migrate.catalog.extract.conditions import Spot, cut, identity, message, spots
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.refusals import log_call
from vllm_migrate.catalog.extract.settings import Settings, snake
from vllm_migrate.catalog.extract.source import Module, SourceTree

Facts = dict[str, Any]
Sections = dict[str, dict[str, Facts]]

# Where a message to the log can tell a setting: everything that runs before the first request.
_STARTS = re.compile(
    r"""vllm\.(?:config(?:\..*)?|engine\.(?:arg_utils|async_llm_engine|llm_engine|metrics)|sampling_params|platforms\..*|envs
    |plugins\..*|usage\..*|entrypoints\.(?!(?:.*\.)?(?:tool_parsers|anthropic|mcp|pooling|speech_to_text|score)\b).*
    |v1\.engine\..*|v1\.executor\..*|executor\..*|v1\.core\.(?:sched\.scheduler|kv_cache_utils)|v1\.metrics\..*
    |v1\.worker\.(?:gpu_worker|gpu_model_runner|worker_base|cpu_\w+)|v1\.worker\.gpu\.model_runner|v1\.sample(?:\..*)?
    |worker\.(?:worker|worker_base|model_runner)|(?:v1\.)?attention\.(?:selector|layer|utils\.\w+)|utils(?:\.\w+)?
    |v1\.attention\.backends\.(?:utils|registry|flash_attn)|transformers_utils\.(?:config|tokenizer)|model_executor\.model_loader\.\w+
    |model_executor\.layers\.batch_invariant|distributed\.(?:parallel_state|weight_transfer\..*)|v1\.spec_decode\.\w+)\Z""",
    re.VERBOSE,
)

_METRIC = re.compile(r"""["'](vllm:[a-z][a-z0-9_]+)["']""")


def startup(it: Interpreter) -> Sections:
    """`line`, `config_line`, `field`, `endpoint` and `metric` of a release."""
    settings = Settings(it)
    lines: dict[str, Facts] = {}
    for path in it.tree.files():
        name = it.tree.module_name(path)
        module = it.tree.module(name) if _STARTS.match(name) else None
        for spot in spots(module) if module is not None else ():
            call = spot.node.value if isinstance(spot.node, ast.Expr) else None
            if isinstance(call, ast.Call) and (level := log_call(call)) is not None and call.args:
                _line(spot, call, level, name, settings, lines)
    return {
        "line": lines,
        "config_line": _config_line(it),
        "field": fields(settings),
        "endpoint": _endpoints(it),
        "metric": metrics(it.tree),
    }


def fields(settings: Settings) -> dict[str, Facts]:
    """`cache_config.cache_dtype` of a VllmConfig, with the engine argument that it is made of."""
    return {
        f"{snake(holder)}.{field}": {"option": option}
        for (holder, field), option in settings.argument_of.items()
        if field in settings.fields[holder]
    }


def metrics(tree: SourceTree) -> dict[str, Facts]:
    """`vllm:num_requests_running`, with the module that names it."""
    found: dict[str, Facts] = {}
    for path in tree.files():
        text = tree.read(path)
        for match in _METRIC.finditer(text) if "vllm:" in text else ():
            found.setdefault(match[1], {"at": tree.module_name(path)})
    return found


def _line(spot: Spot, call: ast.Call, level: str, module: str, settings: Settings, lines: dict[str, Facts]) -> None:
    text = message(call.args[0], spot.names)
    if len(re.sub(r"\{[^{}]*\}|%[-\d.]*[a-z]|\W", "", text)) < 4:
        return  # nothing by which to recognise it
    values = call.args[1:]
    told = set().union(*(settings.read(one, spot.owner, spot.names) for one in (*values, *_filled(call.args[0]))))
    implied = set().union(*(settings.read(test, spot.owner, spot.names) for test in spot.tests))
    facts: Facts = {"text": cut(text), "level": level, "at": [f"{module}:{spot.where}"]}
    if values:
        facts["values"] = [cut(ast.unparse(one)) for one in values]
    if told:
        facts["tells"] = sorted(told)
    if implied:
        facts["implies"] = sorted(implied)
    if spot.tests and (told or implied):
        facts["when"] = spot.when
    known = lines.setdefault(identity(text), facts)
    if known is not facts:
        _joined(known, facts)


def _joined(known: Facts, other: Facts) -> None:
    """One message logged at two places tells what both tell."""
    known["at"] += [place for place in other["at"] if place not in known["at"]]
    for key in ("tells", "implies"):
        common = sorted(set(known.get(key, ())) & set(other.get(key, ())))
        known.pop(key, None)
        if common:
            known[key] = common
    if known.get("when") != other.get("when"):
        known.pop("when", None)


def _filled(node: ast.expr) -> list[ast.expr]:
    """The expressions inside an f-string."""
    return [one.value for one in ast.walk(node) if isinstance(one, ast.FormattedValue)]


def _config_line(it: Interpreter) -> dict[str, Facts]:
    """`key=` of the configuration as `Initializing a V1 LLM engine ... with config:` prints it, with what it prints."""
    for name in ("vllm.config.vllm", "vllm.config"):
        module = it.tree.module(name)
        node = next((b.node for b in module.bindings.get("VllmConfig", ())), None) if module is not None else None
        body = node.body if isinstance(node, ast.ClassDef) else []
        method = next((n for n in body if isinstance(n, ast.FunctionDef) and n.name == "__str__"), None)
        if method is not None:
            settings = Settings(it)
            return {
                key: {"prints": ast.unparse(value), "tells": sorted(settings.read(value, "VllmConfig", {}))}
                for key, value in _keys(method)
            }
    return {}


def _keys(method: ast.FunctionDef) -> list[tuple[str, ast.expr]]:
    found: list[tuple[str, ast.expr]] = []
    for joined in (n for n in ast.walk(method) if isinstance(n, ast.JoinedStr)):
        before = ""
        for part in joined.values:
            if isinstance(part, ast.Constant):
                before = str(part.value)
            elif isinstance(part, ast.FormattedValue) and (key := re.search(r"(\w+)=\Z", before)):
                found.append((key[1], part.value))
    return found


def _endpoints(it: Interpreter) -> dict[str, Facts]:
    """`GET /server_info` with its query parameters and what handles it. (Its gate stands in the section of routes.)"""
    found: dict[str, Facts] = {}
    for path in it.tree.files("vllm.entrypoints"):
        module = it.tree.module(it.tree.module_name(path))
        for node in ast.walk(module.tree) if module is not None else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and module is not None:
                for name in _routes(node):
                    found.setdefault(name, _handler(node, module, name))
    return found


def _routes(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    names: list[str] = []
    for decorator in node.decorator_list:
        func = decorator.func if isinstance(decorator, ast.Call) else None
        if isinstance(func, ast.Attribute) and func.attr in routes.METHODS | {"api_route", "route"}:
            assert isinstance(decorator, ast.Call)
            names += routes.route_names(func.attr, decorator)
    return names


_NO_QUERY = {"request", "raw_request", "websocket", "response", "background_tasks"}


def _handler(node: ast.FunctionDef | ast.AsyncFunctionDef, module: Module, route: str) -> Facts:
    facts: Facts = {"handler": f"{module.name}.{node.name}"}
    spec = node.args
    defaults = [None] * (len(spec.args) - len(spec.defaults)) + list(spec.defaults)
    query = {}
    for arg, default in [*zip(spec.args, defaults, strict=True), *zip(spec.kwonlyargs, spec.kw_defaults, strict=True)]:
        kind = ast.unparse(arg.annotation) if arg.annotation is not None else ""
        depends = default is not None and "Depends(" in ast.unparse(default)
        if (
            arg.arg not in _NO_QUERY
            and f"{{{arg.arg}" not in route
            and not depends
            and "Request" not in kind
            and "Depends(" not in kind
        ):
            query[arg.arg] = {"type": kind, **({"default": ast.unparse(default)} if default is not None else {})}
    if query:
        facts["query"] = query
    read = {_param(n) for n in ast.walk(node) if isinstance(n, ast.Call)} - {""}
    if read:
        facts["reads"] = sorted(read)
    body = sorted(_body_fields(node))
    if body:
        facts["body"] = body
    return facts


def _param(call: ast.Call) -> str:
    """The name in `raw_request.query_params.get("level", ...)`."""
    if ast.unparse(call.func).endswith("query_params.get") and call.args and isinstance(call.args[0], ast.Constant):
        return str(call.args[0].value)
    return ""


def _body_fields(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Keys that a handler takes out of a JSON body it reads itself."""
    bodies = {
        t.id
        for n in ast.walk(node)
        if isinstance(n, ast.Assign) and "request.json()" in ast.unparse(n.value)
        for t in n.targets
        if isinstance(t, ast.Name)
    }
    found = set()
    for part in ast.walk(node):
        key: ast.expr | None = None
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in ("get", "pop"):
            if isinstance(part.func.value, ast.Name) and part.func.value.id in bodies and part.args:
                key = part.args[0]
        elif isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name) and part.value.id in bodies:
            key = part.slice
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            found.add(key.value)
    return found
