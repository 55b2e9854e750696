"""Markdown for a comment on a pull request: a table to scan, and a folded part with why and what to write.

The first line is a marker by which a job finds its own comment again. Text from files is escaped, so that it makes no
markup, mentions nobody and links no issue. A comment holds 65,536 characters on GitHub: what is over LIMIT is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.report.finding import Finding
from vllm_migrate.report.headline import found, headline, next_steps, sentence, settle, severities
from vllm_migrate.report.layout import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vllm_migrate.report.model import Report

MARKER = "<!-- vllm-migrate -->"
LIMIT = 60_000
SIGNS = {"error": ":x:", "warning": ":warning:", "info": ":information_source:"}
FIXES = {"safe": "safe", "review": "needs review", "none": "advice"}
SPECIAL = frozenset("\\`*[]|~$")
ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
JOINER = "\u2060"  # a word joiner: shows nothing, and keeps `@name` and `#12` from being linked


def render(report: Report) -> Iterator[str]:
    counts, findings = report.counts(), [finding for finding in report.findings if not finding.minor]
    lines = [MARKER, f"### vllm-migrate: {severities(counts) or 'nothing to report'}", "", escape(headline(report)), ""]
    lines += [f"> {escape(note)}" for note in report.notes] + [""] * bool(report.notes)
    room = LIMIT - sum(map(len, lines)) - 1000
    rows = _within([_row(finding) for finding in findings], room // 2)
    details = _within([_detail(finding) for finding in findings[: len(rows)]], room - sum(map(len, rows)))
    if rows:
        lines += ["| | where | rule | what changes | fix |", "|---|---|---|---|---|", *rows, ""]
        if len(rows) < len(findings):
            lines += [f"and {len(findings) - len(rows)} more.", ""]
        lines += ["<details><summary>Why it matters, and what to write</summary>", "", *details, "</details>", ""]
    lines.append(escape(found(report, counts)))
    for command, what in next_steps(report, counts):
        lines.append(f"- {code(command)} {what}")
    yield "\n".join(lines) + "\n"


def _within(parts: list[str], room: int) -> list[str]:
    """As many parts from the front as fit."""
    out: list[str] = []
    for part in parts:
        room -= len(part) + 1
        if room < 0:
            break
        out.append(part)
    return out


def _row(finding: Finding) -> str:
    where = code(f"{finding.path}:{finding.region.line}", table=True)
    sign = f"{SIGNS[finding.severity]} {finding.severity}"
    return f"| {sign} | {where} | {finding.code} {finding.name} | {prose(finding.message, table=True)} | {FIXES[finding.safety]} |"


def _detail(finding: Finding) -> str:
    parts = [
        f"**{code(finding.place)} {finding.code} {finding.name}** ({finding.layer})",
        "",
        prose(sentence(finding.message)),
    ]
    if finding.why:
        parts += ["", f"Why: {prose(sentence(finding.why))}"]
    fix = finding.fix
    if fix is not None and fix.safety != "none":
        needs = f", needs vLLM >= {fix.needs}" if fix.needs else ""
        parts += ["", f"Fix ({FIXES[fix.safety]}{needs}): {prose(fix.title)}", "", *fenced(finding.preview)]
    elif finding.advice:
        parts += ["", f"Advice: {prose(sentence(finding.advice))}"]
    if finding.depends_on:
        ways = [way for way in map(settle, finding.depends_on) if way]
        how = f" To settle it: {escape('; or '.join(dict.fromkeys(ways)))}." if ways else ""
        parts += ["", f"Depends on: {escape('; '.join(finding.depends_on))}.{how}"]
    if finding.children:
        parts += ["", "Inherited by: " + ", ".join(code(path) for path in finding.children)]
    return "\n".join([*parts, ""])


def escape(text: str) -> str:
    """Text that shows as it is written, in a paragraph or in a cell of a table."""
    text = clean(text)
    out = []
    for i, c in enumerate(text):
        if c in "@#":
            out.append(c + JOINER)
        elif c in ENTITIES:
            out.append(ENTITIES[c])
        elif c in SPECIAL or (c == "_" and not (text[i - 1 : i].isalnum() and text[i + 1 : i + 2].isalnum())):
            out.append("\\" + c)
        else:
            out.append(c)
    # A list or a rule begins with one of these.
    return ("\\" if text[:1] in ("-", "+", "=") else "") + "".join(out)


def prose(text: str, table: bool = False) -> str:
    """Text of a rule: what it puts in backticks is code, the rest shows as it is written."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return "".join(
        (code(part, table) if part.strip() else "") if i % 2 else escape(part) for i, part in enumerate(parts)
    )


def code(text: str, table: bool = False) -> str:
    """Text as a code span, whatever backticks stand in it."""
    text = clean(text)
    fence = "`" * (_longest_run(text) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text.replace('|', chr(92) + '|') if table else text}{pad}{fence}"


def fenced(lines: list[str]) -> list[str]:
    """Lines as a block of code."""
    shown = [clean(line) if not line.isprintable() else line for line in lines]
    fence = "`" * max(3, _longest_run("\n".join(shown)) + 1)
    return [f"{fence}diff", *shown, fence] if shown else []


def _longest_run(text: str) -> int:
    longest = run = 0
    for c in text:
        run = run + 1 if c == "`" else 0
        longest = max(longest, run)
    return longest
