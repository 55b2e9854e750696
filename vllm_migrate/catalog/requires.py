"""What each release requires: Python, packages by platform, extras, and what its image is built with.

requires = load()
requires.python("0.18.1")                       # "<3.14,>=3.10"
requires.package("torch", "0.18.1").spec        # "==2.10.0"
requires.allows("transformers", "4.57.1", "0.33.0")
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from vllm_migrate.catalog import sheets, store

# Spelled as people ask for them.
NOTABLE = ("torch", "transformers", "xformers", "flashinfer-python", "ray", "numba", "numpy", "xgrammar", "pydantic")


class Package(NamedTuple):
    """What a release declares of a package: a specifier ("" for any release), or one for each environment marker."""

    name: str
    spec: str | None
    when: tuple[tuple[str, str], ...] = ()
    extras: tuple[str, ...] = ()

    def specs(self) -> list[str]:
        """Every specifier declared, whatever the marker."""
        return ([self.spec] if self.spec is not None else []) + [spec for _, spec in self.when]


class Requires:
    """Reads `requires.json`."""

    def __init__(self, sheet: sheets.Sheet) -> None:
        self._sheet = sheet

    def python(self, release: str) -> str | None:
        """The specifier of Python releases, None where it is not known."""
        facts = self._sheet.at("python", "python", release)
        return facts["spec"] if facts else None

    def packages(self, release: str, platform: str = "cuda") -> dict[str, Package]:
        """Every package that a release declares for a platform; empty where it declares none."""
        entries = self._sheet.entries(platform, release)
        return {name: _package(name, facts) for name, facts in entries.items()}

    def package(self, name: str, release: str, platform: str = "cuda") -> Package | None:
        """What a release declares of one package, None where it does not name it."""
        name = re.sub(r"[-_.]+", "-", name).lower()
        facts = self._sheet.at(platform, name, release)
        return _package(name, facts) if facts is not None else None

    def extras(self, release: str) -> dict[str, dict[str, Package]]:
        """Extra -> its packages."""
        return {
            extra: {name: _package(name, one) for name, one in facts["packages"].items()}
            for extra, facts in self._sheet.entries("extra", release).items()
        }

    def image(self, release: str) -> dict[str, str]:
        """What the release's own Dockerfile builds with (`CUDA_VERSION`, `PYTHON_VERSION`, `torch_cuda_arch_list`, ...)."""
        return {name: str(facts["value"]) for name, facts in self._sheet.entries("image", release).items()}

    def allows(self, name: str, version: str, release: str, platform: str = "cuda") -> bool | None:
        """Whether a release accepts a version of a package; `python` is one. None where only a marker decides, where it
        declares nothing, or where the version cannot be compared."""
        from packaging.specifiers import InvalidSpecifier, SpecifierSet
        from packaging.version import InvalidVersion, Version

        if name.lower() == "python":
            spec = self.python(release)
            specs = [spec] if spec is not None else []
        else:
            package = self.package(name, release, platform)
            specs = package.specs() if package is not None else []
        try:
            answers = {SpecifierSet(spec).contains(Version(version), prereleases=True) for spec in specs}
        except (InvalidSpecifier, InvalidVersion):
            return None
        return answers.pop() if len(answers) == 1 else None


def _package(name: str, facts: dict[str, Any]) -> Package:
    when = tuple((str(marker), str(spec)) for marker, spec in facts.get("when", ()))
    return Package(name, facts.get("spec"), when, tuple(facts.get("extras", ())))


def load(catalog: store.Catalog | None = None) -> Requires:
    """The shipped requirements, read once for each loaded catalog."""
    return Requires(sheets.load("requires", catalog))
