"""Tells from the bytes of a Python module that nothing in it can be an engine or a use of vLLM: most modules that mention
vLLM only speak of it, and parsing them is most of a lint's work.

What an entry of `uses` (see dialects/uses) or of `engines` asks for leaves words in the text: a name that is called or
imported under another one, a package that is imported, a string. Whatever cannot be told from a line alone may be there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.strings import SIGNS
from vllm_migrate.knowledge.records import Dialect, EngineSpec, UseSpec

_CALLED = re.compile(rb"\b([A-Za-z_]\w*+)[\s\\]*+(?:\(|as\b)")
# An import of a package, which begins a line or follows another statement or a colon.
_IMPORTED = rb"(?:\A(?:\xef\xbb\xbf)?|[;:\r\n])[ \t\f]*(?:from[\s\\]+|import[\s\\]+(?:[\w.][\w.\s\\]*,[\s\\]*)*)%b\b"
# A test of a release at the top of a module, which may end the program.
TESTED = r"(?m)^(?:if|elif|assert)\b.*version"
_TESTED = re.compile(TESTED.encode())
_LOOKS_UP = re.compile(rb"\b(?:patch(?:\.dict)?|setattr|delattr|import_module)\s*\(\s*[\"']")
# A literal of a release that is compared with something.
COMPARED = r"""[<>]=?\s*\(?\s*[\"']v?\d|\d[\"']\s*\)?\s*[<>]"""
_COMPARED = re.compile(COMPARED.encode())
# A base that is nothing but to a type checker (see contract_uses).
_NOTHING = re.compile(rb"= object[ \t]*(?:#.*)?$", re.MULTILINE)
_CLASS = re.compile(rb"\bclass[\s\\]+(\w+)")
# The last name of a dotted one at the end of a string, or of a part of one.
_LAST = re.compile(rb"\.(\w+)[\"'{]")
_STREAMED = re.compile(rb"\basync\s+for\s+(\w+)\s+in\b")
# What a command in one string has.
_STRINGS = tuple(sign.encode() for sign in SIGNS)
# The path of a URL at the end of a string, or of a part of one.
_PATH = re.compile(rb"(/[\w/.-]+)[\"'?{]")


class Programs:
    """What the dialects written in Python look for."""

    def __init__(self, dialects: Sequence[Dialect], catalog: Catalog) -> None:
        self._routes = frozenset(name.partition(" ")[2].encode() for name in catalog.all_names("route"))
        programs = [dialect for dialect in dialects if "python" in dialect.carriers]
        entries = [entry for dialect in programs for entry in (*dialect.uses, *map(_as_use, dialect.engines))]
        self._signs = list(map(_Sign, entries))
        scripts = [sign.words for dialect in dialects if "shell" in dialect.carriers for sign in dialect.recognise]
        self._commands = {tuple(word.encode() for word in words if word != "*") for words in scripts if words}
        # Configurations that a program writes as dict literals.
        self._keys = {marker.encode() for d in dialects if "yaml" in d.carriers for marker in d.markers}

    def may_use(self, data: bytes) -> bool:
        """False only when no entry can be found in the module, and no list of arguments that starts an engine."""
        text = _Text(data, self._routes)
        return any(sign.may_be_in(text) for sign in self._signs) or self._may_start(data)

    def _may_start(self, data: bytes) -> bool:
        if any(sign in data for sign in _STRINGS):
            return True
        if any(all(_ends_text(word, data) for word in words) for words in self._commands):
            return True
        return any(
            key in data and (key.endswith(b"_") or key + b'":' in data or key + b"':" in data) for key in self._keys
        )


class _Text:
    """A module's bytes, with the words in them that stand where an entry looks for them, found when first asked for."""

    def __init__(self, data: bytes, routes: frozenset[bytes]) -> None:
        self.data = data
        self.lower = data.lower()
        self._routes = routes
        self._imports: dict[bytes, bool] = {}

    @cached_property
    def called(self) -> frozenset[bytes]:
        return frozenset(_CALLED.findall(self.data))

    @cached_property
    def has_route(self) -> bool:
        return not self._routes.isdisjoint(_PATH.findall(self.data))

    @cached_property
    def may_extend(self) -> bool:
        """Whether a class may be one that is mixed into vLLM's worker (see contract_uses.members)."""
        classes = set(_CLASS.findall(self.data))
        if any(name.lower().endswith(b"workerextension") for name in classes):
            return True
        if b"worker_extension_cls" in self.data and not classes.isdisjoint(_LAST.findall(self.data)):
            return True
        return _NOTHING.search(self.data) is not None and b"vllm." in self.data

    @cached_property
    def may_stream(self) -> bool:
        """Whether a loop over a `generate` may keep its item."""
        if b"generate" not in self.called:
            return False
        items = set(_STREAMED.findall(self.data))
        return any(re.search(rb"=[\s\\(]*%b\b" % item, self.data) for item in items)

    @property
    def may_stop(self) -> bool:
        """Whether a test of vLLM's release may end the program."""
        return b"version" in self.data and b"vllm" in self.lower and _TESTED.search(self.data) is not None

    @property
    def compares(self) -> bool:
        """Whether something may be compared with the text of a release."""
        return _COMPARED.search(self.data) is not None

    def imports(self, package: bytes) -> bool:
        if package not in self._imports:
            found = package in self.data and re.search(_IMPORTED % re.escape(package), self.data)
            self._imports[package] = bool(found)
        return self._imports[package]


class _Sign:
    """What an entry leaves in the text of a module."""

    def __init__(self, entry: UseSpec) -> None:
        self.entry = entry
        self.program, self.package = entry.program.encode(), (entry.imports or entry.of).encode()
        self.calls = frozenset(name.encode() for name in entry.calls)
        self.receivers = [word.encode() for word in entry.receiver]
        self.words = [word.encode() for word in (*entry.texts, *entry.fields)]
        self.first = [word.encode() for word in entry.first]
        self.chains = [list(map(_Link, chain.split("."), chain.split(".")[1:])) for chain in entry.attributes]

    def may_be_in(self, text: _Text) -> bool:
        if self.program not in text.lower or self.package not in text.data:
            return False
        entry = self.entry
        if entry.members == "extension":
            return text.may_extend
        if entry.members or entry.bound:
            return text.imports(b"vllm")
        if entry.streams:
            return text.may_stream
        if entry.stops:
            return text.may_stop
        if entry.compares:
            return b"version" in text.data and text.compares
        if entry.patches:
            return self.package + b"." in text.data and _LOOKS_UP.search(text.data) is not None
        if entry.imports:
            return text.imports(self.package)
        if entry.variables:
            return b"VLLM_" in text.data and any(
                name.rpartition(".")[2].encode() in text.data for name in entry.variables
            )
        if entry.of_class:
            return any(name.encode() in text.data for name in entry.of_class)
        if entry.remote:
            return b".remote(" in text.data and any(name + b".remote" in text.data for name in self.calls)
        if self.chains:
            return any(all(link.may_be_in(text.data) for link in chain) for chain in self.chains)
        if self.words:
            return any(word in text.data for word in self.words)
        return self._may_be_called(text) and (not self.entry.routes or text.has_route)

    def _may_be_called(self, text: _Text) -> bool:
        if text.called.isdisjoint(self.calls) or (self.entry.awaited and b"await" not in text.data):
            return False
        if self.first and not any(word in text.lower for word in self.first):
            return False
        if self.package and not text.imports(self.package) and self.package + b"." not in text.data:
            return False
        return not self.receivers or self._may_be_received(text.lower)

    def _may_be_received(self, lower: bytes) -> bool:
        """Whether what stands before a method on its line has the word of a receiver, or ends what begins on another line."""
        names = b"|".join(re.escape(name.lower()) for name in sorted(self.calls))
        for found in re.finditer(rb"\b(?:" + names + rb")\b[\s\\]*\(", lower):
            before = lower[lower.rfind(b"\n", 0, found.start()) + 1 : found.start()]
            if b")" in before or b"]" in before or before.strip()[:1] in (b"", b".", b"\\"):
                return True
            if any(word in before for word in self.receivers):
                return True
        return False


class _Link:
    """An attribute of a name, of what a call of that name gives or of an item of it."""

    def __init__(self, name: str, attribute: str) -> None:
        self._words = name.encode(), attribute.encode()
        self._joined = rb"\b%b[\s\\)]*\.[\s\\]*%b\b" % self._words
        self._named = rb"getattr\([^()]*\b%b\s*,\s*[\"']%b\b" % self._words
        self._apart = rb"\b%b[\s\\)]*[(\[]" % self._words[0], rb"[)\]][\s\\]*\.[\s\\]*%b\b" % self._words[1]

    def may_be_in(self, data: bytes) -> bool:
        if not all(word in data for word in self._words):
            return False
        if re.search(self._joined, data) or re.search(self._named, data):
            return True
        return all(re.search(part, data) for part in self._apart)


def _ends_text(word: bytes, data: bytes) -> bool:
    return word in data and (word + b'"' in data or word + b"'" in data)


def _as_use(spec: EngineSpec) -> UseSpec:
    """An engine that a call makes leaves what a use does; one of another carrier nothing."""
    return UseSpec("", calls=spec.calls, of=spec.of)
