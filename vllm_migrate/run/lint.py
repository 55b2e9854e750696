"""One lint, from its options to a report."""

from __future__ import annotations

import os
from collections.abc import Iterable

from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.records import Rule
from vllm_migrate.report.finding import CHECKLIST, SEVERITIES, Finding
from vllm_migrate.report.findings import EVERYTHING, Detail
from vllm_migrate.report.headline import plural
from vllm_migrate.report.model import Report
from vllm_migrate.run.changed import text_of
from vllm_migrate.run.checklist import checked
from vllm_migrate.run.config import Config
from vllm_migrate.run.dependencies import Dependencies
from vllm_migrate.run.fence import check_output
from vllm_migrate.run.filtering import Filtered, filtered, on_changed_lines, record_baseline, selection_of
from vllm_migrate.run.judging import Result, Run
from vllm_migrate.run.merge import Candidate
from vllm_migrate.run.offers import presenter_of
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options
from vllm_migrate.run.walk import Input

UNRECOGNISED = "no-engine-recognised"  # hooks leave it out
# Below this many files one process is faster than starting more.
FEW = 64


def lint(
    options: Options, detail: Detail = EVERYTHING, jobs: int | None = 1, disk: Disk = DISK
) -> tuple[Report, Dependencies]:
    """The report, and what it depends on.

    detail: what the report has to hold of each finding. jobs: how many processes share the files; None: the usable
    cores, and one for few files. Raises UsageError where the options or the configuration are wrong.
    """
    if options.diff is not None:
        options = options._replace(diff_text=text_of(_diff(options)))
    session = Session(options, disk)
    rules = session.rules()
    selection = selection_of(session.settings, rules)
    run = session.judged() if detail.edits else None
    result = _judged(session, detail, jobs) if run is None else run.finish()
    chosen = filtered(result, session.settings, selection, rules)
    if run is not None:
        chosen = _proved(session, detail, run, result, chosen)
    if options.diff is not None and options.diff_text is not None:
        chosen = on_changed_lines(chosen, options.diff_text, result.projects)
        session.dependencies.note(options.diff)
    kept, notes, diff = _written(session, chosen)
    found = checked((_finding(candidate, session) for candidate in kept), session.settings.config)
    source, target = session.releases(result.projects)
    report = Report(
        source.value,
        target.value,
        source.because,
        target.because,
        result.files,
        result.engines,
        tuple(found.findings),
        (
            *((_finding(candidate, session)._replace(fix=None), reason) for candidate, reason in chosen.suppressed),
            *found.acknowledged,
        ),
        result.problems,
        (
            *session.settings.remarks(False),
            *session.remarks(result.projects),
            *chosen.notes,
            *notes,
            *found.unused,
        ),
        session.settings.fail_on,
        session.paths,
        _arguments(options),
        projects=result.projects,
        fail_on_checklist=session.settings.fail_on_checklist,
        proved=run is not None,
        diff=diff,
        role=_served(found.findings, session),
    )
    if session.settings.baseline:
        session.dependencies.note(session.settings.baseline)
    return report, session.dependencies


def _served(findings: Iterable[Finding], session: Session) -> str:
    """How to state the role, where findings may be graver of an engine that makes rollouts; else ""."""
    most = {rule.code: _gravest(rule) for rule in session.knowledge.rules if _asks_role(rule)}
    served = (
        f.path
        for f in findings
        if f.engine is not None
        and f.engine.role == "serving"
        and f.code in most
        and (f.kind == CHECKLIST or SEVERITIES.index(f.severity) < most[f.code])
    )
    paths = [path for path in dict.fromkeys(served) if session.situations.of(path).role is None]
    if not paths:
        return ""
    others = f" (and {plural(len(paths) - 1, 'more file')})" if len(paths) > 1 else ""
    file, table = _table_for(paths[0], session.settings.config)
    said = f"{paths[0]}{others} is judged as serving; if it makes rollouts, say so in {file}:"
    return f'{said}\n{table}\nrole = "rl_rollout"'


def _table_for(path: str, config: Config) -> tuple[str, str]:
    """The configuration file that a setting for one file goes into, and the head of its table."""
    import json

    below = os.path.relpath(path, config.root or os.curdir).replace(os.sep, "/")
    key = json.dumps(below, ensure_ascii=False)
    table = "tool.vllm-migrate.per-file-settings" if config.path.endswith("pyproject.toml") else "per-file-settings"
    return config.path or "vllm-migrate.toml", f"[{table}.{key}]"


def _asks_role(rule: Rule) -> bool:
    return any(
        "'role'" in repr(condition) for condition in (rule.checklist, *(case.when for case in rule.severity_when))
    )


def _gravest(rule: Rule) -> int:
    return max(
        SEVERITIES.index(severity) for severity in (rule.severity, *(case.severity for case in rule.severity_when))
    )


def _proved(session: Session, detail: Detail, run: Run, result: Result, chosen: Filtered) -> Filtered:
    """What is reported, with those offers that `fix` writes, and why it does not write the others."""
    from vllm_migrate.run.whole import settle

    candidates = [*chosen.kept, *(candidate for candidate, _ in chosen.suppressed)]
    fired = [candidate.fired for candidate in candidates if candidate.finding is None and candidate.fired is not None]
    kept = tuple(candidate.fired for candidate in chosen.kept if candidate.fired is not None)
    present = presenter_of(session, detail, settle(session, run, result.findings, kept, unsafe=True))
    findings = dict(zip(map(id, fired), present(fired), strict=True))

    def shown(candidate: Candidate) -> Candidate:
        finding = findings.get(id(candidate.fired))
        return candidate if finding is None else candidate._replace(finding=finding)

    suppressed = [(shown(candidate), reason) for candidate, reason in chosen.suppressed]
    return Filtered(list(map(shown, chosen.kept)), suppressed, chosen.notes)


def _judged(session: Session, detail: Detail, jobs: int | None) -> Result:
    """The result, shared by processes where that pays; it is the same in one."""
    count = how_many(jobs, session.inputs)
    if count > 1:
        from vllm_migrate.run.parallel import judge_shared

        result = judge_shared(session, detail, count)
        if result is not None:
            return result
    return session.run(presenter_of(session, detail))


def how_many(jobs: int | None, inputs: list[Input]) -> int:
    """How many processes share the files: those asked for, else the usable cores; one for few files."""
    if any(entry.stdin for entry in inputs):
        return 1
    if jobs is not None:
        return min(jobs, len(inputs))
    if len(inputs) < FEW:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _finding(candidate: Candidate, session: Session) -> Finding:
    finding = candidate.finding
    assert finding is not None
    if not finding.project:  # it is about a file, and no engine
        situation = session.situations.of(finding.path)
        releases = (situation.source.value, situation.target.value)
        finding = finding._replace(project=situation.project.replace(os.sep, "/"), releases=releases)
    return finding._replace(children=tuple(sorted(candidate.children)))


def _diff(options: Options) -> str:
    """The diff to whose changed lines findings are kept. Raises UsageError where it does not go with another option."""
    assert options.diff is not None
    if options.write_baseline:
        raise UsageError("--write-baseline records every finding", "leave --diff out")
    if options.diff == "-" and "-" in options.paths:
        raise UsageError("standard input cannot be both the diff and a file", "give one of them as a file")
    return options.diff


def _written(session: Session, chosen: Filtered) -> tuple[list[Candidate], list[str], str]:
    """What is left to report, and notes, after the baseline or suppressions are written as the options ask; else the diff of
    the suppressions."""
    kept, notes, diff = chosen.kept, [], ""
    if session.options.write_baseline:
        check_output(session.settings.baseline or "", session.options.allow_outside)
        notes.append(record_baseline(kept, session.settings.baseline))
        kept = []
    if session.options.add_ignores:
        from vllm_migrate.report.fix import diff as diff_of
        from vllm_migrate.run.ignores import plan_ignores, write_ignores

        planned = plan_ignores(kept, session.disk, session.options.reason or "")
        if session.options.write:
            planned = write_ignores(planned, session.disk)
            kept = planned.left
        else:
            diff = "".join(f"{line}\n" for file, edits in planned.edits.items() for line in diff_of(file, edits))
        notes.extend(planned.notes)
    return kept, notes, diff


def _arguments(options: Options) -> tuple[str, ...]:
    """The words of the call that decide what is compared, and of which rules and files."""
    ignored = tuple(rule for rule in options.ignore if rule != UNRECOGNISED)
    given = (
        ("--from", options.source),
        ("--to", options.target),
        ("--from-engine", options.from_engine),
        ("--gpu", options.gpu),
        ("--model-config", options.model_config),
        ("--stdin-filename", options.stdin_filename),
        ("--select", ",".join(options.select) or None),
        ("--ignore", ",".join(ignored) or None),
        ("--extend-select", ",".join(options.extend_select) or None),
        *(("--exclude", pattern) for pattern in options.exclude),
        ("--config", options.config),
        *(("--allow-outside", folder) for folder in options.allow_outside),
    )
    flags = (("--isolated", options.isolated), ("--history", options.history))
    words = [word for name, value in given if value is not None for word in (name, value)]
    return (*words, *(name for name, given in flags if given))
