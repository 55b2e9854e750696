"""Command lines in YAML: compose services, Kubernetes-shaped containers, scripts and option lists in strings.

A dialect's `embeds` say where they stand. What is found becomes a document with commands, as a shell script has, so that
engines are found in it and fixed in it in the same way. Words keep the item or the text they stand in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.builds import stage_of
from vllm_migrate.dialects.embedded import embedded
from vllm_migrate.dialects.env_files import sources_of
from vllm_migrate.dialects.images import tells
from vllm_migrate.dialects.sites import sites
from vllm_migrate.dialects.tree import File, Inside, Place, Tree
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import Path
from vllm_migrate.documents.shell.document import Command, ShellDocument, WordOp
from vllm_migrate.documents.shell.expand import Piece, Script, Word
from vllm_migrate.knowledge.records import Embed

SHELLS = frozenset(("sh", "bash", "/bin/sh", "/bin/bash", "/usr/bin/bash", "/usr/bin/sh", "dash", "zsh"))

# What something else puts in before the program starts: `$(NAME)` (Kubernetes), `${NAME}` and `$NAME` (compose).
_HOLE = re.compile(r"\"\$@\"|\$\$|\$\([A-Za-z_][\w.]*\)|\$\{[^}]*\}|\$[A-Za-z_]\w*|\{\{.*?\}\}")


class ListItem(NamedTuple):
    """A word that is an item of a YAML sequence, or a scalar by itself (`number` -1)."""

    path: Path
    number: int


class InText(NamedTuple):
    """A word of a string that holds several."""

    file: File
    command: int
    word: int


class ContainerCommand(Command):
    """A command whose words stand in YAML. `origins`: where each word stands, None for those that are implied."""

    __slots__ = ("_assignments", "_end", "_start", "arguments", "origins", "variables")

    def __init__(self, words: list[Word], origins: list[ListItem | InText | None], span: tuple[int, int]) -> None:
        self.index = 0
        self.after = -1
        self.lost = []
        self._words = words
        self.origins = origins
        self._assignments: list[tuple[str, Word]] = []
        self.variables: dict[str, ListItem] = {}
        self.arguments: Path = ()  # where a first argument would go
        self._start, self._end = span

    @property
    def start(self) -> int:
        return self._start

    @property
    def end(self) -> int:
        return self._end

    @property
    def scope(self) -> int:
        return 0

    @property
    def sure(self) -> bool:
        return True

    @property
    def written(self) -> list[Word]:
        return self.words

    @property
    def assignments(self) -> list[tuple[str, Word]]:
        return self._assignments

    @property
    def redirects(self) -> list[tuple[str, Word]]:
        return []


class ContainerDocument(ShellDocument):
    """One command in YAML, as a document with commands. Its edits: fixes.carried."""

    __slots__ = ()

    def __init__(self, file: File, command: ContainerCommand) -> None:
        self._hold(file.source, Script(), [command])


def documents_inside(wanted: list[tuple[Embed, Tree]], workspace: Workspace) -> Iterator[File]:
    """The documents in mappings of a YAML file, each mapping with the entry of `embeds` that found it; each place once."""
    seen: set[tuple[Path, str]] = set()
    for embed, site in wanted:
        key = (site.place.path, embed.text)
        if key in seen:
            continue
        for found in _open(site, embed, workspace):
            seen.add(key)
            yield found


STAGE = Embed(at="", entrypoint="entrypoint", command="command", env="env", image="image")


def documents_of_stage(stage: Tree) -> Iterator[File]:
    """The documents in a stage of a Dockerfile: the program of its containers, and its scripts.

    A text as entrypoint is a shell's, and takes no command; one as command is a script where nothing else is the program. An empty
    list takes the image's program away, so that the command is one.
    """
    entrypoint, command, scripts = stage.get("entrypoint"), stage.get("command"), stage.get("scripts")
    texts = list(scripts.items) if scripts is not None else []
    program = entrypoint if entrypoint is not None else command
    if program is not None and not program.is_seq:
        texts.insert(0, program)
    elif program is not None and (command is None or command.is_seq):
        found = _Container(stage, STAGE).open()
        if found is not None:
            yield found
    for text in texts:
        inside = embedded(text.place, "shell")
        if inside is not None:
            inside.variables = variables_of(stage.get("env"))
            yield inside


def own_programs(tree: Tree, wanted: list[tuple[Embed, Tree]]) -> list[tuple[Embed, Tree]]:
    """`wanted` without the containers whose image's program never starts.

    `except` lists the pods in which an operator puts a command of its own into the first container; `with` is the
    argument that says that it is the image's program all the same.
    """
    started: dict[str, set[Path]] = {}
    out: list[tuple[Embed, Tree]] = []
    for embed, site in wanted:
        for pattern in embed.operator_pods:
            if pattern not in started:
                first = [pod.at("containers") for _, pod in sites(tree, pattern)]
                started[pattern] = {found.items[0].place.path for found in first if found is not None and found.items}
            if site.place.path in started[pattern] and not _says_program(site, embed):
                break
        else:
            out.append((embed, site))
    return out


def shows(site: Tree, embed: Embed, catalog: Catalog) -> bool:
    """Whether the options of a command are vLLM's, where an entry asks for that."""
    arguments = site.at(embed.command) if embed.telling else None
    if arguments is None:
        return not embed.telling
    texts = [str(item.value) for item in arguments.items] if arguments.is_seq else str(arguments.value).split()
    return tells("", texts, [], embed.telling, catalog)


def _says_program(site: Tree, embed: Embed) -> bool:
    """Whether a container has a program of its own, or arguments with the option that `with` names."""
    if embed.entrypoint and site.at(embed.entrypoint) is not None:
        return True
    arguments = site.at(embed.command) if embed.command else None
    if arguments is None:
        return False
    words = [item.value for item in arguments.items] if arguments.is_seq else str(arguments.value).split()
    return any(str(word).partition("=")[0] == embed.with_option for word in words)


def _open(site: Tree, embed: Embed, workspace: Workspace) -> Iterator[File]:
    if not embed.text:
        found = _Container(site, embed, stage_of(site, embed.build, workspace)).open()
        if found is not None:
            yield found
        return
    node = site.get(embed.text) or site.at(embed.text)
    for text in [] if node is None or node.is_map else node.items if node.is_seq else [node]:
        inside = embedded(text.place, embed.language)
        if inside is not None:
            if embed.env:
                inside.variables = variables_of(site.at(embed.env))
            yield inside


def _same_text(one: ListItem | InText | None, other: InText) -> bool:
    return isinstance(one, InText) and one.file is other.file


class _Container:
    """Reads one mapping with a command. built: the stage of the Dockerfile that its image is built from."""

    def __init__(self, site: Tree, embed: Embed, built: Tree | None = None) -> None:
        self.site = site
        self.embed = embed
        self.built = built
        self.words: list[Word] = []
        self.origins: list[ListItem | InText | None] = []
        place = site.places[-1]
        self.place = place
        self.script = Script()

    def open(self) -> File | None:
        arguments = self._field(self.embed.command)
        own = self._field(self.embed.entrypoint)
        if own is not None:
            self._take(own)
        elif self.embed.program:
            for word in self.embed.program:
                self._implied(word, self.place)
        elif not (arguments is not None and self._built()):
            self._image()
        for field in (arguments, self._more()):
            if field is not None:
                self._take(field)
        if self.embed is STAGE and arguments is None and not any(word.raw.startswith('"--') for word in self.words):
            self._implied('"$@"', self.place)  # whoever runs the image gives the arguments
        script = self._script()
        if script is not None:
            return script
        if not any(word.value for word in self.words):
            return None
        return self._document()

    def _more(self) -> Tree | None:
        """The environment variable whose words stand behind the arguments."""
        env = self._field(self.embed.env) if self.embed.more else None
        for name, value, _ in variables_of(env):
            if name == self.embed.more:
                return value
        return None

    def _field(self, key: str) -> Tree | None:
        return self.site.at(key) if key else None

    def _image(self) -> None:
        """Without a program of its own, a container runs its image's."""
        image = self._field(self.embed.image)
        if image is None or not isinstance(image.value, str):
            return
        self._implied("docker", self.place)
        self._implied("run", self.place)
        self._implied(image.value, image.place)

    def _built(self) -> bool:
        """The program of the Dockerfile that the image is built from, else that of the image it begins from. Whether it is known."""
        program, image = (self.built.get(key) if self.built is not None else None for key in ("entrypoint", "image"))
        if program is not None:
            words = [item.value for item in program.items] if program.is_seq else []
        else:
            words = ["docker", "run", image.value] if image is not None else []
        texts = [word for word in words if isinstance(word, str)]
        for text in texts:
            self._implied(text, self.place)
        return bool(texts)

    def _implied(self, text: str, place: Place) -> None:
        self.words.append(self._word(text, place.node.start if place is not self.place else place.key_start, text))
        self.origins.append(None)

    def _take(self, field: Tree) -> None:
        if field.is_seq:
            for number, item in enumerate(field.items):
                self._item(item, ListItem(field.place.path, number))
            return
        if field.is_map or not isinstance(field.value, str):
            return
        inner = embedded(field.place, "words")
        if inner is None or inner.shell is None or not inner.shell.commands:
            return
        command = inner.shell.commands[0]
        for number, word in enumerate(command.words):
            self.words.append(word)
            self.origins.append(InText(inner, 0, number))

    def _item(self, item: Tree, origin: ListItem) -> None:
        node, value = item.place.node, item.value
        # A number or a boolean in a list of arguments reaches the program as text.
        text = value if isinstance(value, str) else _plain_text(item)
        self.words.append(self._word(text, node.start, item.place.file.source.text[node.start : node.end]))
        self.origins.append(origin)

    def _word(self, text: str, start: int, raw: str) -> Word:
        word = Word(self.script, start, start + len(raw), raw, 0)
        word._pieces = _pieces(text, start, start + len(raw))
        return word

    def _script(self) -> File | None:
        """`[sh, -c, SCRIPT]`, or `sh -c "..."` in one string: the script is a document of its own."""
        first = next((at for at, origin in enumerate(self.origins) if origin is not None), len(self.words))
        if len(self.words) < first + 3 or self.words[first].value not in SHELLS:
            return None
        for at in range(first + 1, len(self.words)):
            text, origin = self.words[at].value, self.origins[at]
            if at == first + 1 or (text is not None and text.startswith("-") and " " not in text and "\n" not in text):
                if not (text or "").startswith("-"):
                    return None
                continue
            if isinstance(origin, InText):
                shell = origin.file.shell
                if shell is not None and not _same_text(self.origins[first], origin):
                    shell.argument_of = "shell" if _same_text(self.origins[at - 1], origin) else "-c"
                return self._surrounded(origin.file)
            root = _root_item(self.site, origin) if origin is not None else None
            return self._surrounded(embedded(root, "shell")) if root is not None else None
        return None

    def _surrounded(self, file: File | None) -> File | None:
        """A script with the variables that the container has around it."""
        if file is not None:
            file.variables = variables_of(self._field(self.embed.env))
            file.env_sources = sources_of(self.site)
        return file

    def _document(self) -> File:
        place = self.place
        span = (place.key_start, place.key_end)
        command = ContainerCommand(self.words, self.origins, span)
        self._environment(command)
        key = self.embed.command
        command.arguments = (*place.path, key) if key and self._field(key) is None else ()
        host = place.file
        file = File(host.source, None, host.requested)
        file.shell = ContainerDocument(host, command)
        refused = "it is under a YAML anchor that others share" if place.node.shared else ""
        file.inside = Inside(host, place.index, place.path, refused, "container")
        file.env_sources = sources_of(self.site)
        return file

    def _environment(self, command: ContainerCommand) -> None:
        field = self._field(self.embed.env)
        if field is None:
            return
        for number, item in enumerate(field.items if field.is_seq else ()):
            name = item.get("name")
            if name is not None and isinstance(name.value, str):
                value = item.get("value")
                self._variable(command, name.value, value, name.place, ListItem(field.place.path, number))
            elif isinstance(item.value, str) and "=" in item.value:
                self._variable(
                    command, item.value.partition("=")[0], item, item.place, ListItem(field.place.path, number)
                )
        for key, item in field.children.items() if field.is_map else ():
            self._variable(command, key, item, item.place, ListItem(item.place.path, -1))

    def _variable(
        self, command: ContainerCommand, name: str, value: Tree | None, place: Place, origin: ListItem
    ) -> None:
        text = _plain_text(value) if value is not None and not value.is_map else ""
        if origin.number >= 0 and value is not None and value.place is place:
            text = text.partition("=")[2]
        raw = text if value is not None and not value.is_map else "$(elsewhere)"
        start = place.key_start if origin.number < 0 else place.node.start
        word = self._word(raw, start, "")
        if not raw.startswith("$"):
            word._pieces = [Piece(raw, True, raw, start, start)]
        command.assignments.append((name, word))
        command.variables[name] = origin


def variables_of(field: Tree | None) -> list[tuple[str, Tree, Tree]]:
    """Environment variables of a container: name, value, and what an edit takes away."""
    out: list[tuple[str, Tree, Tree]] = []
    if field is None:
        return out
    for item in field.items if field.is_seq else ():
        name, value = item.get("name"), item.get("value")
        if name is not None and value is not None and isinstance(name.value, str):
            out.append((name.value, value, item))
    out.extend((key, child, child) for key, child in field.children.items() if field.is_map)
    return out


def _root_item(site: Tree, origin: ListItem) -> Place | None:
    """The place of a sequence's item, from the mapping that holds the sequence."""
    below = origin.path[len(site.places[-1].path) :]
    node: Tree | None = site
    for key in below:
        node = None if node is None else node.items[key] if isinstance(key, int) else node.get(key)
    if node is None or origin.number >= len(node.items):
        return None
    return node.items[origin.number].place


def _plain_text(item: Tree) -> str:
    """A scalar as text: `true` stays `true`."""
    value = item.value
    if isinstance(value, str):
        return value
    node = item.place.node
    return item.place.file.source.text[node.start : node.end].strip()


def _pieces(text: str, start: int, end: int) -> list[Piece]:
    """The text with what is filled in later as undecided parts."""
    out: list[Piece] = []
    at = 0
    for hole in _HOLE.finditer(text):
        if hole.start() > at:
            out.append(Piece(text[at : hole.start()], True, text[at : hole.start()], start, end))
        inner = hole.group()
        if inner == "$$":
            out.append(Piece("$", True, "$", start, end))
        else:
            default = inner[2:-1].partition(":-")[2] if inner.startswith("${") and ":-" in inner else None
            assumed = bool(default) and "$" not in (default or "")
            out.append(Piece(inner, False, default, start, end, assumed=assumed))
        at = hole.end()
    if at < len(text) or not out:
        out.append(Piece(text[at:], True, text[at:], start, end))
    return out


class Sorted(NamedTuple):
    """Operations by where their words stand: in sequences, in strings, beside words that are only implied."""

    items: list[tuple[ListItem, WordOp]]
    texts: list[tuple[InText, WordOp]]
    implied: list[WordOp]


def word_ops_of(command: ContainerCommand, ops: list[WordOp]) -> Sorted:
    """Operations on a command's words as operations on what they stand in."""
    items: list[tuple[ListItem, WordOp]] = []
    texts: list[tuple[InText, WordOp]] = []
    implied: list[WordOp] = []
    for op in ops:
        origin = command.origins[op.word]
        if isinstance(origin, ListItem):
            items.append((origin, op))
        elif isinstance(origin, InText):
            texts.append((origin, op._replace(command=origin.command, word=origin.word)))
        else:
            implied.append(op)
    return Sorted(items, texts, implied)
