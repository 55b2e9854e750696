"""What is written for an engine that was found: its settings, sampling parameters, environment variables and facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from vllm_migrate.dialects.argv import is_option
from vllm_migrate.dialects.composition import Composed
from vllm_migrate.dialects.environment import DialectEnv
from vllm_migrate.dialects.interpolate import resolve
from vllm_migrate.dialects.model import Engine, Fact, Origin, Profile, Spot, Written, determined
from vllm_migrate.dialects.named import not_missing
from vllm_migrate.dialects.recognition import has
from vllm_migrate.dialects.sites import sites
from vllm_migrate.dialects.tree import Tree
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.expr import Undetermined, evaluate


def engines_in(
    origin: Origin, tree: Tree, composed: Composed | None = None, facts: Mapping[str, Fact] | None = None
) -> list[Engine]:
    """The engines that a recognised tree describes, those of other backends left out.

    origin: what all of them share; facts: what is known of them before, the variables of a command line.
    """
    profile = origin.dialect
    if composed is not None:
        files = composed.files if origin.file in composed.files else [*composed.files, origin.file]
        missing = not_missing(composed.missing, profile.get("own_configs"))
        origin = origin._replace(files=files, missing=missing)
    out: list[Engine] = []
    specs = profile.get("engines")
    roots: dict[str, str] = {}  # of paths, the root that named them; entries with the same root are alternatives
    found: set[str] = set()
    for spec in specs if isinstance(specs, list) else []:
        if "calls" in spec:
            continue  # made by a program: see dialects/code
        pattern = str(spec.get("root", ""))
        left_out = spec.get("except", ())
        for path, site in sites(tree, pattern):
            if roots.get(path, pattern) != pattern or path in found or path in left_out or not has(site, spec):
                continue
            roots[path] = pattern
            own = origin._replace(
                spec=spec,
                role=str(spec["role"]),
                root=tree,
                site=site,
                path=path,
                entrypoint=str(spec.get("entrypoint", "")),
            )
            if runs(own, facts or {}):
                found.add(path)
                out.append(read(f"{profile['id']}:{path or '.'}", own, facts or {}))
    return out


def runs(origin: Origin, facts: Mapping[str, Fact]) -> bool:
    """Whether the condition of the dialect's entry holds, or may hold: this engine is vLLM's, and is started."""
    test = evaluate(origin.spec.get("when", True), DialectEnv(origin, facts, origin.target))
    return test is not False


def read(ident: str, origin: Origin, facts: Mapping[str, Fact]) -> Engine:
    """The engine at the site of `origin`."""
    reader = Reader(origin, facts)
    reader.read_site()
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
        return Engine(ident, self.origin, self.all_facts(), container, self.options, self.dead, remarks)

    def read_site(self) -> None:
        """What stands in the engine's mapping, and elsewhere in its configuration."""
        site = self.origin.site
        assert site is not None
        if self.origin.spec.get("keys") == "options":
            for key, child in site.children.items():
                self.options.append(self._written(key, "", child, _join(self.origin.path, key)))
            self._absolute()
        else:
            self._mapped(site)
        self._sampling()

    def _mapped(self, site: Tree) -> None:
        """Settings under the framework's own names, then those it passes through as they are."""
        profile, path = self.origin.dialect, self.origin.path
        for key, target in self.origin.keys.items():
            tree = site.at(key)
            if tree is not None:
                self._map_one(key, _join(path, key), target, tree)
        self._absolute()
        dead = profile.get("dead")
        for key, why in dead.items() if isinstance(dead, dict) else ():
            tree = site.at(key)
            if tree is not None:
                self.dead.append((self._written(key, key, tree, _join(path, key)), str(why)))
        paths = profile.get("passthrough")
        for item in paths if isinstance(paths, list) else []:
            self._passed_through(site, item if isinstance(item, dict) else {"path": item})
        self._variables(site)

    def _passed_through(self, site: Tree, entry: Profile) -> None:
        """A mapping, or a list of arguments, that the framework hands on under vLLM's own names."""
        path = str(entry["path"])
        tree = site.at(path)
        if tree is None:
            return
        when, because, left_out = entry.get("when", True), str(entry.get("unread", "")), entry.get("except", ())
        assert isinstance(left_out, (list, tuple))
        for key, child in tree.children.items() if tree.is_map else ():
            if key not in left_out:
                written = self._written(key, "", child, _join(self.origin.path, path, key))
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
        table = self.origin.dialect.get("absolute")
        for key, target in table.items() if isinstance(table, dict) else ():
            tree = self._at(key)
            if tree is not None:
                self._map_one(key, key, target, tree)

    def _at(self, path: object) -> Tree | None:
        return self.origin.root.at(str(path)) if path and self.origin.root is not None else None

    def _variables(self, site: Tree) -> None:
        """Environment variables that the framework sets for its engine."""
        paths = self.origin.dialect.get("environment")
        for path in paths if isinstance(paths, list) else []:
            tree = site.at(str(path))
            pairs = list(tree.children.items()) if tree is not None and tree.is_map else _named_values(tree)
            for key, child in pairs:
                self._fact(self._written(key, f"env.{key}", child, _join(self.origin.path, str(path), key)))

    def _map_one(self, key: str, path: str, target: object, tree: Tree) -> None:
        """One setting under a name of the framework's own."""
        entry = target if isinstance(target, dict) else {"to": target}
        written = self._written(key, str(entry["to"]), tree, path)
        value, values = written.value, entry.get("values")
        if entry.get("invert") and isinstance(value, bool):
            value = not value
        if isinstance(values, dict):
            value = values.get(str(value), value)
        when = entry.get("when", True)
        written = written._replace(
            value=value, when=when, unread_because=str(entry.get("unread", "")), last=bool(entry.get("last"))
        )
        if "." not in written.option:
            self.options.append(written)
        elif evaluate(when, self._env) is not False:
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
        return Written(key, option, value, spot, value_spot, len(self.options), tree.value, tree)

    def _sampling(self) -> None:
        spec = self.origin.dialect.get("sampling")
        if not isinstance(spec, dict):
            return
        root = spec.get("root")
        tree = self._at(root)
        for key, child in tree.children.items() if tree is not None else ():
            self._fact(self._written(key, f"sampling.{key}", child, f"{root}.{key}"))
        defaults = spec.get("defaults")
        for key, value in defaults.items() if isinstance(defaults, dict) and not self.origin.missing else ():
            because = f"{self.origin.dialect['title']}'s default"
            self.facts.setdefault(f"sampling.{key}", Fact(value, None, because))

    def all_facts(self) -> dict[str, Fact]:
        """What is written as facts, and what the dialect states: conditions evaluated, what no file decides Undetermined."""
        profile, facts = self.origin.dialect, dict(self.facts)
        spec = profile.get("sampling")
        facts["sampling.via"] = Fact(spec.get("via", "request") if isinstance(spec, dict) else "request")
        key = str(profile.get("engine_core_key", ""))
        tree = self._at(key)
        if tree is not None:
            written = self._written(key.rpartition(".")[2], "config.core", tree, key)
            facts["config.core"] = Fact(determined(written.key, written.value), written)
        stated = profile.get("given")
        # What was answered before its environment was read is asked again.
        env = DialectEnv(self.origin, facts, self.origin.target)
        for name, fact in stated.items() if isinstance(stated, dict) else ():
            facts[name] = Fact(_stated_value(fact, env), self._stands(fact))
        return facts

    def _stands(self, fact: object) -> Written | None:
        """Where a fact is written: the first of its `at` paths that the configuration has."""
        paths = fact.get("at") if isinstance(fact, dict) else None
        for path in map(str, paths if isinstance(paths, list) else []):
            tree = self._at(path)
            if tree is not None:
                return self._written(path.rpartition(".")[2], f"config.{path}", tree, path)
        return None


def _stated_value(fact: object, env: DialectEnv) -> object:
    if not isinstance(fact, dict):
        return fact
    if "depends_on" in fact:
        return Undetermined((str(fact["depends_on"]),), (True, False))
    if "when" in fact:
        value = evaluate(fact["when"], env)
        if "maybe" in fact and (isinstance(value, Undetermined) or value):
            return Undetermined((str(fact["maybe"]),), (True, False))
        return value
    return evaluate(fact["value_of"], env) if "value_of" in fact else fact


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
