"""From a file to the engines in it: which dialect it is written in, its composed configuration, its settings."""

from __future__ import annotations

from collections.abc import Callable

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects import hydra, parents
from vllm_migrate.dialects.argv import is_option
from vllm_migrate.dialects.environment import DialectEnv
from vllm_migrate.dialects.flags import is_serve_option, is_telling_option
from vllm_migrate.dialects.interpolate import resolve
from vllm_migrate.dialects.model import Engine, Given, Profile, Spot, Written
from vllm_migrate.dialects.named import not_missing
from vllm_migrate.dialects.sites import sites
from vllm_migrate.dialects.tree import File, Tree, mount, tree_of
from vllm_migrate.dialects.workspace import Workspace, kind_of
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.expr import Undetermined, evaluate


class Found:
    """What a file holds: its engines, and the composition that was looked at on the way."""

    __slots__ = ("engines", "missing")

    def __init__(self) -> None:
        self.engines: list[Engine] = []
        self.missing: list[hydra.Missing] = []


def discover(file: File, profiles: list[Profile], catalog: Catalog, workspace: Workspace) -> Found:
    """Every vLLM engine that `file` describes."""
    found = Found()
    if file.shell is not None:
        from vllm_migrate.dialects.commands import engines_of_script
        from vllm_migrate.dialects.embedded import scripts_inside

        found.engines = engines_of_script(file, profiles, catalog, workspace)
        for number, inner in enumerate(scripts_inside(file)):
            for engine in engines_of_script(inner, profiles, catalog, workspace):
                engine.id = f"{engine.id}@{number}"
                found.engines.append(engine)
        return found
    if kind_of(file.path) == "python" and file.inside is None:
        from vllm_migrate.dialects.code import engines_of_code

        found.engines = engines_of_code(file, profiles, catalog, workspace)
        return found
    roots = file.data.roots if file.data is not None else []
    for index in range(len(roots)):
        tree = tree_of(file, index)
        if tree is not None and tree.is_map:
            _discover_tree(file, tree, profiles, catalog, workspace, found)
            _discover_inside(tree, index, profiles, catalog, workspace, found)
    return found


def _discover_inside(
    tree: Tree, index: int, profiles: list[Profile], catalog: Catalog, workspace: Workspace, found: Found
) -> None:
    """Engines in what stands inside a YAML document: commands of containers, scripts and YAML in strings."""
    embeds = [
        embed
        for profile in profiles
        for embed in _listed(profile, "embeds")
        if _may_open(tree, embed) and has(tree, {"where": embed.get("document")})
    ]
    wanted = [(embed, site) for embed in embeds for _, site in sites(tree, str(embed["at"])) if _opens(site, embed)]
    if not wanted:
        return
    from vllm_migrate.dialects.containers import documents_inside, own_programs

    for inner in documents_inside(own_programs(tree, wanted)):
        engines = discover(inner, profiles, catalog, workspace).engines
        assert inner.inside is not None
        where = ".".join(str(key) for key in inner.inside.path)
        for engine in engines:
            engine.id = f"{engine.id}@{index}.{where}"
        found.engines.extend(engines)


OPENED = ("text", "command", "entrypoint", "image")


class Words:
    """What must stand in a text for an entry of `embeds` to mean anything in it: all of `every`, one of `some`."""

    __slots__ = ("embed", "every", "some")

    def __init__(self, embed: dict[str, object]) -> None:
        self.embed = embed
        self.every = _keys_of(embed)
        self.some = [
            "" if "program" in embed else str(embed[name]) for name in OPENED if name in embed or "program" in embed
        ]


_words: dict[int, Words] = {}  # by id of an entry, which is kept with them


def _may_open(tree: Tree, embed: dict[str, object]) -> bool:
    """False only when no mapping of the tree has what an entry of `embeds` asks for."""
    words = _words.get(id(embed))
    if words is None:
        words = _words[id(embed)] = Words(embed)
    return any(map(tree.may_have, words.some)) and all(map(tree.may_have, words.every))


def _keys_of(wanted: dict[str, object]) -> list[str]:
    """The keys on the paths that `has` and `where` ask for."""
    where = wanted.get("where")
    paths = [str(wanted.get("has", "")), *(map(str, where) if isinstance(where, dict) else ())]
    return [key for path in paths for key in path.split(".") if key]


def _opens(site: Tree, embed: dict[str, object]) -> bool:
    """Whether a mapping has what an entry of `embeds` asks for."""
    if not has(site, embed):
        return False
    named = [embed[name] for name in OPENED if name in embed]
    return "program" in embed or any(site.get(str(key)) is not None for key in named)


def _listed(profile: Profile, key: str) -> list[dict[str, object]]:
    value = profile.get(key)
    return value if isinstance(value, list) else []


def _discover_tree(
    file: File, tree: Tree, profiles: list[Profile], catalog: Catalog, workspace: Workspace, found: Found
) -> None:
    composed: dict[str, hydra.Composed | None] = {}
    closed: set[object] = set()
    for profile in profiles:
        if not carries(profile, file) or profile["id"] in closed:
            continue
        kind = str(profile.get("compose"))
        if kind not in composed:
            composed[kind] = composed_by(kind, file, tree, workspace)
        parts = composed[kind]
        whole = recognised(profile, parts.tree if parts else tree, catalog)
        if whole is None:
            continue
        closed.add(profile.get("extends"))  # a variant speaks for the dialect it extends
        engines = engines_in(file, whole, profile, workspace, parts)
        found.engines.extend(engines)
        if engines:
            found.missing.extend(engines[0].missing)
            return


def composed_by(kind: str, file: File, tree: Tree, workspace: Workspace) -> hydra.Composed | None:
    """The configuration that a file and those it names make; None when it names none."""
    if kind == "hydra" and hydra.uses_defaults(tree):
        return hydra.compose(file, tree, workspace.load)
    if kind == "parent_files" and parents.uses_parents(tree):
        return parents.compose(file, tree, workspace.load)
    return None


def recognised(profile: Profile, tree: Tree, catalog: Catalog) -> Tree | None:
    """The tree as the dialect's engines look for it, when any of the dialect's signs is in it; else None."""
    signs = profile.get("recognise")
    for sign in signs if isinstance(signs, list) else []:
        if _has_sign(sign, tree, catalog):
            return mount(tree, str(sign["mount"])) if "mount" in sign else tree
    return None


def _has_sign(sign: dict[str, object], tree: Tree, catalog: Catalog) -> bool:
    if "glob" in sign:
        return _may_have(tree, sign) and any(has(node, sign) for _, node in sites(tree, str(sign["glob"])))
    if "path" in sign:
        node = tree.at(str(sign["path"]))
        if node is None:
            return False
        if "equals" in sign:
            return not node.is_map and node.value == sign["equals"]
        return node.is_map
    if "all" in sign or "any" in sign:
        every, some = sign.get("all", []), sign.get("any")
        assert isinstance(every, list)
        some_there = not isinstance(some, list) or any(tree.at(str(p)) is not None for p in some)
        return some_there and all(tree.at(str(p)) is not None for p in every)
    return "serve_flags" in sign and _serve_keys(tree, sign, catalog)


def _serve_keys(tree: Tree, sign: dict[str, object], catalog: Catalog) -> bool:
    """Enough of the top-level keys are `vllm serve` options of some release."""
    keys = [key for key in tree.children if not key.startswith("$")]
    ratio = sign["serve_flags"]
    assert isinstance(ratio, float)
    hits = sum(1 for key in keys if is_serve_option(catalog, key.replace("_", "-")))
    strong = any(is_telling_option(catalog, key.replace("_", "-")) for key in keys)
    return bool(keys) and hits >= ratio * len(keys) and strong


def carries(profile: Profile, file: File) -> bool:
    """Whether a dialect is written in files of this kind."""
    carriers = profile["carriers"]
    kind = "shell" if file.shell is not None else kind_of(file.path) if file.inside is None else "yaml"
    return isinstance(carriers, list) and kind in carriers


def engines_in(
    file: File,
    tree: Tree,
    profile: Profile,
    workspace: Workspace,
    composed: hydra.Composed | None = None,
    started: Callable[[Engine], None] | None = None,
) -> list[Engine]:
    """The engines that a recognised tree describes, those of other backends left out.

    started: notes the command line that starts an engine, before the dialect's conditions are asked.
    """
    out: list[Engine] = []
    specs = profile.get("engines")
    taken: dict[str, str] = {}  # paths, by the root that named them; entries with the same root are alternatives
    for spec in specs if isinstance(specs, list) else []:
        if "calls" in spec:
            continue  # made by a program: see dialects/code
        pattern = str(spec.get("root", ""))
        for path, site in sites(tree, pattern):
            left_out = spec.get("excluding")
            named = taken.get(path, pattern) != pattern or any(engine.site_path == path for engine in out)
            if named or (isinstance(left_out, list) and path in left_out) or not has(site, spec):
                continue
            taken[path] = pattern
            ident = f"{profile['id']}:{path or '.'}"
            engine = Engine(ident, str(spec["role"]), profile, spec, file)
            engine.root, engine.site, engine.site_path = tree, site, path
            engine.framework = workspace.frameworks.get(str(profile.get("framework", "")))
            engine.target = workspace.target
            if started is not None:
                started(engine)
            if composed is not None:
                engine.files = composed.files if file in composed.files else [*composed.files, file]
                engine.missing = not_missing(composed.missing, profile.get("own_configs"))
            if "when" in spec and evaluate(spec["when"], DialectEnv(engine, release=engine.target)) is False:
                continue
            fill(engine)
            out.append(engine)
    return out


def _may_have(tree: Tree, wanted: dict[str, object]) -> bool:
    """False only when no mapping of the tree can have what is wanted."""
    return all(map(tree.may_have, _keys_of(wanted)))


def has(node: Tree, wanted: dict[str, object]) -> bool:
    """Whether a mapping has the mapping or list that `has` names, and the values that `where` gives by path."""
    if "has" in wanted:
        child = node.at(str(wanted["has"]))
        if child is None or not (child.is_map or child.is_seq):
            return False
    where = wanted.get("where")
    for path, value in where.items() if isinstance(where, dict) else ():
        child = node.at(str(path))
        if child is None or child.is_map or child.value != value:
            return False
    return True


def fill(engine: Engine) -> None:
    """Read the options, sampling parameters and facts that are written for an engine found in a tree."""
    site, root = engine.site, engine.root
    assert site is not None and root is not None
    place = engine.home() or site.places[0]
    engine.container = Spot(place.file, place.key_start, place.key_end)
    if engine.spec.get("vllm_names"):
        for key, child in site.children.items():
            engine.options.append(_written(engine, key, "", child, _join(engine.site_path, key)))
        _absolute(engine)
    else:
        _mapped(engine, site)
    _sampling(engine)
    facts_of(engine)


def _join(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def _mapped(engine: Engine, site: Tree) -> None:
    """Settings under the framework's own names, then those it passes through as they are."""
    profile = engine.dialect
    for key, target in engine.keys.items() if isinstance(engine.keys, dict) else ():
        tree = site.at(key)
        if tree is not None:
            _map_one(engine, key, _join(engine.site_path, key), target, tree)
    _absolute(engine)
    dead = profile.get("dead")
    for key, why in dead.items() if isinstance(dead, dict) else ():
        tree = site.at(key)
        if tree is not None:
            engine.dead.append((_written(engine, key, key, tree, _join(engine.site_path, key)), str(why)))
    paths = profile.get("passthrough")
    for item in paths if isinstance(paths, list) else []:
        entry = item if isinstance(item, dict) else {"path": item}
        path = str(entry["path"])
        tree = site.at(path)
        left_out = entry.get("excluding", ())
        assert isinstance(left_out, (list, tuple))
        for key, child in tree.children.items() if tree is not None and tree.is_map else ():
            if key in left_out:
                continue
            written = _written(engine, key, "", child, _join(engine.site_path, path, key))
            _conditional(written, entry)
            written.passed = True
            engine.options.append(written)
        for written in _arguments(engine, path, tree) if tree is not None and tree.is_seq else ():
            _conditional(written, entry)
            engine.options.append(written)
    _variables(engine, site)


def _arguments(engine: Engine, path: str, tree: Tree) -> list[Written]:
    """A list of arguments as settings: an option and the values behind it are one."""
    out: list[Written] = []
    for number, item in enumerate(tree.items):
        if item.is_map or item.is_seq:
            continue
        node = item.place.node
        text = item.value if isinstance(item.value, str) else item.place.file.source.text[node.start : node.end]
        if is_option(text) or not out or not out[-1].key:
            key, eq, value = text.partition("=") if text.startswith("-") else ("", "", text)
            written = _written(engine, key, "", item, _join(engine.site_path, path, str(number)))
            written.value = value if eq or not key else True
            written.attached, written.words = bool(eq), [number]
            written.number = len(engine.options) + len(out)
            out.append(written)
            continue
        last = out[-1]
        last.value = (
            [*last.value, text] if isinstance(last.value, list) else text if last.value is True else [last.value, text]
        )
        assert last.words is not None
        last.words.append(number)
    return out


def _absolute(engine: Engine) -> None:
    """What stands elsewhere in the configuration under a name from its top."""
    table = engine.dialect.get("absolute")
    for key, target in table.items() if isinstance(table, dict) else ():
        tree = engine.root.at(key) if engine.root is not None else None
        if tree is not None:
            _map_one(engine, key, key, target, tree)


def _variables(engine: Engine, site: Tree) -> None:
    """Environment variables that the framework sets for its engine."""
    paths = engine.dialect.get("environment")
    for path in paths if isinstance(paths, list) else []:
        tree = site.at(str(path))
        pairs = list(tree.children.items()) if tree is not None and tree.is_map else _named_values(tree)
        for key, child in pairs:
            written = _written(engine, key, f"env.{key}", child, _join(engine.site_path, str(path), key))
            if written.value is not None and not isinstance(written.value, Unknown):
                written.value = _env_text(written.value)
            engine.given[f"env.{key}"] = Given(_sure(written), written, "")


def _named_values(tree: Tree | None) -> list[tuple[str, Tree]]:
    """`- {name: A, value: b}`, as Kubernetes writes environment variables."""
    found = [(item.get("name"), item.get("value")) for item in (tree.items if tree is not None else [])]
    return [(str(name.value), value) for name, value in found if name is not None and value is not None]


def _conditional(written: Written, entry: dict[str, object]) -> None:
    """Whether the framework reads it may depend on its release; that is asked where it is delivered."""
    written.when, written.unread = entry.get("when", True), str(entry.get("unread", ""))


def _map_one(engine: Engine, key: str, path: str, target: object, tree: Tree) -> None:
    entry = target if isinstance(target, dict) else {"to": target}
    option = str(entry["to"])
    written = _written(engine, key, option, tree, path)
    _conditional(written, entry)
    if entry.get("invert") and isinstance(written.value, bool):
        written.value = not written.value
    values = entry.get("values")
    if isinstance(values, dict):
        written.value = values.get(str(written.value), written.value)
    written.last = bool(entry.get("last"))
    if "." in option:
        if evaluate(written.when, DialectEnv(engine, release=engine.target)) is False:
            return
        if option.startswith("env.") and written.value is not None and not isinstance(written.value, Unknown):
            written.value = _env_text(written.value)
        engine.given[option] = Given(_sure(written), written, "")
    else:
        written.number = len(engine.options)
        engine.options.append(written)


def _env_text(value: object) -> str:
    return {True: "1", False: "0"}[value] if isinstance(value, bool) else str(value)


def _written(engine: Engine, key: str, option: str, tree: Tree, path: str) -> Written:
    value = tree.plain() if tree.is_map or tree.is_seq else tree.value
    root = engine.root
    if root is not None and isinstance(value, str):
        value = resolve(root, path, value)
    place = tree.place
    written = Written(
        key,
        option,
        value,
        Spot(place.file, place.key_start, place.key_end),
        Spot(place.file, place.node.start, place.node.end),
        len(engine.options),
    )
    written.tree = tree
    written.raw = tree.value
    return written


def _sampling(engine: Engine) -> None:
    spec = engine.dialect.get("sampling")
    if not isinstance(spec, dict):
        return
    root = spec.get("root")
    tree = engine.root.at(str(root)) if root and engine.root is not None else None
    for key, child in tree.children.items() if tree is not None else ():
        written = _written(engine, key, f"sampling.{key}", child, f"{root}.{key}")
        engine.given[f"sampling.{key}"] = Given(_sure(written), written, "")
    defaults = spec.get("defaults")
    for key, value in defaults.items() if isinstance(defaults, dict) and not engine.missing else ():
        engine.given.setdefault(f"sampling.{key}", Given(value, None, f"{engine.dialect['title']}'s default"))


def _sure(written: Written) -> object:
    if isinstance(written.value, Unknown):
        return Undetermined((f"the value of {written.key} ({written.value.text})",))
    return written.value


def facts_of(engine: Engine) -> None:
    """The facts a dialect gives of its engines: conditions evaluated, what no file tells Undetermined."""
    engine.facts.clear()  # what was made of it before its environment was read
    spec = engine.dialect.get("sampling")
    engine.given["sampling.via"] = Given(spec.get("via", "request") if isinstance(spec, dict) else "request", None, "")
    key = engine.dialect.get("engine_core_key")
    tree = engine.root.at(str(key)) if key and engine.root is not None else None
    if tree is not None:
        written = _written(engine, str(key).rpartition(".")[2], "config.core", tree, str(key))
        engine.given["config.core"] = Given(_sure(written), written, "")
    facts = engine.dialect.get("facts")
    env = DialectEnv(engine, release=engine.target)
    for name, fact in facts.items() if isinstance(facts, dict) else ():
        if isinstance(fact, dict) and "depends_on" in fact:
            value: object = Undetermined((str(fact["depends_on"]),), (True, False))
        else:
            value = evaluate(fact["value_of"], env)
            if "maybe" in fact and (isinstance(value, Undetermined) or value):
                value = Undetermined((str(fact["maybe"]),), (True, False))
        engine.given[name] = Given(value, _stands(engine, fact), "")


def _stands(engine: Engine, fact: object) -> Written | None:
    """Where a fact is written: the first of its `at` paths that the configuration has."""
    paths = fact.get("at") if isinstance(fact, dict) else None
    for path in paths if isinstance(paths, list) else []:
        tree = engine.root.at(str(path)) if engine.root is not None else None
        if tree is not None:
            return _written(engine, str(path).rpartition(".")[2], f"config.{path}", tree, str(path))
    return None
