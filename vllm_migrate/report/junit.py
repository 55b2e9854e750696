"""JUnit XML: a suite for each file with findings, a case for each finding; one below --fail-on is a case that passes.

Without any finding there is one case that passes: readers take a file with no case for a broken run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.report.headline import headline
from vllm_migrate.report.items import Item, items_of
from vllm_migrate.report.model import NEVER
from vllm_migrate.rules.finding import SEVERITIES

if TYPE_CHECKING:
    from vllm_migrate.report.model import Report


def render(report: Report) -> str:
    suites: dict[str, list[Item]] = {}
    for item in items_of(report):
        suites.setdefault(item.path, []).append(item)
    cases, failures = sum(map(len, suites.values())), report.failing()
    lines = ['<?xml version="1.0" encoding="utf-8"?>']
    lines.append(f'<testsuites name="vllm-migrate" tests="{cases or 1}" failures="{failures}" errors="0">')
    for path, items in suites.items():
        lines += _suite(path, items, report)
    if not suites:
        lines += [
            *_open_suite("vllm-migrate", 1, 0, report),
            f'    <testcase name="no findings" classname="{_text(report.tool)}"/>',
            "  </testsuite>",
        ]
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _suite(path: str, items: list[Item], report: Report) -> list[str]:
    failed = [_fails(item, report.fail_on) for item in items]
    lines = _open_suite(path, len(items), sum(failed), report)
    for item, fails in zip(items, failed, strict=True):
        lines += _case(item, fails)
    return [*lines, "  </testsuite>"]


def _open_suite(name: str, tests: int, failures: int, report: Report) -> list[str]:
    return [
        f'  <testsuite name="{_text(name)}" tests="{tests}" failures="{failures}" errors="0" skipped="0">',
        f'    <properties><property name="releases" value="{_text(headline(report))}"/></properties>',
    ]


def _case(item: Item, fails: bool) -> list[str]:
    region = item.region
    name = f"{item.code} {item.name} at {region.line}:{region.column}"
    body = _text(
        "\n".join(
            part for part in (f"{item.place}: {item.message}", item.why and f"why: {item.why}", *item.preview) if part
        )
    )
    if fails:
        inner = f'<failure type="{item.severity}" message="{_text(item.message)}">{body}</failure>'
    else:
        inner = f"<system-out>{item.severity}: {body}</system-out>"
    return [f'    <testcase name="{_text(name)}" classname="{_text(item.path)}">{inner}</testcase>']


def _fails(item: Item, fail_on: str) -> bool:
    return fail_on != NEVER and SEVERITIES.index(item.severity) >= SEVERITIES.index(fail_on)


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
