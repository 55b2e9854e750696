"""An engine as found in the user's files: what was written for it, where, and how it travels to vLLM."""

from __future__ import annotations

from typing import Any, NamedTuple

from vllm_migrate.dialects.hydra import Missing
from vllm_migrate.dialects.tree import File, Place, Tree

# A dialect as compiled from rules/dialects/*.yaml.
Profile = Any


class Spot(NamedTuple):
    """A span of a file: offsets into its text."""

    file: File
    start: int
    end: int


class Written:
    """One setting as the user wrote it.

    key: as written; option: the canonical option ("" when the key names none yet, and the transport decides); value:
    the Python value, Unknown where the files do not decide; spot: its key; number: position among the engine's settings.
    """

    __slots__ = (
        "attached",
        "key",
        "last",
        "number",
        "option",
        "passed",
        "raw",
        "spot",
        "tree",
        "unread",
        "value",
        "value_spot",
        "when",
        "words",
    )

    def __init__(self, key: str, option: str, value: object, spot: Spot, value_spot: Spot, number: int) -> None:
        self.key = key
        self.option = option
        self.value = value
        self.raw = value
        self.spot = spot
        self.value_spot = value_spot
        self.number = number
        self.tree: Tree | None = None  # where it stands in a tree
        self.words: list[int] | None = None  # or which words of the engine's command it is
        self.when: object = True  # the condition under which the framework reads it
        self.unread = ""  # and what to say when it does not
        self.passed = False  # it is passed through under vLLM's own name
        self.last = False  # it wins over what is passed through
        self.attached = False  # its first value stands behind `=` in the same word


class Given(NamedTuple):
    """A fact about an engine that is not an engine option: a sampling parameter, an environment variable, an RL fact.

    value may be Undetermined. `written` is None when the dialect, not the user, gives it; `because` says so in words.
    """

    value: object
    written: Written | None
    because: str


class Use(Written):
    """One place where a program uses vLLM's interfaces: a call, an import, an attribute, a route, a field of a request.

    option: `use.NAME`, NAME as the dialect calls it; key: as written (`self.engine.pause_generation`, `vllm.worker.worker`);
    arguments: what a call passes by name, values that are no literals Unknown; more: it also passes `**kwargs`; positional:
    what it passes by position; function: the enclosing functions ("" at module level); order: counts the uses of a module
    in the order of the text; awaited, guarded, in_loop: see documents/python_calls; calls_back: its first argument is a function.
    For one keyword of a call (then `key` is its name): method, the call's name; section, where the catalog has it.
    """

    __slots__ = (
        "arguments",
        "awaited",
        "calls_back",
        "function",
        "guarded",
        "in_loop",
        "method",
        "more",
        "order",
        "positional",
        "section",
    )

    def __init__(self, name: str, key: str, spot: Spot, function: str, order: int) -> None:
        super().__init__(key, f"use.{name}", None, spot, spot, -1)
        self.arguments: dict[str, object] = {}
        self.positional: list[object] = []
        self.more = False
        self.function = function
        self.order = order
        self.awaited = False
        self.guarded = False
        self.calls_back = False
        self.in_loop = False
        self.method = ""
        self.section = ""

    @property
    def name(self) -> str:
        return self.option[4:]


class Engine:
    """One vLLM engine of a file.

    options: what is written for it in order; given: facts by name (`sampling.temperature`, `env.VLLM_USE_V1`,
    `rl.logprobs_in_loss`); files: the composition, root of the chain first, the primary last.
    """

    __slots__ = (
        "argv",
        "asked",
        "container",
        "dead",
        "dialect",
        "facts",
        "file",
        "files",
        "framework",
        "given",
        "id",
        "missing",
        "options",
        "remarks",
        "role",
        "root",
        "site",
        "site_path",
        "spec",
        "target",
        "uses",
    )

    def __init__(self, ident: str, role: str, dialect: Profile, spec: dict[str, object], file: File) -> None:
        self.id = ident
        self.role = role
        self.dialect = dialect
        self.spec = spec
        self.file = file
        self.files: list[File] = [file]
        self.root: Tree | None = None  # the composed configuration
        self.site: Tree | None = None  # the mapping its options stand in
        self.site_path = ""
        self.options: list[Written] = []
        self.dead: list[tuple[Written, str]] = []  # written, read by nobody, and why
        self.target = ""  # the release of vLLM that pins are spelled for
        self.framework: str | None = None  # the framework's release, where the project pins it
        self.given: dict[str, Given] = {}
        self.remarks: list[Written] = []  # see dialects/remarks.py
        # What a program does with vLLM's interfaces. An engine with uses stands for the program and has no settings.
        self.uses: list[Use] = []
        self.missing: list[Missing] = []
        # What the dialect's conditions have read from the configuration, (function, arguments) to answer, and the facts
        # that were made of it, by name and release of vLLM.
        self.asked: dict[tuple[str, ...], object] = {}
        self.facts: dict[tuple[str, str], object] = {}
        # An engine started by a command line: the command's number and the word its options begin at.
        self.argv: tuple[int, int] | None = None
        self.container: Spot | None = None

    def release(self) -> None:
        """Let the files go. What was found stays: id, role, dialect, places; nothing can be read or planned any more."""
        self.root = self.site = None
        for written in self.options:
            written.tree = None
        for given in self.given.values():
            if given.written is not None:
                given.written.tree = None
        self.options, self.given, self.dead = [], {}, []
        for use in self.uses:
            use.tree = None
        self.asked, self.facts = {}, {}

    @property
    def name(self) -> str:
        return str(self.dialect["id"])

    @property
    def imports_alone(self) -> bool:
        """Whether this is a program of which nothing but imports of vLLM was recognised, and calls that make an engine: what
        they say is another engine, and where there is none they say nothing that is seen (`LLM(**kwargs)`)."""
        if not self.uses:
            return False
        entries, specs = self.dialect.get("uses"), self.dialect.get("engines")
        assert isinstance(entries, list) and isinstance(specs, list)
        made = {name for spec in specs for name in spec.get("calls", ())}
        names = {e["name"] for e in entries if "imports" in e or ("calls" in e and made.issuperset(e["calls"]))}
        return all(use.name in names for use in self.uses)

    @property
    def keys(self) -> dict[str, object]:
        """The framework's own keys: those of this engine's entry (`map`), else the dialect's."""
        table = self.spec.get("keys", self.dialect.get("keys"))
        return table if isinstance(table, dict) else {}

    def home(self) -> Place | None:
        """Where a new setting of an engine in a tree belongs: in its own file, where that has the mapping, else in the root
        of the chain, where a dialect's `pin_file` may want it always. None without a tree."""
        if self.site is None:
            return None
        places = self.site.places
        own = [place for place in places if place.file is self.file]
        return places[0] if self.dialect.get("pin_file") == "root" or not own else own[-1]

    def spot(self) -> Spot:
        """Where the engine stands: its container's key, else the start of its file."""
        return self.container or Spot(self.file, 0, 0)
