"""The full command line, built with typer: help, completion and every command that is not a hook's."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from vllm_migrate.cli.options import COMMANDS, Call, Option, checked, destination, store

# Commands other than lint and fix: module of vllm_migrate.cli, imported when called.
OTHERS = {
    "effective": "Every engine's settings at both releases, side by side.",
    "diff": "What changed between two releases of vLLM.",
    "explain": "A rule's page, or an option's life over all releases.",
    "rules": "List the rules.",
    "dialects": "List the frameworks, or explain one.",
    "releases": "List the releases in the catalog.",
    "schema": "JSON Schema of a `vllm serve --config` file.",
    "catalog": "Add a release of vLLM to the catalog.",
    "smoke": "Prove with a short rollout that logprobs agree.",
}
HELP = {
    "lint": """What changes for these files between two releases of vLLM.

PATHS are files, folders or - (standard input); without one, the configuration's `include`, else the current folder.

Exit code: 0 nothing to report, 1 findings at or above --fail-on (default: warning), 2 usage or internal error, 3 no input files.""",
    "fix": """Write the settings that keep the old behaviour, in the spelling that reaches the engine.

Shows the diff; --write writes it. Safe fixes only, unless --unsafe. Every fix is proved by reading the edited file back.

Exit code: 0 done or nothing to do, 1 something would be written (without --write), 2 error, 3 no input files.""",
}


def _parameter(option: Option) -> inspect.Parameter:
    names = [option.name, *([option.short] if option.short else [])]
    kinds: dict[str, tuple[Any, Any]] = {"flag": (bool, False), "list": (list[str] | None, None)}
    kind, default = kinds.get(option.kind, (str | None, None))
    text = option.help + (f" One of: {', '.join(option.choices)}." if option.choices else "")
    info = typer.Option(*names, help=text, metavar=option.metavar or None, show_default=False)
    annotation: Any = Annotated[kind, info]
    return inspect.Parameter(
        destination(option), inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _command(name: str) -> Callable[..., None]:
    """A typer command made from the option table that the quick parser uses too."""
    options = COMMANDS[name]

    def command(**values: Any) -> None:
        call = Call(paths=[str(path) for path in values.pop("paths") or []])
        for option in options:
            value = values[destination(option)]
            if option.kind == "flag":
                call[destination(option)] = bool(value)
            elif value is not None:
                for item in value if isinstance(value, list) else [value]:
                    store(call, option, checked(option, str(item)))
        raise typer.Exit(importlib.import_module(f"vllm_migrate.cli.{name}").run(call))

    paths = inspect.Parameter(
        "paths",
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None,
        annotation=Annotated[
            list[str] | None, typer.Argument(metavar="PATH", help="Files, folders or -.", show_default=False)
        ],
    )
    command.__signature__ = inspect.Signature([paths, *map(_parameter, options)])  # type: ignore[attr-defined]
    command.__doc__ = HELP[name]
    return command


class _Lazy(typer.core.TyperGroup):
    """Loads the module of a command when it is called or asked for help."""

    def list_commands(self, ctx: Any) -> list[str]:
        return ["lint", "fix", *OTHERS]

    def get_command(self, ctx: Any, name: str) -> Any:
        if name in OTHERS:
            return _load(name)
        return super().get_command(ctx, name)


def _load(name: str) -> Any:
    module = importlib.import_module(f"vllm_migrate.cli.{name}")
    if hasattr(module, "app"):
        group = typer.main.get_command(module.app)
        group.name, group.help = name, group.help or OTHERS[name]
        return group
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    settings = getattr(module, "SETTINGS", None)
    single.command(name, help=inspect.getdoc(module.command) or OTHERS[name], context_settings=settings)(module.command)
    return typer.main.get_command(single)


def _version(value: bool) -> None:
    if value:
        from vllm_migrate.cli import version

        print(version.text())
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the tool's and the catalog's version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Finds every default of vLLM that depends on the release, says what it does to the RL loss, writes the pins that reach the
    engine, and proves it with a short rollout.

    Start with: vllm-migrate lint PATH
    """


def build() -> typer.Typer:
    app = typer.Typer(
        name="vllm-migrate", cls=_Lazy, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
    )
    app.callback()(_root)
    for name in COMMANDS:
        app.command(name)(_command(name))
    return app


def run_app(argv: list[str]) -> int:
    """Run a call through typer; the exit code."""
    try:
        build()(args=argv, prog_name="vllm-migrate")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 2 if error.code else 0
    return 0
