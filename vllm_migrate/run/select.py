"""Which rules count, where, and how gravely.

A selector is a code (`VM101`), the beginning of one (`VM1`), a name (`prefix-caching-default`) or `ALL`. Of two that
mean the same rule the longer one wins, whichever list it stands in; of two equally long ones, `ignore` wins. So
`select = ["VM1"], ignore = ["VM101"]` and `ignore = ["VM1"], select = ["VM101"]` both do what they look like.
"""

from __future__ import annotations

from vllm_migrate.errors import UsageError
from vllm_migrate.run.gitignore import Rules, rules_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SEVERITIES = ("info", "warning", "error")
OFF, NEVER, ALL = "off", "never", "ALL"
# A name or a whole code is as specific as can be.
WHOLE = 100


class Selection:
    """The choice for one run. All arguments as written; `select` None means every rule.

    per_file_ignores: patterns as in .gitignore, relative to the project's folder, to selectors; a pattern that begins
    with `!` means every other file. severity: selectors to info, warning, error or off. preview: codes that count only where
    they are selected by code or name.
    """

    __slots__ = ("_cache", "_ignore", "_per_file", "_preview", "_select", "_severity")

    def __init__(
        self,
        select: Sequence[str] | None = None,
        ignore: Sequence[str] = (),
        extend_select: Sequence[str] = (),
        per_file_ignores: Mapping[str, Sequence[str]] | None = None,
        severity: Mapping[str, str] | None = None,
        preview: Iterable[str] = (),
    ) -> None:
        self._select = _folded([*([ALL] if select is None else select), *extend_select])
        self._ignore = _folded(ignore)
        self._severity = [(key.lower(), value) for key, value in (severity or {}).items()]
        self._per_file: list[tuple[Rules, bool, list[str]]] = []
        for pattern, selectors in (per_file_ignores or {}).items():
            inverse = pattern.startswith("!")
            self._per_file.append((rules_of([pattern[1:] if inverse else pattern]), inverse, _folded(selectors)))
        self._cache: dict[str, bool] = {}
        self._preview = frozenset(preview)

    def selects(self, code: str, name: str) -> bool:
        """Whether a rule counts anywhere."""
        known = self._cache.get(code)
        if known is None:
            chosen = _specificity(self._select, code, name)
            least = WHOLE if code in self._preview else 1
            known = self._cache[code] = chosen >= least and chosen > _specificity(self._ignore, code, name)
        return known

    def wants(self, code: str, name: str, path: str) -> bool:
        """Whether a rule counts in a file. path: relative to the project's folder, with `/`."""
        if not self.selects(code, name):
            return False
        return not any(
            _specificity(selectors, code, name) and rules.covers(path) != inverse
            for rules, inverse, selectors in self._per_file
        )

    def severity(self, code: str, name: str, default: str) -> str:
        """The severity of a rule as the project sees it, which may be "off"."""
        best, chosen = 0, default
        for selector, value in self._severity:
            here = _matches(selector, code, name)
            if here >= max(best, 1):
                best, chosen = here, value
        return chosen


def fails(severity: str, fail_on: str) -> bool:
    """Whether a finding of this severity makes the exit code 1."""
    return fail_on != NEVER and SEVERITIES.index(severity) >= SEVERITIES.index(fail_on)


def layered(
    written: Sequence[Sequence[str] | None], said: Sequence[Sequence[str] | None]
) -> tuple[list[str] | None, list[str], list[str]]:
    """(select, ignore, extend_select) of a configuration and a command line: a --select forgets what is written."""
    select, ignore, extend = said
    if select:
        return list(select), list(ignore or ()), list(extend or ())
    old = written[0]
    return (
        None if old is None else list(old),
        [*(written[1] or ()), *(ignore or ())],
        [*(written[2] or ()), *(extend or ())],
    )


def check_selectors(selectors: Iterable[str], rules: Iterable[tuple[str, str]], where: str) -> None:
    """Raise UsageError for a selector that means none of the rules, given as (code, name). where: for the message."""
    known = list(rules)
    for selector in selectors:
        if not any(_matches(selector.lower(), code, name) for code, name in known):
            from vllm_migrate.run.config import nearest

            candidates = [name for _, name in known] if "-" in selector else [code for code, _ in known]
            remedy = "" if is_code(selector) else nearest(selector if "-" in selector else selector.upper(), candidates)
            remedy = remedy if remedy.startswith("did you mean") else "`vllm-migrate rules` lists them"
            raise UsageError(f"{where}: there is no rule {selector!r}", remedy)


def is_code(word: str) -> bool:
    """Whether a word is written as a code is: one with similar digits is not what was meant."""
    return len(word) == len("VM101") and word[:2].upper() == "VM" and word[2:].isdecimal()


def _specificity(selectors: list[str], code: str, name: str) -> int:
    return max((_matches(selector, code, name) for selector in selectors), default=0)


def selects_rule(selector: str, code: str, name: str) -> bool:
    """Whether a selector means a rule."""
    return _matches(selector.strip().lower(), code, name) > 0


def _matches(selector: str, code: str, name: str) -> int:
    """How specifically a selector (in lower case) means a rule; 0 when it does not."""
    if selector == "all":
        return 1
    low = code.lower()
    if selector in (low, name):
        return WHOLE
    return 1 + len(selector) if selector[:2] == "vm" and low.startswith(selector) else 0


def _folded(selectors: Iterable[str]) -> list[str]:
    return [selector.strip().lower() for selector in selectors]
