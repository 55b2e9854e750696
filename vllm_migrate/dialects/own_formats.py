"""Engines in somebody's own format: commands and lists of options under any key, and mappings of vLLM's own options.

No framework's dialect knows such a file. What is taken has to show by itself that it is vLLM's: a command that starts its
server, options that no other server has, or a mapping that names vLLM. It is asked for only where no dialect recognises the
document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.flags import is_serve_option, is_vllms_own
from vllm_migrate.dialects.images import image_name, tells
from vllm_migrate.dialects.model import Engine, Origin, Written
from vllm_migrate.dialects.reading import of_spec, read
from vllm_migrate.dialects.recognition import at_site, role_of
from vllm_migrate.dialects.tree import Tree
from vllm_migrate.knowledge.records import Embed, OwnFormat

# A command of a text that starts vLLM's server with an option, at the beginning of a line or behind another command.
_COMMAND = re.compile(
    r"(?m)(?:^|&&|;|\|\|)[ \t]*(?:[A-Za-z_]\w*=\S*[ \t]+|(?:exec|nohup|env|numactl|uv[ \t]+run)[ \t]+(?:--?\S+[ \t]+)*)*"
    r"(?:vllm[ \t]+serve\b|\S*python[\d.]*[ \t]+-m[ \t]+vllm\.entrypoints\.)[^#]*?[ \t\n]-"
)
_PROGRAMS = ("vllm.entrypoints.openai.api_server", "vllm.entrypoints.cli.main", "vllm.entrypoints.api_server")
# What everything depends on in a mapping that a program of its own reads.
READER = "how the program that reads this file hands its keys to vLLM"
# vLLM as the value of a `backend`, a `kind`, a `model_type`: `vllm`, and `vllm-vlm` of an evaluation.
_WORD = re.compile(r"(?i)vllm(?:[-_][a-z]\w*)?")
# Keys of texts for people.
_PROSE = frozenset(
    ("about", "comment", "content", "description", "help", "note", "notes", "prompt", "summary", "title", "usage")
)
_SEVERAL = 2  # options of an argument list that no other server has
# A list of overrides of verl's configuration, which some program hands to its trainer.
_OVERRIDE = re.compile(r"\+{0,2}actor_rollout_ref\.rollout\.[\w.]+=")
_TRAINER = ("python3", "-m", "verl.trainer.main_ppo")
_ENVIRONMENTS = ("env", "envs", "environment", "env_vars")


def commands_in(tree: Tree, catalog: Catalog) -> list[tuple[Embed, Tree]]:
    """The mappings with a command of vLLM's server, each with the entry of `embeds` that would open it."""
    found: list[tuple[Embed, Tree]] = []
    for _, site in tree.walk():
        for key, child in site.children.items() if site.is_map else ():
            opened = None if key in _PROSE or child.is_map else _opened(key, child, site, catalog)
            if opened is not None:
                found.append((opened, site))
    return found


def _opened(key: str, child: Tree, site: Tree, catalog: Catalog) -> Embed | None:
    env = next((name for name in _ENVIRONMENTS if site.get(name) is not None), "")
    if not child.is_seq:
        text = child.value
        return Embed(at="", text=key, env=env) if isinstance(text, str) and _COMMAND.search(text) else None
    texts = [str(item.value) for item in child.items if not item.is_map and not item.is_seq]
    if not texts or len(texts) < len(child.items):
        return None
    if _starts(texts):
        return Embed(at="", command=key, env=env)
    if any(map(_COMMAND.search, texts)):
        return Embed(at="", text=key, env=env)
    if sum(_OVERRIDE.match(text) is not None for text in texts) >= _SEVERAL:
        return Embed(at="", command=key, env=env, program=_TRAINER)
    least = 1 if "vllm-openai" in site.place.file.source.text else _SEVERAL
    if not tells("", texts, [], least, catalog):
        return None
    image = site.get("image")
    if image is not None and isinstance(image.value, str):
        named = "vllm" in image_name(image.value)
        return Embed(at="", command=key, image="image", env=env) if named else None
    return Embed(at="", command=key, env=env, program=("vllm", "serve", "MODEL", '"$@"'))


def _starts(words: Sequence[str]) -> bool:
    """Whether a list is the command line of vLLM's server."""
    at = next((at for at, word in enumerate(words) if word in _PROGRAMS), -1)
    if at > 0 and words[at - 1] == "-m":
        return True
    return words[0].rpartition("/")[2] == "vllm" and words[1:2] == ["serve"]


def engines_of(origin: Origin, tree: Tree, form: OwnFormat, catalog: Catalog) -> list[Engine]:
    """The engines of a dialect in mappings of vLLM's own options, which stand wherever their owner put them."""
    dialect, spec = origin.dialect, origin.dialect.engines[0]
    shared = of_spec(origin, spec).of_role(role_of(dialect, spec.role, (), origin.file))
    out: list[Engine] = []
    taken: list[str] = []
    for path, site, above in _mappings(tree):
        if any(path.startswith(f"{other}.") for other in taken) or not _is_engine(path, site, above, form, catalog):
            continue
        taken.append(path)
        own = at_site(shared, site)._replace(root=tree, site=site, path=path)
        variables = [] if above is None else _variables(path.rpartition(".")[0], above)
        engine = read(f"{dialect.id}:{path}", own, {}, variables)
        engine.options = [each for each in engine.options if is_serve_option(catalog, _dashed(each))]
        out.append(engine)
    return out


def _variables(path: str, above: Tree) -> list[tuple[str, Tree]]:
    """The mappings of environment variables beside an engine's, with their paths."""
    found = [(key, above.get(key)) for key in _ENVIRONMENTS]
    return [(f"{path}.{key}".lstrip("."), tree) for key, tree in found if tree is not None]


def _dashed(written: Written) -> str:
    """An option as the command line spells it; other keys are the program's own."""
    return (written.option or written.key).replace("_", "-")


def _mappings(tree: Tree) -> Iterator[tuple[str, Tree, Tree | None]]:
    """Every mapping with its path, and the mapping that it stands in."""
    known = dict(tree.walk())
    for path, site in known.items():
        if site.is_map and path:
            above = known.get(path.rpartition(".")[0])
            yield path, site, above if above is not None and above.is_map else None


def _is_engine(path: str, site: Tree, above: Tree | None, form: OwnFormat, catalog: Catalog) -> bool:
    names = [key.removeprefix(form.prefix) for key in site.children if key.startswith(form.prefix)]
    spelled = [name.replace("_", "-") for name in names if form.separator in name or name.isalpha()]
    options = [name for name in spelled if is_serve_option(catalog, name)]
    own = [name for name in options if is_vllms_own(catalog, name)]
    if len(options) < form.options or not own:
        return False
    if form.separator == "-" and not any("-" in key for key in site.children):
        return False
    if form.separator == "_" and any("-" in key for key in site.children if is_vllms_own(catalog, key)):
        return False
    if form.prefix:
        return len(own) >= form.own
    key = path.rpartition(".")[2]
    if _names(key) or any(_says(each) for each in (site, above) if each is not None):
        return 2 * len(options) >= len(site.children)
    return key.replace("-", "_") in form.keys and len(own) >= form.own and len(options) == len(site.children)


def _names(key: str) -> bool:
    return "vllm" in key.lower()


def _says(site: Tree) -> bool:
    """Whether a value of a mapping is the word vLLM, or an image or a module of it."""
    for child in site.children.values():
        value = child.value if not child.is_map and not child.is_seq else None
        if isinstance(value, str) and (_WORD.fullmatch(value) or "vllm-openai" in value or "/vllm:" in value):
            return True
    return False
