"""The options of `lint` and `fix`, defined once: the quick parser of hook-shaped calls and typer both read them here."""

from __future__ import annotations

from typing import NamedTuple

from vllm_migrate.errors import UsageError


class Option(NamedTuple):
    """kind: flag (true when given), value (the last one counts), list (may be repeated, commas separate)."""

    name: str
    kind: str
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    short: str = ""


SHARED = (
    Option("--from", "value", "The vLLM release the files run on today.", "RELEASE"),
    Option("--to", "value", "The release they move to.", "RELEASE"),
    Option(
        "--from-engine", "value", "The engine of 0.8.5 to 0.10, where no file tells it.", "ENGINE", ("auto", "v0", "v1")
    ),
    Option("--gpu", "value", "The GPU, where defaults depend on it (a100, h100, ...).", "NAME"),
    Option("--model-config", "value", "A folder with the model's config.json and generation_config.json.", "PATH"),
    Option("--select", "list", "Only these rules (codes, prefixes such as VM1, or names).", "RULES"),
    Option("--ignore", "list", "Not these rules.", "RULES"),
    Option("--extend-select", "list", "These rules as well.", "RULES"),
    Option("--exclude", "list", "Skip paths that match (as in .gitignore).", "GLOB"),
    Option("--config", "value", "Read this vllm-migrate.toml or pyproject.toml.", "FILE"),
    Option("--isolated", "flag", "Read no configuration file."),
    Option("--stdin-filename", "value", "The name that standard input (-) is judged under.", "NAME"),
    Option("--color", "value", "Colour: on a terminal only, always, never.", "WHEN", ("auto", "always", "never")),
    Option("--quiet", "flag", "Say less: no summary.", short="-q"),
)

FORMATS = ("text", "concise", "json", "sarif", "github", "gitlab", "junit", "markdown", "html")

LINT = (
    *SHARED,
    Option("--output-format", "value", "How to print the findings.", "FORMAT", FORMATS),
    Option("--output-file", "value", "Write the report to a file instead.", "FILE", short="-o"),
    Option("--statistics", "flag", "Count findings by rule instead of listing them."),
    Option(
        "--fail-on",
        "value",
        "The severity from which on the exit code is 1.",
        "SEVERITY",
        ("error", "warning", "info", "never"),
    ),
    Option("--baseline", "value", "Hide the findings recorded in this file.", "FILE"),
    Option("--write-baseline", "flag", "Record today's findings in the baseline file."),
    Option("--add-ignores", "flag", "Write a suppression comment for every finding."),
    Option("--no-cache", "flag", "Do not reuse the result of an unchanged run."),
)

FIX = (
    *SHARED,
    Option("--write", "flag", "Write the files. Without it the diff is only shown."),
    Option("--check", "flag", "Write nothing, print nothing but names; exit 1 if there is something to write."),
    Option("--unsafe", "flag", "Make fixes that need a review, too."),
    Option("--follow-parents", "flag", "Write to parent configurations that are not among the PATHs, too."),
)

COMMANDS = {"lint": LINT, "fix": FIX}

DESTINATIONS = {"from": "source", "to": "target"}


def destination(option: Option) -> str:
    """The field an option is stored under."""
    name = option.name.lstrip("-").replace("-", "_")
    return DESTINATIONS.get(name, name)


class Call(dict[str, object]):
    """The options of one call by field name, and `paths`. Options not given are absent."""

    @property
    def paths(self) -> list[str]:
        value = self.get("paths")
        return [str(path) for path in value] if isinstance(value, list) else []

    def text(self, field: str) -> str | None:
        value = self.get(field)
        return None if value is None else str(value)

    def texts(self, field: str) -> list[str]:
        value = self.get(field)
        return [str(item) for item in value] if isinstance(value, list) else []

    def flag(self, field: str) -> bool:
        return bool(self.get(field))


def quick_parse(command: str, words: list[str]) -> Call | None:
    """The call, when it is of the plain shape that hooks use; None leaves it to typer (help, completion, mistakes)."""
    table = {option.name: option for option in COMMANDS[command]}
    table.update({option.short: option for option in COMMANDS[command] if option.short})
    call, paths, at = Call(), [], 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "--":
            paths.extend(words[at:])
            break
        if not word.startswith("-") or word == "-":
            paths.append(word)
            continue
        name, eq, attached = word.partition("=")
        option = table.get(name)
        if option is None or (option.kind == "flag" and eq):
            return None
        if option.kind == "flag":
            call[destination(option)] = True
            continue
        if not eq:
            if at >= len(words):
                return None
            attached, at = words[at], at + 1
        if not store(call, option, attached):
            return None
    call["paths"] = paths
    return call


def store(call: Call, option: Option, value: str) -> bool:
    """Store a value; False when it is not one of the option's choices."""
    if option.choices and value not in option.choices:
        return False
    field = destination(option)
    if option.kind == "list":
        items = [item.strip() for item in value.split(",") if item.strip()]
        call[field] = [*call.texts(field), *items]
    else:
        call[field] = value
    return True


def checked(option: Option, value: str) -> str:
    """A value, or UsageError with the choices."""
    if option.choices and value not in option.choices:
        raise UsageError(f"{option.name}: {value!r} is not one of {', '.join(option.choices)}")
    return value
