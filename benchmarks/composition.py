"""What hydra-core makes of a project's configurations and of the overrides in its scripts."""

from __future__ import annotations

import re
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from vllm_migrate.documents.interface import Unreadable, decode
from vllm_migrate.documents.shell.document import parse_shell

OVERRIDE = re.compile(r"(?:\+{0,2}|~)[A-Za-z_][\w@/]*(?:\.[\w@/]+)*(?:=.*)?", re.DOTALL)
UNKNOWN = "unknown"  # stands for what a script does not decide
MODULES = re.compile(
    r"(?:^|[./])(main_ppo|main_dapo|main_generation|fully_async_main|main_spin|main_sppo|\w*main\w*|train\w*|launch\w*|run_\w+)(?:\.py)?$"
)


class Composition(NamedTuple):
    """One call of hydra-core: the folder and name of the configuration, with overrides."""

    name: str
    folder: Path
    config: str
    script: Path | None = None
    command: int = 0


class Compositions:
    """Those of a project that hydra-core makes now, to be made again once it is changed."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        configurations = list(self._configurations())
        self._by_folder = {config.folder for config in configurations}
        wanted = [*configurations, *self._commands()]
        self.whole = [each for each in wanted if not self._why_not(each)]

    def broken(self) -> Iterator[tuple[str, str]]:
        """Those that it no longer makes, each with the reason."""
        for each in self.whole:
            why = self._why_not(each)
            if why:
                yield each.name, why

    def _configurations(self) -> Iterator[Composition]:
        """Every YAML file that has a defaults list at its top."""
        for path in sorted(self._root.rglob("*.yaml")):
            text = path.read_text(errors="replace")
            if re.search(r"^defaults:\s*(\n|\[)", text, re.MULTILINE):
                yield Composition(str(path.relative_to(self._root)), path.parent, path.stem)

    def _commands(self) -> Iterator[Composition]:
        """Every command of a script with overrides of a configuration of this project."""
        for path in sorted((*self._root.rglob("*.sh"), *self._root.rglob("*.slurm"))):
            for number, words in enumerate(_commands(path)):
                config = self._config_of(path, words)
                if config is not None:
                    name = f"{path.relative_to(self._root)} command {number}"
                    yield Composition(name, config.parent, config.stem, path, number)

    def _config_of(self, script: Path, words: list[str]) -> Path | None:
        """The configuration that a command composes: by its flags, else verl's own of the module that it runs."""
        flags = _flags(words)
        name = flags.get("--config-name") or flags.get("-cn")
        folder = flags.get("--config-path") or flags.get("-cp") or flags.get("--config-dir") or flags.get("-cd")
        if not sum("=" in word and not word.startswith("-") for word in words):
            return None
        module = next((word for word in words if MODULES.search(word) and "=" not in word), "")
        if not module:
            return None
        home = self._home(module)
        name = name or ("ppo_trainer" if "main_ppo" in module or "dapo" in module else "")
        bases = [
            *(base / folder for base in (script.parent, self._root, *script.parents, *home) if folder),
            *(base / "config" for base in home),
        ]
        for base in bases:
            found = base / f"{(name or '').removesuffix('.yaml')}.yaml"
            if name and found.is_file() and self._root in found.resolve().parents:
                return found.resolve()
        return None

    def _home(self, module: str) -> list[Path]:
        """The folder that a module or a program lies in."""
        path = Path(module) if module.endswith(".py") else Path(*module.split("."))
        return [self._root / path.parent, *(found.parent for found in self._root.rglob(path.name) if found.is_file())]

    def _why_not(self, each: Composition) -> str:
        overrides: list[str] = []
        if each.script is not None:
            commands = list(_commands(each.script))
            if each.command >= len(commands):
                return "the command is gone"
            words = commands[each.command]
            flags = _flags(words)
            overrides = [
                word for word in words if OVERRIDE.fullmatch(word) and "=" in word and word not in flags.values()
            ]
        GlobalHydra.instance().clear()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with initialize_config_dir(str(each.folder), version_base=None):
                    compose(each.config, overrides=overrides)
        except Exception as error:  # whatever hydra-core and omegaconf raise
            return f"{type(error).__name__}: {error}"
        return ""


def _commands(path: Path) -> Iterator[list[str]]:
    """The words of each command that runs a Python program; what the script does not decide is one word."""
    try:
        document = parse_shell(decode(str(path), path.read_bytes()))
    except Unreadable:
        return
    for command in document.commands:
        words = [word.value if word.value is not None else _guessed(word.raw) for word in command.words]
        if any(re.search(r"(^|/)python[\d.]*$", word) for word in words[:12]):
            yield words


def _guessed(raw: str) -> str:
    """A word with `unknown` for each expansion."""
    text = re.sub(r"\$\{[^}]*\}|\$\([^)]*\)|\$\w+", UNKNOWN, raw)
    try:
        return "".join(shlex.split(text)) or UNKNOWN
    except ValueError:
        return UNKNOWN


def _flags(words: list[str]) -> dict[str, str]:
    out: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("-"):
            name, equals, value = word.partition("=")
            out[name] = value if equals else following
    return out
