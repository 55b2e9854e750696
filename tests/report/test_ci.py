"""What GitHub, GitLab and readers of JUnit take."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from tests.report.drafts import Draft, render

COMMAND = re.compile(r"^::(error|warning|notice) ((?:[a-zA-Z]+=[^,:\r\n]*,?)+)::(.*)$")


def decoded(text: str) -> str:
    for code, c in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, c)
    return text


def commands(report: Draft) -> list[tuple[str, dict[str, str], str]]:
    out = []
    for line in render("github", report).splitlines():
        match = COMMAND.match(line)
        if match:
            properties = dict(pair.split("=", 1) for pair in match[2].split(","))
            out.append((match[1], {k: decoded(v) for k, v in properties.items()}, decoded(match[3])))
        else:
            assert not line.lstrip().startswith("::")
    return out


def test_annotations(report: Draft) -> None:
    found = commands(report)
    assert [kind for kind, _, _ in found] == ["error", "error", "warning", "notice", "warning"]
    _, properties, body = found[1]
    assert properties == {
        "file": "conf/base.yaml", "line": "4", "col": "1", "endColumn": "11", "title": "VM401 logprobs-semantics",
    }  # fmt: skip
    assert "\nfix (safe): pin logprobs_mode\n+     logprobs-mode: processed_logprobs" in body


def test_no_text_breaks_out_of_its_command(maker: Any, empty: Draft) -> None:
    make = maker("conf/a,b:c%.yaml", "k: 1\n")
    empty.add(make.finding("k", message="100% of\r\n::error::it, a: b"))
    empty.source_why = "a::set-output"
    ((_, properties, body),) = commands(empty)
    assert properties["file"] == "conf/a,b:c%.yaml"
    assert body == "100% of  ::error::it, a: b"
    assert "::set-output" not in render("github", empty).splitlines()[0]


def test_code_quality(report: Draft) -> None:
    issues = json.loads(render("gitlab", report))
    assert [issue["severity"] for issue in issues] == ["critical", "critical", "major", "info", "major"]
    for issue in issues:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert isinstance(issue["location"]["lines"]["begin"], int)
        assert not issue["location"]["path"].startswith(("./", "/"))
    assert issues[2]["location"] == {"path": "conf/base.yaml", "lines": {"begin": 7, "end": 7}}
    assert issues[2]["check_name"] == "VM203"


def test_code_quality_fingerprints_are_unique(make: Any, empty: Draft) -> None:
    for option in ("a", "b", "c"):
        empty.add(make.finding("vllm_config", option=option))
    prints = [issue["fingerprint"] for issue in json.loads(render("gitlab", empty))]
    assert len(set(prints)) == 3
    assert json.loads(render("gitlab", Draft("1", "2"))) == []


@pytest.mark.parametrize(("fail_on", "failures"), [("error", 2), ("warning", 4), ("info", 5), ("never", 0)])
def test_junit(report: Draft, fail_on: str, failures: int) -> None:
    report.fail_on = fail_on
    root = ElementTree.fromstring(render("junit", report).encode())
    assert root.tag == "testsuites"
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("5", str(failures), "0")
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["conf/base.yaml", "conf/z.yaml"]
    assert sum(len(suite.findall("testcase/failure")) for suite in suites) == failures
    for suite in suites:
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
        assert all(case.get("name") and case.get("classname") for case in cases)


def test_junit_without_findings_has_a_case_that_passes(empty: Draft) -> None:
    (case,) = ElementTree.fromstring(render("junit", empty).encode()).findall("testsuite/testcase")
    assert len(case) == 0


def test_junit_holds_any_text(maker: Any, empty: Draft) -> None:
    make = maker('a<"&>.yaml', "k: 1\n")
    empty.add(make.finding("k", message='\x00 \x1b \ufffe \udcff ]]> <b> & "q" 🚀'))
    root = ElementTree.fromstring(render("junit", empty).encode())
    (failure,) = root.findall("testsuite/testcase/failure")
    assert failure.get("message") == '\\u0000 \\u001b \\ufffe \\udcff ]]> <b> & "q" 🚀'
    assert root.find("testsuite").get("name") == 'a<"&>.yaml'
