"""Which rules count, where, and how gravely."""

from __future__ import annotations

import pytest

from vllm_migrate.errors import UsageError
from vllm_migrate.run.select import Selection, check_selectors, fails, layered

RULES = [("VM101", "prefix-caching-default"), ("VM102", "async-default"), ("VM201", "removed"), ("VM901", "no-engine")]


def chosen(selection: Selection) -> str:
    return " ".join(code[2:] for code, name in RULES if selection.selects(code, name))


@pytest.mark.parametrize(
    ("select", "ignore", "extend", "expected"),
    [
        (None, [], [], "101 102 201 901"),
        (["ALL"], ["VM1"], [], "201 901"),
        (["VM1"], [], [], "101 102"),
        (["vm1"], ["VM101"], [], "102"),
        (["VM101"], ["VM1"], [], "101"),
        (["VM101"], ["VM101"], [], ""),
        (["VM101"], ["prefix-caching-default"], [], ""),
        (["prefix-caching-default"], ["VM"], [], "101"),
        (["VM1"], [], ["VM2"], "101 102 201"),
        (["VM1"], ["VM2"], ["removed"], "101 102 201"),
        ([], [], [], ""),
        (["VM10"], ["all"], [], "101 102"),
        (["removed-x"], [], [], ""),
    ],
)
def test_the_longer_selector_wins(
    select: list[str] | None, ignore: list[str], extend: list[str], expected: str
) -> None:
    assert chosen(Selection(select, ignore, extend)) == expected


def test_per_file_ignores() -> None:
    selection = Selection(
        per_file_ignores={
            "tests/": ["VM1"],
            "*.sh": ["removed"],
            "/conf/old.yaml": ["ALL"],
            "!prod/**": ["VM102"],
        }
    )

    def wanted(path: str) -> str:
        return " ".join(code[2:] for code, name in RULES if selection.wants(code, name, path))

    assert wanted("prod/a.yaml") == "101 102 201 901"
    assert wanted("conf/a.yaml") == "101 201 901"
    assert wanted("x/tests/y/a.yaml") == "201 901"
    assert wanted("prod/run.sh") == "101 102 901"
    assert wanted("conf/old.yaml") == ""
    assert wanted("x/conf/old.yaml") == "101 201 901"


def test_severity() -> None:
    selection = Selection(severity={"VM101": "info", "VM1": "error", "removed": "off", "VM10": "warning"})
    assert selection.severity("VM101", "prefix-caching-default", "warning") == "info"
    assert selection.severity("VM102", "async-default", "info") == "warning"
    assert selection.severity("VM150", "x", "info") == "error"
    assert selection.severity("VM201", "removed", "error") == "off"
    assert selection.severity("VM301", "x", "error") == "error"


def test_fails() -> None:
    table = {
        on: [s for s in ("info", "warning", "error") if fails(s, on)] for on in ("info", "warning", "error", "never")
    }
    assert table == {
        "info": ["info", "warning", "error"],
        "warning": ["warning", "error"],
        "error": ["error"],
        "never": [],
    }


def test_a_command_line_over_a_configuration() -> None:
    written = (["VM1"], ["VM101"], ["VM2"])
    assert layered(written, (None, ["VM3"], ["VM4"])) == (["VM1"], ["VM101", "VM3"], ["VM2", "VM4"])
    assert layered(written, (["VM9"], None, ["VM4"])) == (["VM9"], [], ["VM4"])
    assert layered((None, None, None), (None, None, None)) == (None, [], [])


def test_selectors_that_mean_nothing() -> None:
    check_selectors(["ALL", "vm1", "VM201", "no-engine"], RULES, "--select")
    with pytest.raises(UsageError, match="--select: there is no rule 'prefix-cache-default'") as caught:
        check_selectors(["VM1", "prefix-cache-default"], RULES, "--select")
    assert caught.value.remedy.startswith("did you mean prefix-caching-default")
    with pytest.raises(UsageError) as caught:
        check_selectors(["VM110"], RULES, "x.toml:3")
    assert caught.value.message == "x.toml:3: there is no rule 'VM110'"
    assert caught.value.remedy == "`vllm-migrate rules` lists them", "similar digits mean nothing"
    with pytest.raises(UsageError) as caught:
        check_selectors(["vm1011"], RULES, "x.toml:3")
    assert "VM101" in caught.value.remedy
    with pytest.raises(UsageError, match="there is no rule 'zzz'"):
        check_selectors(["zzz"], RULES, "--ignore")
