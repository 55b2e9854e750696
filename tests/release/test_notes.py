"""The notes of a release come out of the changelog, and only when it is ready."""

from __future__ import annotations

import pytest

from release.notes import NotReady, notes

CHANGELOG = """# Changelog

## Unreleased

- To come.

## 1.2.0 (2026-12-01)

### Added
- One.

## 1.2 (2026-11-01)

- Older.
"""


def test_the_section_of_a_version() -> None:
    assert notes("1.2.0", CHANGELOG, "1.2.0") == "### Added\n- One.\n"
    assert notes("1.2", CHANGELOG, "1.2") == "- Older.\n"


@pytest.mark.parametrize(
    ("version", "project", "reason"),
    [("1.2.0", "1.2.1", "pyproject"), ("1.3.0", "1.3.0", "no section"), ("1.2.0.1", "1.2.0.1", "no section")],
)
def test_what_is_not_ready(version: str, project: str, reason: str) -> None:
    with pytest.raises(NotReady, match=reason):
        notes(version, CHANGELOG, project)


def test_a_section_that_is_still_open() -> None:
    with pytest.raises(NotReady, match="unreleased"):
        notes("1.2.0", CHANGELOG.replace("(2026-12-01)", "(unreleased)"), "1.2.0")
