"""How many of the words behind an option are its own values."""

from __future__ import annotations

from vllm_migrate.catalog import store
from vllm_migrate.dialects.argv_words import option_text
from vllm_migrate.dialects.model import Subject, Written
from vllm_migrate.documents.interface import CannotEdit
from vllm_migrate.fixes.ops import is_undecided

SWITCHES = frozenset(("store_true", "store_false", "store_const", "bool_optional"))


def own_words(written: Written, engine: Subject) -> list[int]:
    """The words of an option that are surely its own: what a variable behind its values holds is another's.

    Raises CannotEdit where the number of its values is not decided.
    """
    assert written.words is not None
    head, *values = written.words
    if written.attached or not values:
        return [head]
    count = takes(written.key, engine.target)
    if count is None or count < 0:
        if is_undecided(written.value) or (count is None and len(values) > 1):
            raise CannotEdit(f"it is not known how many of the words after {written.key} belong to it")
        count = len(values)
    if not count:  # a word behind a switch (`--enable-prefix-caching False`) is taken for its value by whoever wrote it
        behind = written.value if isinstance(written.value, list) else [written.value]
        count = next((number for number, value in enumerate(behind) if is_undecided(value)), len(values))
    return [head, *values[:count]]


def is_one_sided(option: str, target: str) -> bool:
    """Whether an option is a flag that only switches on."""
    flags, name = store.load().flags(target), option.replace("_", "-")
    return bool(flags.matching(f"--{name}")) and not flags.matching(f"--no-{name}")


def takes(key: str, target: str) -> int | None:
    """How many values an option takes; -1 for any number, None for an option that no release has."""
    catalog, name = store.load(), option_text(key)
    lives = [facts for section in ("cli", "frontend") for _, _, facts in catalog.life(section, name)]
    if lives:
        switch, count = lives[-1].extra("a") in SWITCHES, lives[-1].extra("n")
    else:
        tables = [catalog.flags(release) for release in (catalog.releases[0], target)]
        flag = next((table[found[0]] for table in tables if len(found := table.matching(name)) == 1), None)
        if flag is None:
            return None
        switch, count = not flag.takes_value, flag.nargs
    if switch:
        return 0
    return 1 if count is None else count if isinstance(count, int) else -1
