"""The form of the files in rules/, checked by pydantic when they are compiled. Not imported by a lint.

A rule file holds one rule (rules/*.yaml), a dialect file one framework (rules/dialects/*.yaml), an effective file what
options resolve to (rules/effective/*.yaml). CONTRIBUTING.md explains each field with examples.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Layer = Literal["semantic", "inference-path", "weight-update", "numerics", "broken-config", "performance"]
Severity = Literal["error", "warning", "info"]
Safety = Literal["safe", "review", "none"]
Condition = str | bool
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Evidence(Model):
    """Where it can be looked up: a release's source (file, symbol), a pull request or issue, a framework's commit."""

    release: str | None = None
    commit: str | None = None
    file: str | None = None
    symbol: str | None = None
    line: int | None = None
    pr: str | None = None
    thread: str | None = None
    measured: str | None = None
    repository: str | None = None
    catalog: str | None = None  # section.option, there at `release`, with `value` as its default where that is given
    absent: bool = False  # or which is not there
    value: object = None


class Case(Model):
    """See knowledge.cases."""

    when: Condition = True
    value: object = None
    values: list[object] | None = None
    value_of: str | None = None
    because: str = ""
    depends_on: str | None = None


class EffectiveEntry(Model):
    """What one option resolves to when nobody sets it (`cases`), or whatever is set (`forced`)."""

    option: str
    about: str
    fixed: list[Case] | None = None
    forced: list[Case] | None = None
    cases: list[Case] | None = None
    evidence: list[Evidence]


class SeverityCase(Model):
    when: Condition
    severity: Severity


class Variant(Model):
    """What a rule says instead where a condition holds; the first that does."""

    when: Condition
    message: str | None = None
    why: str | None = None
    advice: str | None = None


class Action(Model):
    """One part of a fix: set an option (or `setting` or `default`, the one at hand), drop it, respell or rename the one at hand."""

    set: str | None = None
    to: object = None
    to_of: str | None = None
    in_place: bool = False  # where the setting at hand stands
    drop: str | None = None
    respell: bool = False
    rename: bool = False  # the setting at hand under the name that the catalog's renames give, with its value
    core: bool = False  # edit the evidence of the old engine
    argument: str | None = None  # of a call (each: use): this keyword gets `to`, or with `remove` goes
    remove: bool = False
    of: str | None = None  # of every use of that name in the program, and not of the one at hand
    text: str | None = None  # or it gets this expression, {value} being what the keyword at hand has
    when: Condition = True


class Fix(Model):
    """How to write it down. `safety` is what the fix is at best; `review_when` and dependence lower it."""

    title: str
    safety: Safety
    review_when: Condition = False
    unless: Condition = False  # no fix is offered then; `advice` says what to do
    needs: str | None = None  # the first release that accepts the fixed file
    with_rules: list[Slug] = []  # edited only together with the fixes of these rules on the same engine
    do: list[Action] = []


class Explain(Model):
    """Three parts: what happens, why it matters to the loss, what to write."""

    what: str
    why: str
    write: str


class Example(Model):
    """Files by name, and what is expected of the rule on them."""

    title: str
    files: dict[str, str]
    source: str = "0.8.5"
    target: str = "0.18.1"
    from_engine: Literal["v0", "v1", "auto"] = "auto"
    severity: Severity | None = None
    line: int | None = None
    depends: bool | None = None
    says: str | None = None  # words of the message, the reason or the advice
    gpu: str | None = None  # as --gpu
    safety: Safety | None = None
    fork: dict[
        str, object
    ] = {}  # declared defaults of the target, which is then a release of the user's own after the newest
    after: str | None = None  # a line that the fix writes; the rule is silent afterwards


class Examples(Model):
    fires: list[Example]
    silent: Annotated[list[Example], Field(min_length=2)]


class Part(Model):
    """What else a rule is asked of: another `each` with its own condition and words. Missing words are the rule's."""

    each: Literal["engine", "setting", "given", "remark", "use"]
    options: list[str] = []
    when: Condition
    severity: Severity | None = None
    severity_when: list[SeverityCase] = []
    message: str
    why: str | None = None
    advice: str = ""
    variants: list[Variant] = []
    fix: Fix | None = None


class Rule(Model):
    code: Annotated[str, Field(pattern=r"^VM[1-9]\d\d$")]
    name: Slug
    title: str
    layer: Layer  # of a rule with each: default, that of the option
    severity: Severity
    each: Literal["engine", "setting", "given", "remark", "use", "default"] = "engine"
    also: list[Part] = []
    # What a rule for each setting or given speaks of; empty: every variable, every setting that does not arrive as before.
    options: list[str] = []
    derived: bool = False  # follows from the catalog alone: speaks only of settings that no other rule spoke of
    when: Condition
    severity_when: list[SeverityCase] = []
    option: str = ""
    old: object = None
    old_of: str | None = None
    new: object = None
    new_of: str | None = None
    at: list[str] = []
    message: str
    why: str
    advice: str = ""
    variants: list[Variant] = []
    fix: Fix | None = None
    joint_depends: bool = True
    silent_when: str
    explain: Explain
    evidence: Annotated[list[Evidence], Field(min_length=1)]
    changes: list[str] = []  # the entries of the project's survey of changes that this rule answers
    examples: Examples | None = None


class Dialect(Model):
    id: Slug
    extends: str = ""  # the dialect it is a variant of: that one's fields hold where this one has none
    title: str
    repository: str
    verified: Literal["source", "executed"]
    evidence: Annotated[list[Evidence], Field(min_length=1)]
    about: str
    carriers: Annotated[list[Literal["yaml", "toml", "json", "shell", "python"]], Field(min_length=1)]
    framework: str = ""  # the package whose release conditions ask for: fw('>=0.6.0')
    markers: list[str] = []
    top_level: str | None = None
    compose: Literal["none", "hydra", "parent_files", "ordered_files"] = "none"
    own_configs: list[
        str
    ] = []  # parents that come with the framework: what they set stands in `passes`; `a/*` is a prefix
    flags: dict[str, object] = {}  # how the framework reads flags of its own; see dialects/own_flags.py
    recognise: list[dict[str, object]]
    facts: dict[str, list[Case]] = {}
    engine_core: list[Case] | None = None
    engine_core_key: str | None = None
    engine_core_pin: dict[str, object] | None = None
    engines: list[dict[str, object]]
    uses: list[dict[str, object]] = []  # what a program does with vLLM's interfaces: see dialects/uses.py
    rollout_uses: list[str] = []  # uses that make a program one that trains
    requires: dict[str, str] = {}  # releases of the framework, each with the vLLM it runs with
    embeds: list[dict[str, object]] = []  # what stands inside YAML mappings: see Embed in CONTRIBUTING.md
    embed_markers: list[str] = []  # one of them stands in a file with such a thing
    keys: dict[str, str | dict[str, object]] = {}
    absolute: dict[str, str | dict[str, object]] = {}
    passthrough: list[str | dict[str, object]] = []
    environment: list[str] = []  # mappings below an engine whose keys are environment variables
    dead: dict[str, str] = {}
    closed: list[
        dict[str, object]
    ] = []  # mappings below the engine's that are empty in the framework's configuration: Hydra wants `+`
    sampling: dict[str, object] = {}
    given: dict[str, object] = {}
    passes: list[dict[str, object]] = []
    transport: list[dict[str, object]]
    pins: list[dict[str, object]]
    switch_off: str = ""  # how to switch {option} (written as {key}) off where a plain false does not arrive
    pin_file: Literal["own", "root"] = "own"
    upgrade: str = ""
    reads: dict[str, str] = {}
