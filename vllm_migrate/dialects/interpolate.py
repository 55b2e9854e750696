"""OmegaConf interpolations, resolved as far as the files decide: `${a.b}`, `${.sibling}`, `${..up}`, text around them."""

from __future__ import annotations

from vllm_migrate.dialects.tree import Tree
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.documents.steps import spend

MAX_DEPTH = 12


def resolve(root: Tree, path: str, value: object, depth: int = 0) -> object:
    """`value`, written at dotted `path`, with its interpolations followed.

    Resolvers (`${oc.env:HOME}`, `${now:...}`) and names that lead nowhere give Unknown: nothing is expanded from the
    environment.
    """
    if not isinstance(value, str) or "${" not in value:
        return value
    if depth > MAX_DEPTH:
        return Unknown(value)
    spend(len(value))
    whole = _single(value)
    if whole is not None:
        return _lookup(root, path, whole, value, depth)
    out, at = [], 0
    while True:
        start = value.find("${", at)
        if start < 0:
            out.append(value[at:])
            return "".join(out)
        end = _close(value, start)
        if end < 0:
            return Unknown(value)
        inner = _lookup(root, path, value[start + 2 : end], value, depth)
        spend(len(inner) if isinstance(inner, str) else 1)
        if isinstance(inner, Unknown) or not isinstance(inner, (str, int, float, bool)):
            return Unknown(value)
        out.append(value[at:start])
        out.append(str(inner))
        at = end + 1


def _close(text: str, start: int) -> int:
    depth, i = 0, start
    while i < len(text):
        if text.startswith("${", i):
            depth += 1
            i += 2
            continue
        if text[i] == "}":
            depth -= 1
            if depth == 0:
                return i
        i += 1
    return -1


def _single(text: str) -> str | None:
    if not text.startswith("${") or _close(text, 0) != len(text) - 1:
        return None
    return text[2:-1]


def _lookup(root: Tree, path: str, name: str, whole: str, depth: int) -> object:
    if name.startswith("oc.select:"):
        return _select(root, path, name[len("oc.select:") :], whole, depth)
    if not name or ":" in name or "${" in name:
        return Unknown(whole)
    target = absolute(path, name)
    tree = root.at(target) if target is not None else None
    if tree is None or target is None:
        return Unknown(whole)
    if tree.is_map or tree.is_seq:
        return _plain(tree)
    return resolve(root, target, tree.value, depth + 1)


def _select(root: Tree, path: str, arguments: str, whole: str, depth: int) -> object:
    """`${oc.select:key,default}`: the value at an absolute path, the default where there is none."""
    key, comma, default = arguments.partition(",")
    tree = root.at(key.strip())
    if tree is not None and (tree.is_map or tree.is_seq):
        return _plain(tree)
    if tree is not None and tree.value not in (None, "???"):
        return resolve(root, key.strip(), tree.value, depth + 1)
    if not comma:
        return None
    from vllm_migrate.documents.yaml.scalars import read_plain

    return resolve(root, path, default.strip(), depth + 1) if "${" in default else read_plain(default.strip(), True)


def _plain(tree: Tree) -> object:
    spend(len(tree.children) + len(tree.items))
    if tree.is_map:
        return {key: _plain(child) for key, child in tree.children.items()}
    return [_plain(item) for item in tree.items] if tree.is_seq else tree.value


def absolute(path: str, name: str) -> str | None:
    """The dotted path that a (relative) interpolation at `path` means; None when it climbs past the root."""
    if not name.startswith("."):
        return name
    dots = len(name) - len(name.lstrip("."))
    base = path.split(".")[:-1]
    climb = dots - 1
    if climb > len(base):
        return None
    parts = base[: len(base) - climb] + [p for p in name.lstrip(".").split(".") if p]
    return ".".join(parts)
