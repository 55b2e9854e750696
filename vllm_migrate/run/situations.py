"""Which situation the engines of a file are in: what was asked for, else what the nearest evidence shows.

For each file by itself, from its own text and the folders above it, so that neither the order of the paths nor what else
is judged changes anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.catalog import store
from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.situation import DEFAULT, SOURCE, TARGET, Beyond, Known, Open, PinnedAt, Shown, Situation
from vllm_migrate.dialects.specifiers import fits, parse_version
from vllm_migrate.documents.disk import Disk
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.run.accelerators import accelerator_of
from vllm_migrate.run.built import built_pins
from vllm_migrate.run.called import Called, called_scripts
from vllm_migrate.run.config import Config, config_in, nearest
from vllm_migrate.run.dependencies import Dependencies
from vllm_migrate.run.merge import pins_written
from vllm_migrate.run.named_models import bounds_of_models
from vllm_migrate.run.neighbours import Near, Neighbours
from vllm_migrate.run.own_release import own_release
from vllm_migrate.run.pins import PACKAGES, SCRIPT, VLLM, Pin
from vllm_migrate.run.settings import Settings
from vllm_migrate.run.versions import choose_source, development, find_releases, is_project, misread, notes, own_pins

if TYPE_CHECKING:
    from vllm_migrate.run.changed import Removed

# Releases before those of the catalog, the newest first: those that ranges which exclude the catalog mean.
BEFORE = (
    *(
        "0.7.3",
        "0.7.2",
        "0.7.1",
        "0.7.0",
        "0.6.6",
        "0.6.5",
        "0.6.4",
        "0.6.3",
        "0.6.2",
        "0.6.1",
        "0.6.0",
        "0.5.5",
        "0.5.4",
    ),
    *(
        "0.5.3",
        "0.5.2",
        "0.5.1",
        "0.5.0",
        "0.4.3",
        "0.4.2",
        "0.4.1",
        "0.4.0",
        "0.3.3",
        "0.3.2",
        "0.3.1",
        "0.3.0",
        "0.2.7",
    ),
)
# Folders that hold what is for one release or series: vllm_0_8_4, vllm_v_0_6_3; v0_23_x below a folder named vllm.
_FOLDER = re.compile(r"vllm[_-]v?[_-]?(\d+)[_.-](\d+)(?:[_.-](\d+|x))?(?:[_.-]post\d+)?")
_SERIES = re.compile(r"v?(\d+)[_.](\d+)(?:[_.](\d+|x))?")
LATEST = "latest"
# vLLM's own image with a tag that moves, or as an image without one, outside of comments; in a chart's values they stand apart.
_MOVING = re.compile(
    rb"^(?![ \t]*(?:#|//))(?:"
    rb"[^\n]*?\b(vllm-openai(?:-\w+)?:(?:latest(?:-[\w.]+)*|main|(?:[\w.-]*-)?nightly(?:-[\w.-]*)?))(?![\w.-])"
    rb"|[^\n]*?(?:\bimage[\"']?[ \t]*:[ \t]*|^FROM[ \t]+)[\"']?(?:[\w.:-]+/)*(vllm-openai)[\"']?[ \t]*(?:#[^\n]*|AS \w+)?$"
    rb"|[ \t]*repository:[ \t]*[\"']?\S*?(vllm-openai)[\"']?[ \t]*\n[ \t]*tag:[ \t]*[\"']?(?:latest|nightly)\b"
    rb")",
    re.MULTILINE,
)


# An installation of what was newest that day, outside of comments.
_NEWEST = re.compile(
    rb"^(?![ \t]*(?:#|//))[^\n]*?(git\+https://github\.com/vllm-project/vllm(?:\.git)?(?:@main)?(?![\w.@/-])"
    rb"|wheels\.vllm\.ai/nightly)",
    re.MULTILINE,
)


class Level(NamedTuple):
    """A folder with what it shows: pins, the most trusted first, and the release of the framework that is developed in it.

    above: the level of the folder above, None at the root of the repository; is_root: the repository's; config: that holds for
    its files.
    """

    folder: str
    pins: tuple[Pin, ...]
    own: Pin | None
    above: Level | None
    is_root: bool
    config: Config

    def upward(self) -> list[Level]:
        """This level, then those above it."""
        out, level = [], self
        while True:
            out.append(level)
            if level.above is None:
                return out
            level = level.above


# Folders of a project that hold scripts of all kinds.
_OF_SCRIPTS = frozenset(("scripts", "script", "bin", "tools", "shell", "launch", "launchers", "ci"))
_FINAL = re.compile(r"\d{1,4}(\.\d{1,4}){1,4}(\.post\d{1,3})?")


class Move(NamedTuple):
    """The releases of a project, with remarks on what shows them; open: the releases that the evidence allows where no place
    pins one; pinned: see Situation."""

    source: Known
    target: Known
    notes: tuple[str, ...] = ()
    beyond: Beyond | None = None
    pinned: str = ""
    open: tuple[str, ...] = ()


class Situations:
    """Gives the situation of each file; what many files share is worked out once. Raises UsageError for a wrong setting."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        knowledge: Knowledge,
        dependencies: Dependencies,
        disk: Disk,
        model: tuple[Mapping[str, object] | None, Mapping[str, object] | None] = (None, None),
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._knowledge = knowledge
        self.dependencies = dependencies
        self._disk = disk
        self._model = model
        self._packages = tuple(dict.fromkeys((*PACKAGES, *knowledge.frameworks())))
        self._pins = pins_written(knowledge)
        self._home = os.path.expanduser("~")
        self._neighbours = Neighbours(lambda path: self.dependencies.note(path), disk)
        self._levels: dict[tuple[str, bool], Level] = {}
        self._moves: dict[tuple[str, str, str], Move] = {}
        self._removed: Removed | None = None
        if settings.options.diff_text is not None:
            from vllm_migrate.run.changed import Removed

            self._removed = Removed(settings.options.diff_text)
        # A wrong setting is an error before anything is judged.
        self._check(settings.config)
        for asked in (settings.source, settings.target):
            if asked is not None:
                self._release(Known(*asked))

    def of(self, path: str, data: bytes = b"") -> Situation:
        """The situation of what stands in a file, given its bytes."""
        level = self._level(os.path.dirname(os.path.abspath(path)))
        stated = self._stated(level.config, path)
        asked = "from" in stated
        called = list(called_scripts(path, data, self.dependencies, self._disk))
        own = self._own_pins(path, data) if asked else self._file_shows(path, data) or self._called_show(called)
        agree = len({pin.version or pin.bounds for pin in own}) == 1
        only = self._only(path) if not asked else None
        move = Move(only, only) if only is not None else self._move(level, stated, own[0] if agree else None)
        moves = [(pin.at, self._move(level, stated, pin)) for pin in own if pin.exact and not agree and not asked]
        shown = tuple(Shown(at, each.source, each.target) for at, each in moves)
        core = stated.get("from-engine")
        return Situation(
            move.source,
            move.target,
            self._root(level, os.path.dirname(path)),
            asked,
            self._frameworks(level),
            core if core is not None and core.value != "auto" else None,
            stated.get("gpu") or self._accelerator(level, path, data, called),
            stated.get("role"),
            *self._model,
            around=Near(self._neighbours, level.folder, self._sources(level)),
            shown=shown,
            notes=(*move.notes, *_moving(path, data)) if move.source.because == DEFAULT or move.open else move.notes,
            beyond=move.beyond,
            pinned=move.pinned,
            open=Open(move.open, "to" in stated, self._pins) if move.open else None,
        )

    # -- what the user states

    def _stated(self, config: Config, path: str) -> dict[str, Known]:
        """What options and the configuration say for a file, by the name of the setting."""
        out: dict[str, Known] = {}
        options = self._settings.options
        below = os.path.relpath(path, config.root or os.curdir).replace(os.sep, "/")
        asked = {
            "from": options.source,
            "to": options.target,
            "from-engine": options.from_engine,
            "gpu": options.gpu,
            "role": None,
        }
        for key, option in asked.items():
            found = Known(option, f"--{key}") if option else _written(config, key, below)
            if found is not None:
                out[key] = found
        for key in ("from", "to"):
            if key in out:
                out[key] = self._release(out[key])
        return out

    def _check(self, config: Config) -> None:
        """Raise UsageError for a value of a setting that means nothing."""
        options, gpus = self._settings.options, self._knowledge.gpus
        named = [(options.gpu, "--gpu"), (config.text("gpu"), config.path)]
        named += [(table.get("gpu"), config.path) for _, table in config.per_file_settings()]
        for gpu, where in named:
            if gpu is not None and gpu.lower() not in gpus:
                raise UsageError(f"{where}: GPU {gpu!r} is not known", nearest(gpu, sorted(gpus)))

    def _release(self, asked: Known) -> Known:
        """A release that the user names: one release, the newest of a series (`0.18`), or the newest of all (`latest`)."""
        text = asked.value.strip().removeprefix("v")
        final = [release for release in self._catalog.releases if "rc" not in release and "dev" not in release]
        if text == LATEST:
            return Known(final[-1], f"{asked.because} {LATEST}, the newest in the catalog")
        series = [release for release in final if release.split(".")[:2] == text.split(".")]
        if series:
            return Known(series[-1], f"{asked.because} {text}, the newest of that series")
        try:
            return Known(self._catalog.canonical(text), asked.because)
        except store.UnknownRelease as error:
            from difflib import get_close_matches

            if self._beyond(text) and self._is_next(text):
                known = f"the newest in the catalog, for {text}; `vllm-migrate catalog add` adds that"
                return Known(final[-1], f"{asked.because}: {known}")
            close = get_close_matches(text, final, n=2)
            meant = f"did you mean {' or '.join(close)}? " if close else ""
            raise UsageError(str(error), f"{meant}`vllm-migrate releases` lists them; `catalog add` adds one") from None

    # -- what the project shows

    def _level(self, folder: str, own: bool = True) -> Level:
        """own: it is the folder of a file that is judged; of the others those count that are a project's."""
        known = self._levels.get((folder, own))
        if known is not None:
            return known
        dependencies, disk = self.dependencies, self._disk
        dependencies.note_presence(os.path.join(folder, ".git"))
        is_root = disk.exists(os.path.join(folder, ".git"))
        parent = os.path.dirname(folder)
        above = None if is_root or parent in (folder, self._home) else self._level(parent, False)
        shown = os.path.relpath(folder)
        project = is_project(folder, dependencies, disk)
        pins = find_releases(shown, dependencies, self._packages, disk) if own or project else []
        release = own_release(shown, self._packages, dependencies, disk) if project else None
        level = Level(folder, tuple(pins), release, above, is_root, self._config_of(folder, above))
        self._levels[folder, own] = level
        return level

    def _config_of(self, folder: str, above: Level | None) -> Config:
        """The configuration that holds for a folder: the one that the run was given, else the nearest."""
        options = self._settings.options
        if options.isolated or options.config:
            return self._settings.config
        found = config_in(folder, self.dependencies, self._disk)
        if found is None:
            return above.config if above is not None else Config()
        self._check(found)
        return found

    def _root(self, level: Level, folder: str) -> str:
        """The project's folder: the nearest with evidence of a release or a configuration, else the repository's root, else
        the file's own."""
        for each in level.upward():
            configured = each.config.path and os.path.abspath(each.config.root) == each.folder
            if configured or any(pin.package == VLLM for pin in each.pins) or each.own is not None or each.is_root:
                return os.path.relpath(each.folder)
        return folder or os.curdir

    def _sources(self, level: Level) -> str:
        """The folder of the program that a file belongs to: the nearest with a project's files, else the repository's root."""
        for each in level.upward():
            if each.is_root or is_project(each.folder, self.dependencies, self._disk):
                return each.folder
        return level.folder

    def _frameworks(self, level: Level) -> dict[str, Known]:
        """Releases of frameworks: those that the nearest folder pins; a framework's own repository says its own."""
        out: dict[str, Known] = {}
        developed = {each.own.package for each in level.upward() if each.own is not None}
        for each in level.upward():
            for pin in each.pins:
                if pin.exact and pin.package != VLLM:
                    # In its own repository a framework is what is developed, and not what a pin installs.
                    at = PinnedAt(pin.path, pin.line, pin.text.strip())
                    pinned = None if pin.package in developed else at
                    out.setdefault(pin.package, Known(pin.version, f"{pin.place} pins it", pinned))
            if each.own is not None:
                out.setdefault(each.own.package, Known(each.own.version, f"from {each.own.place}"))
        return out

    def _own_pins(self, path: str, data: bytes) -> list[Pin]:
        """What a file pins itself, and what the services that it builds do."""
        own = own_pins(path, data)
        built = built_pins(path, data, self.dependencies, self._disk)
        return sorted((*own, *built), key=lambda pin: pin.at) if built else own

    def _file_shows(self, path: str, data: bytes) -> list[Pin]:
        """What a file shows of its release: what it installs, else the models that it names."""
        return self._own_pins(path, data) or bounds_of_models(path, data, self._knowledge.models)

    def _called_show(self, called: Called) -> list[Pin]:
        """The one release that the first script shows that a script runs and that shows any."""
        found = next(filter(None, (self._file_shows(*each) for each in called)), [])
        return found[:1] if len({pin.version or pin.bounds for pin in found}) == 1 else []

    def _accelerator(self, level: Level, path: str, data: bytes, called: Called) -> Known | None:
        top = level.upward()[-1]
        within = os.path.relpath(os.path.abspath(path), top.folder) if top.is_root else ""
        gpus = self._knowledge.gpus
        own = accelerator_of(os.path.relpath(path), data, gpus, within)
        others = (accelerator_of(os.path.relpath(name), text, gpus) for name, text in called)
        return own or next(filter(None, others), None)

    # -- the two releases

    def _only(self, path: str) -> Known | None:
        """The one release that a file is for by the name of a folder around it, which it does not leave; the nearest that the
        catalog has."""
        here, parts = os.path.relpath(path).split(os.sep)[:-1], []
        while here:
            found = _FOLDER.fullmatch(here[-1]) or (_SERIES.fullmatch(here[-1]) if VLLM in here[:-1] else None)
            if found is not None:
                parts = [part for part in found.groups() if part is not None and part.isdecimal()]
                break
            here.pop()
        if not parts:
            return None
        named = ".".join(parts)
        series = [r for r in self._catalog.releases if r.split(".")[: len(parts)] == parts]
        older = [r for r in self._catalog.releases if parse_version(r) <= parse_version(named)]
        found_release = series[-1] if series else (older or [SOURCE])[-1]
        nearest = "" if series else f", and {found_release} is the nearest in the catalog"
        return Known(found_release, f"{'/'.join(here)} is for {named}{nearest}")

    def _shown_by(self, pin: Pin) -> Known:
        pinned = PinnedAt(pin.path, pin.line, pin.text.strip())
        return Known(self._catalog.canonical(pin.version), f"{pin.place} pins it", pinned)

    def _move(self, level: Level, stated: Mapping[str, Known], own: Pin | None) -> Move:
        """The move of a project, or of the engine whose own image or install line shows a release."""
        target = stated.get("to") or Known(TARGET, DEFAULT)
        if "from" in stated:
            source = self._with_place(stated["from"], level, own)
            past = self._newer(source.value, target.value) and "to" not in stated
            return self._with_way(level, Move(source, source if past else target), stated=True)
        key = (level.folder, target.value, f"{own.place} {own.version}" if own is not None else "")
        if key not in self._moves:
            move = self._evident(level, target, own)
            looks_back = self._settings.options.history and move.source.pinned is not None
            removed = self._from_diff(level, move, own)
            self._moves[key] = removed or (
                self._from_history(level, move, own) if looks_back else self._with_way(level, move)
            )
        return self._moves[key]

    def _with_place(self, source: Known, level: Level, own: Pin | None) -> Known:
        """A release that the user states, with the place that installs it or an older one: what that rejects is not written yet."""
        found = (choose_source([pin for pin in each.pins if pin.package == VLLM]) for each in level.upward())
        pin = own if own is not None and own.exact else next(filter(None, found), None)
        if pin is None or not pin.exact or parse_version(pin.version) > parse_version(source.value):
            return source
        return source._replace(pinned=PinnedAt(pin.path, pin.line, pin.text.strip()))

    def _with_way(self, level: Level, move: Move, stated: bool = False) -> Move:
        """A move that is none, with the way to look back: the newest older release that a file of the project shows, if no source
        is stated. One to an older release, with what is reported then."""
        source, target = move.source.value, move.target.value
        if source != target and self._newer(source, target):
            back = f"a move to an older release: only what {target} rejects or drops is reported"
            return move._replace(notes=(*move.notes, back))
        if source != target or stated:
            return move
        pins = [pin for each in level.upward() for pin in each.pins if pin.package == VLLM and pin.exact]
        older = [
            pin for pin in pins if self._catalog.knows(pin.version) and self._newer(move.source.value, pin.version)
        ]
        if not older:
            return move
        last = max(older, key=lambda pin: parse_version(pin.version))
        release = self._catalog.canonical(last.version)
        way = f"{last.place} names {release}; to compare, pass --from {release}"
        return move._replace(notes=(*move.notes, way))

    def _from_diff(self, level: Level, move: Move, own: Pin | None) -> Move | None:
        """The move from the release that the diff of this run takes away; None where it moves no pin forward."""
        if self._removed is None or move.source.pinned is None:
            return None
        place = _place(move.source)
        folder = next(
            (each.folder for each in level.upward() if place in (pin.place for pin in each.pins)), level.folder
        )
        found = self._removed.of_file(own.path) if own is not None else self._removed.of_folder(folder)
        older = [each for each in found if parse_version(each.version) < parse_version(move.source.value)]
        if not older:
            return None
        last = max(older, key=lambda each: parse_version(each.version))
        known = [r for r in self._catalog.releases if parse_version(r) <= parse_version(last.version)]
        because = f"{place} pins {move.source.value}; the diff removes {last.text.strip()}"
        target = move.target if self._newer(move.target.value, move.source.value) else move.source
        return Move(Known(known[-1] if known else SOURCE, because), target, move.notes)

    def _from_history(self, level: Level, move: Move, own: Pin | None) -> Move:
        """A move that is none, from the release that was pinned before; with why there is none, where the history shows none."""
        if move.source.value != move.target.value:
            return move
        from vllm_migrate.documents.git import NoHistory
        from vllm_migrate.run.history import pinned_before

        pins = [pin for each in level.upward() for pin in each.pins if pin.place == _place(move.source)]
        pin = own if own is not None and own.exact else next(iter(pins), None)
        if pin is None:
            return self._with_way(level, move)
        folder = next((each.folder for each in level.upward() if pin in each.pins), level.folder)

        def is_older(release: str) -> bool:
            return parse_version(release) < parse_version(pin.version)

        self.dependencies.settled = False  # what a history is made of is not noted
        try:
            found = pinned_before(pin, folder, pin is own, self._disk, is_older)
        except NoHistory as error:
            note = f"--history: {error}; --from says what {pin.place} pinned before"
            return move._replace(notes=(*move.notes, note))
        older = [r for r in self._catalog.releases if parse_version(r) <= parse_version(found.pin.version)]
        source = older[-1] if older else SOURCE
        because = f"{found.pin.place} pinned {found.pin.version} up to commit {found.commit.id[:10]}"
        return Move(Known(source, because), Known(move.target.value, f"{pin.place} pins it"), move.notes)

    def _evident(self, level: Level, target: Known, own: Pin | None) -> Move:
        if own is not None and own.exact:
            return self._pinned(own, target, ())
        remarks: list[str] = []
        ranges: list[Pin] = [own] if own is not None else []
        in_scripts: Pin | None = None
        for each in level.upward():
            mine = [pin for pin in each.pins if pin.package == VLLM]
            if in_scripts is not None:
                mine = [pin for pin in mine if pin.rank < SCRIPT]
            first = development(mine)
            if first is not None:
                because = f"{first.place} has a version that is not a release ({first.text}) and cannot be compared"
                return Move(Known(target.value, because), target, tuple(remarks))
            pin = choose_source(mine, [found.bounds for found in ranges])
            if pin is not None and pin.rank >= SCRIPT and os.path.basename(each.folder).lower() in _OF_SCRIPTS:
                in_scripts = in_scripts or pin  # each script there is for an environment of its own
                continue
            if pin is not None:
                remarks += notes(mine)
                return self._pinned(pin, target, remarks)
            remarks += [note for note in notes(mine) if note not in remarks]
            ranges += [found for found in mine if found.bounds]
        if in_scripts is not None:
            return self._pinned(in_scripts, target, remarks)
        fault = misread(level.folder, None, self.dependencies, self._disk)
        remarks += [fault] if fault else []
        return self._ranged(level, target, ranges, remarks)

    def _pinned(self, pin: Pin, target: Known, remarks: Sequence[str]) -> Move:
        """The move from a release that a place pins: one that the catalog lacks is compared as the nearest that it has."""
        fault = misread(os.path.dirname(os.path.abspath(pin.path)), pin, self.dependencies, self._disk)
        told = (*remarks, *((fault,) if fault else ()))
        if self._catalog.knows(pin.version):
            return self._from(self._shown_by(pin), target, told)
        older = [r for r in self._catalog.releases if parse_version(r) <= parse_version(pin.version)]
        nearest = older[-1] if older else SOURCE
        told = (*told, f"{pin.place} pins vllm {pin.version}, which is not in the catalog; compared as {nearest}")
        shown = Known(
            nearest, f"for {pin.version}, which {pin.place} pins", PinnedAt(pin.path, pin.line, pin.text.strip())
        )
        move = self._from(shown, target, told)
        beyond = Beyond(pin.path, pin.line, pin.version, nearest) if self._beyond(pin.version) else None
        return move._replace(pinned=pin.version, beyond=beyond)

    def _beyond(self, release: str) -> bool:
        """Whether a final release is newer than every one in the catalog."""
        newest = parse_version(self._catalog.releases[-1])
        return _FINAL.fullmatch(release) is not None and parse_version(release) > newest

    def _is_next(self, release: str) -> bool:
        """Whether a release is of the newest series in the catalog or of the next one: a later one may be a typo."""
        major, minor = map(int, self._catalog.releases[-1].split(".")[:2])
        return release.split(".")[:2] in ([str(major), str(minor)], [str(major), str(minor + 1)], [str(major + 1), "0"])

    def _ranged(self, level: Level, target: Known, ranges: Sequence[Pin], remarks: list[str]) -> Move:
        """The move where no place pins one release: the default, or the oldest release that the ranges allow."""
        bounds = [(pin.bounds, f"{pin.place} allows ({pin.text})") for pin in ranges]
        if not bounds:
            bounds = self._required(level)
        allowed = [r for r in self._catalog.releases if all(_fits(r, bound) for bound, _ in bounds)]
        if not bounds or not allowed:
            older = [each for each in BEFORE if bounds and all(_fits(each, bound) for bound, _ in bounds)]
            left = () if bounds else self._catalog.releases
            because = f"for {older[0]}, the newest that {bounds[0][1]}" if older else DEFAULT
            return Move(Known(SOURCE, because), target, tuple(remarks), pinned=older[0] if older else "", open=left)
        for bound, why in bounds:
            if not _fits(target.value, bound) and not self._newer(allowed[0], target.value):
                remarks.append(f"{target.value} is not among the releases that {why}")
        if SOURCE in allowed:
            shown = Known(SOURCE, f"{DEFAULT}, which {bounds[0][1]}")
            return Move(shown, target, tuple(remarks), open=tuple(allowed))
        why = next(why for bound, why in bounds if not _fits(SOURCE, bound))
        return self._from(Known(allowed[0], f"the oldest that {why}"), target, tuple(remarks))._replace(
            open=tuple(allowed)
        )

    def _required(self, level: Level) -> list[tuple[str, str]]:
        """The vLLM that the one framework of a project runs with, by its dialect's matrix."""
        out: dict[str, str] = {}
        for package, release in self._frameworks(level).items():
            for dialect in self._knowledge.dialects:
                known = [fw for fw in dialect.requires if _fits(fw, f"<={release.value}")]
                if dialect.framework == package and not dialect.extends and known:
                    out[dialect.requires[max(known, key=parse_version)]] = (
                        f"{package} {release.value} runs with ({release.because})"
                    )
        return list(out.items()) if len(out) == 1 else []

    def _from(self, source: Known, target: Known, remarks: tuple[str, ...]) -> Move:
        """The move from a release; a project at the target, or past it, is judged at its own."""
        if self._newer(source.value, target.value):
            return Move(source, Known(source.value, f"the project is past {target.value}"), remarks)
        return Move(source, target, remarks)

    def _newer(self, release: str, other: str) -> bool:
        return self._catalog.ordinal(release) > self._catalog.ordinal(other)


def _moving(path: str, data: bytes) -> list[str]:
    """What to say of vLLM's own image where its tag names no release: which one runs is decided when it is pulled."""
    found = _MOVING.search(data) if b"vllm-openai" in data else None
    if found is None:
        return _newest(path, data)
    line = data.count(b"\n", 0, found.start()) + 1
    name = next(group for group in found.groups() if group is not None).decode()
    what = name if ":" in name else f"{name} without a release's tag"
    return [f"{os.path.relpath(path)}:{line} names {what}, which is no release: pin the one that runs"]


def _newest(path: str, data: bytes) -> list[str]:
    """The same of an installation from vLLM's main branch, or of its nightly wheels."""
    found = _NEWEST.search(data) if b"vllm" in data else None
    if found is None:
        return []
    line = data.count(b"\n", 0, found.start(1)) + 1
    what = "a nightly wheel of vLLM" if found[1].startswith(b"wheels") else "vLLM from its main branch"
    return [f"{os.path.relpath(path)}:{line} installs {what}, which is no release: pin the one that runs"]


def _place(known: Known) -> str:
    return f"{os.path.relpath(known.pinned.path)}:{known.pinned.line}" if known.pinned is not None else ""


def _written(config: Config, key: str, path: str) -> Known | None:
    """A setting of the configuration for a path: of the last pattern that it matches, else for all."""
    found = None
    for pattern, table in config.per_file_settings():
        if key in table and config.matches(pattern, path):
            found = Known(table[key], config.where(pattern, "per-file-settings"))
    if found is not None:
        return found
    text = config.text(key) if key != "role" else None
    return Known(text, config.where(key)) if text else None


def _fits(release: str, bounds: str) -> bool:
    try:
        return fits(release, bounds)
    except ValueError:
        return True
