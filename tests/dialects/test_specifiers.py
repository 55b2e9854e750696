from __future__ import annotations

import itertools

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from vllm_migrate.dialects.specifiers import fits, parse_version

VERSIONS = (
    *("0.5", "0.6.0", "0.6.1", "0.6.10", "0.7", "0.6.0.post1", "0.6.1-2", "0.6.1.post1.dev3", "v0.6.0"),
    *("0.6.0a1", "0.6.0b2", "0.6.0rc1", "0.6.0.dev4", "0.6.0rc1.dev2", "0.6.0-preview", "1!0.1", "0.6.0+cu118"),
    *("2025.3.27", "2026.1.12", "0.0.0", "10.2", "0.6.0.0"),
)
OPERATORS = ("<", "<=", ">", ">=", "==", "!=", "~=")


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_clause_is_read_as_packaging_reads_it(operator: str) -> None:
    for version, wanted in itertools.product(VERSIONS, VERSIONS):
        if "+" in wanted and operator not in ("==", "!="):
            continue
        if operator == "~=" and "." not in wanted:
            continue
        expected = SpecifierSet(f"{operator}{wanted}").contains(version, prereleases=True)
        assert fits(version, f"{operator}{wanted}") is expected, (version, operator, wanted)


@pytest.mark.parametrize(
    "clause", ["==0.6.*", "!=0.6.*", "==0.6.0.*", "==0.*", "== 0.6.1 ", "===0.6.1", "~=0.6.0.post1"]
)
def test_prefixes_and_spaces(clause: str) -> None:
    for version in VERSIONS:
        assert fits(version, clause) is SpecifierSet(clause).contains(version, prereleases=True), version


def test_every_clause_must_fit() -> None:
    assert fits("0.8.5", ">=0.7.3,<=0.8.5") and not fits("0.8.5.post1", ">=0.7.3, <=0.8.5")
    assert fits("0.8.3", ">=0.7.3,!=0.8.4") and not fits("0.8.4", ">=0.7.3,!=0.8.4")


def test_versions_are_ordered_as_packaging_orders_them() -> None:
    for left, right in itertools.product(VERSIONS, VERSIONS):
        if "+" not in left + right:
            assert (parse_version(left) < parse_version(right)) is (Version(left) < Version(right)), (left, right)


@pytest.mark.parametrize("clause", ["0.6.0", "=>0.6", ">=", "", ">=main", "~=1", ">=0.6;x"])
def test_what_is_no_specifier_is_refused(clause: str) -> None:
    with pytest.raises(ValueError):
        fits("0.6.0", clause)


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(ValueError):
        fits("main", ">=0.6")
