"""What conditions of a dialect can ask."""

from __future__ import annotations

import pytest

from vllm_migrate.dialects.environment import DialectEnv
from vllm_migrate.dialects.model import Fact, Origin
from vllm_migrate.dialects.situation import Known, Situation
from vllm_migrate.dialects.tree import File, tree_of
from vllm_migrate.documents.interface import Source
from vllm_migrate.documents.yaml.document import parse_yaml
from vllm_migrate.knowledge.expr import Undetermined
from vllm_migrate.knowledge.records import Dialect

FILE = File.bare(Source("run.yaml", b"", "", False, "\n"))
REQUIRES = {"0.10.2": ">=0.19.0", "0.7.5": ">=0.8.5,<0.9.0", "0.9.0": ">=0.11.0,<0.13.0"}
DIALECT = Dialect("own", "Own", "", "source", ("yaml",), (), (), (), framework="own", requires=REQUIRES)


def fw(wanted: str, pinned: str | None, release: str = "") -> object:
    situation = Situation(frameworks={"own": Known(pinned)} if pinned is not None else {})
    return DialectEnv(Origin(DIALECT, FILE, situation=situation), {}, release).call("fw", [wanted])


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        *((">=0.9.0", True), ("!=0.9.1", False), ("!=0.9.*", False), ("!=0.8.1", True), ("~=0.9.0", True)),
        *(("~=0.8.0", False), ("==0.9.*", True), (">=0.8,<0.10,!=0.9.2", True), ("<0.9.1", False)),
    ],
)
def test_the_pinned_release_of_the_framework(wanted: str, expected: bool) -> None:
    assert fw(wanted, "0.9.1") is expected


@pytest.mark.parametrize("pinned", [None, "main"])
def test_what_no_file_pins_is_undetermined(pinned: str | None) -> None:
    answer = fw(">=0.9.0", pinned)
    assert isinstance(answer, Undetermined) and answer.options == (True, False)


def test_the_newest_entry_that_is_not_newer_says_what_a_release_runs_with() -> None:
    assert fw("==0.10.4", "0.10.4", "0.19.0") is True, "by the entry of 0.10.2, whatever their order"
    assert fw("<0.9", "0.10.4", "0.8.5") is True, "0.10.4 does not run with 0.8.5, so that 0.7.5 must be installed"
    assert fw(">=0.9", None, "0.12.0") is True, "the only one that runs with it"


def test_variables_and_parameters() -> None:
    env = DialectEnv(Origin(DIALECT, FILE), {"env.A": Fact("1")}, "", {"value": 3})
    assert (env.name("env.A"), env.name("env.B"), env.name("value")) == ("1", None, 3)
    assert isinstance(env.name("sampling.top_p"), Undetermined)
    for ask in (lambda: env.name("nothing"), lambda: env.call("nothing", ["a"])):
        with pytest.raises(KeyError):
            ask()


def test_a_key_that_is_written_shows_that_no_older_release_runs() -> None:
    document = parse_yaml(Source("run.yaml", b"", "new: 1\n", False, "\n"))
    file = File(document.source, document, True)
    shows = {"new": "0.9.1", "newest": "0.11.0"}
    dialect = Dialect(
        "own", "Own", "", "source", ("yaml",), (), (), (), framework="own", requires=REQUIRES, shows=shows
    )
    env = DialectEnv(Origin(dialect, file, root=tree_of(file)), {}, "0.12.0")
    assert env.call("fw", [">=0.9.1"]) is True, "0.9.0 runs with it, but has no such key"
    older = DialectEnv(Origin(dialect, file, root=tree_of(file)), {}, "0.8.5")
    assert older.call("fw", [">=0.9.1"]) is True, "what runs with it has no such key either"
