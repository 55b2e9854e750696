"""The options of the commands as data: one table for the parser, for help and for completion. Imports nothing dear."""

from __future__ import annotations

from typing import NamedTuple

FLAG, VALUE, LIST, INTEGER, NUMBER = "flag", "value", "list", "integer", "number"


class Option(NamedTuple):
    """One option of a command; an argument where `name` has no dashes.

    kind: flag (true when given; with `off`, the option that makes it false), value (the last one counts), list (may be
    repeated, commas separate), integer, number. field: what its value is called, if not as the option is. words: a list
    whose items may hold commas. required: of an argument; `many`: it takes what is left. least: of a number.
    """

    name: str
    kind: str
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    short: str = ""
    field: str = ""
    default: object = None
    off: str = ""
    least: float | None = None
    words: bool = False
    required: bool = False
    many: bool = False
    hidden: bool = False

    @property
    def is_argument(self) -> bool:
        return not self.name.startswith("-")

    @property
    def destination(self) -> str:
        """The field its value is stored in."""
        return self.field or self.name.lstrip("-").replace("-", "_").lower()


PATHS = Option("PATH", VALUE, "Files, folders, or - for standard input.", "PATH", field="paths", many=True)

ALLOW_OUTSIDE = Option(
    "--allow-outside",
    LIST,
    "Also allow files in this folder, although it is outside the project.",
    "DIR",
    words=True,
)
ABOUT_ENGINES = ("--from-engine", "--gpu", "--model-config", "--allow-outside")

RELEASES = (
    Option("--from", VALUE, "The vLLM release you use today.", "RELEASE", field="source"),
    Option("--to", VALUE, "The vLLM release you move to.", "RELEASE", field="target"),
    Option(
        "--from-engine",
        VALUE,
        "The engine that 0.8.5 to 0.10 ran, if no file shows it.",
        "ENGINE",
        ("auto", "v0", "v1"),
    ),
    Option("--gpu", VALUE, "The GPU (a100, h100, ...), for defaults that depend on it.", "NAME"),
    Option("--model-config", VALUE, "Folder with the model's config.json and generation_config.json.", "PATH"),
    Option("--stdin-filename", VALUE, "File name to assume for standard input (-).", "NAME"),
    ALLOW_OUTSIDE,
)

SHARED = (
    *RELEASES,
    Option("--history", FLAG, "If the target is already pinned, find the release before it in the Git history."),
    Option("--select", LIST, "Use only these rules (codes, prefixes such as VM1, or names).", "RULES"),
    Option("--ignore", LIST, "Leave these rules out.", "RULES"),
    Option("--extend-select", LIST, "Use these rules too.", "RULES"),
    Option("--exclude", LIST, "Skip matching paths (.gitignore patterns).", "GLOB"),
    Option("--config", VALUE, "Read this vllm-migrate.toml or pyproject.toml instead.", "FILE"),
    Option("--isolated", FLAG, "Ignore all configuration files."),
    Option("--color", VALUE, "When to use colour; auto: only on a terminal.", "WHEN", ("auto", "always", "never")),
    Option("--quiet", FLAG, "Leave out the summary.", short="-q"),
)

FORMATS = ("text", "concise", "json", "sarif", "github", "gitlab", "junit", "markdown", "html", "full")

LINT = (
    PATHS,
    *SHARED,
    Option("--output-format", VALUE, "Format of the report.", "FORMAT", FORMATS),
    Option("--all", FLAG, "List every place, and what only informs in full.", field="everything"),
    Option("--output-file", VALUE, "Write the report to this file.", "FILE", short="-o"),
    Option("--statistics", FLAG, "Count findings by rule instead of listing them."),
    Option(
        "--fail-on",
        VALUE,
        "Exit with 1 on findings of this severity or higher.",
        "SEVERITY",
        ("error", "warning", "info", "never"),
    ),
    Option("--exit-zero", FLAG, "Exit with 0 whatever is found; the same as --fail-on never."),
    Option("--fail-on-checklist", FLAG, "Checklist items count for the exit code too."),
    Option("--baseline", VALUE, "Hide the findings recorded in this file.", "FILE"),
    Option("--quiet-unrecognised", FLAG, "Do not report named files without an engine (for hooks)."),
    Option("--diff", VALUE, "Report only lines changed by this unified diff; - reads standard input.", "FILE"),
    Option("--write-baseline", FLAG, "Record the current findings in the baseline file."),
    Option("--add-ignores", FLAG, "Show suppression comments for all findings as a diff; --write writes them."),
    Option("--write", FLAG, "Write the comments of --add-ignores; needs --reason."),
    Option("--reason", VALUE, "Why the findings are fine, for the comments of --add-ignores.", "TEXT"),
    Option("--stale-pins", FLAG, "Also report pins that do nothing in the target release (rule stale-pin)."),
    Option("--no-cache", FLAG, "Do not reuse the cached result of an unchanged run."),
    Option("--watch", FLAG, "Lint again whenever a file changes, until Ctrl+C."),
    Option("--show-files", FLAG, "List the files that would be read, and stop."),
    Option("--show-settings", FLAG, "Show the settings in effect and where each is set, and stop."),
    Option("--jobs", INTEGER, "Number of processes; default: the available cores.", "N", short="-j", least=1),
)

FIX = (
    PATHS,
    *SHARED,
    Option("--write", FLAG, "Write the files instead of showing the diff."),
    Option("--check", FLAG, "Only print the names of files that would change; exit with 1 if there are any."),
    Option("--unsafe", FLAG, "Also apply fixes that need review."),
    Option("--follow-parents", FLAG, "Also write to parent configurations outside the PATHs."),
)

CONFIGURATION = tuple(option for option in SHARED if option.name in ("--config", "--isolated"))

EFFECTIVE = (
    PATHS._replace(required=True),
    *RELEASES,
    *CONFIGURATION,
    Option("--all", FLAG, "Also show settings that do not change.", field="everything"),
    Option(
        "--output-format",
        VALUE,
        "Format of the output.",
        "FORMAT",
        ("text", "json", "html", "markdown"),
        default="text",
    ),
)


JSON_OR_TEXT = Option("--output-format", VALUE, "Format of the output.", "FORMAT", ("text", "json"), default="text")
ENGINE = Option("--engine", VALUE, "Id or role of the engine, if there are several.", "ID")

VERIFY = (
    Option("CONFIG", VALUE, "File with the engine, in any dialect.", "CONFIG", field="path", required=True),
    Option("--server", VALUE, "A running server; with VLLM_SERVER_DEV_MODE=1 it reports everything.", "URL"),
    Option("--log", VALUE, "Its startup log, or - for standard input.", "FILE"),
    Option("--run", VALUE, "Folder of a run: Hydra or W&B output, prime-rl configs, job logs.", "DIR"),
    Option("--record", VALUE, "What the recorder wrote during the run (`vllm-migrate recorder --help`).", "FILE"),
    Option("--python", VALUE, "A Python interpreter, whose vLLM is asked what it makes of the arguments.", "PY"),
    ENGINE,
    Option("--to", VALUE, "The vLLM release that runs, if the source does not show it.", "RELEASE", field="target"),
    *(option for option in RELEASES if option.name in ABOUT_ENGINES),
    Option("--all", FLAG, "Also list settings that agree or are not reported.", field="everything"),
    JSON_OR_TEXT,
)

# As the catalog has them: it is not loaded to say what they are (a test compares them).
KINDS = ("removed", "renamed", "added", "default", "resolves", "choices", "deprecated")
SECTIONS = ("engine", "cli", "frontend", "llm", "sampling", "request", "env", "env_other", "route", "api", "config")
LAYERS = ("semantic", "inference-path", "weight-update", "numerics", "broken-config", "performance")

DIFF = (
    Option("A", VALUE, "The release you come from; with --runs, a run's folder.", "A", field="first", required=True),
    Option(
        "B", VALUE, "The release you move to; with --runs, another run's folder.", "B", field="second", required=True
    ),
    PATHS._replace(help="Show only what these files use of vLLM, for a version-bump pull request."),
    Option("--runs", FLAG, "Compare two runs: Hydra or W&B output, prime-rl configs, job logs."),
    Option("--kind", LIST, "Only these kinds of change, separated by commas.", "KIND", KINDS),
    Option("--section", LIST, "Only these sections, separated by commas.", "SECTION", SECTIONS),
    Option("--option", VALUE, "Only options whose name contains this.", "NAME"),
    Option("--rl", FLAG, "Only changes that can affect an RL run."),
    Option("--layer", VALUE, "Only this layer.", "LAYER", LAYERS),
    ENGINE,
    Option("--to", VALUE, "The release of a run, if its folder does not show it.", "RELEASE", field="target"),
    ALLOW_OUTSIDE,
    JSON_OR_TEXT._replace(choices=("text", "json", "markdown", "html")),
)

RECORDER = (Option("DIR", VALUE, "Folder to write it to; put it on PYTHONPATH.", "DIR", field="folder", required=True),)

LOCK = (
    PATHS,
    Option("--output", VALUE, "The lock file; default: vllm-migrate.lock.", "FILE", short="-o"),
    Option("--check", FLAG, "Write nothing; report what has moved since, and why."),
    Option("--at", VALUE, "Lock at this release, instead of each project's own.", "RELEASE"),
    Option("--smoke", VALUE, "Store the verdict of `smoke run --output-format json` in the lock.", "FILE"),
    Option("--schema", FLAG, "Print the lock's JSON Schema."),
    *(option for option in RELEASES if option.name in ABOUT_ENGINES),
    *CONFIGURATION,
)

DOCTOR = (
    PATHS,
    Option("--python", VALUE, "The Python interpreter used for training; default: `python`.", "PY"),
    *(option for option in RELEASES if option.name != "--stdin-filename"),
    JSON_OR_TEXT,
)

MIGRATE = (
    PATHS._replace(help="The project's folder, or files and folders in it."),
    *(option for option in SHARED if option.name not in ("--stdin-filename", "--color", "--quiet")),
    Option("--write", FLAG, "Write settings and version instead of showing the change."),
    Option("--patch", VALUE, "Write the diff to this file, for `git apply`.", "FILE"),
    Option("--via", LIST, "Releases to run with on the way; the checklist names the bad ones.", "RELEASES"),
    Option("--checklist", VALUE, "Write the checklist (Markdown) to this file.", "FILE"),
    Option("--follow-parents", FLAG, "Also write to parent configurations outside the PATHs."),
)


ROUTE = (
    PATHS._replace(help="The project's folder, or files and folders in it."),
    *(option for option in SHARED if option.name not in ("--stdin-filename", "--color", "--quiet")),
    JSON_OR_TEXT,
)


EXPLAIN = (
    Option(
        "CODE|OPTION",
        VALUE,
        "VM101, prefix-caching-default, swap_space, ...",
        "CODE|OPTION",
        field="what",
        required=True,
    ),
    JSON_OR_TEXT._replace(choices=("text", "html", "markdown")),
)

DIALECTS = (
    Option("ID", VALUE, "Describe this one.", "ID", field="ident"),
    Option("FILE", VALUE, "With `check`: the files.", "FILE", field="files", many=True),
    Option("--matrix", FLAG, "Which vLLM each release of the framework runs with."),
    JSON_OR_TEXT,
)

SCHEMA = (
    Option("NAME", VALUE, "A release, or config, rule, dialect, lock, lint.", "NAME", required=True),
    Option("--dialect", VALUE, "With a release: for the files of this framework.", "DIALECT"),
)

LSP = (
    *(option for option in SHARED if option.name in ("--from", "--to", "--config")),
    Option("--stdio", FLAG, "Accepted because editors pass it; the server always uses standard input and output."),
)


class CommandTable(NamedTuple):
    """A command of the table: its options, and help whose first line says what it does.

    takes_flags: an unknown word with dashes is an argument (the name of an option of vLLM).
    """

    name: str
    options: tuple[Option, ...]
    help: str
    takes_flags: bool = False


COMMANDS = {
    command.name: command
    for command in (
        CommandTable(
            "lint",
            LINT,
            """Show what changes for these files between two vLLM releases.

PATHs are files, folders or - (standard input); by default the configuration's `include`, else the current folder.

Exit code: 0 nothing to report, 1 findings at or above --fail-on (default: warning), 2 usage or internal error, 3 no input files.""",
        ),
        CommandTable(
            "fix",
            FIX,
            """Write the settings that keep the old behaviour.

Each is spelled so that it reaches the engine. The diff is shown; --write writes it.
--unsafe also applies fixes that need review. Every fix is proved by reading the edited file back.

Exit code: 0 done or nothing to do, 1 something to write (without --write), 2 error, 3 no input files.""",
        ),
        CommandTable(
            "migrate",
            MIGRATE,
            """Move a project's settings and vLLM version in one step.

Prints one diff, then a checklist for people, then whether each engine starts with the target release. --write writes the files.
Settings are those of `fix --unsafe`. The version is written if the project has a plain `==` pin or an image tag, and only if nothing else
that the project pins (torch, Python, transformers, a framework) contradicts the target; otherwise nothing in that project is
written, and the checklist says what has to come first. Lock files are never edited; the command that refreshes each is printed.

  vllm-migrate migrate .                                       look at the change
  vllm-migrate migrate . --patch up.diff --checklist TODO.md   save it, for git apply up.diff
  vllm-migrate migrate . --to 0.18.1 --write                   write it
  vllm-migrate migrate . --from 0.8.5 --write                  if the pin has already moved

Exit code: 0 nothing is left to write and every engine starts, 1 something is left or an engine does not start, 2 error,
3 no input files.""",
        ),
        CommandTable(
            "route",
            ROUTE,
            """Mark the releases on the way that every engine can run with.

A release is to be avoided if an engine does not start, if its framework does not run with it, or if one of its faults affects these
settings (processed logprobs in 0.10.0 and 0.10.1, ...). Each such release is listed with its reason.

  vllm-migrate route . --to 0.33.0

Exit code: 0 done, 2 usage or internal error, 3 no input files.""",
        ),
        CommandTable(
            "effective",
            EFFECTIVE,
            """Show every engine's settings in both releases side by side.

Each has its origin; settings that change come first.""",
        ),
        CommandTable(
            "diff",
            DIFF,
            """Show what changed between two vLLM releases.

Lists options that are new, renamed, deprecated or removed, and those with a different default, resolution or choices.

  vllm-migrate diff 0.10.2 0.11.0

With PATHs, only what they use or patch: options, fields, variables, routes, imports, calls and metrics, as Markdown.

  vllm-migrate diff 0.10.2 0.11.0 src/ configs/

With --runs, what changed between two runs, by layer.

  vllm-migrate diff --runs outputs/good outputs/bad""",
        ),
        CommandTable(
            "verify",
            VERIFY,
            """Compare the files with what a running engine reports.

Name at least one source. Each setting is the same, differs, or is not reported by that source; a finding of `lint` that the run
confirms or refutes is shown next to its setting.

  vllm-migrate verify conf.yaml --log serve.log

Exit code: 0 nothing differs, 1 something does, 2 usage or internal error.""",
        ),
        CommandTable(
            "lock",
            LOCK,
            """Write every engine's effective settings to vllm-migrate.lock.

This is the only file that is written without --write. Commit it; then check in CI, and at the start of a run, what has changed:

  vllm-migrate lock --check

Exit code: 0 written, or nothing has changed, 1 something has changed (a file, a release), 2 usage or internal error.""",
        ),
        CommandTable(
            "doctor",
            DOCTOR,
            """Check the training machine against the files.

Looks at its vLLM, packages, plugins, variables, GPU, model and disk. Prints one line per check, with what to do about it.

  vllm-migrate doctor conf/ --python /opt/venv/bin/python

Exit code: 0 nothing is wrong, 1 something is, 2 usage or internal error.""",
        ),
        CommandTable(
            "recorder",
            RECORDER,
            """Write the recorder, which records a running engine's settings.

It is a file that vLLM loads from PYTHONPATH, in every release since 0.8.5, for a server as for LLM():

  PYTHONPATH=DIR VLLM_MIGRATE_RECORD=record.jsonl vllm serve ...

It is off unless the variable names a file, and never stops a run. If VLLM_PLUGINS is set, add vllm_migrate_recorder to it.
From 0.11.1 on, it also records what a server runs with once it has started; vLLM then keeps its statistics on.""",
        ),
        CommandTable(
            "explain",
            EXPLAIN,
            """Explain a rule by code or name, or show an option's history.

  vllm-migrate explain VM101
  vllm-migrate explain --max-num-seqs""",
            takes_flags=True,
        ),
        CommandTable(
            "rules",
            (JSON_OR_TEXT,),
            """List the rules.

Each line has the code, the name, the severity, the layer, the best safety of its fix, and the title.""",
        ),
        CommandTable(
            "dialects",
            DIALECTS,
            """List the supported frameworks, or describe one.

`check FILE...` runs the examples of your own dialects.

  vllm-migrate dialects verl --matrix
  vllm-migrate dialects check my-dialect.yaml""",
        ),
        CommandTable(
            "releases",
            (JSON_OR_TEXT,),
            """List the releases in the catalog, oldest first.

Each is listed with the artefact it was read from.""",
        ),
        CommandTable(
            "schema",
            SCHEMA,
            """Print a JSON Schema for vLLM, framework or vllm-migrate files.

The schema (2020-12) describes what `vllm serve --config` reads in a release, a framework's files (with --dialect), or vllm-migrate's
own files and output.

  vllm-migrate schema 0.18.1 > serve.schema.json
  vllm-migrate schema 0.18.1 --dialect nemo-rl > nemo.schema.json
  vllm-migrate schema config > vllm-migrate.schema.json""",
        ),
        CommandTable(
            "lsp",
            LSP,
            """Run the language server for editors.

It speaks the Language Server Protocol on standard input and output. docs/editors.md says how to set up VS Code, Cursor, Neovim, Helix
and Emacs. It needs the extra `lsp`.""",
        ),
    )
}
