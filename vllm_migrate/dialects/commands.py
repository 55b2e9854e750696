"""Engines started by a command line: the words after `vllm serve` and the environment they run in."""

from __future__ import annotations

import os
import re

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.argv import is_option
from vllm_migrate.dialects.discover import carries, engines_in, facts_of, recognised
from vllm_migrate.dialects.model import Engine, Given, Profile, Spot, Written
from vllm_migrate.dialects.named import laid_over, named_config
from vllm_migrate.dialects.overrides import tree_of_words
from vllm_migrate.dialects.own_flags import tree_of_flags
from vllm_migrate.dialects.remarks import remarks_of
from vllm_migrate.dialects.tree import File, Tree, tree_of
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.documents.shell.document import Command, ShellDocument, Word
from vllm_migrate.knowledge.expr import Undetermined

SHELLS = frozenset(("sh", "bash", "dash", "zsh"))


def engines_of_script(file: File, profiles: list[Profile], catalog: Catalog, workspace: Workspace) -> list[Engine]:
    """Every engine that a script's commands start, by options of their own or by overrides of a configuration."""
    assert file.shell is not None
    out: list[Engine] = []
    shells = [profile for profile in profiles if carries(profile, file)]
    for command in file.shell.commands:
        if command.after >= 0:
            continue  # no command, but what a broken continuation took from one
        overrides = tree_of_words(file, command) if any("compose" in p for p in shells) else None
        for profile in shells:
            if "compose" in profile:
                engines = _overridden(file, command, overrides, profile, catalog, workspace)
                if not engines and command.lost:
                    engines = _all_lost(file, command, profile, catalog, workspace)
                if engines:
                    for engine in engines:
                        engine.id = f"{engine.id}#{len(out)}"
                        out.append(engine)
                    break
                continue
            begin = _begins(profile, command)
            if begin is not None and "flags" in profile:
                engines = _by_flags(file, command, begin[0], profile, workspace)
                for engine in engines:
                    engine.id = f"{profile['id']}:{len(out)}"
                    out.append(engine)
                break
            if begin is not None:
                engine = _engine(file, file.shell, command, begin[0], profile, workspace)
                if begin[1] is not None:
                    engine.spec = {**engine.spec, "entrypoint": begin[1]}
                # The number among the script's engines, not among its commands: fixes add and drop commands.
                engine.id = f"{profile['id']}:{len(out)}"
                engine.remarks = remarks_of(engine, file, command)
                out.append(engine)
                break
    return out


def _overridden(
    file: File,
    command: Command,
    overrides: Tree | None,
    profile: Profile,
    catalog: Catalog,
    workspace: Workspace,
) -> list[Engine]:
    """Engines of a command that sets a framework's configuration word by word."""
    assert file.shell is not None
    kind, spec = str(profile["compose"]), profile.get("flags")
    named = named_config(file, command, workspace, kind) if overrides is not None or kind == "ordered_files" else None
    if kind == "ordered_files":
        # Such a command is told by the files it names; its flags go over them.
        overrides = tree_of_flags(file, command, 1, spec) if named is not None and isinstance(spec, dict) else None
        overrides = overrides or (named.tree if named is not None else None)
    if overrides is None:
        return []
    tree = recognised(profile, laid_over(named, overrides) if named else overrides, catalog)
    if tree is None:
        return []
    shell = file.shell

    def started(engine: Engine) -> None:
        engine.argv = (command.index, 0)
        _environment(engine, file, shell, command)

    engines = engines_in(file, tree, profile, workspace, named, started)
    for engine in engines[:1]:  # further ones stand where their own settings begin
        engine.container = Spot(file, command.words[0].start, command.words[0].end)
    for engine in engines[:1]:
        engine.remarks = remarks_of(engine, file, command, named.tree if named else None)
    return engines


def _all_lost(file: File, command: Command, profile: Profile, catalog: Catalog, workspace: Workspace) -> list[Engine]:
    """An engine all of whose overrides a broken continuation takes away: it runs with what the framework passes."""
    engines = _overridden(file, command, tree_of_words(file, command, True), profile, catalog, workspace)[:1]
    for engine in engines:
        engine.options, engine.dead = [], []
    return engines


def _by_flags(file: File, command: Command, start: int, profile: Profile, workspace: Workspace) -> list[Engine]:
    """Engines of a command of a framework with flags of its own."""
    assert file.shell is not None
    shell, spec = file.shell, profile["flags"]
    assert isinstance(spec, dict)
    tree = tree_of_flags(file, command, start, spec)
    if tree is None:
        return []

    def started(engine: Engine) -> None:
        engine.argv = (command.index, start)
        _environment(engine, file, shell, command)

    engines = engines_in(file, tree, profile, workspace, None, started)
    for engine in engines:
        engine.container = Spot(file, command.words[start - 1].start, command.words[start - 1].end)
    for engine in engines[:1]:
        engine.remarks = remarks_of(engine, file, command)
    return engines


def _begins(profile: Profile, command: Command) -> tuple[int, object] | None:
    """Index of the first word after the dialect's sign in a command, and the program that the sign starts (None: the
    dialect's own); None when the sign is not there."""
    words = command.words
    texts = [word.value if word.value is not None else word.raw for word in words]
    signs = profile.get("recognise")
    for sign in signs if isinstance(signs, list) else []:
        wanted = sign.get("words")
        if isinstance(wanted, list):
            for at in range(len(texts) - len(wanted) + 1):
                found = [os.path.basename(t) if i == 0 else t for i, t in enumerate(texts[at : at + len(wanted)])]
                if found == wanted and not _gives(texts[at:], str(sign.get("without_option"))):
                    return at + len(wanted), sign.get("entrypoint")
        images = sign.get("image")
        if isinstance(images, list) and texts[:1] in (["docker"], ["podman"], ["nerdctl"]):
            for at, text in enumerate(texts):
                needed = sign.get("with_option")
                if _image_name(text) not in images or not (needed is None or _gives(texts[at + 1 :], str(needed))):
                    continue
                started = _own_program(texts, at, profile)
                if started is not None:
                    return started or at + 1, sign.get("entrypoint")
    return None


def _own_program(texts: list[str], image: int, profile: Profile) -> int | None:
    """Index of the first argument where `--entrypoint` or the first word behind the image names the program: 0 when the
    image's own runs, None when it is another that this dialect does not know here."""
    named = None
    for at, text in enumerate(texts[:image]):
        if text.partition("=")[0] == "--entrypoint":
            named = text.partition("=")[2] or texts[at + 1]
    if named is None:
        return None if os.path.basename("".join(texts[image + 1 : image + 2])) in SHELLS else 0
    rest = [os.path.basename(named), *texts[image + 1 :]]
    signs = profile.get("recognise")
    for sign in signs if isinstance(signs, list) else []:
        wanted = sign.get("words")
        if isinstance(wanted, list) and rest[: len(wanted)] == wanted:
            return image + len(wanted)
    return None


def _gives(texts: list[str], option: str) -> bool:
    return any(text.partition("=")[0] == option for text in texts)


def _image_name(text: str) -> str:
    """The last part of an image's name: `vllm-openai` of `docker.io/vllm/vllm-openai:v0.8.5@sha256:...`."""
    return text.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _engine(
    file: File, document: ShellDocument, command: Command, start: int, profile: Profile, workspace: Workspace
) -> Engine:
    specs = profile["engines"]
    assert isinstance(specs, list)
    engine = Engine("", str(specs[0]["role"]), profile, specs[0], file)
    engine.argv = (command.index, start)
    first, last = command.words[max(start - 2, 0)], command.words[start - 1]
    engine.container = Spot(file, first.start, max(last.end, first.end))
    groups = _groups(command.words, start)
    for words in groups:
        _config_file(engine, command, words, workspace)
    for words in groups:
        engine.options.append(_option(engine, file, command, words))
    _environment(engine, file, document, command)
    facts_of(engine)
    return engine


def _groups(words: list[Word], start: int) -> list[list[int]]:
    """Indexes of the words of each option: the option itself and what follows up to the next one."""
    out: list[list[int]] = []
    for at in range(start, len(words)):
        if is_option(_known(words[at])):
            out.append([at])
        elif out:
            out[-1].append(at)
        else:
            out.append([at])  # the model, before any option
    return out


def _option(engine: Engine, file: File, command: Command, words: list[int]) -> Written:
    head = command.words[words[0]]
    values: list[object] = [_value(command.words[at]) for at in words[1:]]
    key, eq, attached = _known(head).partition("=")
    if key.startswith("-"):
        if eq:
            values.insert(0, attached if head.value is not None else Unknown(head.raw.partition("=")[2]))
    else:
        key = eq = ""
        values.insert(0, _value(head))
    value: object = True if not values else values[0] if len(values) == 1 else values
    written = Written(
        key,
        "",
        value,
        Spot(file, head.start, head.end),
        Spot(file, head.start, command.words[words[-1]].end),
        len(engine.options),
    )
    written.words = words
    written.attached = bool(eq)
    return written


def _known(word: Word) -> str:
    """A word's text; of one that is partly decided elsewhere, `--option=` where that much is known, else ""."""
    if word.value is not None:
        return word.value
    return word.prefix if word.prefix.startswith("--") and "=" in word.prefix else ""


def _value(word: Word) -> object:
    value = word.value
    return Unknown(word.raw) if value is None else value


def _config_file(engine: Engine, command: Command, words: list[int], workspace: Workspace) -> None:
    """The settings of `--config FILE` go before those of the command line. `--config=FILE` reads nothing."""
    if command.words[words[0]].value != "--config" or len(words) < 2:
        return
    name = command.words[words[1]].value
    if not name:
        return
    folder = os.path.dirname(engine.file.path)
    config = None
    for path in dict.fromkeys((os.path.join(folder, name), name)):
        if path.endswith((".yaml", ".yml")):
            config = config or workspace.load(path)
    tree = tree_of(config) if config is not None else None
    if config is None or tree is None:
        return
    workspace.claimed.add(os.path.normpath(config.path))
    engine.files = [config, engine.file]
    for key, child in tree.children.items():
        value = child.plain() if child.is_map or child.is_seq else child.value
        place = child.place
        spot = Spot(config, place.key_start, place.key_end)
        written = Written(key, "", value, spot, Spot(config, place.node.start, place.node.end), len(engine.options))
        written.tree = child
        engine.options.append(written)


def _environment(engine: Engine, file: File, document: ShellDocument, command: Command) -> None:
    """Variables around the script, exported before the command, and written in front of it, the nearest last."""
    for name, value, item in file.variables:
        _around(engine, name, value, item)
    if document.outer is not None and file.inside is not None:
        _around_string(engine, file.inside.host, document.outer, command)
    for name, word in document.exports:
        if word.start < command.start:
            _variable(engine, file, name, word)
    for name, word in command.assignments:
        _variable(engine, file, name, word)
    for word in command.words[: engine.argv[1] if engine.argv else 0]:
        _named(engine, file, word)


# What starts a command elsewhere: the variables of the script do not come with it, those on its command line do.
ELSEWHERE = frozenset(("ssh", "docker", "podman", "nerdctl", "kubectl", "ray", "enroot", "singularity", "apptainer"))


def _around_string(engine: Engine, host: File, outer: ShellDocument, inner: Command) -> None:
    """The environment of a script in a string or heredoc: what is exported before it, and what stands on its command."""
    before = [command for command in outer.commands if command.start < inner.start]
    holder = before[-1] if before else None
    names = {os.path.basename(word.raw) for word in holder.written[:2]} if holder is not None else set()
    if not names & ELSEWHERE:
        for name, word in outer.exports:
            if word.start < inner.start:
                _variable(engine, host, name, word)
        for name, word in holder.assignments if holder is not None else ():
            _variable(engine, host, name, word)
    for word in holder.written if holder is not None else ():
        _named(engine, host, word)


# A word that sets a variable for what a command starts: `A=1`, and with the flag in one word `--env=A=1`, `-eA=1`.
_NAMED = re.compile(r"(?:--env=|-e=?)?([A-Z0-9_]*[A-Z][A-Z0-9_]*)=([\s\S]*)\Z")


def _named(engine: Engine, file: File, word: Word) -> None:
    """`NAME=value` among the words of a command (`env A=1 vllm serve`, `docker run -e A=1`)."""
    found = _NAMED.match(word.value or "")
    if found is not None:
        _variable(engine, file, found[1], word, found[2])


def _around(engine: Engine, name: str, value: Tree, item: Tree) -> None:
    node = value.place.node
    text = value.value if isinstance(value.value, str) else value.place.file.source.text[node.start : node.end]
    spot = Spot(item.place.file, item.place.key_start, node.end)
    written = Written(name, f"env.{name}", text, spot, spot, -1)
    written.tree = item
    engine.given[f"env.{name}"] = Given(text, written, "")
    engine.facts.clear()  # they may depend on it


def _variable(engine: Engine, file: File, name: str, word: Word, own: str | None = None) -> None:
    """`own`: the value, where the word holds more than that."""
    value = own if own is not None else word.value
    spot = Spot(file, word.start if own is not None else _name_start(file, name, word), word.end)
    sure: object = value if value is not None else Undetermined((f"the value of {name}",))
    written = Written(name, f"env.{name}", sure if value is not None else Unknown(word.raw), spot, spot, -1)
    engine.given[f"env.{name}"] = Given(sure, written, "")
    engine.facts.clear()  # they may depend on it


def _name_start(file: File, name: str, word: Word) -> int:
    """Where `NAME=` begins, which stands directly before its value."""
    start = word.start - len(name) - 1
    return start if file.source.text.startswith(name + "=", start) else word.start
