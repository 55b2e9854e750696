"""What is written for an engine that was found: its settings, sampling parameters, environment variables and facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from vllm_migrate.dialects.argv import is_option
from vllm_migrate.dialects.composition import Composed
from vllm_migrate.dialects.environment import DialectEnv
from vllm_migrate.dialects.interpolate import resolve
from vllm_migrate.dialects.model import Engine, Fact, Origin, Spot, Written, determined
from vllm_migrate.dialects.named import not_missing
from vllm_migrate.dialects.recognition import at_site, has
from vllm_migrate.dialects.sites import sites, values_at
from vllm_migrate.dialects.situation import Known
from vllm_migrate.dialects.tree import Tree
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.documents.steps import spend
from vllm_migrate.knowledge.expr import Undetermined
from vllm_migrate.knowledge.records import EngineSpec, FactSpec, Key, Passthrough, RoleSign

STEPS_AN_ENGINE, STEPS_A_SETTING = 300, 20  # of those that a file has: some thousands of engines, and no more
_BOOLEANS = {"true": True, "false": False}


def engines_in(
    origin: Origin, tree: Tree, composed: Composed | None = None, facts: Mapping[str, Fact] | None = None
) -> list[Engine]:
    """The engines that a recognised tree describes, those of other backends left out.

    origin: what all of them share; facts: what is known of them before, the variables of a command line.
    """
    dialect = origin.dialect
    if composed is not None:
        files = composed.files if origin.file in composed.files else [*composed.files, origin.file]
        missing = not_missing(composed.missing, dialect.own_configs)
        origin = origin._replace(files=files, missing=missing)
    out: list[Engine] = []
    roots: dict[str, str] = {}  # of paths, the root that named them; entries with the same root are alternatives
    found: set[str] = set()
    for spec in dialect.engines:
        if spec.calls:
            continue  # made by a program: see dialects/code
        for path, site in sites(tree, spec.root):
            known = roots.get(path, spec.root) != spec.root or path in found
            if known or path in spec.excluding or not has(site, spec):
                continue
            roots[path] = spec.root
            own = at_site(of_spec(origin, spec), site)._replace(root=tree, site=site, path=path)
            if runs(own, facts or {}):
                found.add(path)
                out.append(read(f"{dialect.id}:{path or '.'}", own, facts or {}))
    return out


def of_spec(origin: Origin, spec: EngineSpec) -> Origin:
    """An engine of one of the dialect's kinds."""
    return origin.of_role(spec.role)._replace(spec=spec, entrypoint=spec.entrypoint or "")


def runs(origin: Origin, facts: Mapping[str, Fact]) -> bool:
    """Whether the condition of the dialect's entry holds, or may hold: this engine is vLLM's, and is started."""
    return origin.spec is None or origin.spec.when.evaluate(DialectEnv(origin, facts, origin.target)) is not False


def read(ident: str, origin: Origin, facts: Mapping[str, Fact], variables: Sequence[tuple[str, Tree]] = ()) -> Engine:
    """The engine at the site of `origin`. variables: mappings of its environment elsewhere, with their paths."""
    reader = Reader(origin, facts)
    reader.read_site()
    for path, tree in variables:
        reader.read_variables(path, tree)
    place = origin.home()
    assert place is not None
    return reader.engine(ident, Spot(place.file, place.key_start, place.key_end))


class Reader:
    """Collects what is written for one engine, until `engine` makes the record of it."""

    def __init__(self, origin: Origin, facts: Mapping[str, Fact]) -> None:
        self.origin = origin
        self.facts = dict(facts)
        self.options: list[Written] = []
        self.dead: list[tuple[Written, str]] = []
        self._env = DialectEnv(origin, self.facts, origin.target)

    def engine(self, ident: str, container: Spot, remarks: Sequence[Written] = ()) -> Engine:
        """The engine, with the facts that its dialect states."""
        self._tell_role()
        spend(STEPS_AN_ENGINE + STEPS_A_SETTING * len(self.options))
        return Engine(ident, self.origin, self.all_facts(), container, self.options, self.dead, remarks)

    def _tell_role(self) -> None:
        """What a serving engine is for, where a setting of it tells."""
        origin = self.origin
        if origin.role != "serving" or origin.situation.role is not None:
            return
        written = {option.key.lstrip("-").replace("-", "_") or "model": option for option in self.options}
        for sign in origin.dialect.roles:
            setting = written.get(sign.option)
            if setting is not None and _says(sign, setting.value):
                place = setting.spot.file.source.position(setting.spot.start).line
                known = Known(sign.role, f"{setting.key} in line {place}: {sign.because}")
                self._be(sign.role, known)
                return
        document = origin.file.data
        if document is None or document.carrier != "python":  # a program makes its engine for itself
            client = origin.situation.around.client()
            if client is not None:
                self._be("rl_rollout", client)

    def _be(self, role: str, known: Known) -> None:
        self.origin = self.origin._replace(role=role, situation=self.origin.situation._replace(role=known))

    def read_site(self) -> None:
        """What stands in the engine's mapping, and elsewhere in its configuration."""
        site = self.origin.site
        assert site is not None
        if self.origin.spec is not None and self.origin.spec.vllm_names:
            for key, child in site.children.items():
                self.options.append(self._written(key, "", child, _join(self.origin.path, key)))
            self._absolute()
        else:
            self._mapped(site)
        self._sampling()

    def _mapped(self, site: Tree) -> None:
        """Settings under the framework's own names, then those it passes through as they are."""
        path = self.origin.path
        for key, meant in self.origin.keys.items():
            tree = site.at(key)
            if tree is not None:
                self._map_one(key, _join(path, key), meant, tree)
        self._absolute()
        for key, why in self.origin.dialect.dead.items():
            tree = site.at(key)
            if tree is not None:
                self.dead.append((self._written(key, key, tree, _join(path, key)), why))
        for entry in self.origin.dialect.passthrough:
            self._passed_through(site, entry)
        self._variables(site)

    def _passed_through(self, site: Tree, entry: Passthrough) -> None:
        """A mapping, or a list of arguments, that the framework hands on under vLLM's own names."""
        for path, tree in values_at(site, entry.path):
            self._handed_on(path, tree, entry)

    def _handed_on(self, path: str, tree: Tree, entry: Passthrough) -> None:
        when, because = entry.when, entry.unread
        for key, child in tree.children.items() if tree.is_map else ():
            if key in entry.excluding or not key.startswith(entry.prefix):
                continue
            written = self._written(key, "", child, _join(self.origin.path, path, key))
            if entry.prefix:
                name, text = key.removeprefix(entry.prefix).lower(), str(written.value).lower()
                written = written._replace(option=name, value=_BOOLEANS.get(text, written.value))
            self.options.append(written._replace(when=when, unread_because=because, passed=True))
        for written in self._arguments(path, tree) if tree.is_seq else ():
            self.options.append(written._replace(when=when, unread_because=because, number=len(self.options)))

    def _arguments(self, path: str, tree: Tree) -> Iterator[Written]:
        """A list of arguments as settings: an option and the values behind it are one."""
        groups: list[list[tuple[int, Tree, str]]] = []
        for number, item in enumerate(tree.items):
            if item.is_map or item.is_seq:
                continue
            text = item.value if isinstance(item.value, str) else _source_text(item)
            if groups and groups[-1][0][2].startswith("-") and not is_option(text):
                groups[-1].append((number, item, text))
            else:
                groups.append([(number, item, text)])
        for (number, item, text), *others in groups:
            key, eq, first = text.partition("=") if text.startswith("-") else ("", "", text)
            values = [*([first] if eq or not key else []), *(value for _, _, value in others)]
            yield self._written(key, "", item, _join(self.origin.path, path, str(number)))._replace(
                value=True if not values else values[0] if len(values) == 1 else values,
                attached=bool(eq),
                words=[number, *(at for at, _, _ in others)],
            )

    def _absolute(self) -> None:
        """What stands elsewhere in the configuration under a name from its top."""
        for key, meant in self.origin.dialect.absolute.items():
            tree = self._at(key)
            if tree is not None:
                self._map_one(key, key, meant, tree)

    def _at(self, path: str) -> Tree | None:
        return self.origin.root.at(path) if path and self.origin.root is not None else None

    def _variables(self, site: Tree) -> None:
        """Environment variables that the framework sets for its engine."""
        for path in self.origin.dialect.environment:
            self.read_variables(_join(self.origin.path, path), site.at(path))

    def read_variables(self, path: str, tree: Tree | None) -> None:
        """The environment variables of a mapping, or of a list as Kubernetes writes it."""
        pairs = list(tree.children.items()) if tree is not None and tree.is_map else _named_values(tree)
        for key, child in pairs:
            self._fact(self._written(key, f"env.{key}", child, _join(path, key)))

    def _map_one(self, key: str, path: str, meant: Key, tree: Tree) -> None:
        """One setting under a name of the framework's own."""
        written = self._written(key, meant.to, tree, path)
        value = written.value
        if meant.invert and isinstance(value, bool):
            value = not value
        if meant.values:
            value = meant.values.get(str(value), value)
        written = written._replace(value=value, when=meant.when, unread_because=meant.unread, last=meant.last)
        if "." not in written.option:
            self.options.append(written)
        elif meant.when.evaluate(self._env) is not False:
            self._fact(written)

    def _fact(self, written: Written) -> None:
        """What is written as a fact under the name of its option."""
        value = written.value
        if written.option.startswith("env.") and value is not None and not isinstance(value, Unknown):
            written = written._replace(value=_env_text(value))
        self.facts[written.option] = Fact(determined(written.key, written.value), written)

    def _written(self, key: str, option: str, tree: Tree, path: str) -> Written:
        value = tree.plain() if tree.is_map or tree.is_seq else tree.value
        if self.origin.root is not None and isinstance(value, str):
            value = resolve(self.origin.root, path, value)
        place = tree.place
        spot = Spot(place.file, place.key_start, place.key_end)
        value_spot = Spot(place.file, place.node.start, place.node.end)
        assumed = getattr(place.node, "assumed", "")
        return Written(key, option, value, spot, value_spot, len(self.options), tree.value, tree, assumed=assumed)

    def _sampling(self) -> None:
        spec = self.origin.dialect.sampling
        tree = self._at(spec.root)
        for key, child in tree.children.items() if tree is not None else ():
            self._fact(self._written(key, f"sampling.{key}", child, f"{spec.root}.{key}"))
        for key, value in spec.defaults.items() if not self.origin.missing else ():
            because = f"{self.origin.dialect.title}'s default"
            self.facts.setdefault(f"sampling.{key}", Fact(value, None, because))

    def all_facts(self) -> dict[str, Fact]:
        """What is written as facts, and what the dialect states: conditions evaluated, what no file decides Undetermined."""
        dialect, facts = self.origin.dialect, dict(self.facts)
        facts["sampling.via"] = Fact(dialect.sampling.via)
        key = dialect.engine_core_key
        tree = self._at(key)
        if tree is not None:
            written = self._written(key.rpartition(".")[2], "config.core", tree, key)
            facts["config.core"] = Fact(determined(written.key, written.value), written)
        # What was answered before its environment was read is asked again.
        env = DialectEnv(self.origin, facts, self.origin.target)
        for name, stated in dialect.facts.items():
            facts[name] = Fact(_stated_value(stated, env), self._stands(stated))
        return facts

    def _stands(self, stated: FactSpec) -> Written | None:
        """Where a fact is written: the first of its `at` paths that the configuration has."""
        for path in stated.at:
            tree = self._at(path)
            if tree is not None:
                return self._written(path.rpartition(".")[2], f"config.{path}", tree, path)
        return None


def _says(sign: RoleSign, value: object) -> bool:
    if sign.parts:
        return isinstance(value, str) and any(part in value.lower() for part in sign.parts)
    return not sign.values or value in sign.values


def _stated_value(stated: FactSpec, env: DialectEnv) -> object:
    if stated.value_of is None:
        return Undetermined((stated.depends_on,), (True, False))
    value = stated.value_of.evaluate(env)
    if stated.maybe and (isinstance(value, Undetermined) or value):
        return Undetermined((stated.maybe,), (True, False))
    return value


def _join(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def _source_text(item: Tree) -> str:
    """A scalar as it stands in the file."""
    node = item.place.node
    return item.place.file.source.text[node.start : node.end]


def _named_values(tree: Tree | None) -> list[tuple[str, Tree]]:
    """`- {name: A, value: b}`, as Kubernetes writes environment variables."""
    found = [(item.get("name"), item.get("value")) for item in (tree.items if tree is not None else [])]
    return [(str(name.value), value) for name, value in found if name is not None and value is not None]


def _env_text(value: object) -> str:
    return {True: "1", False: "0"}[value] if isinstance(value, bool) else str(value)
