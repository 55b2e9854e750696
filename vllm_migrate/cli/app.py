"""The root of the command line, built with typer: its help, and completion. The commands themselves are in the option tables."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from vllm_migrate.cli.options import COMMANDS, CommandTable
from vllm_migrate.cli.parser import WIDTH, close_to, help_text
from vllm_migrate.cli.tabled import GROUPS, run_tabled
from vllm_migrate.errors import UsageError


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


class _Root(_Group):
    """The commands of the tables; the module of a group is loaded when it is called or asked for help."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS, *GROUPS]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Each command with its first sentence, whole: lines are wrapped, not cut."""
        texts = {name: command.help for name, command in COMMANDS.items()}
        texts |= {name: import_module(f"vllm_migrate.cli.{name}").HELP for name in GROUPS}
        with formatter.section("Commands"):
            formatter.write_dl([(name, " ".join(text.partition("\n\n")[0].split())) for name, text in texts.items()])

    def get_command(self, ctx: Any, name: str) -> Any:
        if name in COMMANDS:
            return _Tabled(COMMANDS[name])
        return _group(name) if name in GROUPS else None


def _group(name: str) -> Any:
    module = import_module(f"vllm_migrate.cli.{name}")
    group = _Group(name=name, no_args_is_help=True, help=module.HELP, rich_markup_mode=None)
    for step, command in module.COMMANDS.items():
        group.add_command(_Tabled(command, f"vllm-migrate {name}"), step)
    return group


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
    """The application."""
    app = typer.Typer(
        name="vllm-migrate",
        cls=_Root,
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
