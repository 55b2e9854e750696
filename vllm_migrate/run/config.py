"""What a project asks for: `vllm-migrate.toml`, or `[tool.vllm-migrate]` in pyproject.toml.

The nearest one counts, from the first PATH's folder upward to the root of the repository; in one folder
vllm-migrate.toml comes first. Paths and patterns in it are relative to the folder it stands in. Looking for it costs a
few failed opens; TOML is parsed (and its parser imported) only where there is something of ours to read.
"""

from __future__ import annotations

import os

from vllm_migrate.documents.disk import DISK, Disk, similar
from vllm_migrate.errors import UsageError
from vllm_migrate.opening import NotRegular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from vllm_migrate.run.dependencies import Dependencies
    from vllm_migrate.run.gitignore import Rules

OWN_FILE, SHARED_FILE = "vllm-migrate.toml", "pyproject.toml"
TABLE = "vllm-migrate"
NEWLINE = b"\n"

TEXT, TEXTS, FLAG, TABLE_OF_TEXTS, TABLE_OF_TEXT = "a string", "a list of strings", "true or false", "lists", "strings"
TABLE_OF_TABLES = "tables"
ENTRIES = "a list of tables, each with rule and reason, and with path if it does not hold everywhere"
KEYS: dict[str, str] = {
    "from": TEXT,
    "to": TEXT,
    "from-engine": TEXT,
    "gpu": TEXT,
    "model-config": TEXT,
    "include": TEXTS,
    "exclude": TEXTS,
    "select": TEXTS,
    "ignore": TEXTS,
    "extend-select": TEXTS,
    "per-file-ignores": TABLE_OF_TEXTS,
    "per-file-settings": TABLE_OF_TABLES,
    "severity": TABLE_OF_TEXT,
    "fail-on": TEXT,
    "baseline": TEXT,
    "unsafe-fixes": FLAG,
    "fail-on-checklist": FLAG,
    "acknowledged": ENTRIES,
    "knowledge": TEXTS,
}
CHOICES = {
    "from-engine": ("auto", "v0", "v1"),
    "fail-on": ("error", "warning", "info", "never"),
    "severity": ("error", "warning", "info", "off"),
    "role": ("rl_rollout", "reference", "judge", "teacher", "serving", "eval", "pooling"),
}
# What holds for some files alone.
PER_FILE = ("from", "to", "from-engine", "gpu", "role")


class Config:
    """The settings of one file, or of none (`path` is then "").

    root: the folder that its patterns and paths are relative to. Settings that are not given are None or empty.
    """

    __slots__ = ("_lines", "_rules", "_values", "path", "root")

    def __init__(self, path: str = "", values: dict[str, object] | None = None, text: str = "") -> None:
        self.path = path
        self.root = os.path.dirname(path) or os.curdir
        self._values = values or {}
        self._lines = text.splitlines()
        self._rules: dict[str, Rules] = {}

    def text(self, key: str) -> str | None:
        """A setting that is one string: from, to, from-engine, gpu, model-config, fail-on, baseline."""
        value = self._values.get(key)
        return value if isinstance(value, str) else None

    def texts(self, key: str) -> list[str] | None:
        """A setting that is a list: include, exclude, select, ignore, extend-select, knowledge. None when it is not given."""
        value = self._values.get(key)
        return [str(item) for item in value] if isinstance(value, list) else None

    def flag(self, key: str) -> bool:
        return self._values.get(key) is True

    @property
    def per_file_ignores(self) -> dict[str, list[str]]:
        """Patterns (as in .gitignore, relative to `root`) to codes, prefixes and names."""
        table = self._values.get("per-file-ignores")
        return {str(glob): [str(code) for code in codes] for glob, codes in _items(table) if isinstance(codes, list)}

    def per_file_settings(self) -> list[tuple[str, dict[str, str]]]:
        """Patterns as in `per_file_ignores`, each with what it sets: from, to, from-engine, gpu, role."""
        found = _items(self._values.get("per-file-settings"))
        return [(str(glob), {str(k): str(v) for k, v in _items(table)}) for glob, table in found]

    def acknowledged(self) -> list[tuple[str, str, str, str]]:
        """Items of the checklist that are seen to: rule, pattern of paths ("": all), reason, and file:line of the entry."""
        found = self._values.get("acknowledged")
        entries = [_texts(entry) for entry in found] if isinstance(found, list) else []
        lines = _lines_of(self._lines, "acknowledged", len(entries))
        return [
            (entry["rule"], entry.get("path", ""), entry["reason"], f"{self.path}:{line}")
            for entry, line in zip(entries, lines, strict=True)
        ]

    def matches(self, pattern: str, path: str) -> bool:
        """Whether a pattern of ours names a path below `root`."""
        if pattern not in self._rules:
            from vllm_migrate.run.gitignore import rules_of

            self._rules[pattern] = rules_of([pattern])
        return self._rules[pattern].covers(path)

    @property
    def severity(self) -> dict[str, str]:
        """Codes, prefixes and names to error, warning, info or off."""
        return {str(rule): str(value) for rule, value in _items(self._values.get("severity"))}

    def file(self, key: str) -> str | None:
        """A setting that names a file, as a path that can be opened from here."""
        value = self.text(key)
        return None if value is None else os.path.normpath(os.path.join(self.root, value))

    def includes(self, dependencies: Dependencies | None = None) -> list[str]:
        """The PATHs of a call that names none: `include`, its patterns expanded and sorted; empty when not given."""
        out: list[str] = []
        for entry in self.texts("include") or ():
            path = os.path.join("" if self.root == os.curdir else self.root, entry)
            if any(c in entry for c in "*?["):
                from vllm_migrate.run.glob import glob

                if dependencies is not None:
                    dependencies.settled = False  # what a pattern looks at is not told
                out.extend(glob(path))
            else:
                out.append(path)
        return out

    def where(self, key: str, table: str = "") -> str:
        """file:line of a setting, for messages about its value; of an entry of one of our tables (`severity`)."""
        return f"{self.path}:{_line_of(self._lines, key, self.path, table)}"


def load_config(start: str, dependencies: Dependencies | None = None, disk: Disk = DISK) -> Config:
    """The configuration that holds for a file or folder; an empty one when there is none. Raises UsageError.

    dependencies: notes what is looked at.
    """
    folder = os.path.abspath(start)
    if not disk.is_folder(folder):
        folder = os.path.dirname(folder)
    while True:
        config = config_in(folder, dependencies, disk)
        if config is not None:
            return config
        parent, git = os.path.dirname(folder), os.path.join(folder, ".git")
        if dependencies is not None:
            dependencies.note_presence(git)
        if parent == folder or disk.exists(git):
            return Config()
        folder = parent


def config_in(folder: str, dependencies: Dependencies | None = None, disk: Disk = DISK) -> Config | None:
    """The configuration in a folder, None where there is none. Raises UsageError. dependencies: notes what is looked at."""
    for name in (OWN_FILE, SHARED_FILE):
        path = os.path.join(folder, name)
        if dependencies is not None:
            dependencies.note(path)
        config = _read(path, name == SHARED_FILE, disk)
        if config is not None:
            return config
    return None


def read_config(path: str, disk: Disk = DISK) -> Config:
    """The configuration in a file that the user names. Raises UsageError, also when there is none in it."""
    shared = os.path.basename(path) == SHARED_FILE
    config = _read(path, shared, disk, named=True)
    if config is None:
        if disk.is_file(path):
            raise UsageError(f"{path}: no [tool.{TABLE}] table")
        raise UsageError(f"no such file: {path}", similar(path, disk))
    return config


def _read(path: str, shared: bool, disk: Disk, named: bool = False) -> Config | None:
    try:
        data = disk.named(path) if named else disk.bytes_of(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except NotRegular:
        if shared and not named:
            return None  # nobody's configuration; of ours it is an error
        raise UsageError(f"{path}: not a regular file") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    if shared and TABLE.encode() not in data:
        return None
    values, text = _parse(path, data)
    if shared:
        tool = values.get("tool")
        table = tool.get(TABLE) if isinstance(tool, dict) else None
        if table is None:
            return None
        if not isinstance(table, dict):
            raise UsageError(f"{path}:{_line_of(text.splitlines(), TABLE, path)}: tool.{TABLE} must be a table")
        values = table
    shown = os.path.relpath(path)
    config = Config(path if shown.startswith(os.pardir) else shown, values, text)
    _check(config, values)
    return config


def _parse(path: str, data: bytes) -> tuple[dict[str, object], str]:
    import tomllib

    try:
        text = data.decode("utf-8-sig")
        return tomllib.loads(text), text
    except UnicodeDecodeError as error:
        line = data[: error.start].count(NEWLINE) + 1
        raise UsageError(f"{path}:{line}: not UTF-8: byte 0x{data[error.start]:02x}") from None
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).partition(" (at ")
        digits = "".join(c for c in place.partition(",")[0] if c.isdigit())
        raise UsageError(f"{path}:{digits or data.count(NEWLINE) + 1}: not TOML: {reason}") from None
    except RecursionError:
        raise UsageError(f"{path}:1: nests too deeply") from None


def toml_fault(path: str, data: bytes) -> str:
    """Where and why a file is no TOML; "" when it is."""
    try:
        _parse(path, data)
    except UsageError as error:
        return error.message
    return ""


def _check(config: Config, values: dict[str, object]) -> None:
    for key, value in values.items():
        if key not in KEYS:
            raise UsageError(f"{config.where(key)}: unknown setting {key!r}", nearest(key, KEYS))
        shape = KEYS[key]
        if not SHAPES[shape](value):
            raise UsageError(f"{config.where(key)}: {key} must be {_wanted(key, shape)}", _hint(shape, value))
        pairs = value.items() if isinstance(value, dict) else [(key, value)]
        for name, choice in pairs if key in CHOICES else ():
            if choice not in CHOICES[key]:
                raise UsageError(
                    f"{config.where(name, key if name != key else '')}: {name} must be {_wanted(key, TEXT)}",
                    nearest(choice, CHOICES[key]),
                )
    for pattern, table in config.per_file_settings():
        for name, choice in table.items():
            if name not in PER_FILE:
                where = _where_for_some(config, pattern, name)
                raise UsageError(f"{where}: unknown setting {name!r} for some files", nearest(name, PER_FILE))
            if choice not in CHOICES.get(name, (choice,)):
                where = _where_for_some(config, pattern, name)
                raise UsageError(f"{where}: {name} must be {_wanted(name, TEXT)}", nearest(choice, CHOICES[name]))


def _where_for_some(config: Config, pattern: str, name: str) -> str:
    """file:line of a setting for some files, else of their pattern."""
    where = config.where(name, f"per-file-settings.{pattern}")
    return config.where(pattern, "per-file-settings") if where.endswith(":1") else where


def _wanted(key: str, shape: str) -> str:
    if shape == TEXT and key in CHOICES:
        return "one of " + ", ".join(f'"{choice}"' for choice in CHOICES[key])
    if shape in (TABLE_OF_TEXT, TABLE_OF_TEXTS, TABLE_OF_TABLES):
        return f"a table of {shape}"
    return shape


def _hint(shape: str, value: object) -> str:
    if shape == TEXT and isinstance(value, int | float) and not isinstance(value, bool):
        return f'write it in quotes: "{value}"'
    if shape == TEXTS and isinstance(value, str):
        return f'write a list: ["{value}"]'
    return ""


def nearest(word: object, known: object) -> str:
    """A remedy that names what was probably meant, else all there is. `known`: any collection of strings."""
    import difflib

    names = [str(name) for name in known] if isinstance(known, dict | tuple | list | set | frozenset) else []
    close = difflib.get_close_matches(str(word).replace("_", "-"), names, n=2)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    return "known are " + ", ".join(names)


def _texts(table: object) -> dict[str, str]:
    return {str(key): str(value) for key, value in _items(table)}


def _lines_of(lines: list[str], table: str, count: int) -> list[int]:
    """The lines of the entries of a list of tables: their headers, or all of them where the list stands."""
    headers = [number for number, line in enumerate(lines, 1) if line.strip().startswith("[[") and f"{table}]]" in line]
    if len(headers) == count:
        return headers
    first = next((number for number, line in enumerate(lines, 1) if line.strip().startswith(table)), 1)
    return [first] * count


def _items(table: object) -> list[tuple[object, object]]:
    return list(table.items()) if isinstance(table, dict) else []


def _line_of(lines: list[str], key: str, path: str, table: str = "") -> int:
    """The line of a key of ours: the TOML parser does not tell, so the text is searched (in our table, if shared).

    table: the table that the key stands in, whose own line is the answer where the key is not found.
    """
    table = table.replace('"', "").replace(" ", "")
    shared = os.path.basename(path) == SHARED_FILE
    ours, header, within = not shared, 0, ""
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        if bare.startswith("["):
            name = bare.rpartition("]")[0].strip("[] ").replace('"', "").replace(" ", "")
            within = name.removeprefix(f"tool.{TABLE}.")
            if shared:
                ours = name == f"tool.{TABLE}" or name.startswith(f"tool.{TABLE}.")
                header = header or (number if ours else 0)
            if ours and table and within == f"{table}.{key}":
                return number
            if ours and within == (table or key):
                if not table:
                    return number
                header = number
        elif ours and "=" in bare:
            spelled = bare.partition("=")[0].strip()
            named = spelled.strip("\"'")
            if table and within != table:  # `severity.VM1 = "info"`, or the whole table on one line
                if named.partition(".")[0] != table:
                    continue
                header, named = number, named.partition(".")[2].strip("\"'")
            if key in (named, named.partition(".")[0]):
                return number
    return header or 1


def _all(test: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(test(item) for item in value)


def _values(test: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(test(item) for item in value.values())


def _is_text(value: object) -> bool:
    return isinstance(value, str)


SHAPES: dict[str, Callable[[object], bool]] = {
    TEXT: _is_text,
    TEXTS: _all(_is_text),
    FLAG: lambda value: isinstance(value, bool),
    TABLE_OF_TEXTS: _values(_all(_is_text)),
    TABLE_OF_TEXT: _values(_is_text),
    TABLE_OF_TABLES: _values(_values(_is_text)),
    ENTRIES: _all(
        lambda entry: (
            _values(_is_text)(entry) and {"rule", "reason"} <= set(_texts(entry)) <= {"rule", "path", "reason"}
        )
    ),
}
