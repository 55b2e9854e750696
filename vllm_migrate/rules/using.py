"""What a rule can ask about one use of vLLM's interfaces by a program, at both releases.

use.name .key .value .method .function   as the use has them; use.value may be Undetermined
use.awaited .guarded .in_loop .calls_back  see documents/python_calls and dialects/model.Use
use.positional                           how many arguments are passed by position
arg('x'), arg('x', 0)                    what is passed as x, by name or in that position; None when nothing is
passes('x')                              whether x is passed by name
ends('x', 'a', 'b')                      whether x, or an item of it, is a name that ends in one of these (`p.dtype`)
takes('x'), from_takes('x')              whether the method has such a parameter at the target, at the source
use.exists, use.existed                  whether the target, the source has the method (of a call) or the parameter
earlier('a'), later('a')                 whether a use of that name stands before, after this one in the same function
nearest('a', 'b')                        the name of the last of these before this one in the same function, "" when none
anywhere('a')                            whether the program has such a use
route(), from_route()                    of a route: "" when everybody is served, what it needs, None when it is not there
having('a', 'x', v)                      whether a use of that name passes v as x
runs()                                   whether the source has all that the program imports outside of a try or a condition
gone()                                   of an import: the release between the two since which it fails, "" when it does not
items('x')                               how many items the list has that is passed as x; 0 for anything else
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from vllm_migrate.dialects.model import Program, Use, determined
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.expr import Undetermined
from vllm_migrate.resolve.view import View

FUNCTIONS = frozenset(
    (
        "anywhere",
        "arg",
        "earlier",
        "ends",
        "from_route",
        "from_takes",
        "gone",
        "having",
        "items",
        "later",
        "nearest",
        "passes",
        "route",
        "runs",
        "takes",
    )
)


HIDDEN = "what the call passes besides"


class Using:
    """One use, seen at both releases."""

    __slots__ = ("program", "source", "target", "use")

    functions = FUNCTIONS

    def __init__(self, use: Use, program: Program, source: View, target: View) -> None:
        self.use = use
        self.program = program
        self.source = source
        self.target = target

    @property
    def path(self) -> str:
        """The place in words that survive edits elsewhere in the file, for the fingerprint."""
        before = [
            u
            for u in takewhile(lambda u: u is not self.use, self._all())
            if (u.key, u.function) == (self.use.key, self.use.function)
        ]
        return ".".join(part for part in (self.use.function, self.use.key) if part) + (
            f"#{len(before) + 1}" if before else ""
        )

    @property
    def text(self) -> str:
        """The value of the keyword at hand as the file has it."""
        tree = self.use.written.tree
        child = tree.get(self.use.key) if tree is not None else None
        if child is None:
            return ""
        node = child.place.node
        return child.place.file.source.text[node.start : node.end]

    def fact(self, name: str) -> object:
        use = self.use
        if name == "value":
            return determined(use.key, use.written.value)
        if name == "positional":
            return len(use.positional)
        if name in ("exists", "existed"):
            return self._known(self.target if name == "exists" else self.source)
        return getattr(use, name)

    def call(self, function: str, args: list[object]) -> object:
        name = str(args[0]) if args else ""
        if function in ("takes", "from_takes"):
            return self._takes(self.target if function == "takes" else self.source, name)
        if function in ("route", "from_route"):
            return self._route(self.target if function == "route" else self.source)
        if function == "gone":
            return self.gone()
        if function == "having":
            return any(use.arguments.get(str(args[1])) == args[2] for use in self.named(name))
        if function == "runs":
            return self._runs()
        if function == "arg":
            return self._argument(name, args[1] if len(args) > 1 else None)
        if function == "passes":
            if name in self.use.arguments or not self.use.more:
                return name in self.use.arguments
            return Undetermined((f"whether {HIDDEN} passes {name}",), (True, False))
        if function == "ends":
            return _ends(self.use.arguments.get(name), [str(arg) for arg in args[1:]])
        if function == "items":
            value = self.use.arguments.get(name)
            return len(value) if isinstance(value, (list, tuple)) else 0
        return self._beside(function, [str(arg) for arg in args])

    def gone(self) -> str:
        from vllm_migrate.catalog.modules import load

        return load().gone(self.use.key, self.source.release, self.target.release)

    def _runs(self) -> bool:
        from vllm_migrate.catalog.modules import load

        imports = [use for use in self._all() if use.name == "import" and not use.guarded and not use.function]
        return all(load().has(use.key, self.source.release) is not False for use in imports)

    def home(self) -> str:
        """Where an imported name is at the target, as a part of a sentence; "" when that is not plain."""
        from vllm_migrate.catalog.modules import load

        name = self.use.key.rpartition(".")[2]
        found = load().homes(name, self.target.release)
        verb = "is" if len(found) == 1 else "are"
        return "; " + " and ".join(f"{module}.{name}" for module in found) + f" {verb} there" if found else ""

    def _beside(self, function: str, names: list[str]) -> object:
        others = [use for use in self._all() if use.name in names and use is not self.use]
        if function == "anywhere":
            return bool(others)
        here = [use for use in others if use.function == self.use.function]
        if function == "later":
            return any(use.spot.start > self.use.spot.start for use in here)
        before = [use for use in here if use.spot.start < self.use.spot.start]
        if function == "earlier":
            return bool(before)
        return before[-1].name if before else ""

    def named(self, name: str) -> list[Use]:
        return [use for use in self._all() if use.name == name]

    def _all(self) -> Sequence[Use]:
        return self.program.uses

    def _argument(self, name: str, position: object) -> object:
        use = self.use
        if name in use.arguments:
            return determined(name, use.arguments[name])
        if isinstance(position, int) and position < len(use.positional):
            return determined(name, use.positional[position])
        if use.more:
            return Undetermined((f"whether {HIDDEN} sets {name}",))
        return None

    def _method(self) -> str:
        return self.use.method or self.use.key.rpartition(".")[2]

    def _known(self, view: View) -> bool:
        """Whether a release has the method, or for one keyword of a call the parameter."""
        section, use = self.use.section, self.use
        if not use.method:
            return any(name.rpartition(".")[2] == self._method() for name in _methods(view))
        if section == "sampling":
            return use.key in view.catalog.names("sampling", view.release)
        return self._takes(view, use.key)

    def _takes(self, view: View, parameter: str) -> bool:
        wanted = f".{self._method()}.{parameter}"
        return any(name.endswith(wanted) for name in view.catalog.names("api", view.release))

    def _route(self, view: View) -> object:
        for name in view.catalog.names("route", view.release):
            if name.partition(" ")[2] == self.use.key:
                facts = view.catalog.get("route", name, view.release)
                gate = facts.extra("gate") if facts is not None else None
                return str(gate) if gate else ""
        return None


def _methods(view: View) -> list[str]:
    return [name for name in view.catalog.names("api", view.release) if name.count(".") == 1]


def _ends(value: object, names: list[str]) -> bool:
    """Whether an expression, or one of those in a list, is a dotted name whose last part is one of `names`."""
    if isinstance(value, (list, tuple)):
        return any(_ends(item, names) for item in value)
    dotted = isinstance(value, Unknown) and value.text.replace(".", "").replace("_", "").isalnum()
    return isinstance(value, Unknown) and dotted and value.text.rpartition(".")[2] in names
