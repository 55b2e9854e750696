"""Which dialect a file is written in: its carrier, and the signs of a dialect in a configuration."""

from __future__ import annotations

from functools import lru_cache

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.flags import is_serve_option, is_telling_option
from vllm_migrate.dialects.model import Origin, Profile
from vllm_migrate.dialects.sites import sites
from vllm_migrate.dialects.tree import File, Tree, mount
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.kinds import kind_of


def carries(profile: Profile, file: File) -> bool:
    """Whether a dialect is written in files of this kind."""
    carriers = profile["carriers"]
    kind = "shell" if file.shell is not None else kind_of(file.path) if file.inside is None else "yaml"
    return isinstance(carriers, list) and kind in carriers


def recognised(profile: Profile, tree: Tree, catalog: Catalog) -> Tree | None:
    """The tree as the dialect's engines look for it, when any of the dialect's signs is in it; else None."""
    signs = profile.get("recognise")
    for sign in signs if isinstance(signs, list) else []:
        if _has_sign(sign, tree, catalog):
            return mount(tree, str(sign["mount"])) if "mount" in sign else tree
    return None


def _has_sign(sign: dict[str, object], tree: Tree, catalog: Catalog) -> bool:
    if "glob" in sign:
        return may_have(tree, sign) and any(has(node, sign) for _, node in sites(tree, str(sign["glob"])))
    if "path" in sign:
        node = tree.at(str(sign["path"]))
        if node is None:
            return False
        if "equals" in sign:
            return not node.is_map and node.value == sign["equals"]
        return node.is_map or not sign.get("mapping", True)
    if "all" in sign or "any" in sign:
        every, some = sign.get("all", []), sign.get("any")
        assert isinstance(every, list)
        some_there = not isinstance(some, list) or any(tree.at(str(p)) is not None for p in some)
        return some_there and all(tree.at(str(p)) is not None for p in every)
    return sign.get("keys") == "serve-flags" and _serve_keys(tree, sign, catalog)


def _serve_keys(tree: Tree, sign: dict[str, object], catalog: Catalog) -> bool:
    """Enough of the top-level keys are `vllm serve` options of some release."""
    keys = [key for key in tree.children if not key.startswith("$")]
    least, ratio = sign.get("least", 1), sign.get("ratio", 1.0)
    assert isinstance(least, int) and isinstance(ratio, float)
    hits = sum(1 for key in keys if is_serve_option(catalog, key.replace("_", "-")))
    strong = any(is_telling_option(catalog, key.replace("_", "-")) for key in keys)
    return bool(keys) and hits >= least and hits >= ratio * len(keys) and strong


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


def may_have(tree: Tree, wanted: dict[str, object]) -> bool:
    """False only when no mapping of the tree can have what `has` and `where` ask for."""
    where = wanted.get("where")
    paths = [str(wanted.get("has", "")), *(map(str, where) if isinstance(where, dict) else ())]
    return all(tree.may_have(key) for path in paths for key in _keys(path))


@lru_cache(1024)
def _keys(path: str) -> tuple[str, ...]:
    return tuple(key for key in path.split(".") if key)


# The fields of an entry of `embeds` that name what is opened.
OPENED = ("text", "command", "entrypoint", "image")


def may_open(tree: Tree, embed: dict[str, object]) -> bool:
    """False only when no mapping of the tree has what an entry of `embeds` asks for."""
    named = "program" in embed or any(name in embed and tree.may_have(str(embed[name])) for name in OPENED)
    return named and may_have(tree, embed)


def opens(site: Tree, embed: dict[str, object]) -> bool:
    """Whether a mapping has what an entry of `embeds` asks for."""
    if not has(site, embed):
        return False
    return "program" in embed or any(name in embed and site.get(str(embed[name])) is not None for name in OPENED)


def origin_of(file: File, profile: Profile, workspace: Workspace) -> Origin:
    """What is known of anything in a file that a dialect recognises."""
    framework = workspace.frameworks.get(str(profile.get("framework", "")))
    return Origin(profile, {}, "", file, workspace.target, framework)
