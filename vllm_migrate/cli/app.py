"""The full command line, built with typer: its help, completion, and every command that is not in the option tables."""

from __future__ import annotations

import importlib
import inspect
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from vllm_migrate.cli.options import COMMANDS, CommandTable
from vllm_migrate.cli.parser import WIDTH, close_to, help_text
from vllm_migrate.cli.tabled import run_tabled
from vllm_migrate.errors import UsageError

# Commands whose options are no table: module of vllm_migrate.cli, imported when called.
OTHERS = {
    "explain": "Show a rule's page, or an option's history over all releases.",
    "rules": "List the rules.",
    "dialects": "List the supported frameworks, or describe one.",
    "releases": "List the releases in the catalog.",
    "schema": "Print JSON Schemas for vLLM, framework and vllm-migrate files.",
    "catalog": "Add a release of vLLM to the catalog.",
    "lsp": "Run the language server for editors.",
    "smoke": "Prove with a short rollout that logprobs agree.",
}


class _Tabled(typer.core.TyperCommand):
    """A command of the option tables as typer sees it: listed and completed by it, parsed and run by `tabled`."""

    def __init__(self, command: CommandTable, program: str = "vllm-migrate") -> None:
        super().__init__(command.name, help=command.help, add_help_option=False, rich_markup_mode=None)
        self._command = command
        self._program = program

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.args = args
        return args

    def invoke(self, ctx: Any) -> Any:
        raise typer.Exit(run_tabled([*self._program.split()[1:], self._command.name, *ctx.args]) or 0)

    def get_help(self, ctx: Any) -> str:
        return help_text(self._command, self._program)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The options that begin as the word does."""
        names = [
            (name, option.help)
            for option in self._command.options
            for name in (option.name, option.off)
            if name.startswith("--") and not option.hidden
        ]
        (item, *_) = _a_completion(ctx)
        return [type(item)(name, help=text) for name, text in names if name.startswith(incomplete)]


def _a_completion(ctx: Any) -> list[Any]:
    """A completion as this typer makes them: the class has no public name that all its releases share."""
    found: list[Any] = typer.core.TyperCommand("any").shell_complete(ctx, "--")
    return found


class _Group(typer.core.TyperGroup):
    """Says what was probably meant by a command that does not exist."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            hint = close_to(args[0], known)
            remedy = f"did you mean {hint}?" if hint else f"`{ctx.command_path} --help` lists the commands"
            raise UsageError(f"unknown command {args[0]}", remedy)
        return super().resolve_command(ctx, args)


class _Lazy(_Group):
    """Loads the module of a command when it is called or asked for help."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS, *OTHERS]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Each command with its first sentence, whole: lines are wrapped, not cut."""
        texts = {name: command.help.partition("\n\n")[0] for name, command in COMMANDS.items()} | OTHERS
        with formatter.section("Commands"):
            formatter.write_dl([(name, " ".join(text.split())) for name, text in texts.items()])

    def get_command(self, ctx: Any, name: str) -> Any:
        if name in COMMANDS:
            return _Tabled(COMMANDS[name])
        if name == "smoke":
            return _smoke()
        return _load(name) if name in OTHERS else None


def _smoke() -> Any:
    from vllm_migrate.cli.smoke import COMMANDS as STEPS
    from vllm_migrate.cli.smoke import HELP

    group = _Group(name="smoke", no_args_is_help=True, help=HELP, rich_markup_mode=None)
    for name, command in STEPS.items():
        group.add_command(_Tabled(command, "vllm-migrate smoke"), name)
    return group


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
        typer.Option(
            "--version", "-V", help="Print the tool's and the catalog's version.", callback=_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Find every vLLM default that changes between two releases, see what it does to the RL loss, write the settings that
    keep the old behaviour, and prove it with a short rollout.

    Start with: vllm-migrate lint PATH
    """


def build() -> typer.Typer:
    """The application; it knows its commands by name and loads what is called."""
    app = typer.Typer(
        name="vllm-migrate",
        cls=_Lazy,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
    )
    app.callback()(_root)
    return app


def run_app(argv: list[str]) -> int:
    """Run a call through typer; the exit code."""
    try:
        build()(args=argv, prog_name="vllm-migrate")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 2 if error.code else 0
    return 0
