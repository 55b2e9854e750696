"""Which dialect a file is written in: its carrier, and the signs of a dialect in a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.flags import is_serve_option, is_telling_option
from vllm_migrate.dialects.model import Origin, Use
from vllm_migrate.dialects.sites import sites
from vllm_migrate.dialects.tree import File, Place, Tree, mount
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import Node
from vllm_migrate.documents.kinds import kind_of
from vllm_migrate.knowledge.records import Dialect, Embed, EngineSpec, Scalar, Sign


def carries(dialect: Dialect, file: File) -> bool:
    """Whether a dialect is written in files of this kind."""
    kind = "shell" if file.shell is not None else kind_of(file.path) if file.inside is None else "yaml"
    return kind in dialect.carriers


def recognised(dialect: Dialect, tree: Tree, catalog: Catalog) -> Tree | None:
    """The tree as the dialect's engines look for it, when any of the dialect's signs is in it; else None."""
    for sign in dialect.recognise:
        if _has_sign(sign, tree, catalog):
            return mount(tree, sign.mount)
    return None


def _has_sign(sign: Sign, tree: Tree, catalog: Catalog) -> bool:
    if sign.inside and not _stands_in(tree, sign.inside):
        return False
    if sign.glob:
        return may_have(tree, sign) and any(has(node, sign) for _, node in sites(tree, sign.glob))
    if sign.path:
        node = tree.at(sign.path)
        return node is not None and (node.is_map if sign.equals is None else _is_scalar(node, sign.equals))
    if sign.all or sign.any:
        some_there = not sign.any or any(tree.at(path) is not None for path in sign.any)
        nothing_else = not sign.only or all(key in sign.only or key[:1] == "$" for key in tree.children)
        return some_there and nothing_else and all(tree.at(path) is not None for path in sign.all)
    return sign.serve_flags > 0 and _serve_keys(tree, sign.serve_flags, catalog)


def _stands_in(tree: Tree, key: str) -> bool:
    """Whether a document is the text under a key of another one."""
    inside = tree.places[-1].file.inside if tree.places else None
    return inside is not None and inside.path[-1:] == (key,)


def _serve_keys(tree: Tree, ratio: float, catalog: Catalog) -> bool:
    """Enough of the top-level keys are `vllm serve` options of some release."""
    keys = [key for key in tree.children if not key.startswith("$")]
    hits = sum(1 for key in keys if is_serve_option(catalog, key.replace("_", "-")))
    telling = any(is_telling_option(catalog, key.replace("_", "-")) for key in keys)
    return telling and hits >= ratio * len(keys)


def _is_scalar(node: Tree | None, value: Scalar) -> bool:
    return node is not None and not node.is_map and node.value == value


def has(node: Tree, wanted: EngineSpec | Sign) -> bool:
    """Whether a mapping has the mapping or list that `has` names, a key with the prefix, and the values that `where` gives by
    path."""
    if wanted.has:
        child = node.at(wanted.has)
        if child is None or not (child.is_map or child.is_seq):
            return False
    if wanted.prefix and not any(key.startswith(wanted.prefix) for key in node.children):
        return False
    return has_values(node, wanted.where)


def has_values(node: Tree, values: dict[str, Scalar]) -> bool:
    """Whether a mapping has these values, by path."""
    return all(_is_scalar(node.at(path), value) for path, value in values.items())


def may_have(tree: Tree, wanted: Sign) -> bool:
    """False only when no mapping of the tree can have what `has`, `prefix` and `where` ask for."""
    if wanted.prefix and not any(wanted.prefix in place.file.source.text for place in tree.places):
        return False
    return all(map(tree.may_have, _keys(wanted.has, *wanted.where)))


@lru_cache(1024)
def _keys(*paths: str) -> tuple[str, ...]:
    return tuple(key for path in paths for key in path.split(".") if key)


def may_open(tree: Tree, embed: Embed) -> bool:
    """False only when no mapping of the tree has what an entry of `embeds` asks for."""
    opened = (bool(embed.program) and not embed.telling) or any(map(tree.may_have, _opened(embed)))
    return opened and all(map(tree.may_have, _keys(*embed.where))) and has_values(tree, embed.document)


def opens(site: Tree, embed: Embed) -> bool:
    """Whether a mapping has what an entry of `embeds` asks for."""
    if not has_values(site, embed.where) or (embed.needs and site.get(embed.needs) is None):
        return False
    if any(site.get(key) is not None for key in embed.lacks):
        return False
    return (bool(embed.program) and not embed.telling) or any(site.get(key) is not None for key in _opened(embed))


def _opened(embed: Embed) -> list[str]:
    """The keys of what is opened."""
    return [key for key in (embed.text, embed.command, embed.entrypoint, embed.image) if key]


def origin_of(file: File, dialect: Dialect, workspace: Workspace) -> Origin:
    """What is known of anything in a file that a dialect recognises."""
    situation = workspace.situation_of(file)
    if situation.shown and file.inside is not None:
        situation = situation.within(scopes(file))
    return Origin(dialect, file, situation=situation)


def at_site(origin: Origin, site: Tree) -> Origin:
    """The same of what stands in a mapping: its file may show other releases for others."""
    situation = origin.situation
    if not situation.shown or site.place.file is not origin.file:
        return origin
    return origin._replace(situation=situation.within(scopes(origin.file, site.place)))


def at_command(origin: Origin, start: int, end: int) -> Origin:
    """The same of a command of a script: what it shows counts, then what the script shows before it."""
    situation = origin.situation
    if not situation.shown or origin.file.inside is not None:
        return origin
    before = [shown.at for shown in situation.shown if shown.at < start]
    last = max(before, default=0)
    return origin._replace(situation=situation.within([(start, end), (last, last + 1)]))


def scopes(file: File, place: Place | None = None) -> list[tuple[int, int]]:
    """The spans of the values that hold a place of a file, or the whole of a document in a file; the smallest first."""
    index, path = (place.index, place.path) if place is not None else (0, ())
    inside = file.inside
    while inside is not None:
        if inside.kind in ("list", "string", "cell"):
            return []  # what a program shows is not told by place
        file, index, path = inside.host, inside.document, inside.path
        inside = file.inside
    if file.data is None:
        return []
    node: Node | None = file.data.roots[index]
    spans: list[tuple[int, int]] = []
    for key in (*path, None):
        if node is None:
            break
        spans.append((node.start, node.end))
        if isinstance(key, int) and key < len(node.items):
            node = node.items[key]
        else:
            node = node.get(key) if isinstance(key, str) else None
    return spans[::-1]


def role_of(dialect: Dialect, otherwise: str, uses: Sequence[Use], file: File) -> str:
    """A program that updates weights trains, and so does one that speaks of training; what else it is, its dialect states."""
    if any(use.name in dialect.rollout_uses for use in uses):
        return "rl_rollout"
    if otherwise == "serving" and dialect.rollout_words:
        text = file.source.text.lower()
        if sum(word in text for word in dialect.rollout_words) >= SEVERAL:
            return "rl_rollout"
    return otherwise


# How many words of training a program has to use that is taken to train.
SEVERAL = 2
