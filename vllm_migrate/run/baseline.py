"""A baseline: the findings that are known and shall not be shown again.

    {"schema": 1, "entries": [{"fingerprint": "9f3c...", "code": "VM101", "path": "conf/base.yaml", "count": 2}]}

A fingerprint is made of rule, path, key path and old value, never of a line, so that it outlives edits around it. Two
engines of one script can share one: the count (1 where it is not written) says how many were seen, and no more are
hidden. Paths are relative to the baseline's own folder, so that they mean the same from every working directory. Code
and path are there for the reader, and to tell which entries a run could have met. Entries are sorted: a baseline under
version control changes only where findings do.
"""

from __future__ import annotations

import os

from vllm_migrate.documents.disk import DISK, similar
from vllm_migrate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SCHEMA = 1


class Known:
    """One entry. count: how many findings it stands for; met: how many of this run it has hidden."""

    __slots__ = ("code", "count", "fingerprint", "met", "path")

    def __init__(self, fingerprint: str, code: str, path: str, count: int = 1) -> None:
        self.fingerprint = fingerprint
        self.code = code
        self.path = path
        self.count = count
        self.met = 0

    def __str__(self) -> str:
        """What is to be said of one that is not used up."""
        if not self.met:
            return f"{self.code} in {self.path} no longer matches"
        return f"{self.code} in {self.path} no longer matches {self.count} times but {self.met}"


class Baseline:
    """The known findings of one file."""

    __slots__ = ("_entries", "path")

    def __init__(self, path: str, entries: Iterable[Known]) -> None:
        self.path = path
        self._entries: dict[str, Known] = {}
        for entry in entries:
            known = self._entries.setdefault(entry.fingerprint, entry)
            if known is not entry:  # a merge of two versions can leave two lines for one
                known.count = max(known.count, entry.count)

    def __len__(self) -> int:
        return sum(entry.count for entry in self._entries.values())

    def hides(self, fingerprint: str) -> bool:
        """Whether a finding is known, which uses its entry once: of more than were recorded, the rest is new."""
        entry = self._entries.get(fingerprint)
        if entry is None or entry.met >= entry.count:
            return False
        entry.met += 1
        return True

    def unmatched(self, judged: Callable[[str, str], bool] | None = None) -> list[Known]:
        """Entries that fewer findings met than they count, sorted. `judged(code, path)`: whether this run looked at that rule and file."""
        left = [entry for entry in self._entries.values() if entry.met < entry.count]
        if judged is not None:
            left = [entry for entry in left if judged(entry.code, entry.path)]
        return sorted(left, key=_order)


def load_baseline(path: str) -> Baseline:
    """The baseline in a file. Raises UsageError when it is absent, is no baseline, or has a schema we do not know."""
    import json

    try:
        raw = json.loads(DISK.bytes_of(path).decode("utf-8"))
    except FileNotFoundError:
        raise UsageError(f"no such baseline: {path}", similar(path, DISK) or "--write-baseline makes it") from None
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
    count = entry.get("count", 1) if isinstance(entry, dict) else 1
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise UsageError(f"{path}: entries[{number}]: count must be a whole number from 1 on")
    fingerprint, code, place = (str(field) for field in fields)
    return Known(fingerprint, code, place, count)


class Places:
    """What files are called in a baseline: relative to its folder, from wherever the call was made."""

    __slots__ = ("_folder", "_known")

    def __init__(self, baseline: str) -> None:
        self._folder = _real_folder(baseline)
        self._known: dict[str, str] = {}

    def name(self, path: str) -> str:
        known = self._known.get(path)
        if known is None:
            whole = os.path.join(_real_folder(path), os.path.basename(path))
            known = self._known[path] = os.path.relpath(whole, self._folder).replace(os.sep, "/")
        return known


def _real_folder(path: str) -> str:
    return os.path.realpath(os.path.dirname(path) or os.curdir)


def is_baseline(path: str, baseline: str) -> bool:
    """Whether a path leads to the baseline itself, which is there to be obeyed and not to be judged."""
    return os.path.basename(path) == os.path.basename(baseline) and _real_folder(path) == _real_folder(baseline)


def write_baseline(path: str, entries: Iterable[tuple[str, str, str]]) -> int:
    """Write (fingerprint, code, path) of every finding; how many there were. Raises UsageError when it cannot."""
    import json

    from vllm_migrate.run.files import replace_file

    counted: dict[str, Known] = {}
    total = 0
    for entry in entries:
        total += 1
        if entry[0] in counted:
            counted[entry[0]].count += 1
        else:
            counted[entry[0]] = Known(*entry)
    rows = [json.dumps(_record(known), ensure_ascii=False) for known in sorted(counted.values(), key=_order)]
    body = "".join(f"\n    {row}," for row in rows)[:-1]
    text = f'{{\n  "schema": {SCHEMA},\n  "entries": [{body}{chr(10) + "  " if rows else ""}]\n}}\n'
    try:
        replace_file(path, text.encode("utf-8", "surrogateescape"), durable=True)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    return total


def _record(known: Known) -> dict[str, object]:
    record: dict[str, object] = {"fingerprint": known.fingerprint, "code": known.code, "path": known.path}
    if known.count > 1:
        record["count"] = known.count
    return record


def _order(entry: Known) -> tuple[str, str, str]:
    return (entry.path, entry.code, entry.fingerprint)
