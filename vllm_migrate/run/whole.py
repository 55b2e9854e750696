"""The whole change of a run proved at once: planned, put over the files in memory, and every file that reads them judged again.

Each edit is proved by itself and with the others of its engine (fixes/apply.py). This asks whether every file that reads them
still composes and starts. What breaks it is taken back, the smallest part first.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable

from vllm_migrate.dialects.tree import File
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import apply_edits
from vllm_migrate.fixes.apply import Fixer, fix_all
from vllm_migrate.fixes.plan import Plan
from vllm_migrate.rules.finding import SEVERITIES, Firing
from vllm_migrate.run.judging import Part, Run, combine
from vllm_migrate.run.session import Session

# Plans that are tried before what is left is not written at all.
ROUNDS = 6
IN_PART = "VM908"
Key = tuple[str, str, str]
Refused = tuple[Firing, str]


def settle(
    session: Session,
    run: Run,
    found: Iterable[Firing],
    findings: tuple[Firing, ...],
    unsafe: bool,
    held: Callable[[str], bool] | None = None,
) -> Plan:
    """What may be written of the fixes of `findings`. run: has judged the files; found: all that it found.

    unsafe: fixes to review, too. held: whether the file at a path is left as it is; no fix is made by half for that.
    """
    fixer = session.fixer(run.workspace)

    found = list(found)
    findings, apart = _whole_files(findings, {each.spot.file.path for each in found if each.code == IN_PART})

    def make(wanted: list[Firing]) -> Plan:
        made = _planned(session, fixer, wanted, unsafe) if held is None else _free(session, fixer, wanted, unsafe, held)
        return made._replace(refused=(*made.refused, *apart)) if apart else made

    plan = make(list(findings))
    if any(entry.stdin for entry in session.inputs):
        return plan
    again = _Again(session, run, fixer)
    before = Counter(map(_key, found))
    taken: dict[int, tuple[Firing, str]] = {}
    causes: dict[int, Key] = {}
    for turn in range(2 * ROUNDS):
        gained = _gained(again.findings(plan), before) if plan.edits else []
        culprits = [(new, finding) for new in gained for finding in _behind(new, plan.applied, turn >= ROUNDS)]
        if not culprits:
            break
        for new, finding in culprits:
            place = f"{new.spot.file.path}:{new.spot.file.source.position(new.spot.start).line}"
            taken[id(finding)] = (finding, f"it would cause {new.code} {new.name} at {place}")
            causes[id(finding)] = _key(new)
        plan = make([finding for finding in findings if id(finding) not in taken])
    else:
        refused = tuple((finding, "together, the fixes would cause new findings") for finding in plan.applied)
        return Plan({}, (), (*plan.refused, *refused, *taken.values()))
    left = set(map(_key, gained))
    vain = {number for number, cause in causes.items() if cause in left}
    if vain:  # what they were taken back for is there all the same
        wanted = make([finding for finding in findings if id(finding) not in taken or id(finding) in vain])
        if left.issuperset(map(_key, _gained(again.findings(wanted), before))):
            plan, taken = wanted, {number: each for number, each in taken.items() if number not in vain}
    return plan._replace(refused=(*plan.refused, *taken.values()))


def _whole_files(findings: tuple[Firing, ...], in_part: set[str]) -> tuple[tuple[Firing, ...], tuple[Refused, ...]]:
    """The findings that may be mended, and those in files of which the rest is not known: no edit there can be proved."""
    if not in_part:
        return findings, ()
    apart = {id(finding) for finding in findings if finding.spot.file.outermost.path in in_part}
    kept = tuple(finding for finding in findings if id(finding) not in apart)
    return kept, tuple(
        (finding, f"the file is judged only in part ({IN_PART})") for finding in findings if id(finding) in apart
    )


class _Again:
    """Judges the files that edits concern, those whose texts are other than at the last call."""

    def __init__(self, session: Session, run: Run, fixer: Fixer) -> None:
        self._session = session
        self._fixer = fixer
        self._workspace = run.workspace
        self._claimed = run.workspace.claimed
        self._reads = dict(run.reads)
        self._texts: dict[str, str] = {}
        self._originals: dict[str, str] = {}
        self._parts: dict[str, Part] = {}

    def findings(self, plan: Plan) -> list[Firing]:
        """What is found in the files that the edits concern, once they are made."""
        session = self._session
        texts = {os.path.normpath(f.path): apply_edits(f.source.text, edits) for f, edits in plan.edits.items()}
        changed = {path: text for path, text in texts.items() if self._texts.get(path) != text}
        changed.update((path, self._originals[path]) for path in self._texts if path not in texts)
        self._originals.update((os.path.normpath(file.path), file.source.text) for file in plan.edits)
        self._texts = texts
        paths = [entry.path for entry in session.inputs]
        workspace = Workspace(paths, changed, disk=session.disk, under=self._workspace, situate=session.situations.of)
        workspace.claimed = set(self._claimed)
        self._workspace = workspace
        self._share(workspace, texts)
        concerned = self._concerned(set(changed))
        for entry in session.in_order():
            if os.path.normpath(entry.path) in concerned:
                run = Run(session.catalog, session.knowledge, workspace)
                session.judge(run, entry)
                self._parts[entry.path] = run.part()
                self._reads.update(run.reads)
        order = [entry.path for entry in session.in_order()]
        return combine(self._parts[path] for path in order if path in self._parts).findings

    def _share(self, workspace: Workspace, texts: dict[str, str]) -> None:
        """Let what the proof of the edits has read and found stand where all its files are as they will be."""
        for path, (file, found) in self._fixer.read_back.items():
            read = {file, *(each for subject in found.subjects for each in subject.files)}
            if path in workspace.texts and all(_stands(each, texts) for each in read):
                file.requested = path in workspace.requested
                workspace.hold(file)
                workspace.discovered[path] = found

    def _concerned(self, changed: set[str]) -> set[str]:
        """The changed files, those that read them, and what these read: a finding may stand at any of them."""
        out = set(changed)
        for path, read in self._reads.items():
            if not read.isdisjoint(changed):
                out |= {os.path.normpath(path), *read}
        return out


def _stands(file: File, texts: dict[str, str]) -> bool:
    """Whether a file was read as it will be."""
    file = file.outermost
    return texts.get(os.path.normpath(file.path), file.source.text) == file.source.text


def _key(finding: Firing) -> Key:
    """What stays of a finding when lines move and engines are counted anew; of several engines that share a place, any may be named."""
    return finding.code, finding.spot.file.path, finding.option


def _gained(after: Iterable[Firing], before: Counter[Key]) -> list[Firing]:
    """Findings that were not there before the edits."""
    left = before.copy()
    gained = []
    for finding in after:
        left[_key(finding)] -= 1
        if left[_key(finding)] < 0:
            gained.append(finding)
    return gained


def _behind(new: Firing, applied: tuple[Firing, ...], wide: bool) -> list[Firing]:
    """Which fixes a new finding comes of; none where it is an info and they mend what stops the engine.

    Those about its option on its engine, else in its files, else those that take something from its engine (what it had was
    evidence of the old one), else all of its engine, else of its files: the least severe alone. wide: all of its files.
    """
    files = {file.path for file in new.engine.files} if new.engine is not None else {new.spot.file.path}
    near = [f for f in applied if f.engine is not None and files & {file.path for file in f.engine.files}]
    if wide:
        return [] if new.severity == "info" else near or list(applied)
    mine = [f for f in near if f.engine is not None and {file.path for file in f.engine.files} == files]
    about = [f for f in near if f.fix is not None and any(_same(action.option, new) for action in f.fix.actions)]
    own = [f for f in about if f in mine]
    fewer = [f for f in mine if f.fix is not None and any(action.kind in ("drop", "core") for action in f.fix.actions)]
    found = own or about or fewer or mine or near or list(applied)
    mildest = min((SEVERITIES.index(f.severity) for f in found), default=0)
    # An option that stops the engine is not kept because it shows which core ran at the source.
    if new.severity == "info" and SEVERITIES[mildest] == "error":
        return []
    return [f for f in found if mildest == SEVERITIES.index(f.severity)]


def _same(option: str, new: Firing) -> bool:
    """Whether an option is what a finding is about: by its name, by that of a mapping with the key, or by the last part of a key."""
    last = new.key.rpartition(".")[2].replace("-", "_").removeprefix("no_")
    return option in (new.option, new.option.partition(".")[0], last)


def _free(session: Session, fixer: Fixer, findings: list[Firing], unsafe: bool, held: Callable[[str], bool]) -> Plan:
    """What may be written where some files are left as they are."""

    def barred(file: File) -> bool:
        return held(file.path) or not (file.requested or session.options.follow_parents)

    free = [finding for finding in findings if not held(finding.spot.file.outermost.path)]
    return fix_all(free, fixer, unsafe, barred)


def _planned(session: Session, fixer: Fixer, findings: list[Firing], unsafe: bool) -> Plan:
    """What may be written, proved by itself; what reaches into parents outside the PATHs is planned to be shown."""
    whole = fix_all(findings, fixer, unsafe)
    outside = {file: edits for file, edits in whole.edits.items() if not file.requested}
    if not outside or session.options.follow_parents:
        return whole._replace(shown=whole.applied)
    own = fix_all(findings, fixer, unsafe, lambda file: not file.requested)
    settled = {id(finding) for finding in (*own.applied, *(finding for finding, _ in own.refused))}
    refused = tuple((finding, why) for finding, why in whole.refused if id(finding) not in settled)
    return own._replace(refused=own.refused + refused, outside=outside, shown=whole.applied)
