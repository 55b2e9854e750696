"""What a dialect's own conditions can ask: the configuration, its facts, the framework's release."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from vllm_migrate.dialects.composition import unseen
from vllm_migrate.dialects.frameworks import listed
from vllm_migrate.dialects.interpolate import resolve
from vllm_migrate.dialects.model import Fact, Origin, determined
from vllm_migrate.dialects.specifiers import fits, parse_version
from vllm_migrate.dialects.tree import Tree
from vllm_migrate.knowledge.cases import choose
from vllm_migrate.knowledge.expr import Undetermined


class DialectEnv:
    """Names and functions of the conditions in a dialect file; knowledge/vocabulary.py says what each means.

    A name that is no word of the vocabulary is one that the dialect's `define` gives.
    """

    def __init__(
        self,
        origin: Origin,
        facts: Mapping[str, Fact],
        release: str = "",
        extra: Mapping[str, object] | None = None,
    ) -> None:
        """facts: of the engine as far as they are known; release: of vLLM, "" where the question does not depend on it."""
        self.origin = origin
        self.facts = facts
        self.release = release
        self.extra = extra or {}
        self._answers: dict[str | tuple[str, ...], object] = {}

    def name(self, dotted: str) -> object:
        if dotted in self.extra:
            return self.extra[dotted]
        if dotted.startswith("sampling."):
            fact = self.facts.get(dotted)
            return fact.value if fact is not None else Undetermined((f"the {dotted[9:]} of the requests",))
        if dotted.startswith("env."):
            fact = self.facts.get(dotted)
            return fact.value if fact is not None else None
        if dotted == "role":
            return self.origin.role
        if dotted not in self._answers:
            self._answers[dotted] = choose(self.origin.dialect.define[dotted], self).value
        return self._answers[dotted]

    def call(self, function: str, args: list[object]) -> object:
        """A function's answer, which an engine's conditions ask for again and again."""
        question = (function, *map(str, args))
        if question not in self._answers:
            self._answers[question] = self.FUNCTIONS[function](self, *question[1:])
        return self._answers[question]

    def has(self, path: str) -> object:
        return True if self._found(path) is not None else self._absent(False, path)

    def config(self, path: str) -> object:
        tree = self._found(path)
        return self._absent(None, path) if tree is None else self.scalar(tree, path)

    def here(self, path: str) -> object:
        return self.config(f"{self.origin.path}.{path}".lstrip("."))

    def begins(self, path: str, beginning: str) -> object:
        value = self.config(path)
        if isinstance(value, Undetermined):
            return value
        return isinstance(value, str) and value.startswith(beginning)

    def writes_bool(self, path: str) -> object:
        tree = self._found(path)
        return tree is not None and any(isinstance(child.value, bool) for child in tree.children.values())

    def command(self, text: str) -> object:
        return any(text in word for word in self._words())

    def word(self, text: str) -> object:
        return text in self._words()

    def _words(self) -> list[str]:
        argv, shell = self.origin.argv, self.origin.file.shell
        if argv is None or shell is None:
            return []
        return [word.raw for word in shell.commands[argv.command].written]

    def framework(self, wanted: str) -> object:
        """Whether the framework's release fits specifiers such as '>=0.6.0'; Undetermined when no file pins it.

        The pinned release counts where it runs with the vLLM release in question; to move to a vLLM that it cannot run with,
        the framework has to move too.
        """
        answers = {fits(version, wanted) for version in self.frameworks()}
        if len(answers) == 1:
            return answers.pop()
        package = self.origin.dialect.framework or self.origin.dialect.id
        return Undetermined((f"the release of {package}, which no file of the project pins",), (True, False))

    def frameworks(self) -> list[str]:
        """The releases of the framework that are assumed with this release of vLLM, one of them the one that runs."""
        version = self.origin.framework
        supporting = self._supporting()
        if version is not None and _is_version(version) and (not supporting or runs(self.origin, self.release)):
            return [version]
        return supporting

    def _supporting(self) -> list[str]:
        """The framework's releases that run with this release of vLLM: one of them must be installed. Those from before a key
        that is written do not count; where none is left, the one that brought the key does."""
        since = self._shown()
        rows = sorted(self.origin.dialect.requires.items(), key=lambda row: parse_version(row[0]))
        found: list[str] = []
        for (fw, spec), (after, _) in zip(rows, [*rows[1:], ("", "")], strict=False):
            if not self.release or not fits(self.release, spec):
                continue
            if not since or parse_version(fw) >= parse_version(since):
                found.append(fw)
            elif not after or parse_version(after) > parse_version(since):
                found.append(since)
        return found or ([since] if since else [])

    def _shown(self) -> str:
        """The newest of the releases that brought a key which is written; "" where none is."""
        written = [release for path, release in self.origin.dialect.shows.items() if self._found(path) is not None]
        return max(written, key=parse_version, default="")

    def scalar(self, tree: Tree, path: str) -> object:
        if tree.is_map or tree.is_seq:
            return tree.plain()
        root = self.origin.root
        return determined(path, resolve(root, path, tree.value) if root is not None else tree.value)

    def _found(self, path: str) -> Tree | None:
        return self.origin.root.at(path) if self.origin.root is not None else None

    def _absent(self, value: object, path: str) -> object:
        if self.origin.missing:
            return Undetermined((f"{path}, which may be set in {unseen(self.origin.missing)}",))
        return value

    # By the names that conditions use.
    FUNCTIONS: ClassVar[dict[str, Callable[..., object]]] = {
        "has": has,
        "config": config,
        "here": here,
        "begins": begins,
        "writes_bool": writes_bool,
        "command": command,
        "word": word,
        "fw": framework,
    }


def runs(origin: Origin, release: str) -> bool:
    """Whether the release of the framework that a project shows runs with a release of vLLM, by the newest entry of the dialect
    that is not newer. True where nothing shows either."""
    version = origin.framework
    if version is None or not _is_version(version):
        return True
    spec = listed(origin.dialect.requires, version)
    return not spec or fits(release, spec)


def _is_version(text: str) -> bool:
    try:
        parse_version(text)
    except ValueError:
        return False
    return True
