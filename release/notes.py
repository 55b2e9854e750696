"""The changelog's section of a version, for the notes of its release: `python -m release.notes 0.1.0`.

Exit code 1 where the version is not the project's, or its section is missing or still marked as unreleased.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


class NotReady(Exception):
    """The release cannot be made; the text says why."""


def notes(version: str, changelog: str, project: str) -> str:
    """The section's text. project: the version of pyproject.toml. Raises NotReady."""
    if version != project:
        raise NotReady(f"the tag says {version}, pyproject.toml says {project}")
    sections = re.split(r"^## ", changelog, flags=re.MULTILINE)
    section = next((text for text in sections[1:] if re.match(rf"\[?{re.escape(version)}[\] (\n]", text)), None)
    if section is None:
        raise NotReady(f"CHANGELOG.md has no section {version}")
    title, _, body = section.partition("\n")
    if "unreleased" in title.lower():
        raise NotReady(f"CHANGELOG.md still calls {version} unreleased: put the day there")
    return body.strip() + "\n"


def main() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    try:
        sys.stdout.write(notes(sys.argv[1], (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), project))
    except NotReady as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
