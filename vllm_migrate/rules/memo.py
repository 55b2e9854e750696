"""Judge engines that say the same once: what was found on the first is told again at the places of the others.

Files of one project repeat each other. A judgement depends on an engine's signature (dialect, settings and facts with
their values, framework release, missing parents) and on what the dialect's conditions read from the configuration while
it was made; both are compared in full, so a judgement that is told again is the one that would be made again.
"""

from __future__ import annotations

from operator import attrgetter
from typing import NamedTuple

from vllm_migrate.dialects.environment import DialectEnv
from vllm_migrate.dialects.model import Engine, Spot, Written
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.expr import Undetermined
from vllm_migrate.rules.finding import Finding, Fix
from vllm_migrate.run.inherit import Pins

# A judgement is remembered with at most so many different answers to what its conditions read.
VARIANTS = 8
REMEMBERED = 20_000

Key = tuple[object, ...]
ELSEWHERE = frozenset(("spot", "value_spot", "tree"))  # where a setting stands, not what it says
# Texts, numbers and switches, which are compared as they are; and what may be anything.
PLAIN = ("attached", "key", "last", "number", "option", "passed", "unread")
OTHERS = tuple(name for name in Written.__slots__ if name not in ELSEWHERE and name not in PLAIN and name != "when")
_plain, _others = attrgetter(*PLAIN), attrgetter(*OTHERS)
# What of an engine is compared as `signature` spells out, or says where it stands; all else is compared as it is.
SPELLED = frozenset(("dead", "dialect", "given", "missing", "options", "spec"))
WHERE = frozenset(("argv", "asked", "container", "facts", "file", "files", "root", "site"))
_rest = attrgetter(*(name for name in Engine.__slots__ if name not in SPELLED and name not in WHERE))
ENGINE = -1  # the slot of the engine's own place


class Judgement(NamedTuple):
    """What is known of one engine: its findings, and what it ran with where its pins go to a parent."""

    findings: list[Finding]
    pins: Pins | None


class Template(NamedTuple):
    """A finding without its places: `slot` and those of `actions` number the engine's written settings (see _slots)."""

    finding: Finding
    slot: int
    actions: tuple[int | None, ...]


class Remembered(NamedTuple):
    """A judgement without places, what was read from the configuration for it, and what keeps the signature's ids alive."""

    asked: dict[tuple[str, ...], Key]
    templates: list[Template]
    pins: Pins | None
    alive: tuple[object, ...]


class Memo:
    """Judgements of one run by signature. The two releases and the assumptions are the run's, and so not part of it."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Key, list[Remembered]] = {}

    def recall(self, engine: Engine, key: Key) -> Judgement | None:
        """The judgement of an engine that says the same, at this engine's places."""
        for known in self._known.get(key, ()):
            if all(_ask(engine, question) == answer for question, answer in known.asked.items()):
                return Judgement(_told(known.templates, engine), known.pins)
        return None

    def remember(self, engine: Engine, key: Key, judgement: Judgement) -> None:
        """Keep a judgement that was just made; not one whose places are not all the engine's own."""
        variants = self._known.setdefault(key, [])
        if len(variants) >= VARIANTS or len(self._known) > REMEMBERED:
            return
        templates = _templates(engine, judgement.findings)
        if templates is None:
            return
        asked = {question: frozen(answer) for question, answer in engine.asked.items()}
        whens = tuple(written.when for written in engine.options)
        variants.append(Remembered(asked, templates, judgement.pins, (engine.dialect, engine.spec, whens)))


def signature(engine: Engine) -> Key | None:
    """All that a judgement depends on but the configuration; None for an engine whose judgements are not kept."""
    if engine.site is None or engine.argv is not None:
        return None  # command lines: their words say too much to be compared
    first: dict[tuple[str, int], int] = {}
    spots = [engine.spot(), *(written.spot for written in _slots(engine) if written is not None)]
    return (
        id(engine.dialect),
        id(engine.spec),
        frozen(_rest(engine)),
        tuple(missing.name for missing in engine.missing),
        tuple(_says(written) for written in engine.options),
        tuple((name, frozen(given.value), _says(given.written), given.because) for name, given in engine.given.items()),
        tuple((_says(written), why) for written, why in engine.dead),
        # Which places coincide: a rule says nothing where another has spoken.
        tuple(first.setdefault((spot.file.path, spot.start), number) for number, spot in enumerate(spots)),
    )


def _says(written: Written | None) -> Key:
    if written is None:
        return ()
    # The condition is a part of the dialect: one object wherever it is the same.
    return (id(written.when), _plain(written), *map(frozen, _others(written)))


def frozen(value: object) -> Key:
    """A value as one that can be compared and hashed; unlike ==, it tells 1, 1.0 and True apart."""
    kind = type(value)
    if kind is str or kind is bool or kind is int or value is None:
        return (kind, value)
    if isinstance(value, dict):
        return ("dict", *((frozen(key), frozen(inner)) for key, inner in value.items()))
    if isinstance(value, (list, tuple)):
        return (kind, *map(frozen, value))
    if isinstance(value, Undetermined):
        return (Undetermined, value.reasons, frozen(value.options))
    if isinstance(value, Unknown):
        return (Unknown, value.text)
    if isinstance(value, float):
        return (float, repr(value))
    return (kind, value)


def _ask(engine: Engine, question: tuple[str, ...]) -> Key:
    return frozen(DialectEnv(engine).ask(question))


def _slots(engine: Engine) -> list[Written | None]:
    """Every written setting of an engine, in an order that engines of one signature share."""
    out: list[Written | None] = list(engine.options)
    out.extend(given.written for given in engine.given.values())
    out.extend(written for written, _ in engine.dead)
    return out


def _templates(engine: Engine, findings: list[Finding]) -> list[Template] | None:
    """The findings without places; None when one points at something that is no setting of the engine."""
    slots = {id(written): number for number, written in enumerate(_slots(engine)) if written is not None}
    by_spot = {id(written.spot): slots[id(written)] for written in _slots(engine) if written is not None}
    out: list[Template] = []
    for finding in findings:
        slot = by_spot.get(id(finding.spot), ENGINE if finding.spot == engine.spot() else None)
        actions = finding.fix.actions if finding.fix else ()
        if slot is None or any(action.written is not None and id(action.written) not in slots for action in actions):
            return None
        numbers = tuple(None if action.written is None else slots[id(action.written)] for action in actions)
        out.append(Template(_copy(finding, finding.spot, engine, finding.fix), slot, numbers))
    return out


def _told(templates: list[Template], engine: Engine) -> list[Finding]:
    slots = _slots(engine)
    out: list[Finding] = []
    for finding, slot, numbers in templates:
        at = slots[slot] if slot != ENGINE else None
        spot: Spot = at.spot if at is not None else engine.spot()
        fix = finding.fix
        if fix is not None:
            actions = tuple(
                action if number is None else action._replace(written=slots[number])
                for action, number in zip(fix.actions, numbers, strict=True)
            )
            fix = fix._replace(actions=actions)
        out.append(_copy(finding, spot, engine, fix))
    return out


def _copy(finding: Finding, spot: Spot, engine: Engine, fix: Fix | None) -> Finding:
    """The finding as the judge leaves it, elsewhere."""
    out = Finding(finding.code, finding.name, finding.severity, finding.layer, finding.message, spot, engine)
    out.option, out.key = finding.option, finding.key
    out.old, out.new = finding.old, finding.new
    out.why, out.advice, out.depends_on = finding.why, finding.advice, finding.depends_on
    out.fix = fix
    return out
