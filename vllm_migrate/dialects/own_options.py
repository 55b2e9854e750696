"""What is written for an engine shows which vLLM it runs on: an option, a key, a value or a variable that is new in a release
does nothing, or stops the program, before it. Asked only where no place of the project pins a release.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from vllm_migrate.catalog import modules
from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.deliver import Diagnostic, deliver
from vllm_migrate.dialects.inner import field_of, keys_of
from vllm_migrate.dialects.model import Engine, Program, Spot, Subject, Use, Written
from vllm_migrate.dialects.situation import SOURCE, Known, Situation
from vllm_migrate.knowledge.expr import same

# What a parser, or a constructor, refuses of a setting.
_REFUSED = frozenset(("unknown", "choice", "value", "ambiguous"))
# Options whose values a plugin may add.
_PLUGINS = {"tool_call_parser": "tool_parser_plugin", "reasoning_parser": "reasoning_parser_plugin"}


class Birth(NamedTuple):
    """A setting that is new in a release: what it is in words."""

    release: str
    text: str
    written: Written


def show_releases(subjects: Sequence[Subject], catalog: Catalog) -> None:
    """Give each engine and program the situation that what is written for it shows. Those of one file, where nothing else
    tells them apart, run on one vLLM."""
    files: dict[int, list[Subject]] = {}
    for subject in subjects:
        if subject.situation.open is not None:
            files.setdefault(id(subject.file.outermost), []).append(subject)
    for together in files.values():
        births = [birth for subject in together for birth in _births(subject, catalog)]
        if births:
            newest = max(births, key=lambda birth: catalog.ordinal(birth.release))
            for subject in together:
                subject.origin = subject.origin._replace(
                    situation=_raised(subject.situation, newest, together, catalog)
                )


def _raised(situation: Situation, birth: Birth, subjects: Sequence[Subject], catalog: Catalog) -> Situation:
    """A situation that starts at the first release that has the setting and refuses no other, where the evidence allows one."""
    evidence, ordinal = situation.open, catalog.ordinal
    if evidence is None or ordinal(birth.release) <= ordinal(situation.source.value):
        return situation
    since = (each for each in evidence.allowed if ordinal(each) >= ordinal(birth.release))
    release = next((each for each in since if not any(_refuses(one, catalog, each) for one in subjects)), None)
    past = release is not None and ordinal(release) > ordinal(situation.target.value)
    if release is None or (past and evidence.to_asked):
        return situation
    file, start, _ = birth.written.spot
    place = f"{file.path}:{file.source.position(start).line}"
    source = Known(release, f"the oldest that {place} allows ({birth.text}, new in {birth.release})")
    target = Known(release, f"its own options need more than {situation.target.value}") if past else situation.target
    return situation._replace(source=source, target=target, open=None)


def _refuses(subject: Subject, catalog: Catalog, release: str) -> bool:
    """Whether a release refuses a setting, or lacks a module, that some release has."""
    if isinstance(subject, Program):
        return any(modules.load().has(use.key, release) is False for use in _imports(subject))
    assert isinstance(subject, Engine)
    found = deliver(subject, catalog, release).diagnostics
    return any(each.kind in _REFUSED and each.certain and _ever(each, catalog) for each in found)


def _ever(diagnostic: Diagnostic, catalog: Catalog) -> bool:
    """Whether some release takes what one refuses: an option, or a key inside one."""
    option, *path = diagnostic.option.split(".")
    if diagnostic.kind != "unknown":
        return True
    if path:
        return bool(_first_field(option, tuple(path), catalog))
    return any(catalog.life(section, name) for section, name in _entries(option))


def _births(subject: Subject, catalog: Catalog) -> Iterator[Birth]:
    """The settings of a subject that are newer than the default source, but for pins and what runs at newer releases alone."""
    found = _of_engine(subject, catalog) if isinstance(subject, Engine) else _of_program(subject, catalog)
    for birth in found:
        if birth.release and not _gated(birth.written.spot):
            yield birth
    for name, fact in subject.facts.items():
        if name.startswith("env.VLLM_") and fact.written is not None:
            first = _oldest(catalog, (("env", name[4:]), ("env_other", name[4:])))
            if first and not _gated(fact.written.spot):
                yield Birth(first, name[4:], fact.written)


def _of_engine(engine: Engine, catalog: Catalog) -> Iterator[Birth]:
    pins = engine.situation.open.pins if engine.situation.open is not None else ()
    own = [written for written in engine.options if not written.option and not written.attribute]
    named = {_option_of(written, catalog) for written in own}
    for written in own:
        option = _option_of(written, catalog)
        if not any(option == pin and same(_plain(written), value) for pin, value in pins):
            yield Birth(_first(option, catalog), written.key, written)
            if isinstance(written.value, str) and _PLUGINS.get(option) not in named:
                yield Birth(_first_value(option, written.value, catalog), f"{written.key} {written.value}", written)
    for inner in keys_of(engine):
        if not inner.outer.option:
            first = _first_field(_option_of(inner.outer, catalog), inner.path, catalog)
            yield Birth(_after_default(first, catalog), inner.written.key, inner.written)
            value = inner.written.value
            if isinstance(value, str):
                first = _first_inner_value(_option_of(inner.outer, catalog), inner.path, value, catalog)
                yield Birth(first, f"{inner.written.key} {value}", inner.written)


def _first_field(option: str, path: tuple[str, ...], catalog: Catalog) -> str:
    """The first release whose class behind an option has a field at a path; "" where none has."""
    from vllm_migrate.catalog import nested

    known = nested.load(catalog)
    fields = ((release, field_of(known, option, path, release)) for release in catalog.releases)
    return next((release for release, found in fields if found is not None and found[1] is not None), "")


def _first_inner_value(option: str, path: tuple[str, ...], value: str, catalog: Catalog) -> str:
    """The same as `_first_value` of a field of the class behind an option."""
    from vllm_migrate.catalog import nested

    known = nested.load(catalog)
    fields = ((release, field_of(known, option, path, release)) for release in catalog.releases)
    return _first_listed(
        value, ((release, found[1].choices if found and found[1] else None) for release, found in fields), catalog
    )


def _of_program(program: Subject, catalog: Catalog) -> Iterator[Birth]:
    assert isinstance(program, Program)
    for use in program.uses:
        if use.section in ("sampling", "config"):
            name = use.key if use.section == "sampling" else f"{use.method}.{use.key}"
            yield Birth(_oldest(catalog, ((use.section, name),)), use.key, use.written)
    for use in _imports(program):
        if modules.load().has(use.key, SOURCE) is False:
            first = next((each for each in catalog.releases if modules.load().has(use.key, each) is not False), "")
            yield Birth(_after_default(first, catalog), use.key, use.written)


def _imports(program: Program) -> list[Use]:
    """The imports that the program cannot do without."""
    return [use for use in program.uses if use.name == "import" and not use.guarded and not use.function]


def _gated(spot: Spot) -> bool:
    """Whether a test of vLLM's release keeps a statement from running at the default source."""
    document = spot.file.data
    if document is None or document.carrier != "python":
        return False
    from vllm_migrate.dialects.gates import skipped
    from vllm_migrate.documents.python.document import PythonData

    assert isinstance(document, PythonData)
    return any(start <= spot.start < end for start, end in skipped(document.code, SOURCE))


def _first_value(option: str, value: str, catalog: Catalog) -> str:
    """The release that first lists a value of an option which the one before lists without it; "" where none does: a list that
    is itself new, or comes and goes, says nothing of the value's age."""
    facts = (
        (release, [catalog.get(section, name, release) for section, name in _entries(option)])
        for release in catalog.releases
    )
    lists = ((release, [each.choices or () for each in found if each is not None]) for release, found in facts)
    return _first_listed(
        value, ((release, [choice for each in found for choice in each]) for release, found in lists), catalog
    )


def _first_listed(value: str, lists: Iterable[tuple[str, Sequence[object] | None]], catalog: Catalog) -> str:
    """lists: what each release lists, the oldest first."""
    listed = False
    for release, choices in lists:
        if choices and value in choices:
            return _after_default(release, catalog) if listed else ""
        listed = bool(choices)
    return ""


def _option_of(written: Written, catalog: Catalog) -> str:
    """The option that a setting names, by any spelling of it."""
    head = written.key.partition(".")[0]
    if not head.startswith("-"):
        return head.replace("-", "_")
    flag = catalog.flags(catalog.releases[-1]).get(head)
    return flag.dest if flag is not None else head.lstrip("-").replace("-", "_").removeprefix("no_")


def _plain(written: Written) -> object:
    return not written.value if written.key.startswith("--no-") and isinstance(written.value, bool) else written.value


def _first(option: str, catalog: Catalog) -> str:
    """The release in which an option is new; "" where the default source has it, or none has."""
    return _oldest(catalog, _entries(option))


def _entries(option: str) -> tuple[tuple[str, str], ...]:
    flag = "--" + option.replace("_", "-")
    return (("engine", option), ("llm", option), ("cli", flag), ("frontend", flag))


def _oldest(catalog: Catalog, entries: Iterable[tuple[str, str]]) -> str:
    lives = [life for section, name in entries if (life := catalog.life(section, name))]
    return _after_default(min((life[0][0] for life in lives), key=catalog.ordinal, default=""), catalog)


def _after_default(release: str, catalog: Catalog) -> str:
    """A release that is newer than the default source; "" for any other, and for none."""
    return release if release and catalog.ordinal(release) > catalog.ordinal(SOURCE) else ""
