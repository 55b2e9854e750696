"""Dockerfiles: what a stage's containers run, as a mapping with the keys of a container.

A root is a stage that no later one begins from: `image`, `env` (a mapping), `entrypoint` and `command` (sequences, or the
text of the shell form), and `scripts` (what RUN does, and the scripts that a heredoc writes). What it begins from within the
file counts as its own. Instructions are read with their line continuations; a text in which comments stand between its lines
has blanks there, so that offsets stay those of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from vllm_migrate.documents.interface import MAP, SCALAR, SEQ, DataDocument, Node, Pair, Source, Unreadable
from vllm_migrate.documents.json.document import parse_json

__all__ = ["RAW", "DockerNode", "Dockerfile", "Instruction", "parse_dockerfile"]

MAX_CHARACTERS = 1_000_000
RAW = "raw"  # the style of a text that a shell reads

_INSTRUCTION = re.compile(r"[ \t]*([A-Za-z]+)(?=[ \t\\\r\n])")
_HEREDOC = re.compile(r"<<-?[ \t]*([\"']?)([A-Za-z_][\w.]*)\1")
_FLAG = re.compile(r"[ \t]*--[a-z]+(?:=\S*)?(?=\s)")
_FROM = re.compile(r"(?:--platform=\S+\s+)?(\S+)(?:\s+[Aa][Ss]\s+(\S+))?\s*\Z")
_ENTRY = re.compile(r"""([A-Za-z_]\w*)=((?:"(?:[^"\\]|\\[\s\S])*"|'[^']*'|\\[\s\S]|[^\s"'\\])*)""")
_OLD_ENTRY = re.compile(r"([A-Za-z_]\w*)[ \t]+(\S[\s\S]*)")
_ESCAPED = re.compile(r"""\\([\s\S])|["']""")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))")


class DockerNode(Node):
    """One value. `style`: RAW for a text that a shell reads."""

    __slots__ = ("_items", "_pairs", "_value", "style")

    def __init__(self, kind: str, start: int, end: int, value: object = None, style: str = "") -> None:
        self.kind = kind
        self.start, self.end = start, end
        self.flow = False
        self.shared = False
        self.style = style
        self._value = value
        self._pairs: list[Pair] = []
        self._items: list[Node] = []

    @property
    def value(self) -> object:
        return self._value

    @property
    def pairs(self) -> list[Pair]:
        return self._pairs

    @property
    def items(self) -> list[Node]:
        return self._items

    def put(self, key: str, start: int, end: int, value: Node) -> None:
        """Give a mapping an entry whose key stands at these offsets."""
        self._pairs.append(Pair(key, DockerNode(SCALAR, start, end, key), value, False))


class Instruction(NamedTuple):
    """name: in upper case; start, end: of all its lines; body: where its argument begins; text: of the argument up to `end`, as
    long as in the file, continuation lines and all; exact: it is as long; heredocs: bodies behind it."""

    name: str
    start: int
    end: int
    body: int
    text: str
    exact: bool
    heredocs: tuple[tuple[int, int], ...]


class Dockerfile(DataDocument):
    """A Dockerfile. `instructions`: all of them in order."""

    __slots__ = ("instructions",)
    carrier = "dockerfile"

    def __init__(self, source: Source, roots: list[Node], instructions: list[Instruction]) -> None:
        self.source = source
        self.roots = roots
        self.instructions = instructions


def parse_dockerfile(source: Source) -> Dockerfile:
    """Raises Unreadable: too-large, syntax."""
    if len(source.text) > MAX_CHARACTERS:
        raise Unreadable("too-large", f"more than {MAX_CHARACTERS:,} characters")
    if re.match(r"(?:#.*\n)*#[ \t]*escape[ \t]*=[ \t]*`", source.text):
        raise Unreadable("syntax", "an escape character other than the backslash")
    instructions = list(_instructions(source.text))
    return Dockerfile(source, _stages(source, instructions), instructions)


def _instructions(text: str) -> Iterator[Instruction]:
    at = 0
    while at < len(text):
        end = _line_end(text, at)
        line = text[at:end]
        found = _INSTRUCTION.match(line + "\n")
        if not line.strip() or line.lstrip().startswith("#") or found is None:
            at = end + 1
            continue
        body = at + found.end()
        shown, exact, end = _continued(text, body)
        heredocs: list[tuple[int, int]] = []
        if found[1].upper() in ("RUN", "COPY", "ADD"):
            for mark in _HEREDOC.finditer(shown):
                closed = _heredoc(text, min(end + 1, len(text)), mark[2])
                if closed is None:
                    break
                heredocs.append(closed[0])
                end = closed[1]
        yield Instruction(found[1].upper(), at, end, body, shown, exact, tuple(heredocs))
        at = end + 1


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _continued(text: str, at: int) -> tuple[str, bool, int]:
    """The argument that begins here, over the lines that backslashes join; whether it is as long as in the file; its end."""
    parts: list[str] = []
    exact, first = True, True
    while True:
        end = _line_end(text, at)
        line = text[at:end]
        if not first and line.lstrip().startswith("#"):
            parts.append(" " * (len(line) - 1) + "\\\n")  # Docker takes comments between the lines away
        elif not first and not line.strip():
            exact = False  # and empty lines
        else:
            first = False
            bare = line.rstrip()
            if not bare.endswith("\\"):
                return "".join(parts) + line, exact, end
            parts.append(bare[:-1] + " " * (len(line) - len(bare)) + "\\\n")
        if end >= len(text):
            return "".join(parts).removesuffix("\n"), exact, end
        at = end + 1


def _heredoc(text: str, at: int, name: str) -> tuple[tuple[int, int], int] | None:
    """Where a heredoc's body begins and ends, and the end of the line that closes it."""
    start = at
    while at < len(text):
        end = _line_end(text, at)
        if text[at:end].strip("\t\r") == name:
            return (start, at), end
        at = end + 1
    return None


class _Stage:
    """One stage while it is read."""

    def __init__(self, image: DockerNode, base: _Stage | None) -> None:
        self.base = base
        self.built_on = False
        self.image: DockerNode = base.image if base is not None else image
        self.env: list[tuple[str, DockerNode, DockerNode]] = list(base.env) if base is not None else []
        self.entrypoint: Node | None = base.entrypoint if base is not None else None
        self.command: Node | None = base.command if base is not None else None
        self.own_command = False
        self.scripts: list[Node] = list(base.scripts) if base is not None else []

    def root(self, start: int, end: int) -> DockerNode:
        out = DockerNode(MAP, start, end)
        out.put("image", self.image.start, self.image.end, self.image)
        env = DockerNode(MAP, self.env[0][1].start if self.env else start, self.env[-1][2].end if self.env else start)
        for key, key_node, value in self.env:
            env.put(key, key_node.start, key_node.end, value)
        out.put("env", env.start, env.end, env)
        for key, node in (("entrypoint", self.entrypoint), ("command", self.command)):
            if node is not None:
                out.put(key, node.start, node.end, node)
        if self.scripts:
            scripts = DockerNode(SEQ, self.scripts[0].start, self.scripts[-1].end)
            scripts._items = self.scripts
            out.put("scripts", scripts.start, scripts.end, scripts)
        return out


def _stages(source: Source, instructions: list[Instruction]) -> list[Node]:
    arguments: dict[str, str] = {}
    named: dict[str, _Stage] = {}
    stages: list[_Stage] = []
    for each in instructions:
        if each.name == "FROM":
            found = _FROM.match(each.text.strip())
            if found is None:
                continue
            start = each.body + each.text.find(found[1])
            image = DockerNode(SCALAR, start, start + len(found[1]), _filled(found[1], arguments))
            base = named.get(found[1].lower())
            if base is not None:
                _share(base)
            stages.append(_Stage(image, base))
            named[(found[2] or "").lower()] = stages[-1]
            named[str(len(stages) - 1)] = stages[-1]
        elif not stages:
            if each.name == "ARG" and "=" in each.text:
                name, _, value = each.text.strip().partition("=")
                arguments[name] = value.strip("\"'")
        else:
            _take(source, stages[-1], each)
    return [stage.root(0, len(source.text)) for stage in stages if not stage.built_on]


def _share(base: _Stage) -> None:
    """A second stage that begins from one shows the same values as the first."""
    if base.built_on:
        nodes = [base.entrypoint, base.command, *(value for _, _, value in base.env), *base.scripts]
        for node in nodes:
            if node is not None:
                node.shared = True
    base.built_on = True


def _filled(text: str, arguments: dict[str, str]) -> str:
    """An image's name with the defaults of the arguments in it; what has none stays."""
    return _VARIABLE.sub(lambda m: arguments.get(m[1] or m[3], m[2] or m[0]), text)


def _take(source: Source, stage: _Stage, each: Instruction) -> None:
    if each.name == "ENV":
        stage.env.extend(_entries(each))
    elif each.name == "CMD":
        program = _program(source, each)
        empty = program is not None and program.kind == SEQ and not program.items
        stage.command, stage.own_command = None if empty else program, True
    elif each.name == "ENTRYPOINT":
        stage.entrypoint = _program(source, each)
        if not stage.own_command:
            stage.command = None  # as the builder does with what a base has
    elif each.name == "RUN":
        stage.scripts.extend(_scripts(source.text, each))
    elif each.name in ("COPY", "ADD"):
        stage.scripts.extend(_text(source.text, start, end) for start, end in each.heredocs)


def _entries(each: Instruction) -> Iterator[tuple[str, DockerNode, DockerNode]]:
    """The variables of an ENV, in both of its forms."""
    found = list(_ENTRY.finditer(each.text))
    old = _OLD_ENTRY.match(each.text.strip()) if not found or each.text[: found[0].start()].strip(" \t\\\n") else None
    if old is not None:
        lead = len(each.text) - len(each.text.lstrip())
        found = [old]
    else:
        lead = 0
    for entry in found:
        start = each.body + lead
        key = DockerNode(SCALAR, start + entry.start(1), start + entry.end(1), entry[1])
        value = entry[2].rstrip() if old is not None else _ESCAPED.sub(lambda m: m[1] or "", entry[2])
        yield (
            entry[1],
            key,
            DockerNode(SCALAR, start + entry.start(2), start + entry.start(2) + len(entry[2].rstrip()), value),
        )


def _program(source: Source, each: Instruction) -> Node | None:
    """The words of the exec form, none of `[]`, or the text of the shell form; None for an empty one."""
    text = each.text
    if text.lstrip().startswith("[") and each.exact:
        blank = text.replace("\\\n", " \n")
        before = "".join(c if c in "\r\n" else " " for c in source.text[: each.body])
        try:
            node = parse_json(Source(source.path, b"", before + blank, False, source.newline)).roots[0]
        except Unreadable:
            node = None
        if node is not None and node.kind == SEQ and all(isinstance(item.value, str) for item in node.items):
            return node
    return _shell(each, 0)


def _shell(each: Instruction, skip: int) -> DockerNode | None:
    lead = len(each.text[skip:]) - len(each.text[skip:].lstrip()) + skip
    value = each.text[lead:].rstrip()
    if not value:
        return None
    start = each.body + lead
    end = start + len(value) if each.exact else each.end
    return DockerNode(SCALAR, start, end, value, RAW)


def _scripts(text: str, each: Instruction) -> list[Node]:
    skip = 0
    while found := _FLAG.match(each.text, skip):
        skip = found.end()
    command = each.text[skip:].strip()
    if command.startswith("["):
        return []
    if each.heredocs and _HEREDOC.fullmatch(command):
        return [_text(text, *each.heredocs[0])]
    if each.heredocs:
        start = each.body + skip
        start += len(text[start : each.end]) - len(text[start : each.end].lstrip())
        return [_text(text, start, each.end)]
    node = _shell(each, skip)
    return [node] if node is not None else []


def _text(text: str, start: int, end: int) -> DockerNode:
    return DockerNode(SCALAR, start, end, text[start:end], RAW)
