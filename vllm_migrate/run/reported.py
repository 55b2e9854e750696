"""Which findings of a run are told: selection, severities of the project, suppression comments, the baseline."""

from __future__ import annotations

import os
from collections.abc import Sequence

from vllm_migrate.dialects.model import Spot
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Source
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.records import Rule
from vllm_migrate.rules.files import file_finding, named
from vllm_migrate.rules.finding import Finding
from vllm_migrate.run.judging import Result
from vllm_migrate.run.select import Selection, check_selectors, layered
from vllm_migrate.run.settings import Settings
from vllm_migrate.run.suppress import MARK, Judged, Suppressions


class Sifted:
    """kept: to be told; suppressed: each with the comment's reason; hidden: how many the baseline knows."""

    __slots__ = ("hidden", "kept", "notes", "suppressed")

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        self.suppressed: list[tuple[Finding, str]] = []
        self.hidden = 0
        self.notes: list[str] = []


def selection_of(settings: Settings, rules: Sequence[Rule]) -> Selection:
    """The project's choice of rules. Raises UsageError for a selector that means none."""
    config, call = settings.config, settings.call
    written = [config.texts(key) for key in ("select", "ignore", "extend-select")]
    said = [call.texts(key) or None for key in ("select", "ignore", "extend_select")]
    known = [(rule.code, rule.name) for rule in rules]
    check_selectors([s for each in said for s in each or ()], known, "--select/--ignore")
    for key, selectors in zip(("select", "ignore", "extend-select"), written, strict=True):
        if selectors:
            check_selectors(selectors, known, config.where(key))
    for selector in config.severity:
        check_selectors([selector], known, config.where(selector, "severity"))
    for pattern, selectors in config.per_file_ignores.items():
        check_selectors(selectors, known, config.where(pattern, "per-file-ignores"))
    select, ignore, extend = layered(written, said)
    return Selection(select, ignore, extend, config.per_file_ignores, config.severity)


def sift(result: Result, settings: Settings, rules: Sequence[Rule]) -> Sifted:
    """Findings that are selected, neither suppressed nor known; comments that suppress nothing are findings too."""
    selection = selection_of(settings, rules)
    out = Sifted()
    codes = [(rule.code, rule.name) for rule in rules]
    judged = Judged((code, name, selection.selects(code, name)) for code, name in codes)
    names = judged.names
    comments = {source.path: (source, Suppressions.parse(source.text, names)) for source in result.marked}
    below: dict[str, str] = {}  # a path as the project's patterns see it
    for finding in result.findings:
        path = finding.spot.file.path
        if path not in below:
            below[path] = os.path.relpath(path, settings.root or os.curdir).replace(os.sep, "/")
        if _chosen(finding, selection, below[path]):
            _place(finding, comments, out)
    for source, suppressions in comments.values():
        out.kept.extend(_idle(source, suppressions, judged, selection))
    if settings.baseline and not settings.call.flag("write_baseline"):
        _against_baseline(out, settings.baseline, result.seen, judged)
    return out


def _chosen(finding: Finding, selection: Selection, path: str) -> bool:
    if not selection.wants(finding.code, finding.name, path):
        return False
    severity = selection.severity(finding.code, finding.name, finding.severity)
    if severity == "off":
        return False
    finding.severity = severity
    return True


def _place(finding: Finding, comments: dict[str, tuple[Source, Suppressions]], out: Sifted) -> None:
    source = finding.spot.file.source
    marked = comments.get(source.path)
    found = None
    if marked is not None:
        line = source.position(min(finding.spot.start, len(source.text))).line
        found = marked[1].match(finding.code, finding.name, line)
    if found is None:
        out.kept.append(finding)
    else:
        out.suppressed.append((finding, found.reason))


def _idle(source: Source, suppressions: Suppressions, judged: Judged, selection: Selection) -> list[Finding]:
    """Comments that suppress nothing, that name no rule, and those that are meant as suppressions and are none."""
    if not selection.selects("VM910", "unused-suppression"):
        return []
    file = File.bare(source)
    out = []
    for unused in suppressions.unused(judged.tells):
        unknown = [code for code in unused.codes if not judged.exists(code)]
        idle = [code for code in unused.codes if code not in unknown]
        for code in unknown:
            message = f"this suppression names {_shown(code)}, and no rule is called so"
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


def _remark(file: File, line: int, column: int, message: str, key: str) -> Finding:
    start = _offset(file.source.text, line, column)
    return file_finding(named("unused-suppression"), message, Spot(file, start, start + len(MARK)), key)


def _offset(text: str, line: int, column: int) -> int:
    at = 0
    for _ in range(line - 1):
        at = text.find("\n", at) + 1
    return at + column - 1


def _against_baseline(out: Sifted, path: str, inputs: list[str], judged: Judged) -> None:
    from vllm_migrate.report.fingerprint import fingerprint
    from vllm_migrate.run.baseline import Places, load_baseline

    baseline, places = load_baseline(path), Places(path)
    seen = {places.name(file) for file in inputs}
    kept = []
    for finding in out.kept:
        if baseline.hides(fingerprint(finding, places.name(finding.spot.file.path))):
            out.hidden += 1
        else:
            kept.append(finding)
    out.kept = kept
    if out.hidden:
        out.notes.append(f"{out.hidden} findings are known to the baseline {path}")
    left = baseline.unmatched(lambda code, file: judged.looks_at(code.lower()) and file in seen)
    out.notes.extend(f"{path}: {known}" for known in left)


def record_baseline(findings: list[Finding], path: str | None) -> str:
    """Write today's findings as the baseline; what to tell. Raises UsageError without --baseline."""
    from vllm_migrate.report.fingerprint import fingerprint
    from vllm_migrate.run.baseline import Places, write_baseline

    if not path:
        raise UsageError("--write-baseline needs a file", "add --baseline FILE")
    places = Places(path)
    named = [(finding, places.name(finding.spot.file.path)) for finding in findings]
    count = write_baseline(path, [(fingerprint(finding, name), finding.code, name) for finding, name in named])
    return f"recorded {count} findings in {path}"
