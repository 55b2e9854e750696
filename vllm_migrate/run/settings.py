"""The settings of one call: its options over the configuration file over the defaults."""

from __future__ import annotations

import os

from vllm_migrate.cli.options import Call
from vllm_migrate.run.config import Config, load_config, read_config
from vllm_migrate.run.dependencies import Dependencies

Why = tuple[str, str]  # a release and where it was said


class Settings:
    """What a call asks for. source and target are None where nobody says; root is the project's folder."""

    __slots__ = ("baseline", "call", "config", "exclude", "fail_on", "from_engine", "gpu", "model_config", "root")

    def __init__(self, call: Call, config: Config) -> None:
        self.call = call
        self.config = config
        self.root = config.root if config.path else _start(call.paths)
        self.exclude = [*(config.texts("exclude") or []), *call.texts("exclude")]
        self.fail_on = call.text("fail_on") or config.text("fail-on") or "warning"
        self.from_engine = call.text("from_engine") or config.text("from-engine")
        self.gpu = call.text("gpu") or config.text("gpu")
        self.model_config = call.text("model_config") or config.file("model-config")
        self.baseline = call.text("baseline") or config.file("baseline")

    @classmethod
    def of(cls, call: Call, dependencies: Dependencies | None = None) -> Settings:
        """The settings of a call, with the configuration file that it names or that is nearest to its first PATH.

        dependencies: notes what is looked at.
        """
        if call.flag("isolated"):
            return cls(call, Config())
        named = call.text("config")
        if named and dependencies is not None:
            dependencies.note(named)
        return cls(call, read_config(named) if named else load_config(_start(call.paths), dependencies))

    @property
    def source(self) -> Why | None:
        return self._release("source", "from")

    @property
    def target(self) -> Why | None:
        return self._release("target", "to")

    def _release(self, field: str, key: str) -> Why | None:
        said = self.call.text(field)
        if said:
            return said, f"--{key}"
        written = self.config.text(key)
        return (written, self.config.where(key)) if written else None


def _start(paths: list[str]) -> str:
    """The folder that the search for a configuration begins in."""
    first = paths[0] if paths and paths[0] != "-" else os.curdir
    return first if os.path.isdir(first) else os.path.dirname(first) or os.curdir
