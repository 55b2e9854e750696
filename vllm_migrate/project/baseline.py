"""A baseline: the findings that are known and shall not be shown again.

    {"schema": 1, "entries": [{"fingerprint": "9f3c...", "code": "VM101", "path": "conf/base.yaml"}]}

A fingerprint is made of rule, path, key path and old value, never of a line, so that it outlives edits around it. Code
and path are there for the reader, and to tell which entries a run could have met. Entries are sorted: a baseline under
version control changes only where findings do.
"""

from __future__ import annotations

from vllm_migrate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SCHEMA = 1


class Known:
    """One entry. met: whether a finding of this run is it."""

    __slots__ = ("code", "fingerprint", "met", "path")

    def __init__(self, fingerprint: str, code: str, path: str) -> None:
        self.fingerprint = fingerprint
        self.code = code
        self.path = path
        self.met = False


class Baseline:
    """The known findings of one file."""

    __slots__ = ("_entries", "path")

    def __init__(self, path: str, entries: Iterable[Known]) -> None:
        self.path = path
        self._entries: dict[str, Known] = {entry.fingerprint: entry for entry in entries}

    def __len__(self) -> int:
        return len(self._entries)

    def hides(self, fingerprint: str) -> bool:
        """Whether a finding is known; its entry then counts as met."""
        entry = self._entries.get(fingerprint)
        if entry is None:
            return False
        entry.met = True
        return True

    def unmatched(self, judged: Callable[[str, str], bool] | None = None) -> list[Known]:
        """Entries that no finding met, sorted. `judged(code, path)`: whether this run looked at that rule and file."""
        left = [entry for entry in self._entries.values() if not entry.met]
        if judged is not None:
            left = [entry for entry in left if judged(entry.code, entry.path)]
        return sorted(left, key=_order)


def load_baseline(path: str) -> Baseline:
    """The baseline in a file. Raises UsageError when it is absent, is no baseline, or has a schema we do not know."""
    import json

    try:
        with open(path, encoding="utf-8") as handle:
            raw = json.load(handle)
    except FileNotFoundError:
        raise UsageError(f"no such baseline: {path}", "--write-baseline makes it") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path}: not a baseline: not UTF-8, or nested too deep") from None
    schema = raw.get("schema") if isinstance(raw, dict) else None
    if schema != SCHEMA:
        remedy = (
            "it was written by a newer version of this tool"
            if isinstance(schema, int)
            else "--write-baseline makes one"
        )
        raise UsageError(f"{path}: not a baseline of schema {SCHEMA}", remedy)
    entries = raw.get("entries")
    if not isinstance(entries, list):
        raise UsageError(f"{path}: entries must be a list")
    return Baseline(path, [_known(path, number, entry) for number, entry in enumerate(entries)])


def _known(path: str, number: int, entry: object) -> Known:
    fields = [entry.get(key) for key in ("fingerprint", "code", "path")] if isinstance(entry, dict) else []
    if not fields or not all(isinstance(field, str) for field in fields):
        raise UsageError(f"{path}: entries[{number}] must have a fingerprint, a code and a path")
    return Known(*(str(field) for field in fields))


def write_baseline(path: str, entries: Iterable[tuple[str, str, str]]) -> int:
    """Write (fingerprint, code, path) of every finding; the number of entries. Raises UsageError when it cannot."""
    import json

    from vllm_migrate.project.files import replace_file

    known = sorted({entry[0]: Known(*entry) for entry in entries}.values(), key=_order)
    rows = [
        json.dumps({"fingerprint": e.fingerprint, "code": e.code, "path": e.path}, ensure_ascii=False) for e in known
    ]
    body = "".join(f"\n    {row}," for row in rows)[:-1]
    text = f'{{\n  "schema": {SCHEMA},\n  "entries": [{body}{chr(10) + "  " if rows else ""}]\n}}\n'
    try:
        replace_file(path, text.encode("utf-8", "surrogateescape"), durable=True)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    return len(rows)


def _order(entry: Known) -> tuple[str, str, str]:
    return (entry.path, entry.code, entry.fingerprint)
