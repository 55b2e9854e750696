"""Every field of the files in rules/, at every depth: the one definition from which their check and their loading come.

`build` makes pydantic models of these classes and refuses a file that does not fit them; `load` makes instances of them
from the compiled files. A field without a default must be written. A `Condition` is written as text in the files.
"""

from functools import cached_property
from typing import Literal

from vllm_migrate.knowledge.expr import Condition
from vllm_migrate.knowledge.record import Record

Scalar = str | bool | int | float | None
Role = Literal["rl_rollout", "reference", "judge", "teacher", "serving", "eval", "pooling"]
Entrypoint = Literal["serve", "api_server", "image", "llm", "async_llm", "engine"]
Carrier = Literal["yaml", "toml", "json", "shell", "python"]
Layer = Literal["semantic", "inference-path", "weight-update", "numerics", "broken-config", "performance"]
Severity = Literal["error", "warning", "info"]
Safety = Literal["safe", "review", "none"]
Each = Literal["engine", "setting", "key", "fact", "remark", "use", "default", "branch", "refusal", "written"]
ValueKind = Literal["true", "false", "none", "empty", "list", "dict"]
Style = Literal["flag", "no-flag", "no-flag-known", "no-flag-optional", "drop", "literal", "repeat", "json"]

ALWAYS = Condition(True)
NEVER = Condition(False)


class Evidence(Record):
    """Where it can be looked up: a release's source (file, symbol), a pull request or issue, a framework's commit.

    catalog: section.option, which is there at `release`, with the default `value` where that is written or with none
    (`unset`), or is `absent`.
    """

    release: str = ""
    commit: str = ""
    repository: str = ""
    file: str = ""
    symbol: str = ""
    line: int = 0
    pr: str = ""
    thread: str = ""
    measured: str = ""
    catalog: str = ""
    absent: bool = False
    unset: bool = False
    value: object = None


class Case(Record):
    """One way in which something resolves; see knowledge.cases."""

    when: Condition = ALWAYS
    value: object = None
    values: tuple[object, ...] = ()
    value_of: Condition | None = None
    because: str = ""
    depends_on: str = ""


# -- dialects


class Sign(Record):
    """What tells that a file is written in a dialect: all that the sign names must be there.

    In a tree: path (a mapping, or a scalar that `equals`); all, any (paths); glob with has, where (any mapping of that shape);
    serve_flags (at least this part of the keys are options of `vllm serve`). inside: the key of the text in which the document
    stands. mount: the path to which a file that stands alone is moved. In a command: words in a row; image (the last part of its
    name, "*": any); with_option (of a program: each of several), without_option among the arguments behind them; telling: how many
    of those have to show that the program is vLLM's, and the first of `words` is then any word that the file does not decide;
    entrypoint: the program that the sign starts, where it is not the engine's. only: no other keys are at the top. prefix: how a
    key of the glob's mapping begins.
    """

    path: str = ""
    equals: Scalar = None
    inside: str = ""
    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    glob: str = ""
    has: str = ""
    prefix: str = ""
    where: dict[str, Scalar] = {}
    serve_flags: float = 0.0
    mount: str = ""
    words: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    with_option: str = ""
    without_option: str = ""
    telling: int = 0
    entrypoint: Literal["api_server", "image"] | None = None


class Key(Record):
    """What a key of the framework's own names.

    to: an option, `sampling.X`, `env.X`, `loss.X` or `config.X`; when: the framework reads it; unread: what to say when it does
    not; invert: its true is the option's false; values: what a value stands for; last: it wins over what is passed through.
    """

    to: str
    when: Condition = ALWAYS
    unread: str = ""
    invert: bool = False
    values: dict[str, Scalar] = {}
    last: bool = False


class EngineSpec(Record):
    """Where a dialect's engines are.

    root: the dotted path of its mapping (`*` one level, `**` any number; "": the top); has: a mapping or list in it; prefix: how
    a key of it begins; where: values in it; excluding: paths that are none; when: of this backend. vllm_names: its keys are
    vLLM's own; keys: the framework's, where they differ from the dialect's. In Python, calls whose keywords are the mapping,
    imported from `of`.
    """

    role: Role
    entrypoint: Entrypoint | None = None
    root: str = ""
    has: str = ""
    prefix: str = ""
    where: dict[str, Scalar] = {}
    excluding: tuple[str, ...] = ()
    when: Condition = ALWAYS
    vllm_names: bool = False
    keys: dict[str, Key] | None = None
    calls: tuple[str, ...] = ()
    of: str = ""


class RoleSign(Record):
    """A setting that tells what a serving engine is for: an option under any of its spellings, with one of these values, if any
    are named, or a text with one of these parts (in lower case); because: in words."""

    option: str
    role: Role
    because: str
    values: tuple[Scalar, ...] = ()
    parts: tuple[str, ...] = ()


class UseSpec(Record):
    """What a program does with vLLM's interfaces, by the name under which rules with `each: use` ask for it.

    calls: names of what is called, imported from the package `of`; receiver: words of which one is part of what it is called
    on; first, not_first: words of the first argument; excluding: names that are not meant; awaited; own: False leaves out
    methods, and keywords of functions, that the module defines itself; wrappers: words of receivers that count only where vllm is
    imported; arguments: each keyword is a use of its own; section: where the catalog has the method; not_in: a pattern of files that are
    left out. later: what is assigned to attributes of the object that the call makes counts as keywords (`keywords`), or is
    all that is asked for (`alone`). imports: a package; module_names: names of its modules that are used as attributes, in place
    of what is imported.
    attributes: ends of dotted names. texts: literals. routes: paths of the server's routes in `calls`, but on not_on.
    fields: keys of mappings (in the calls in_calls, where any is named) and keywords (of of_calls). members: what classes define
    that are mixed into vLLM's worker (extension), or that inherit from a class of vLLM's (subclass). bound: calls of vLLM's functions,
    classes, and methods of objects that the module makes of its classes. streams: `async for` over a generate of which the last item
    alone is kept. program: a word that the module must have; unless: packages of which it imports none.
    metrics: names of Prometheus metrics, in YAML or JSON. variables: mappings of environment variables, by path; in a program by name.
    of_class: attributes of objects of this class of vLLM's. remote: also as a method of a Ray actor (`.remote(...)`) under the name of
    another use. stops: what ends the program at import, behind a test of vLLM's release. compares: comparisons of its text.
    patches: names of the package that a call looks up by a text, to replace what they stand for.
    """

    name: str
    calls: tuple[str, ...] = ()
    of: str = ""
    receiver: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    not_first: tuple[str, ...] = ()
    excluding: tuple[str, ...] = ()
    awaited: bool = False
    own: bool = True
    wrappers: tuple[str, ...] = ()
    arguments: bool = False
    later: Literal["keywords", "alone"] | None = None
    section: Literal["api", "sampling", "config"] | None = None
    imports: str = ""
    module_names: bool = False
    not_in: str = ""
    attributes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    routes: bool = False
    metrics: bool = False
    not_on: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    of_calls: tuple[str, ...] = ()
    in_calls: tuple[str, ...] = ()
    members: Literal["extension", "subclass"] | None = None
    bound: bool = False
    streams: bool = False
    variables: tuple[str, ...] = ()
    of_class: tuple[str, ...] = ()
    remote: bool = False
    stops: bool = False
    compares: bool = False
    patches: bool = False
    program: str = ""
    unless: tuple[str, ...] = ()


class Embed(Record):
    """A command line, script or document inside the mappings that `at` finds in a YAML document.

    document, where: values at the document's top and in the mapping. command, entrypoint, env, image, build: keys of a container;
    program: the words that come before the command's, where no entrypoint is written; more: an environment variable whose words
    stand behind them; needs: a key that has to be there; lacks: keys that must not be. text: the key of a script, or of a list of
    them, or of a document where language is yaml.
    telling: how many of the command's options have to show that they are vLLM's, where nothing else in the document is an engine.
    operator_pods: pods in whose first container an operator starts something else, unless the container has a program of its
    own or the argument with_option.
    """

    at: str
    document: dict[str, Scalar] = {}
    where: dict[str, Scalar] = {}
    command: str = ""
    entrypoint: str = ""
    env: str = ""
    image: str = ""
    build: str = ""
    program: tuple[str, ...] = ()
    more: str = ""
    needs: str = ""
    lacks: tuple[str, ...] = ()
    telling: int = 0
    text: str = ""
    language: Literal["shell", "yaml"] = "shell"
    operator_pods: tuple[str, ...] = ()
    with_option: str = ""


class OwnFormat(Record):
    """What makes a mapping, wherever it stands, one of vLLM's own options in a file of no framework.

    options: at least so many of its keys are options of `vllm serve`; own: so many are options that no other server has (one where
    something names vLLM);
    separator: between the words of a key; prefix: how the keys begin that count (the prefix names vLLM, so that nothing else has to);
    keys: names under which a mapping counts that has nothing but options, where nothing in it or beside it names vLLM.
    """

    options: int
    own: int
    separator: Literal["_", "-"] = "_"
    prefix: str = ""
    keys: tuple[str, ...] = ()


class Passthrough(Record):
    """A mapping, or a list of arguments, that reaches vLLM under its own names, but for the keys `excluding`.

    path: below the engine's mapping; `*` is any key. prefix: environment variables that begin so, the rest being the name in
    capitals; the texts true and false are booleans there.
    """

    path: str
    prefix: str = ""
    when: Condition = ALWAYS
    unread: str = ""
    excluding: tuple[str, ...] = ()


class Pass(Record):
    """What the framework passes by itself. Without `value` it computes one.

    hard: whatever is written; keyword: as a keyword beside what is passed through.
    """

    option: str
    value: object = None
    when: Condition = ALWAYS
    because: str = ""
    hard: bool = False
    keyword: bool = False


class StyleCase(Record):
    """How a kind of value becomes arguments where `when` holds."""

    style: Style
    when: Condition = ALWAYS


class Transport(Record):
    """How settings travel to vLLM.

    lenient: what vLLM does not know is passed over. kwargs: none: what becomes of a null; duplicate: what a keyword does that is
    passed twice; frontend: the server's own arguments travel with the engine's. cli: values: what becomes of each kind of
    value (`literal` where it is not listed); drops: keys the framework takes out; positional: keys that become the first word.
    """

    kind: Literal["kwargs", "cli"]
    when: Condition = ALWAYS
    none: Literal["omit"] | None = None
    duplicate: Literal["crash"] | None = None
    frontend: bool = False
    lenient: bool = False
    values: dict[ValueKind, tuple[StyleCase, ...]] = {}
    drops: tuple[str, ...] = ()
    positional: tuple[str, ...] = ()


class PinSpec(Record):
    """How a setting is written down.

    key: below the engine's mapping, with {typed} (the framework's own key), {snake} or {kebab} (vLLM's name); write: the value,
    where it is not the setting's; prefix: of a Hydra override; argument: the option, where the key is a list of arguments. Or
    say: why it cannot be written.
    """

    when: Condition = ALWAYS
    key: str = ""
    write: Scalar = None
    prefix: Literal["", "+", "++"] = ""
    argument: str = ""
    say: str = ""


class CorePin(Record):
    """What is written where to get the V1 engine."""

    path: str
    write: Scalar


class Sampling(Record):
    """How requests carry sampling parameters.

    via: explicit (the framework sets every one), http (a request leaves out what is not written), request (requests are not
    seen). root: the mapping of those that are written; defaults: the framework's own; unset: those of `SamplingParams` calls.
    """

    via: Literal["explicit", "http", "request"] = "request"
    root: str = ""
    defaults: dict[str, Scalar] = {}
    unset: dict[str, Scalar] = {}


class Flags(Record):
    """How a framework reads flags of its own.

    booleans: present (a flag alone is true, its absence false) or literal (`--flag true`); mappings: flags with a JSON mapping,
    in which a key may be a dotted path; pairs: flags with a mapping written as `a=b,c=d`; configuration: the flag whose mapping
    is a configuration from its top; positional: names for the words before any flag, in their order.
    """

    booleans: Literal["present", "literal"]
    mappings: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    configuration: str = ""
    positional: tuple[str, ...] = ()


class Closed(Record):
    """A mapping below the engine's that is empty, but for the keys `known`, in the framework's configuration: Hydra wants `+`."""

    path: str
    known: tuple[str, ...] = ()


class FactSpec(Record):
    """Something about a training run that rules ask for. value_of gives it, or it depends_on something no file shows.

    maybe: what it depends on where value_of is true; at: paths of which the first that is there is its place.
    """

    value_of: Condition | None = None
    depends_on: str = ""
    maybe: str = ""
    at: tuple[str, ...] = ()


class Dialect(Record):
    """One framework.

    extends: the dialect whose fields hold where this one has none. framework: the package whose release conditions ask for.
    markers: words of which one must stand in a file, so that others are never parsed; embed_markers: in a YAML file with something
    embedded. roles: settings that tell what a serving engine is for. own_configs: parents that come with the framework (`a/*` is a
    prefix). define: names for conditions of this dialect. engine_core: which engine ran; engine_core_key: where it is written;
    engine_core_pin: how V1 is written. rollout_uses: uses that make a program one that trains; rollout_words: words of
    which two different ones do, too. requires: the framework's releases, each with the vLLM it runs with; shows: keys, each
    with the release of the framework that brought it. absolute: keys from the configuration's top. environment: mappings of
    variables. own_format: of files that no dialect recognises. dead: keys that nobody reads, and why. switch_off: how to switch
    {option} ({key}) off where a plain false does not arrive. pin_file: new settings go to the root of the chain of files.
    upgrade: what to do where no setting helps; reads: what a key means to the framework itself.
    """

    id: str
    title: str
    repository: str
    verified: Literal["source", "executed"]
    carriers: tuple[Carrier, ...]
    engines: tuple[EngineSpec, ...]
    transport: tuple[Transport, ...]
    pins: tuple[PinSpec, ...]
    extends: str = ""
    framework: str = ""
    markers: tuple[str, ...] = ()
    embed_markers: tuple[str, ...] = ()
    compose: Literal["none", "hydra", "parent_files", "ordered_files"] = "none"
    own_configs: tuple[str, ...] = ()
    flags: Flags | None = None
    recognise: tuple[Sign, ...] = ()
    roles: tuple[RoleSign, ...] = ()
    define: dict[str, tuple[Case, ...]] = {}
    engine_core: tuple[Case, ...] = ()
    engine_core_key: str = ""
    engine_core_pin: CorePin | None = None
    uses: tuple[UseSpec, ...] = ()
    rollout_uses: tuple[str, ...] = ()
    rollout_words: tuple[str, ...] = ()
    requires: dict[str, str] = {}
    shows: dict[str, str] = {}
    embeds: tuple[Embed, ...] = ()
    own_format: OwnFormat | None = None
    keys: dict[str, Key] = {}
    absolute: dict[str, Key] = {}
    passthrough: tuple[Passthrough, ...] = ()
    environment: tuple[str, ...] = ()
    dead: dict[str, str] = {}
    closed: tuple[Closed, ...] = ()
    sampling: Sampling = Sampling()
    facts: dict[str, FactSpec] = {}
    passes: tuple[Pass, ...] = ()
    switch_off: str = "write no-{key}: true"
    pin_file: Literal["own", "root"] = "own"
    upgrade: str = ""
    reads: dict[str, str] = {}

    @cached_property
    def first_words(self) -> frozenset[str] | None:
        """The first words of the signs that a command has; None where one is known by what follows any word."""
        if any(sign.telling and sign.words for sign in self.recognise):
            return None
        return frozenset(sign.words[0] for sign in self.recognise if sign.words)

    @cached_property
    def knows_images(self) -> bool:
        """Whether an image of containers is among its signs."""
        return any(sign.image for sign in self.recognise)


class DialectPage(Record):
    """What is told of a dialect and read by no lint."""

    about: str
    evidence: tuple[Evidence, ...]


# -- what unset options resolve to


class EffectiveEntry(Record):
    """What one option resolves to when nobody sets it (`cases`), or whatever is set (`forced`).

    fixed: of the engine's core, what no option or variable of the user's can change.
    """

    option: str
    fixed: tuple[Case, ...] = ()
    forced: tuple[Case, ...] = ()
    cases: tuple[Case, ...] = ()


class EffectivePage(Record):
    """What is told of an option's resolution and read by no lint. unsaid: why a value that moves by itself may have no finding."""

    about: str
    evidence: tuple[Evidence, ...]
    unsaid: str = ""


class Gpu(Record):
    """What `--gpu NAME` stands for: a GPU, or a platform (`cpu`, `rocm`, ...) as a whole.

    capability: compute capability, of CUDA GPUs alone; memory: in GiB, None where it differs; name: the model's, where a rule
    asks for it; signs: texts that only files for this platform have.
    """

    capability: float | None = None
    memory: int | None = None
    name: str = ""
    platform: str = "cuda"
    signs: tuple[str, ...] = ()


class ModelName(Record):
    """What a part of a model's name stands for: its architecture, and the first and the last release of vLLM that has it.

    since: "" where the oldest release of the catalog has it; until: "" where the newest one has.
    """

    architecture: str
    since: str = ""
    until: str = ""


# -- rules


class SeverityCase(Record):
    when: Condition
    severity: Severity


class Variant(Record):
    """What a rule says instead where a condition holds; the first that does."""

    when: Condition
    message: str = ""
    why: str = ""
    advice: str = ""


class ActionSpec(Record):
    """One part of a fix.

    set: an option (or `setting` or `default`, the one at hand) to `to` or `to_of`, with in_place where the setting at hand stands;
    drop it; respell the one at hand; rename it as the catalog says, with its value; succeed: write what takes
    its place with the value that means the same, where that is determined; core: edit the evidence of the old engine.
    Of a call (each: use): argument: this keyword gets `to`, or the expression `text` ({value} being what the keyword at hand
    has), or with remove goes; of: in every use of that name in the program, and not in the one at hand.
    """

    set: str = ""
    to: object = None
    to_of: Condition | None = None
    in_place: bool = False
    drop: str = ""
    respell: bool = False
    rename: bool = False
    succeed: bool = False
    core: bool = False
    argument: str = ""
    remove: bool = False
    of: str = ""
    text: str = ""
    when: Condition = ALWAYS


class Retirement(Record):
    """When a pin is no longer needed: since a release, or, without one, never by a release alone; because: in words."""

    because: str
    since: str = ""


class FixSpec(Record):
    """How to write it down. safety: what the fix is at best; review_when and dependence lower it.

    unless: there is no fix then, and the advice says what to do; needs: the first release that accepts the fixed file;
    with_rules: edited only together with the fixes of these rules on the same engine. Of a fix that pins a setting: cost: what
    the pin costs; drop_when: when it can go.
    """

    title: str
    safety: Safety
    review_when: Condition = NEVER
    unless: Condition = NEVER
    needs: str = ""
    with_rules: tuple[str, ...] = ()
    cost: str = ""
    drop_when: Retirement | None = None
    do: tuple[ActionSpec, ...] = ()


class Rule(Record):
    """One rule, or one of its further parts (`also`), of which each is whole once compiled.

    layer: with each: default it is the option's; options: what a rule for each setting or fact speaks of (none: every
    variable, every setting that does not arrive as before); derived: it follows from the catalog alone, and speaks only of what
    no other rule spoke of; option, old, new: what the finding is about, its values at both releases (old_of, new_of: computed);
    at: options of which the first that is written is its place; joint_depends: what only its severity depends on
    counts; backward: it also speaks on the way to an older release;
    checklist: when it is for code or people elsewhere; status: a rule in preview speaks only where its code or name is selected,
    one that is deprecated speaks until it is removed; since: the release of vllm-migrate that brought it.
    """

    code: str
    name: str
    title: str
    layer: Layer
    severity: Severity
    when: Condition
    message: str
    why: str
    each: Each = "engine"
    options: tuple[str, ...] = ()
    derived: bool = False
    severity_when: tuple[SeverityCase, ...] = ()
    option: str = ""
    old: Scalar = None
    old_of: Condition | None = None
    new: Scalar = None
    new_of: Condition | None = None
    at: tuple[str, ...] = ()
    advice: str = ""
    variants: tuple[Variant, ...] = ()
    fix: FixSpec | None = None
    joint_depends: bool = True
    backward: bool = False
    checklist: Condition = NEVER
    status: Literal["stable", "preview", "deprecated"] = "stable"
    since: str = "0.1.0"
    also: tuple["Rule", ...] = ()


class Explain(Record):
    """What happens, why it matters to the loss, what to write."""

    what: str
    why: str
    write: str


class RulePage(Record):
    """What is told of a rule and read by no lint. changes: entries of the project's survey of changes that it answers; no_edit:
    of a rule that only advises, why no edit can be determined."""

    silent_when: str
    explain: Explain
    evidence: tuple[Evidence, ...]
    no_edit: str = ""
    changes: tuple[str, ...] = ()


# -- examples, which are tests and never compiled


class Example(Record):
    """Files by name, and what is expected of the rule on them.

    says: words of the message, the reason or the advice; gpu: as --gpu; fork: declared defaults of the target, which is then a
    release of the user's own after the newest; after: a line that the fix writes, after which the rule is silent.
    """

    title: str
    files: dict[str, str]
    source: str = "0.8.5"
    target: str = "0.18.1"
    from_engine: Literal["v0", "v1", "auto"] = "auto"
    severity: Severity | None = None
    line: int = 0
    depends: bool | None = None
    says: str = ""
    gpu: str = ""
    safety: Safety | None = None
    fork: dict[str, object] = {}
    after: str = ""


class Examples(Record):
    fires: tuple[Example, ...]
    silent: tuple[Example, ...]


class DialectExample(Record):
    """Files by name, and the engine that is found in them: its role, and options with the values that arrive at `target`."""

    title: str
    files: dict[str, str]
    target: str = "0.18.1"
    role: Role | None = None
    options: dict[str, object] = {}


class DialectExamples(Record):
    """fires: an engine of this dialect is found; silent: none is."""

    fires: tuple[DialectExample, ...]
    silent: tuple[DialectExample, ...]
