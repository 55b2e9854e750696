"""From a file to what is in it: which dialects it is written in, its composed configurations, its engines and programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects import hydra, parents, runs
from vllm_migrate.dialects.composition import Composed
from vllm_migrate.dialects.model import Engine, Program, Subject
from vllm_migrate.dialects.reading import engines_in
from vllm_migrate.dialects.recognition import carries, may_open, opens, origin_of, recognised
from vllm_migrate.dialects.sites import sites
from vllm_migrate.dialects.tree import File, Tree, tree_of
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import DataDocument
from vllm_migrate.documents.kinds import kind_of
from vllm_migrate.knowledge.records import Dialect, Embed


class Discovery(NamedTuple):
    """What a file holds."""

    engines: Sequence[Engine] = ()
    programs: Sequence[Program] = ()

    @property
    def subjects(self) -> list[Subject]:
        """All that rules are asked of."""
        return [*self.engines, *self.programs]


def discover(file: File, dialects: Sequence[Dialect], catalog: Catalog, workspace: Workspace) -> Discovery:
    """Every vLLM engine that `file` describes, and the programs in it, each in its own situation."""
    found = _discover(file, dialects, catalog, workspace)
    if file.inside is None and found.engines and _names_extension(file, found.engines):
        from vllm_migrate.dialects import extensions

        found = found._replace(programs=[*found.programs, *extensions.programs_of(found.engines, dialects, workspace)])
    if file.inside is None and any(subject.situation.open is not None for subject in found.subjects):
        from vllm_migrate.dialects.own_options import show_releases

        show_releases(found.subjects, catalog)
    return found


def _names_extension(file: File, engines: Sequence[Engine]) -> bool:
    """Whether the file, or one that an engine of it is composed of, has a word of the option that names a class."""
    texts = (each.source.text for each in {file, *(each for engine in engines for each in engine.files)})
    return any("extension_cls" in text or "extension-cls" in text for text in texts)


def _discover(file: File, dialects: Sequence[Dialect], catalog: Catalog, workspace: Workspace) -> Discovery:
    if file.shell is not None:
        started = _in_script(file, dialects, catalog, workspace)
        return Discovery(started, _variables(file, dialects, workspace, bool(started) or file.inside is not None))
    if isinstance(file.data, DataDocument) and file.data.carrier == "notebook":
        return _in_notebook(file, dialects, catalog, workspace)
    if isinstance(file.data, DataDocument) and file.data.carrier == "dockerfile":
        return _in_dockerfile(file, dialects, catalog, workspace)
    if kind_of(file.path) == "python" and file.inside is None:
        return _in_program(file, dialects, catalog, workspace)
    engines: list[Engine] = []
    roots = file.data.roots if file.data is not None else []
    for index in range(len(roots)):
        tree = tree_of(file, index)
        if tree is not None and tree.is_map:
            tree = runs.unwrapped(tree)
            found = _in_tree(file, tree, dialects, catalog, workspace)
            engines.extend(found or ())
            engines.extend(_inside(tree, index, dialects, catalog, workspace, others=bool(found)))
            if found is None and not engines and "vllm" in file.source.text.lower():
                engines.extend(_in_own_format(file, tree, index, dialects, catalog, workspace))
        elif tree is not None and tree.is_seq:
            engines.extend(_inside(tree, index, dialects, catalog, workspace, others=False))
    return Discovery(engines, _programs(file, dialects, workspace, bool(engines)))


def _programs(file: File, dialects: Sequence[Dialect], workspace: Workspace, others: bool) -> Sequence[Program]:
    """What a document says of vLLM besides its engines: metrics that it names, variables for others to run with."""
    text, out = file.source.text, list[Program]()
    if "vllm:" in text:
        from vllm_migrate.dialects import metrics

        out += metrics.programs_of(file, dialects, workspace)
    return [*out, *(_variables(file, dialects, workspace, others) if "env_vars" in text else ())]


def _variables(file: File, dialects: Sequence[Dialect], workspace: Workspace, others: bool) -> Sequence[Program]:
    """The variables that a file sets for engines elsewhere. others: it describes engines, to which they belong."""
    if others or "VLLM_" not in file.source.text:
        return ()
    from vllm_migrate.dialects import runtime_env

    return runtime_env.programs_of(file, dialects, workspace)


def _in_program(file: File, dialects: Sequence[Dialect], catalog: Catalog, workspace: Workspace) -> Discovery:
    from vllm_migrate.dialects.code import discover_code
    from vllm_migrate.dialects.commands import engines_of_script
    from vllm_migrate.dialects.lists import commands_in
    from vllm_migrate.dialects.strings import scripts_in
    from vllm_migrate.documents.python.document import PythonData

    assert isinstance(file.data, PythonData)
    engines, programs = discover_code(file, dialects, catalog, workspace)
    for number, command in enumerate(commands_in(file, file.data.code)):
        found = engines_of_script(command, dialects, catalog, workspace)
        engines.extend(engine.replace(ident=f"{engine.id}@{number}") for engine in found)
    for number, script in enumerate(scripts_in(file, file.data.code)):
        found = engines_of_script(script, dialects, catalog, workspace)
        engines.extend(engine.replace(ident=f"{engine.id}@s{number}") for engine in found)
    return Discovery(engines, programs)


def _in_notebook(file: File, dialects: Sequence[Dialect], catalog: Catalog, workspace: Workspace) -> Discovery:
    from vllm_migrate.dialects.embedded import cells_inside

    module, scripts = cells_inside(file)
    found = _in_program(module, dialects, catalog, workspace) if module is not None else Discovery()
    engines = list(found.engines)
    for number, script in enumerate(scripts):
        inside = _in_script(script, dialects, catalog, workspace)
        engines.extend(engine.replace(ident=f"{engine.id}!{number}") for engine in inside)
    return Discovery(engines, found.programs)


def _in_dockerfile(file: File, dialects: Sequence[Dialect], catalog: Catalog, workspace: Workspace) -> Discovery:
    from vllm_migrate.dialects.containers import documents_of_stage

    assert file.data is not None
    engines: list[Engine] = []
    for index in range(len(file.data.roots)):
        tree = tree_of(file, index)
        if tree is None:
            continue
        for number, inner in enumerate(documents_of_stage(tree)):
            found = _in_script(inner, dialects, catalog, workspace)
            engines.extend(engine.replace(ident=f"{engine.id}@{index}.{number}") for engine in found)
    return Discovery(engines, _variables(file, dialects, workspace, bool(engines)))


def _in_script(file: File, dialects: Sequence[Dialect], catalog: Catalog, workspace: Workspace) -> list[Engine]:
    from vllm_migrate.dialects.commands import engines_of_script
    from vllm_migrate.dialects.embedded import scripts_inside

    engines = engines_of_script(file, dialects, catalog, workspace)
    for number, inner in enumerate(scripts_inside(file)):
        found = engines_of_script(inner, dialects, catalog, workspace)
        engines.extend(engine.replace(ident=f"{engine.id}@{number}") for engine in found)
    return engines


def _inside(
    tree: Tree, index: int, dialects: Sequence[Dialect], catalog: Catalog, workspace: Workspace, others: bool
) -> list[Engine]:
    """Engines in what stands inside a YAML document: commands of containers, scripts and YAML in strings. others: the document
    describes engines itself."""
    embeds = [
        embed
        for dialect in dialects
        for embed in dialect.embeds
        if not (embed.telling and others) and may_open(tree, embed)
    ]
    wanted = [(embed, site) for embed in embeds for _, site in sites(tree, embed.at) if opens(site, embed)]
    if not wanted:
        return []
    from vllm_migrate.dialects.containers import own_programs, shows

    shown = [(e, site) for e, site in own_programs(tree, wanted) if shows(site, e, catalog)]
    return _opened(shown, index, dialects, catalog, workspace)


def _opened(
    shown: list[tuple[Embed, Tree]], index: int, dialects: Sequence[Dialect], catalog: Catalog, workspace: Workspace
) -> list[Engine]:
    """The engines of the documents in mappings of a YAML document."""
    from vllm_migrate.dialects.containers import documents_inside

    out: list[Engine] = []
    for inner in documents_inside(shown, workspace):
        assert inner.inside is not None
        where = ".".join(str(key) for key in inner.inside.path)
        found = _discover(inner, dialects, catalog, workspace).engines
        out.extend(engine.replace(ident=f"{engine.id}@{index}.{where}") for engine in found)
    return out


def _in_own_format(
    file: File, tree: Tree, index: int, dialects: Sequence[Dialect], catalog: Catalog, workspace: Workspace
) -> list[Engine]:
    """The engines of a document that no dialect recognises: commands under any key, else mappings of vLLM's own options."""
    from vllm_migrate.dialects import own_formats

    commands = own_formats.commands_in(tree, catalog)
    started = _opened(commands, index, dialects, catalog, workspace) if commands else []
    if started:
        return started
    out: list[Engine] = []
    for dialect in dialects:
        if dialect.own_format is not None and carries(dialect, file):
            out += own_formats.engines_of(origin_of(file, dialect, workspace), tree, dialect.own_format, catalog)
    return out


def _in_tree(
    file: File, tree: Tree, dialects: Sequence[Dialect], catalog: Catalog, workspace: Workspace
) -> list[Engine] | None:
    """The engines of the first dialect that recognises a document and finds any; None where none recognises it."""
    known = False
    composed: dict[str, Composed | None] = {}
    extended: set[str] = set()
    for dialect in dialects:
        if not carries(dialect, file) or dialect.id in extended:
            continue
        kind = dialect.compose
        if kind not in composed:
            composed[kind] = composed_by(kind, file, tree, workspace)
        parts = composed[kind]
        whole = recognised(dialect, parts.tree if parts else tree, catalog)
        if whole is None:
            continue
        known = True
        extended.add(dialect.extends)  # a variant speaks for the dialect it extends
        engines = engines_in(origin_of(file, dialect, workspace), whole, parts)
        if engines:
            return engines
    return [] if known else None


def composed_by(kind: str, file: File, tree: Tree, workspace: Workspace) -> Composed | None:
    """The configuration that a file and those it names make; None when it names none."""
    if kind == "hydra" and hydra.uses_defaults(tree):
        return hydra.compose(file, tree, workspace.load)
    if kind == "parent_files" and parents.uses_parents(tree):
        return parents.compose(file, tree, workspace.load, workspace.composed)
    return None
