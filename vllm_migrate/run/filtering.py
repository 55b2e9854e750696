"""Which findings of a run are reported: selection, severities of the project, suppression comments, the baseline."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from vllm_migrate.dialects.model import Spot
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Source
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.reading import named
from vllm_migrate.knowledge.records import Rule
from vllm_migrate.report.finding import Finding
from vllm_migrate.report.findings import Detail, finding_of
from vllm_migrate.report.model import Project
from vllm_migrate.rules.files import file_finding
from vllm_migrate.run.judging import Marked, Result
from vllm_migrate.run.merge import Candidate, candidate_of
from vllm_migrate.run.select import Selection, check_selectors, layered
from vllm_migrate.run.settings import Settings
from vllm_migrate.run.suppress import MARK, KnownRules, Suppressions

PLAIN = Detail(edits=False, preview=False)


class Filtered(NamedTuple):
    """kept: to be reported; suppressed: each with the comment's reason; notes: what to say of the baseline."""

    kept: list[Candidate]
    suppressed: list[tuple[Candidate, str]]
    notes: list[str]


def selection_of(settings: Settings, rules: Sequence[Rule]) -> Selection:
    """The project's choice of rules. Raises UsageError for a selector that means none."""
    config, options = settings.config, settings.options
    written = [config.texts(key) for key in ("select", "ignore", "extend-select")]
    called = [list(chosen) or None for chosen in (options.select, options.ignore, options.extend_select)]
    known = [(rule.code, rule.name) for rule in rules]
    check_selectors([selector for each in called for selector in each or ()], known, "--select/--ignore")
    for key, selectors in zip(("select", "ignore", "extend-select"), written, strict=True):
        if selectors:
            check_selectors(selectors, known, config.where(key))
    for selector in config.severity:
        check_selectors([selector], known, config.where(selector, "severity"))
    for pattern, selectors in config.per_file_ignores.items():
        check_selectors(selectors, known, config.where(pattern, "per-file-ignores"))
    select, ignore, extend = layered(written, called)
    preview = [rule.code for rule in rules if rule.status == "preview"]
    return Selection(select, ignore, extend, config.per_file_ignores, config.severity, preview)


def filtered(result: Result, settings: Settings, selection: Selection, rules: Iterable[Rule]) -> Filtered:
    """Findings that are selected, neither suppressed nor known; comments that suppress nothing are findings too.

    Raises UsageError for a baseline that cannot be read.
    """
    known = KnownRules((rule.code, rule.name, selection.selects(rule.code, rule.name)) for rule in rules)
    names = known.names
    comments = {marked.path: (marked, Suppressions.parse(marked.text, names)) for marked in result.marked}
    below: dict[str, str] = {}  # a path as the project's patterns see it
    out = Filtered([], [], [])
    for candidate in result.candidates:
        path = candidate.place
        if settings.options.to_write and candidate.stops:
            out.kept.append(candidate)
            continue
        if path not in below:
            below[path] = os.path.relpath(path, settings.root or os.curdir).replace(os.sep, "/")
        if not selection.wants(candidate.code, candidate.name, below[path]):
            continue
        severity = selection.severity(candidate.code, candidate.name, candidate.severity)
        if severity == "off":
            continue
        candidate = candidate.of_severity(severity)
        suppression = (
            comments[path][1].match(candidate.code, candidate.name, candidate.line) if path in comments else None
        )
        if suppression is None:
            out.kept.append(candidate)
        else:
            out.suppressed.append((candidate, suppression.reason))
    for marked, suppressions in () if settings.options.to_write else comments.values():
        out.kept.extend(_idle(marked, suppressions, known, selection))
    if settings.baseline and not (settings.options.write_baseline or settings.options.to_write):
        return _against_baseline(out, settings.baseline, result.seen, known)
    return out


def _idle(marked: Marked, suppressions: Suppressions, known: KnownRules, selection: Selection) -> list[Candidate]:
    """Comments that suppress nothing, that name no rule, and those that are meant as suppressions and are none."""
    if not selection.selects("VM910", "unused-suppression"):
        return []
    file = File.bare(Source(marked.path, marked.text.encode("utf-8", "surrogatepass"), marked.text, False, "\n"))
    out = []
    for unused in suppressions.unused(known.tells):
        unknown = [code for code in unused.codes if not known.exists(code)]
        idle = [code for code in unused.codes if code not in unknown]
        for code in unknown:
            message = f"this suppression names {_shown(code)}, which is not a rule"
            out.append(_remark(file, unused.line, unused.column, message, code))
        if idle or not unused.codes:
            what = f" of {', '.join(map(_shown, idle))}" if idle else ""
            message = f"this suppression{what} hides nothing"
            out.append(_remark(file, unused.line, unused.column, message, ",".join(idle)))
    for odd in suppressions.malformed:
        out.append(_remark(file, odd.line, odd.column, odd.message, "malformed"))
    return out


def _shown(code: str) -> str:
    """A code as it is written everywhere else; a name as it is."""
    return code.upper() if code[:2] == "vm" and "-" not in code else code


def _remark(file: File, line: int, column: int, message: str, key: str) -> Candidate:
    start = _offset(file.source.text, line, column)
    fired = file_finding(named("unused-suppression"), message, Spot(file, start, start + len(MARK)), key)
    return candidate_of(fired)._replace(finding=finding_of(fired, None, PLAIN))


def _offset(text: str, line: int, column: int) -> int:
    at = 0
    for _ in range(line - 1):
        at = text.find("\n", at) + 1
    return at + column - 1


def _finding(candidate: Candidate) -> Finding:
    """The candidate as a report has it, whatever else was kept of it."""
    if candidate.finding is not None:
        return candidate.finding
    assert candidate.fired is not None
    return finding_of(candidate.fired, None, PLAIN)


def _against_baseline(out: Filtered, path: str, inputs: Iterable[str], known: KnownRules) -> Filtered:
    from vllm_migrate.report.fingerprint import fingerprint
    from vllm_migrate.run.baseline import Places, load_baseline

    baseline, places = load_baseline(path), Places(path)
    seen = {places.name(file) for file in inputs}
    kept = [
        candidate
        for candidate in out.kept
        if not baseline.hides(fingerprint(_finding(candidate), path=places.name(candidate.place)))
    ]
    hidden = len(out.kept) - len(kept)
    notes = [f"{hidden} {'finding is' if hidden == 1 else 'findings are'} in the baseline {path}"] if hidden else []
    left = baseline.unmatched(lambda code, file: known.looks_at(code.lower()) and file in seen)
    return Filtered(kept, out.suppressed, [*notes, *(f"{path}: {entry}" for entry in left)])


def on_changed_lines(out: Filtered, diff: str, projects: Iterable[Project]) -> Filtered:
    """Findings on lines that a diff (its text) changes; where it changes what decides a project's releases, all of that project.

    Raises UsageError for a diff that cannot be read.
    """
    from vllm_migrate.run.changed import folders_of_pins, read_diff

    changed, pinned = read_diff(diff), folders_of_pins(diff)
    moved = {
        project.root
        for project in projects
        if changed.names(project.why) or changed.names(project.target_why) or _below(project.root, pinned)
    }
    kept = [
        candidate
        for candidate in out.kept
        if (finding := _finding(candidate)).project in moved or changed.holds(finding.region)
    ]
    left_out = len(out.kept) - len(kept)
    those = "1 finding on a line that the diff does not change is"
    if left_out != 1:
        those = f"{left_out} findings on lines that the diff does not change are"
    notes = [f"{those} left out"] if left_out else []
    return Filtered(kept, out.suppressed, [*out.notes, *notes])


def _below(root: str, folders: Collection[str]) -> bool:
    """Whether a folder is one of these, or lies in one."""
    path = os.path.realpath(root or os.curdir)
    return any(path == folder or path.startswith(folder.rstrip(os.sep) + os.sep) for folder in folders)


def record_baseline(candidates: Iterable[Candidate], path: str | None) -> str:
    """Write today's findings as the baseline; what to say of it. Raises UsageError without --baseline."""
    from vllm_migrate.report.fingerprint import fingerprint
    from vllm_migrate.run.baseline import Places, write_baseline

    if not path:
        raise UsageError("--write-baseline needs a file", "add --baseline FILE")
    places = Places(path)
    entries = []
    for candidate in candidates:
        name = places.name(candidate.place)
        entries.append((fingerprint(_finding(candidate), path=name), candidate.code, name))
    return f"recorded {write_baseline(path, entries)} findings in {path}"
