"""What a dialect's own conditions can ask: the configuration, its facts, the framework's release."""

from __future__ import annotations

from functools import lru_cache

from vllm_migrate.dialects.hydra import unseen
from vllm_migrate.dialects.interpolate import resolve
from vllm_migrate.dialects.model import Engine
from vllm_migrate.dialects.tree import Tree
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.cases import choose
from vllm_migrate.knowledge.expr import Undetermined


class DialectEnv:
    """Names and functions of the conditions in a dialect file.

    has('a.b')          whether the composed configuration has that path
    config('a.b')       its scalar value (interpolations followed), None when absent
    here('a.b')         the same below the engine's own mapping
    command('text')     whether a word of the engine's command line contains the text; False without a command line
    word('text')        whether a word of it is the text
    begins('a.b', 'x')  whether its value is a text that begins so
    writes_bool('a.b')  whether any value of the mapping there is a bare true or false
    fw('>=0.6.0')       whether the framework's release fits
    NAME                what the dialect file defines, by its cases
    sampling.NAME       a parameter that its requests are sampled with
    env.NAME            an environment variable that is written for the engine, None when it is not
    role                of the engine
    value, option       of the pin being written
    """

    def __init__(self, engine: Engine, extra: dict[str, object] | None = None, release: str = "") -> None:
        self.engine = engine
        self.extra = extra or {}
        self.release = release  # of vLLM; "" where the question does not depend on it

    def name(self, dotted: str) -> object:
        if dotted in self.extra:
            return self.extra[dotted]
        if dotted.startswith("sampling."):
            given = self.engine.given.get(dotted)
            return given.value if given is not None else Undetermined((f"the {dotted[9:]} of the requests",))
        if dotted.startswith("env."):
            given = self.engine.given.get(dotted)
            return given.value if given is not None else None
        if dotted == "role":
            return self.engine.role
        return self.defined(dotted)

    def call(self, function: str, args: list[object]) -> object:
        if function == "fw":
            return self._framework(str(args[0]))
        return self.ask((function, *map(str, args)))

    def ask(self, question: tuple[str, ...]) -> object:
        """The answer of the configuration, which an engine's conditions ask for again and again."""
        asked = self.engine.asked
        if question in asked:
            return asked[question]
        function, *args = question
        answer = asked[question] = self._read(function, args)
        return answer

    def _read(self, function: str, args: list[str]) -> object:
        """The functions that read the configuration or the command line."""
        path = args[0] if args else ""
        if function == "here":
            function, path = "config", f"{self.engine.site_path}.{path}".lstrip(".")
        if function == "has":
            return True if self._found(path) is not None else self._absent(False, path)
        if function == "config":
            tree = self._found(path)
            if tree is None:
                return self._absent(None, path)
            return self.scalar(tree, path)
        if function in ("command", "word"):
            return self._command(path, function == "word")
        if function == "begins":
            value = self._read("config", [path])
            return value if isinstance(value, Undetermined) else isinstance(value, str) and value.startswith(args[1])
        if function == "writes_bool":
            tree = self._found(path)
            return tree is not None and any(isinstance(c.value, bool) for c in tree.children.values())
        raise KeyError(function)

    def _command(self, text: str, whole: bool) -> bool:
        engine = self.engine
        if engine.argv is None or engine.file.shell is None:
            return False
        words = [word.raw for word in engine.file.shell.commands[engine.argv[0]].written]
        return text in words if whole else any(text in word for word in words)

    def _framework(self, wanted: str) -> object:
        """Whether the framework's release fits a specifier such as '>=0.6.0'; Undetermined when no file pins it.

        The pinned release counts where it runs with the vLLM release in question; to move to a vLLM that it cannot run with,
        the framework has to move too.
        """
        known, key = self.engine.facts, (f"fw {wanted}", self.release)
        if key not in known:
            known[key] = self._fits(wanted)
        return known[key]

    def _fits(self, wanted: str) -> object:
        version = self.engine.framework
        supporting = self._supporting()
        pinned = version is not None and (not supporting or self._runs(version))
        versions = [version] if pinned else supporting
        answers = {fits(v, wanted) for v in versions if v is not None}
        if len(answers) == 1:
            return answers.pop()
        package = self.engine.dialect.get("framework") or self.engine.name
        return Undetermined((f"the release of {package}, which no file of the project pins",), (True, False))

    def _supporting(self) -> list[str]:
        """The framework's releases that run with this release of vLLM: one of them must be installed."""
        return [fw for fw, spec in self._requires().items() if _satisfies(self.release, spec)] if self.release else []

    def _runs(self, version: str) -> bool:
        """Whether the framework at `version` runs with this release of vLLM, by the last entry not newer than it."""
        entry = None
        for fw, spec in self._requires().items():
            if numbers(fw) <= numbers(version):
                entry = spec
        return entry is None or _satisfies(self.release, entry)

    def _requires(self) -> dict[str, str]:
        requires = self.engine.dialect.get("requires")
        return {str(fw): str(spec) for fw, spec in requires.items()} if isinstance(requires, dict) else {}

    def defined(self, name: str) -> object:
        """A name that the dialect defines. Raises KeyError for any other."""
        known, key = self.engine.facts, (name, self.release)
        if key not in known:
            known[key] = choose(self.engine.dialect.get("define", {})[name], self).value
        return known[key]

    def scalar(self, tree: Tree, path: str) -> object:
        if tree.is_map or tree.is_seq:
            return tree.plain()
        root = self.engine.root
        value = resolve(root, path, tree.value) if root is not None else tree.value
        if isinstance(value, Unknown):
            return Undetermined((f"the value of {path} ({value.text})",))
        return value

    def _found(self, path: str) -> Tree | None:
        return self.engine.root.at(path) if self.engine.root is not None else None

    def _absent(self, value: object, path: str) -> object:
        if self.engine.missing:
            return Undetermined((f"{path}, which may be set in {unseen(self.engine.missing)}",))
        return value


@lru_cache(4096)
def _satisfies(release: str, spec: str) -> bool:
    return all(fits(release, part) for part in spec.split(","))


@lru_cache(4096)
def fits(version: str, specifier: str) -> bool:
    """Whether a release fits one clause such as '>=0.6.0'."""
    op = specifier.strip().rstrip("0123456789.post")
    left, right = numbers(version), numbers(specifier.strip()[len(op) :])
    order = (left > right) - (left < right)
    return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0, "==": order == 0}[op]


def numbers(version: str) -> tuple[int, ...]:
    """A release as numbers for comparison: '0.6.1.post1' is (0, 6, 1). Three places at least."""
    out: list[int] = []
    for part in version.lstrip("v").split("."):
        if not part.isdigit():
            break
        out.append(int(part))
    return tuple(out + [0] * (3 - len(out)))
