"""What a dialect's own conditions can ask: the configuration, its facts, the framework's release."""

from __future__ import annotations

from collections.abc import Mapping

from vllm_migrate.dialects.composition import unseen
from vllm_migrate.dialects.interpolate import resolve
from vllm_migrate.dialects.model import Fact, Origin, determined
from vllm_migrate.dialects.specifiers import fits, parse_version
from vllm_migrate.dialects.tree import Tree
from vllm_migrate.knowledge.cases import choose
from vllm_migrate.knowledge.expr import Undetermined


class DialectEnv:
    """Names and functions of the conditions in a dialect file.

    has('a.b')          whether the composed configuration has that path
    config('a.b')       its scalar value (interpolations followed), None when absent
    here('a.b')         the same below the engine's own mapping
    command('text')     whether a word of the engine's command line contains the text; False without a command line
    word('text')        whether a word of it is the text
    starts('a.b', 'x')  whether its value is a text that starts so
    writes_bool('a.b')  whether any value of the mapping there is a bare true or false
    fw('>=0.6.0')       whether the framework's release fits, as PEP 440 compares (`,` joins several)
    fact.NAME           a fact the dialect file defines, by its cases
    sampling.NAME       a parameter that its requests are sampled with
    env.NAME            an environment variable that is written for the engine, None when it is not
    role                of the engine
    value, option       of the pin being written
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
        self._answers: dict[tuple[str, ...], object] = {}

    def name(self, dotted: str) -> object:
        if dotted in self.extra:
            return self.extra[dotted]
        if dotted.startswith("fact."):
            return self._once(("fact", dotted[5:]))
        if dotted.startswith("sampling."):
            fact = self.facts.get(dotted)
            return fact.value if fact is not None else Undetermined((f"the {dotted[9:]} of the requests",))
        if dotted.startswith("env."):
            fact = self.facts.get(dotted)
            return fact.value if fact is not None else None
        if dotted == "role":
            return self.origin.role
        raise KeyError(dotted)

    def call(self, function: str, args: list[object]) -> object:
        if function == "transport":
            return self.extra.get(f"transport.{args[0]}")
        return self._once((function, *map(str, args)))

    def _once(self, question: tuple[str, ...]) -> object:
        """The answer to a question, which an engine's conditions ask again and again."""
        if question not in self._answers:
            self._answers[question] = self._answer(question[0], question[1:])
        return self._answers[question]

    def _answer(self, function: str, args: tuple[str, ...]) -> object:
        """The functions that read the configuration, the command line, the framework's release or the dialect's facts."""
        path = args[0] if args else ""
        if function == "here":
            function, path = "config", f"{self.origin.path}.{path}".lstrip(".")
        if function == "fact":
            return self._fact(path)
        if function == "fw":
            return self._framework(path)
        if function == "has":
            return True if self._found(path) is not None else self._absent(False, path)
        if function == "config":
            tree = self._found(path)
            return self._absent(None, path) if tree is None else self.scalar(tree, path)
        if function in ("command", "word"):
            return self._command(path, function == "word")
        if function == "starts":
            value = self._once(("config", path))
            return value if isinstance(value, Undetermined) else isinstance(value, str) and value.startswith(args[1])
        if function == "writes_bool":
            tree = self._found(path)
            return tree is not None and any(isinstance(c.value, bool) for c in tree.children.values())
        raise KeyError(function)

    def _command(self, text: str, whole: bool) -> bool:
        argv, shell = self.origin.argv, self.origin.file.shell
        if argv is None or shell is None:
            return False
        words = [word.raw for word in shell.commands[argv.command].written]
        return text in words if whole else any(text in word for word in words)

    def _framework(self, wanted: str) -> object:
        """Whether the framework's release fits specifiers such as '>=0.6.0'; Undetermined when no file pins it.

        The pinned release counts where it runs with the vLLM release in question; to move to a vLLM that it cannot run with,
        the framework has to move too.
        """
        version = self.origin.framework
        supporting = self._supporting()
        pinned = version is not None and _is_version(version) and (not supporting or self._runs(version))
        versions = [version] if pinned else supporting
        answers = {fits(v, wanted) for v in versions if v is not None}
        if len(answers) == 1:
            return answers.pop()
        package = self.origin.dialect.get("framework") or self.origin.dialect["id"]
        return Undetermined((f"the release of {package}, which no file of the project pins",), (True, False))

    def _supporting(self) -> list[str]:
        """The framework's releases that run with this release of vLLM: one of them must be installed."""
        return [fw for fw, spec in self._requires().items() if fits(self.release, spec)] if self.release else []

    def _runs(self, version: str) -> bool:
        """Whether the framework at `version` runs with this release of vLLM, by the newest entry that is not newer."""
        known = [fw for fw in self._requires() if parse_version(fw) <= parse_version(version)]
        entry = self._requires()[max(known, key=parse_version)] if known else None
        return entry is None or fits(self.release, entry)

    def _requires(self) -> dict[str, str]:
        requires = self.origin.dialect.get("requires")
        return {str(fw): str(spec) for fw, spec in requires.items()} if isinstance(requires, dict) else {}

    def _fact(self, name: str) -> object:
        facts = self.origin.dialect.get("facts")
        cases = facts.get(name) if isinstance(facts, dict) else None
        if not isinstance(cases, list):
            raise KeyError(name)
        return choose(cases, self).value

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


def _is_version(text: str) -> bool:
    try:
        parse_version(text)
    except ValueError:
        return False
    return True
