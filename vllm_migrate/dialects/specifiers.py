"""Version specifiers as PEP 440 reads them: `>=0.6.0,<0.9`, `==0.8.*`, `!=0.8.4`, `~=0.8.1`.

`packaging` reads the same; it is not imported here because every lint compares versions. A test holds this against it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from vllm_migrate.documents.text.patterns import compiled

_VERSION = (
    r"(?i)\s*v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre_number>\d*))?"
    r"(?P<post>-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?"
    r"(?P<dev>[-_.]?dev[-_.]?\d*)?"
    r"(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*"
)
_CLAUSE = re.compile(r"\s*(~=|===?|!=|<=|>=|<|>)\s*(\S+?)\s*")
_PHASES = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}
_BEFORE, _FINAL = -1, 3  # a development release of a final one, and a final one, among the phases


class ParsedVersion(NamedTuple):
    """A version as it is ordered, without its local part.

    release: without trailing zeros; pre: phase and number; post, dev: their numbers, -1 for no post release, and more than
    any number where there is no development release.
    """

    epoch: int
    release: tuple[int, ...]
    pre: tuple[int, int]
    post: int
    dev: float


@lru_cache(4096)
def parse_version(text: str) -> ParsedVersion:
    """Raises ValueError for what is no version."""
    found = compiled(_VERSION).fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a version")
    release = tuple(map(int, found["release"].split(".")))
    while len(release) > 1 and release[-1] == 0:
        release = release[:-1]
    post = _number(found["post"]) if found["post"] else -1
    dev = float(_number(found["dev"])) if found["dev"] else float("inf")
    if found["pre"]:
        pre = _PHASES[found["pre"].lower()], int(found["pre_number"] or 0)
    else:
        pre = (_BEFORE if found["dev"] and post < 0 else _FINAL), 0
    return ParsedVersion(int(found["epoch"] or 0), release, pre, post, dev)


def _number(text: str) -> int:
    digits = re.search(r"\d+", text)
    return int(digits[0]) if digits else 0


@lru_cache(4096)
def fits(version: str, specifiers: str) -> bool:
    """Whether a release fits every clause of comma-separated specifiers. Raises ValueError for what is no version or clause."""
    return all(_fits(version, clause) for clause in specifiers.split(","))


def _fits(version: str, clause: str) -> bool:
    found = _CLAUSE.fullmatch(clause)
    if found is None:
        raise ValueError(f"{clause!r} is not a version specifier")
    operator, wanted = found.groups()
    if operator == "===":
        return version.strip().lower() == wanted.lower()
    if operator == "~=":
        return _compatible(version, wanted)
    if operator in ("==", "!="):
        return _equal(version, wanted) is (operator == "==")
    return _ordered(operator, parse_version(version), parse_version(wanted))


def _equal(version: str, wanted: str) -> bool:
    if wanted.endswith(".*"):
        parsed, prefix = parse_version(version), parse_version(wanted[:-2])
        count = wanted[:-2].count(".") + 1
        return parsed.epoch == prefix.epoch and _places(parsed, count) == _places(prefix, count)
    return parse_version(version) == parse_version(wanted) and _local(wanted) in ("", _local(version))


def _compatible(version: str, wanted: str) -> bool:
    """`~=0.8.1` is `>=0.8.1, ==0.8.*`."""
    found = compiled(_VERSION).fullmatch(wanted)
    parts = found["release"].split(".") if found is not None else []
    if len(parts) < 2:
        raise ValueError(f"~={wanted}: a compatible release needs two places at least")
    epoch = f"{found['epoch']}!" if found is not None and found["epoch"] else ""
    same_series = _equal(version, f"{epoch}{'.'.join(parts[:-1])}.*")
    return same_series and _ordered(">=", parse_version(version), parse_version(wanted))


def _ordered(operator: str, left: ParsedVersion, right: ParsedVersion) -> bool:
    if operator == "<=":
        return left <= right
    if operator == ">=":
        return left >= right
    if operator == "<":  # not a pre-release of what is excluded
        same_base = left[:2] == right[:2] and left.post == right.post
        return left < right and not (same_base and _is_pre(left) and not _is_pre(right))
    # Nor, after it, its own post-releases.
    return left > right and not (left[:3] == right[:3] and left.post >= 0 and right.post < 0)


def _is_pre(version: ParsedVersion) -> bool:
    return version.pre[0] != _FINAL or version.dev != float("inf")


def _places(version: ParsedVersion, count: int) -> tuple[int, ...]:
    return (*version.release, *[0] * count)[:count]


def _local(text: str) -> str:
    return re.sub("[-_.]", ".", text.partition("+")[2].strip().lower())
