"""Sentences that several formats share: which releases, how many findings, what can be fixed, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.report.layout import clean
from vllm_migrate.report.model import Project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vllm_migrate.report.model import Counts, Report

# What a `depends_on` reason begins with, and how a user settles it.
SETTLED_BY = (
    (
        "the model's generation_config.json",
        "set that sampling parameter, or pass --model-config FOLDER (the model's)",
    ),
    ("the model's ", "pass --model-config FOLDER (the model's)"),
    ("the GPU", "pass --gpu NAME"),
    ("whether a parent that was not found", "lint it together with its configuration folder"),
    ("the value of VLLM_USE_V1", "pass --from-engine v0 or v1"),
    ("the value of ", "replace the reference in the file with a value"),
    ("which engine", "pass --from-engine v0 or v1"),
    ("the engine", "pass --from-engine v0 or v1"),
    ("vllm_config.use_v1", "pass --from-engine v0 or v1"),
)

# What the marks of a fix mean.
MEANINGS = {
    "safe": "only restores what the old engine ran; `fix --write` writes it",
    "review": "does more, or depends on what no file shows; `fix --unsafe --write` writes it too",
}

# An edit in more files than these tells their number.
MANY_FILES = 2

# With more paths than these (a hook passes hundreds) no command is printed that would repeat them.
MANY = 4


# More moves than these are counted, and of each so many projects are named; machine formats list them all.
MANY_MOVES = 8
FEW = 3


def headline(report: Report) -> str:
    """Both releases and why these: `vLLM 0.8.5 (uv.lock:12 pins it) -> 0.18.1 (the default)`; of several projects each."""
    return "; ".join(headlines(report))


def headlines(report: Report) -> list[str]:
    """The same, a line for each move that projects make."""
    if len(report.projects) < 2:
        project = report.projects[0] if report.projects else None
        whole = project or Project("", report.source, report.target, report.source_why, report.target_why)
        return [move_of(whole)]
    roots: dict[str, list[str]] = {}
    for project in _distinct(report.projects):
        roots.setdefault(move_of(project), []).append(clean(project.root))
    lines = [f"{_some(names)}: {move}" for move, names in list(roots.items())[:MANY_MOVES]]
    more = sum(map(len, list(roots.values())[MANY_MOVES:]))
    return [*lines, f"and {plural(more, 'more project')} (--output-format json lists them)"] if more > 0 else lines


def _distinct(projects: Sequence[Project]) -> list[Project]:
    """Those of one folder with the same two releases as one: the first place that shows them, and how many more do."""
    same: dict[tuple[str, str, str], list[Project]] = {}
    for project in projects:
        same.setdefault((project.root, project.source, project.target), []).append(project)
    return [
        first._replace(why=f"{first.why}; {plural(len(more), 'more place')} likewise") if more else first
        for first, *more in same.values()
    ]


def _some(names: list[str]) -> str:
    """A few names, and how many more there are."""
    shown = names[:FEW] if len(names) > FEW + 1 else names
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def move_of(project: Project) -> str:
    """Both releases and what shows them; of a project at its target the one, and how to look back."""
    if project.moves:
        return f"vLLM {_release(project.source, project.why)} -> {_release(project.target, project.target_why)}"
    return f"vLLM {_release(project.source, project.why)}, judged at that release; --from X compares it with an earlier one"


def _release(release: str, why: str) -> str:
    return clean(f"{release} ({why})" if why else release)


def plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def severities(counts: Counts) -> str:
    """`3 errors, 2 warnings, 1 info`; empty when there is none."""
    parts = []
    if counts.error:
        parts.append(plural(counts.error, "error"))
    if counts.warning:
        parts.append(plural(counts.warning, "warning"))
    if counts.info:
        parts.append(f"{counts.info} info")
    return ", ".join(parts)


def found(report: Report, counts: Counts) -> str:
    """`Found 3 errors, 1 info in 14 files (2 suppressed).`"""
    where = f"in {plural(report.files, 'file')}"
    hidden = f" ({len(report.suppressed)} suppressed)" if report.suppressed else ""
    listed = [f"{plural(counts.checklist, 'item')} on the checklist"] if counts.checklist else []
    listed += [f"{plural(counts.minor, 'item')} for information"] if counts.minor else []
    if counts.total:
        return f"{'; '.join([f'Found {severities(counts)} {where}{hidden}', *listed])}."
    if report.engines == 0:
        nothing = f"No vLLM engine was recognised {where}" if report.files else "No input files were found"
        return f"{nothing}, so no settings were judged{hidden}."
    if listed:
        return f"{' and '.join(listed)} {where}{hidden}, nothing else to report."
    return f"Nothing to report {where}{hidden}."


def fixable(counts: Counts) -> str:
    """`Fixes: 3 safe, 2 need review (--unsafe), 1 of these for the checklist; 1 finding has only advice.`; empty when there are no
    findings. Without those for items that are no findings, fixes and advice are as many as the findings."""
    ways = []
    if counts.safe:
        ways.append(f"{counts.safe} safe")
    if counts.review:
        ways.append(f"{counts.review} {'needs' if counts.review == 1 else 'need'} review (--unsafe)")
    others = ((counts.listed_fixes, "the checklist"), (counts.minor_fixes, "information"))
    ways += [f"{number} of these for {what}" for number, what in others if number]
    advice = (
        f"{plural(counts.advice, 'finding')} {'has' if counts.advice == 1 else 'have'} only advice"
        if counts.advice
        else ""
    )
    return "; ".join(part for part in ("Fixes: " + ", ".join(ways) if ways else "", advice) if part) + "." * bool(
        counts.total or ways
    )


def mark(safety: str, proved: bool) -> str:
    """`[*]`: an edit that `fix` writes; `[~]`: one that is planned; `[?]`: it needs review; "" without an edit."""
    if safety == "none":
        return ""
    planned = "" if proved else "[~]"
    return planned + ("[?]" if safety == "review" else "" if planned else "[*]")


def legend(report: Report) -> str:
    """What the marks mean that a report shows; "" where it shows none."""
    shown = {finding.safety for finding in report.findings if not finding.minor}
    meanings = (
        ("[*] proved, fix writes it", report.proved and "safe" in shown),
        ("[~] planned (fix proves it before writing it)", not report.proved and not shown <= {"none"}),
        ("[?] needs review (--unsafe)", "review" in shown),
    )
    found = "; ".join(meaning for meaning, there in meanings if there)
    return found and f"{found}."


def next_steps(report: Report, counts: Counts) -> list[tuple[str, str]]:
    """Commands worth running now, each with what it does. They run as they are printed."""
    out = []
    shows = "show the diff" if "-" in report.paths else "show the diff; --write writes it"
    if len(report.paths) <= MANY:
        paths = [quoted(path) for path in report.paths]
        dashes = ["--"] if any(path.startswith("-") and path != "-" for path in report.paths) else []
        words = [*(quoted(word) for word in report.arguments), *dashes, *paths]
        offered = {finding.safety for finding in report.findings if not finding.minor}
        if "safe" in offered:
            out.append((" ".join(["vllm-migrate fix", *words]), shows))
        if "review" in offered:
            out.append((" ".join(["vllm-migrate fix --unsafe", *words]), "also apply fixes that need review"))
    if counts.total:
        out.append((f"vllm-migrate explain {report.most_severe().code}", "everything about this rule"))
    return out


def settle(reason: str) -> str:
    """How a user settles what a finding depends on; empty where the reason itself or only the advice says."""
    if "settle it" in reason:
        return ""
    for start, how in SETTLED_BY:
        if reason.startswith(start):
            return how
    return ""


def sentence(text: str) -> str:
    """The text with the full stop that it may lack."""
    return text if not text or text.endswith((".", "!", "?")) else text + "."


def quoted(word: str) -> str:
    """A word as a shell takes it."""
    if word and all(c.isalnum() or c in "@%+=:,./-_" for c in word):
        return clean(word)
    return "'" + clean(word).replace("'", "'\"'\"'") + "'"
