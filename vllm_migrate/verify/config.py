"""From what an engine shows of its configuration to options: a VllmConfig as a tree, its printed line, its arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vllm_migrate.catalog import details, startup, store
from vllm_migrate.knowledge.expr import same
from vllm_migrate.resolve.view import decides
from vllm_migrate.verify.model import ARGUMENT, CONFIG, DEFAULT, Reported
from vllm_migrate.verify.values import Member, Opaque

# What the printed line shows of a property, and the option that it is made of.
PRINTED = {"chunked_prefill_enabled": "enable_chunked_prefill"}
MODES = {"NONE": 0, "STOCK_TORCH_COMPILE": 1, "DYNAMO_TRACE_ONCE": 2, "VLLM_COMPILE": 3}
GRAPHS: tuple[tuple[object, str], ...] = (
    (0, "NONE"),
    (1, "PIECEWISE"),
    (2, "FULL"),
    ([2, 0], "FULL_DECODE_ONLY"),
    ([2, 1], "FULL_AND_PIECEWISE"),
)
GIB = 2**30
_MEMBER = re.compile(r"\A[A-Z]\w*\.([A-Z][A-Z0-9_]*)\Z")  # how a member of a text enumeration prints in an f-string


class Reader:
    """Reads what engines of one release show."""

    def __init__(self, release: str) -> None:
        self.release = release
        self.catalog = store.load()
        self.startup = startup.load()
        self._fields = {_bare(name): option for name, option in self.startup.fields(release).items()}
        self._engine = self.catalog.names("engine", release)
        self._flags = {flag.dest for flag in self.catalog.flags(release).values()}

    def tree(self, config: Mapping[str, Any], where: str) -> dict[str, Reported]:
        """A VllmConfig as nested mappings, as `/server_info?config_format=json` and a record hold it."""
        found: dict[str, Reported] = {}
        for holder, part in [("vllm_config", config), *config.items()]:
            for name, value in part.items() if isinstance(part, Mapping) else ():
                option = self._fields.get(_bare(f"{holder}.{name}"))
                if option is None or _hidden(value) or (isinstance(value, Mapping) and name != option):
                    continue  # a field that holds more than the argument
                found.update(reported(option, value, CONFIG, where))
        cache = config.get("cache_config")
        swap = cache.get("swap_space_bytes") if isinstance(cache, Mapping) else None
        if isinstance(swap, int | float) and "swap_space" in self._engine:
            found["swap_space"] = Reported(swap / GIB, CONFIG, where)
        return found

    def line(self, printed: Mapping[str, object], where: str) -> dict[str, Reported]:
        """The pairs of `Initializing a V1 LLM engine ... with config:`; what is not printed there is not told."""
        keys = {key: options[0] for key, options in self.startup.config_keys(self.release).items() if len(options) == 1}
        found: dict[str, Reported] = {}
        for key, value in printed.items():
            option = keys.get(key) or PRINTED.get(key)
            # Other objects print what their class chose to, under names of its own.
            plain = option == "compilation_config" or not isinstance(value, dict)
            if option is not None and plain and not isinstance(value, Opaque):
                found.update(reported(option, value, CONFIG, where))
        return found

    def arguments(self, passed: Mapping[str, object], where: str, complete: bool) -> dict[str, Reported]:
        """Arguments as they reached the engine. `complete`: those left out have the release's default, as far as a
        `non-default args` line can carry them and nothing sets them afterwards."""
        found: dict[str, Reported] = {}
        plain = {name for name, value in passed.items() if name in self._engine and self._is_default(name, value)}
        for name, value in passed.items():
            if name in self._engine and name not in plain and not isinstance(value, Opaque):
                found.update(reported(name, value, ARGUMENT, where))
        late = details.load(self.catalog)
        for name in sorted(plain | (self._carried() - set(passed) if complete else set())):
            facts = self.catalog.get("engine", name, self.release)
            if facts is not None and decides(facts) and not late.late_of(name, self.release):
                found[name] = Reported(facts.default, DEFAULT, where)
        return found

    def _is_default(self, name: str, value: object) -> bool:
        """Whether an argument is as the release declares it: set by nobody, as far as can be reported."""
        facts = self.catalog.get("engine", name, self.release)
        return value in (None, "auto", "", [], {}) or (facts is not None and same(facts.default, value))

    def takes(self, name: str) -> bool:
        """Whether a server of the release has such an argument, the engine's or its own."""
        return name in self._engine or name == "model_tag" or name in self._flags

    def _carried(self) -> frozenset[str]:
        """Engine arguments that the line can carry: those with a flag."""
        return frozenset(name for name in self._engine if name in self._flags)

    def variables(self, env: Mapping[str, object], where: str, kind: str, *, resolved: bool) -> dict[str, Reported]:
        """Variables of the process. `resolved`: vLLM's own values, of which those that differ from the default are set."""
        found: dict[str, Reported] = {}
        for name, value in env.items():
            facts = self.catalog.get("env", name, self.release)
            if resolved and (facts is None or not facts.decided or _alike_text(facts.default, value)):
                continue
            found[f"env.{name}"] = Reported(value, kind, where)
        return found


def reported(option: str, value: object, kind: str, where: str) -> dict[str, Reported]:
    """An option with its value; a compilation configuration by its keys."""
    if option == "compilation_config" and isinstance(value, Mapping):
        return {
            f"compilation_config.{_key(name)}": Reported(_graph(name, inner), kind, where)
            for name, inner in value.items()
            if not isinstance(inner, Opaque | dict) and not _hidden(inner) and name.isidentifier() and name != "object"
        }
    if isinstance(value, Member):
        value = value.value if isinstance(value.value, str | int) else value.name
    if isinstance(value, str):
        value = _MEMBER.sub(lambda match: match[1].lower(), value.removeprefix("torch."))
    value = _shown(value)
    if option == "compilation_config" and isinstance(value, int):
        return {"compilation_config.mode": Reported(value, kind, where)}
    return {option: Reported(value, kind, where)}


def _shown(value: object) -> object:
    """A value without the names of classes, and without what has nothing but one."""
    if isinstance(value, Mapping):
        return {name: _shown(inner) for name, inner in value.items() if name != "object" and not _hidden(inner)}
    return value


def _key(name: str) -> str:
    return "mode" if name == "level" else name


def _graph(name: str, value: object) -> object:
    """Modes as a configuration would write them: numbers of compilation, names of graphs."""
    if isinstance(value, Member):
        value = value.name
    if name in ("mode", "level"):
        return MODES.get(str(value), value)
    if name == "cudagraph_mode":
        return next((word for number, word in GRAPHS if number == value), value)
    return value


def _hidden(value: object) -> bool:
    """An object whose class alone is known, and what is masked."""
    return value == "***" or (isinstance(value, Mapping) and set(value) == {"object"}) or isinstance(value, Opaque)


def _bare(name: str) -> str:
    """`lo_ra_config.max_loras` and `lora_config.max_loras` are one."""
    holder, _, field = name.partition(".")
    return f"{holder.replace('_', '')}.{field}"


def _alike_text(default: object, value: object) -> bool:
    def words(one: object) -> str:
        return {"true": "1", "false": "0", "none": ""}.get(str(one).lower(), str(one))

    return words(default) == words(value)
