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


PATHS = Option("PATH", VALUE, "Files, folders or -.", "PATH", field="paths", many=True)

ALLOW_OUTSIDE = Option(
    "--allow-outside",
    LIST,
    "Files of this folder may be read and written, though it is outside of the project.",
    "DIR",
    words=True,
)
ABOUT_ENGINES = ("--from-engine", "--gpu", "--model-config", "--allow-outside")

RELEASES = (
    Option("--from", VALUE, "The vLLM release the files run on today.", "RELEASE", field="source"),
    Option("--to", VALUE, "The release they move to.", "RELEASE", field="target"),
    Option(
        "--from-engine", VALUE, "The engine of 0.8.5 to 0.10, where no file tells it.", "ENGINE", ("auto", "v0", "v1")
    ),
    Option("--gpu", VALUE, "The GPU, where defaults depend on it (a100, h100, ...).", "NAME"),
    Option("--model-config", VALUE, "A folder with the model's config.json and generation_config.json.", "PATH"),
    Option("--stdin-filename", VALUE, "The name that standard input (-) is judged under.", "NAME"),
    ALLOW_OUTSIDE,
)

SHARED = (
    *RELEASES,
    Option("--select", LIST, "Only these rules (codes, prefixes such as VM1, or names).", "RULES"),
    Option("--ignore", LIST, "Not these rules.", "RULES"),
    Option("--extend-select", LIST, "These rules as well.", "RULES"),
    Option("--exclude", LIST, "Skip paths that match (as in .gitignore).", "GLOB"),
    Option("--config", VALUE, "Read this vllm-migrate.toml or pyproject.toml.", "FILE"),
    Option("--isolated", FLAG, "Read no configuration file."),
    Option("--color", VALUE, "Colour: on a terminal only, always, never.", "WHEN", ("auto", "always", "never")),
    Option("--quiet", FLAG, "Say less: no summary.", short="-q"),
)

FORMATS = ("text", "concise", "json", "sarif", "github", "gitlab", "junit", "markdown", "html", "full")

LINT = (
    PATHS,
    *SHARED,
    Option("--output-format", VALUE, "How to print the findings.", "FORMAT", FORMATS),
    Option("--all", FLAG, "Cut no list of places short.", field="everything"),
    Option("--output-file", VALUE, "Write the report to a file instead.", "FILE", short="-o"),
    Option("--statistics", FLAG, "Count findings by rule instead of listing them."),
    Option(
        "--fail-on",
        VALUE,
        "The severity from which on the exit code is 1.",
        "SEVERITY",
        ("error", "warning", "info", "never"),
    ),
    Option("--exit-zero", FLAG, "Exit 0 whatever is found; the same as --fail-on never."),
    Option("--fail-on-checklist", FLAG, "Items of the checklist count for the exit code, too."),
    Option("--baseline", VALUE, "Hide the findings recorded in this file.", "FILE"),
    Option("--quiet-unrecognised", FLAG, "Do not report files that are named and hold no engine, as hooks name them."),
    Option("--diff", VALUE, "Only findings on lines that this unified diff changes; - reads standard input.", "FILE"),
    Option("--write-baseline", FLAG, "Record today's findings in the baseline file."),
    Option("--add-ignores", FLAG, "Write a suppression comment for every finding."),
    Option("--no-cache", FLAG, "Do not reuse the result of an unchanged run."),
    Option("--watch", FLAG, "Lint again whenever a file changes, until Ctrl+C."),
    Option("--show-files", FLAG, "Only list the files that would be read."),
    Option("--show-settings", FLAG, "Only show the settings that would decide, and where each is set."),
    Option("--jobs", INTEGER, "Processes that share the files; default: the usable cores.", "N", short="-j", least=1),
)

FIX = (
    PATHS,
    *SHARED,
    Option("--write", FLAG, "Write the files. Without it the diff is only shown."),
    Option("--check", FLAG, "Write nothing, print nothing but names; exit 1 if there is something to write."),
    Option("--unsafe", FLAG, "Make fixes that need a review, too."),
    Option("--follow-parents", FLAG, "Write to parent configurations that are not among the PATHs, too."),
)

EFFECTIVE = (
    PATHS._replace(required=True),
    *RELEASES,
    Option("--all", FLAG, "Show what does not change, too.", field="everything"),
    Option("--output-format", VALUE, "How to print them.", "FORMAT", ("text", "json"), default="text"),
)


JSON_OR_TEXT = Option("--output-format", VALUE, "How to print it.", "FORMAT", ("text", "json"), default="text")
ENGINE = Option("--engine", VALUE, "Which engine, where the files have several: its id or role.", "ID")

VERIFY = (
    Option("CONFIG", VALUE, "The file with the engine, in any dialect.", "CONFIG", field="path", required=True),
    Option("--server", VALUE, "A running server; VLLM_SERVER_DEV_MODE=1 in its environment lets it tell all.", "URL"),
    Option("--log", VALUE, "The log of its start, or - for standard input.", "FILE"),
    Option("--run", VALUE, "The folder of a run: Hydra's or W&B's, prime-rl's configs, job logs.", "DIR"),
    Option("--record", VALUE, "What the recorder wrote inside the run (`vllm-migrate recorder --help`).", "FILE"),
    Option("--python", VALUE, "An interpreter: what its vLLM makes of the arguments.", "PY"),
    ENGINE,
    Option("--to", VALUE, "The release that runs, where the source does not tell.", "RELEASE", field="target"),
    *(option for option in RELEASES if option.name in ABOUT_ENGINES),
    Option("--all", FLAG, "List what agrees and what is not told, too.", field="everything"),
    JSON_OR_TEXT,
)

DIFF = (
    Option(
        "A", VALUE, "The release you come from; with --runs, the folder of a run.", "A", field="first", required=True
    ),
    Option(
        "B", VALUE, "The release you go to; with --runs, the folder of another run.", "B", field="second", required=True
    ),
    PATHS._replace(help="Only what these files and folders use of vLLM, for the pull request that moves the version."),
    Option("--runs", FLAG, "Compare two runs: Hydra's or W&B's folders, prime-rl's configs, job logs."),
    Option("--kind", LIST, "Only these kinds of change, such as removed,default.", "KIND"),
    Option("--option", VALUE, "Only options whose name holds this.", "NAME"),
    Option("--rl", FLAG, "Only what can move an RL run."),
    Option("--layer", VALUE, "Only this layer, such as semantic.", "LAYER"),
    ENGINE,
    Option("--to", VALUE, "The release of a run whose folder does not tell it.", "RELEASE", field="target"),
    ALLOW_OUTSIDE,
    JSON_OR_TEXT._replace(choices=("text", "json", "markdown")),
)

RECORDER = (
    Option("DIR", VALUE, "The folder to write it to; it goes on PYTHONPATH.", "DIR", field="folder", required=True),
)

LOCK = (
    PATHS,
    Option("--output", VALUE, "The lock; default: vllm-migrate.lock.", "FILE", short="-o"),
    Option("--check", FLAG, "Write nothing: say what moved since, and why."),
    Option("--at", VALUE, "Lock at this release, instead of the one each engine's project shows.", "RELEASE"),
    Option("--smoke", VALUE, "Keep the verdict that `smoke run --output-format json` printed.", "FILE"),
    Option("--schema", FLAG, "Print the lock's JSON Schema."),
    *(option for option in RELEASES if option.name in ABOUT_ENGINES),
)

DOCTOR = (
    PATHS,
    Option("--python", VALUE, "The interpreter that trains; default: `python` on the path.", "PY"),
    *(option for option in RELEASES if option.name != "--stdin-filename"),
    JSON_OR_TEXT,
)

MIGRATE = (
    PATHS._replace(help="The project: its folder, or files and folders of it."),
    *(option for option in SHARED if option.name not in ("--stdin-filename", "--color", "--quiet")),
    Option("--write", FLAG, "Write settings and version. Without it the change is only shown."),
    Option("--patch", VALUE, "Write the diff to a file instead of showing it; `git apply` takes it.", "FILE"),
    Option("--checklist", VALUE, "Write the checklist (Markdown) to a file instead of showing it.", "FILE"),
    Option("--follow-parents", FLAG, "Write to parent configurations that are not among the PATHs, too."),
)


class CommandTable(NamedTuple):
    """A command of the table: its options, and help whose first line says what it does."""

    name: str
    options: tuple[Option, ...]
    help: str


COMMANDS = {
    command.name: command
    for command in (
        CommandTable(
            "lint",
            LINT,
            """What changes for these files between two releases of vLLM.

PATHs are files, folders or - (standard input); without one, the configuration's `include`, else the current folder.

Exit code: 0 nothing to report, 1 findings at or above --fail-on (default: warning), 2 usage or internal error, 3 no input files.""",
        ),
        CommandTable(
            "fix",
            FIX,
            """Write the settings that keep the old behaviour, in the spelling that reaches the engine.

Shows the diff; --write writes it. Safe fixes only, unless --unsafe. Every fix is proved by reading the edited file back.

Exit code: 0 done or nothing to do, 1 something would be written (without --write), 2 error, 3 no input files.""",
        ),
        CommandTable(
            "migrate",
            MIGRATE,
            """Move a project to another vLLM in one step: its settings, the version it pins, and a checklist for people.

Shows one diff, then the checklist, then for each engine whether it starts at the target. --write writes the files. Settings are
those of `fix --unsafe`. The version is written where a project has a plain `==` pin or an image tag, and only if nothing else
that the project pins (torch, Python, transformers, a framework) contradicts the target; else nothing of that project is
written, and the checklist says what comes first. Locks are never edited: the command that refreshes each is printed.

vllm-migrate migrate .                                       look at the change
vllm-migrate migrate . --patch up.diff --checklist TODO.md   keep it: git apply up.diff
vllm-migrate migrate . --to 0.18.1 --write                   write it; a second run has nothing to write
vllm-migrate migrate . --from 0.8.5 --write                  where the pin was moved already

Exit code: 0 nothing is left to write and every engine starts, 1 something is or one does not, 2 error, 3 no input files.""",
        ),
        CommandTable(
            "effective",
            EFFECTIVE,
            """Every engine's settings at both releases side by side, each with its origin; changed ones first.""",
        ),
        CommandTable(
            "diff",
            DIFF,
            """What changed between two releases of vLLM: removed, renamed, new, deprecated, another default, resolution or choices.

With PATHs, only what they use or patch: options, fields, variables, routes, imports, calls, metrics, as Markdown.
vllm-migrate diff 0.10.2 0.11.0 src/ configs/

With --runs, what changed between two runs, by layer: vllm-migrate diff --runs outputs/good outputs/bad""",
        ),
        CommandTable(
            "verify",
            VERIFY,
            """Compare what the files say an engine has with what the running engine says, setting by setting.

Name at least one source. Each setting is the same, differs, or is not told by that source; a finding of `lint` that the run
confirms or refutes is named beside it. vllm-migrate verify conf.yaml --log serve.log

Exit code: 0 nothing differs, 1 something does, 2 usage or internal error.""",
        ),
        CommandTable(
            "lock",
            LOCK,
            """Write what every engine ends up with to vllm-migrate.lock, or with --check say what has moved since.

The one file that is written without --write. Commit it; in CI and where a run starts: vllm-migrate lock --check

Exit code: 0 written, or nothing moved; 1 something moved (a file, a release), 2 usage or internal error.""",
        ),
        CommandTable(
            "doctor",
            DOCTOR,
            """Look at the machine that trains: its vLLM, packages, plugins, variables, GPU, model and disk, beside the files.

One line a check, with what to do. vllm-migrate doctor conf/ --python /opt/venv/bin/python

Exit code: 0 nothing is wrong, 1 something is, 2 usage or internal error.""",
        ),
        CommandTable(
            "recorder",
            RECORDER,
            """Write the recorder: a file that vLLM loads from its path and that notes the engine's resolved configuration.

PYTHONPATH=DIR VLLM_MIGRATE_RECORD=record.jsonl vllm serve ...     (any release from 0.8.5 on, server or LLM())

It is off where the variable names no file, and never stops a run. Where VLLM_PLUGINS is set, add vllm_migrate_recorder to it.
From 0.11.1 on it also notes what a server has after its start; vLLM then keeps its statistics on.""",
        ),
    )
}
