"""JUnit XML: a suite for each file with findings, a case for each finding; one below --fail-on is a case that passes.

Without any finding there is one case that passes: readers take a file with no case for a broken run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.report.finding import Finding
from vllm_migrate.report.headline import headline
from vllm_migrate.report.model import fails

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vllm_migrate.report.model import Report


def render(report: Report) -> Iterator[str]:
    suites: dict[str, list[Finding]] = {}
    for finding in report.findings:
        suites.setdefault(finding.path, []).append(finding)
    cases, failures = len(report.findings), report.failing()
    yield '<?xml version="1.0" encoding="utf-8"?>\n'
    yield f'<testsuites name="vllm-migrate" tests="{cases or 1}" failures="{failures}" errors="0">\n'
    for path, findings in suites.items():
        yield "\n".join(_suite(path, findings, report)) + "\n"
    if not suites:
        yield "\n".join(_open_suite("vllm-migrate", 1, 0, report)) + "\n"
        yield f'    <testcase name="no findings" classname="{_text(report.tool)}"/>\n  </testsuite>\n'
    yield "</testsuites>\n"


def _suite(path: str, findings: list[Finding], report: Report) -> list[str]:
    failed = [fails(finding.severity, report.fail_on) for finding in findings]
    lines = _open_suite(path, len(findings), sum(failed), report)
    for finding, failing in zip(findings, failed, strict=True):
        lines += _case(finding, failing)
    return [*lines, "  </testsuite>"]


def _open_suite(name: str, tests: int, failures: int, report: Report) -> list[str]:
    return [
        f'  <testsuite name="{_text(name)}" tests="{tests}" failures="{failures}" errors="0" skipped="0">',
        f'    <properties><property name="releases" value="{_text(headline(report))}"/></properties>',
    ]


def _case(finding: Finding, failing: bool) -> list[str]:
    region = finding.region
    name = f"{finding.code} {finding.name} at {region.line}:{region.column}"
    body = _text(
        "\n".join(
            part
            for part in (f"{finding.place}: {finding.message}", finding.why and f"why: {finding.why}", *finding.preview)
            if part
        )
    )
    if failing:
        inner = f'<failure type="{finding.severity}" message="{_text(finding.message)}">{body}</failure>'
    else:
        inner = f"<system-out>{finding.severity}: {body}</system-out>"
    return [f'    <testcase name="{_text(name)}" classname="{_text(finding.path)}">{inner}</testcase>']


def _text(text: str) -> str:
    """Text as XML holds it, in content and in attributes: XML 1.0 cannot hold most control characters at all."""
    out = []
    for c in text:
        if c in ESCAPES:
            out.append(ESCAPES[c])
        elif c in "\n\t" or " " <= c < "\ud800" or "\ue000" <= c <= "\ufffd" or c >= "\U00010000":
            out.append(c)
        else:
            out.append(f"\\u{ord(c):04x}")
    return "".join(out)


ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
