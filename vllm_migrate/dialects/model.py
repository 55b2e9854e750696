"""What discovery finds in the user's files: engines and programs, what is written for them, where, and facts about them.

All of it is made once, when it has been read in full, and never changed by a later stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.dialects.composition import UnreadInput
from vllm_migrate.dialects.situation import Situation
from vllm_migrate.dialects.tree import File, Place, Tree
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.expr import Condition, Undetermined
from vllm_migrate.knowledge.records import ALWAYS, Dialect, EngineSpec, Key

if TYPE_CHECKING:
    from vllm_migrate.dialects.inner import Inner


class Spot(NamedTuple):
    """A span of a file: offsets into its text."""

    file: File
    start: int
    end: int


class Written(NamedTuple):
    """One setting as the user wrote it.

    key: as written; option: the canonical option ("" when the key names none yet, and the transport decides); value:
    the Python value, Unknown where the files do not decide; spot: its key; number: its position among the engine's
    settings, -1 for what is none; raw: the value before interpolations and the dialect's mapping of values; tree: where it
    stands in a tree; words: which words of the engine's command it is, or which items of a list of arguments; attached: its
    first value stands behind `=` in the same word; when: the condition under which the framework reads it;
    unread_because: why it is not read where the condition does not hold; passed: it is passed through under vLLM's own name;
    last: it wins over what is passed through; attribute: it is assigned to an attribute of the arguments, which takes any name;
    assumed: the text whose default is the value unless the caller sets another (`${X:-default}`), "" for any other.
    """

    key: str
    option: str
    value: object
    spot: Spot
    value_spot: Spot
    number: int = -1
    raw: object = None
    tree: Tree | None = None
    words: Sequence[int] | None = None
    attached: bool = False
    when: Condition = ALWAYS
    unread_because: str = ""
    passed: bool = False
    last: bool = False
    attribute: bool = False
    assumed: str = ""

    @property
    def open(self) -> Written:
        """The same, where a value that is assumed is not."""
        if not self.assumed:
            return self
        return self._replace(value=Unknown(self.assumed), raw=Unknown(self.assumed), assumed="")


class Fact(NamedTuple):
    """A fact about an engine that is not an engine option: a sampling parameter, an environment variable, an RL fact.

    value may be Undetermined. `written` is None when the dialect, not the user, states it; `because` says so in words.
    """

    value: object
    written: Written | None = None
    because: str = ""


def determined(key: str, value: object, inside: bool = False) -> object:
    """`value`, written for `key`; Undetermined where no file decides it, with `inside` also within a mapping."""
    if isinstance(value, Unknown):
        return Undetermined((f"the value of {key} ({value.text})",))
    if inside and isinstance(value, dict):
        return {name: determined(f"{key}.{name}", inner, True) for name, inner in value.items()}
    return value


class CommandLine(NamedTuple):
    """The command that starts an engine: its number in the script, and the word its options begin at (0: overrides)."""

    command: int
    start: int


class Origin(NamedTuple):
    """Where an engine or a program was found, before anything written for it is read.

    files: the composition, root of the chain first, the primary last; root: the composed configuration; site: the mapping
    in it that the options stand in, at dotted `path`; spec: the entry of the dialect's `engines`; entrypoint: the program
    that reads the options (serve, api_server, image, or a class); situation: its releases, and what else is known of it.
    unread_variables: files and ConfigMaps that may set environment variables and were not read; variables_open: any variable
    may be set by them, where otherwise none is.
    """

    dialect: Dialect
    file: File
    role: str = ""
    spec: EngineSpec | None = None
    situation: Situation = Situation()
    files: Sequence[File] = ()
    root: Tree | None = None
    site: Tree | None = None
    path: str = ""
    missing: Sequence[UnreadInput] = ()
    argv: CommandLine | None = None
    entrypoint: str = ""
    unread_variables: tuple[str, ...] = ()
    variables_open: bool = False

    @property
    def target(self) -> str:
        """The release of vLLM that pins are spelled for."""
        return self.situation.target.value

    @property
    def framework(self) -> str | None:
        """The framework's release, where the project shows it."""
        known = self.situation.frameworks.get(self.dialect.framework)
        return known.value if known is not None else None

    @property
    def keys(self) -> Mapping[str, Key]:
        """The framework's own keys: those of this engine's entry, else the dialect's."""
        own = self.spec.keys if self.spec is not None else None
        return self.dialect.keys if own is None else own

    def of_role(self, role: str) -> Origin:
        """The same in a role, where the user states none."""
        stated = self.situation.role
        return self._replace(role=role if stated is None else stated.value)

    def home(self) -> Place | None:
        """Where a new setting of an engine in a tree belongs: in its own file, where that has the mapping, else in the root
        of the chain, where a dialect's `pin_file` may want it always. None without a tree."""
        if self.site is None:
            return None
        places = self.site.places
        own = [place for place in places if place.file is self.file]
        return places[0] if self.dialect.pin_file == "root" or not own else own[-1]


class Subject:
    """What rules are asked of: an engine, or a program that uses vLLM's interfaces.

    facts by name (`sampling.temperature`, `env.VLLM_USE_V1`, `rl.logprobs_in_loss`); container: where it stands.
    """

    __slots__ = ("container", "facts", "id", "origin")

    def __init__(self, ident: str, origin: Origin, facts: Mapping[str, Fact], container: Spot | None = None) -> None:
        self.id = ident
        self.origin = origin
        self.facts = facts
        self.container = container

    @property
    def name(self) -> str:
        """The dialect's id."""
        return self.origin.dialect.id

    @property
    def dialect(self) -> Dialect:
        return self.origin.dialect

    @property
    def role(self) -> str:
        return self.origin.role

    @property
    def file(self) -> File:
        return self.origin.file

    @property
    def files(self) -> Sequence[File]:
        return self.origin.files or (self.origin.file,)

    @property
    def site(self) -> Tree | None:
        return self.origin.site

    @property
    def site_path(self) -> str:
        return self.origin.path

    @property
    def root(self) -> Tree | None:
        return self.origin.root

    @property
    def argv(self) -> CommandLine | None:
        return self.origin.argv

    @property
    def missing(self) -> Sequence[UnreadInput]:
        return self.origin.missing

    @property
    def situation(self) -> Situation:
        return self.origin.situation

    @property
    def target(self) -> str:
        return self.origin.target

    def home(self) -> Place | None:
        """Where a new setting belongs: see Origin.home."""
        return self.origin.home()

    def spot(self) -> Spot:
        """Where it stands: its container's key, else the start of its file."""
        return self.container or Spot(self.file, 0, 0)


class Engine(Subject):
    """One vLLM engine of a file.

    options: what is written for it, in order; dead: what is written and read by nobody, and why; remarks: on the command
    that starts it (dialects/remarks); inner: the keys inside its mappings, once asked for (dialects/inner).
    """

    __slots__ = ("dead", "inner", "options", "remarks")

    def __init__(
        self,
        ident: str,
        origin: Origin,
        facts: Mapping[str, Fact],
        container: Spot | None = None,
        options: Sequence[Written] = (),
        dead: Sequence[tuple[Written, str]] = (),
        remarks: Sequence[Written] = (),
    ) -> None:
        super().__init__(ident, origin, facts, container)
        self.options = options
        self.dead = dead
        self.remarks = remarks
        self.inner: tuple[Inner, ...] | None = None

    @property
    def assumed(self) -> list[Written]:
        """The settings whose values are assumed."""
        facts = (fact.written for fact in self.facts.values() if fact.written is not None)
        return [written for written in (*self.options, *facts) if written.assumed]

    def opened(self) -> Engine:
        """The same engine, with nothing assumed, and every variable open that an unread file may set."""
        facts = dict(self.facts)
        for name, fact in self.facts.items():
            if fact.written is not None and fact.written.assumed:
                facts[name] = Fact(Undetermined((f"the value of {fact.written.key}",)), fact.written.open)
        options = [written.open for written in self.options]
        origin = self.origin._replace(variables_open=True)
        return Engine(self.id, origin, facts, self.container, options, self.dead, self.remarks)

    def replace(
        self,
        *,
        ident: str | None = None,
        container: Spot | None = None,
        remarks: Sequence[Written] | None = None,
    ) -> Engine:
        """The same engine under another name, at another place, or with other remarks."""
        return Engine(
            self.id if ident is None else ident,
            self.origin,
            self.facts,
            self.container if container is None else container,
            self.options,
            self.dead,
            self.remarks if remarks is None else remarks,
        )


class Use(NamedTuple):
    """One place where a program uses vLLM's interfaces: a call, an import, an attribute, a route, a field of a request.

    name: as the dialect calls it; written: its place, its key as written (`self.engine.pause_generation`,
    `vllm.worker.worker`) and, for one keyword of a call, its value; function: the enclosing functions ("" at module level);
    arguments: what a call passes by name, values that are no literals Unknown; positional: what it passes by position;
    more: it also passes `**kwargs`; awaited, guarded, in_loop: see documents/python; calls_back: its first argument is a
    function;
    rebound: names that the loops around it assign; method: for one keyword of a call, the call's name; section: where the catalog has it;
    assigned: those of the arguments that are assigned to attributes of the object later.
    """

    name: str
    written: Written
    function: str = ""
    arguments: Mapping[str, object] = {}
    positional: Sequence[object] = ()
    more: bool = False
    awaited: bool = False
    guarded: bool = False
    calls_back: bool = False
    in_loop: bool = False
    rebound: frozenset[str] = frozenset()
    method: str = ""
    section: str = ""
    assigned: Mapping[str, Written] = {}

    @property
    def key(self) -> str:
        return self.written.key

    @property
    def spot(self) -> Spot:
        return self.written.spot


class Program(Subject):
    """A program that uses vLLM's interfaces, with its uses in the order of the text."""

    __slots__ = ("uses",)

    def __init__(self, ident: str, origin: Origin, facts: Mapping[str, Fact], uses: Sequence[Use]) -> None:
        super().__init__(ident, origin, facts, uses[0].spot)
        self.uses = uses

    @property
    def imports_alone(self) -> bool:
        """Whether nothing but imports of vLLM was recognised, and calls that make an engine: what they mean is another
        engine, and where there is none they mean nothing that is seen (`LLM(**kwargs)`)."""
        made = {name for spec in self.dialect.engines for name in spec.calls}
        names = {e.name for e in self.dialect.uses if e.imports or (e.calls and made.issuperset(e.calls))}
        return all(use.name in names for use in self.uses)
