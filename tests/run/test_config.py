"""What a project asks for, where it is found, and what is said about mistakes in it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_migrate.errors import UsageError
from vllm_migrate.run.config import load_config, read_config

FULL = """
from = "0.8.5"
to = "0.18.1"
from-engine = "v0"
include = ["conf", "scripts/*.sh"]
exclude = ["old/"]
select = ["VM1"]
ignore = ["VM101"]
extend-select = ["engine-v0-removed"]
fail-on = "error"
baseline = "known.json"
unsafe-fixes = true
gpu = "h100"

[per-file-ignores]
"tests/**" = ["VM1", "min-p-order"]

[severity]
VM101 = "info"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "repo/.git").mkdir(parents=True)
    (tmp_path / "repo/conf").mkdir()
    monkeypatch.chdir(tmp_path / "repo")
    return tmp_path / "repo"


def test_every_setting(here: Path) -> None:
    (here / "vllm-migrate.toml").write_text(FULL)
    (here / "scripts").mkdir()
    for name in ("b.sh", "a.sh"):
        (here / "scripts" / name).touch()
    config = load_config("conf")
    assert config.path == "vllm-migrate.toml"
    assert [config.text(key) for key in ("from", "to", "from-engine", "fail-on", "gpu")] == [
        "0.8.5",
        "0.18.1",
        "v0",
        "error",
        "h100",
    ]
    assert [config.texts(key) for key in ("select", "ignore", "extend-select")] == [
        ["VM1"],
        ["VM101"],
        ["engine-v0-removed"],
    ]
    assert config.texts("exclude") == ["old/"]
    assert config.flag("unsafe-fixes")
    assert config.file("baseline") == "known.json"
    assert config.per_file_ignores == {"tests/**": ["VM1", "min-p-order"]}
    assert config.severity == {"VM101": "info"}
    assert config.includes() == ["conf", "scripts/a.sh", "scripts/b.sh"]


def test_same_settings_in_pyproject(here: Path) -> None:
    text = FULL.replace("[per-", "[tool.vllm-migrate.per-").replace("[severity", "[tool.vllm-migrate.severity")
    (here / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.vllm-migrate]' + text)
    config = load_config("conf")
    assert config.text("to") == "0.18.1"
    assert config.severity == {"VM101": "info"}


def test_nearest_wins_and_own_file_before_pyproject(here: Path) -> None:
    (here / "vllm-migrate.toml").write_text('to = "0.9.0"\n')
    (here / "pyproject.toml").write_text('[tool.vllm-migrate]\nto = "0.10.0"\n')
    assert load_config(".").text("to") == "0.9.0"
    (here / "conf/pyproject.toml").write_text('[tool.vllm-migrate]\nto = "0.11.0"\n')
    (here / "conf/a.yaml").touch()
    config = load_config("conf/a.yaml")
    assert (config.text("to"), config.root) == ("0.11.0", "conf")
    assert config.file("baseline") is None
    (here / "conf/pyproject.toml").write_text('[project]\nname = "uses-vllm-migrate"\n')
    assert load_config("conf/a.yaml").text("to") == "0.9.0"


def test_search_ends_at_the_repository(here: Path) -> None:
    (here.parent / "vllm-migrate.toml").write_text('to = "0.9.0"\n')
    assert load_config("conf").path == ""
    (here / ".git").rmdir()
    assert load_config("conf").path == str(here.parent / "vllm-migrate.toml")


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ('\nform = "0.8.5"\n', ":2: unknown setting 'form'", "did you mean from"),
        ('fail_on = "error"\n', ":1: unknown setting 'fail_on'", "did you mean fail-on?"),
        ('zzz = "error"\n', ":1: unknown setting 'zzz'", "known are from, to"),
        ("to = 0.18\n", ":1: to must be a string", 'write it in quotes: "0.18"'),
        ('#\nselect = "VM1"\n', ":2: select must be a list of strings", 'write a list: ["VM1"]'),
        ("ignore = [1]\n", ":1: ignore must be a list of strings", ""),
        ("unsafe-fixes = 1\n", ":1: unsafe-fixes must be true or false", ""),
        ('fail-on = "warn"\n', ':1: fail-on must be one of "error", "warning"', "did you mean warning?"),
        ('[severity]\nVM1 = "info"\nVM101 = "of"\n', ':3: VM101 must be one of "error"', "did you mean off?"),
        ("[severity]\nVM101 = 3\n", ":1: severity must be a table of strings", ""),
        ('[per-file-ignores]\n"a" = "VM1"\n', ":1: per-file-ignores must be a table of lists", ""),
        ('to = "a\n', ":1: not TOML: Illegal character", ""),
        ('to = ["a"', ":1: not TOML: Unclosed array", ""),
        ('to = "0.18.1"\n\nto = "1"\n', ":3: not TOML: Cannot overwrite a value", ""),
    ],
)
def test_mistakes_are_shown_where_they_are(here: Path, text: str, message: str, remedy: str) -> None:
    (here / "vllm-migrate.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        load_config("conf")
    assert "vllm-migrate.toml" + message in caught.value.message
    assert remedy in caught.value.remedy
    assert bool(remedy) == bool(caught.value.remedy)


@pytest.mark.parametrize(
    ("text", "key", "table", "line"),
    [
        ('select = ["VMX"]\n\n[severity]\nVM1 = "off"\nVMX = "info"\n', "VMX", "severity", 5),
        ('severity.VMX = "info"\n', "VMX", "severity", 1),
        ('#\nseverity = { VMX = "info" }\n', "VMX", "severity", 2),
        ('[per-file-ignores]\n"a.b/**" = [\n  "VMX",\n]\n', "a.b/**", "per-file-ignores", 2),
        ('[severity] # [x]\n"VMX" = "off"\n[per-file-ignores]\nVMX = ["VM1"]\n', "VMX", "per-file-ignores", 4),
    ],
)
def test_the_place_of_an_entry_of_a_table(here: Path, text: str, key: str, table: str, line: int) -> None:
    (here / "vllm-migrate.toml").write_text(text)
    assert load_config("conf").where(key, table) == f"vllm-migrate.toml:{line}"
    (here / "vllm-migrate.toml").unlink()
    shared = text.replace("[severity]", "[tool.vllm-migrate.severity]")
    shared = shared.replace("[per-file-ignores]", "[tool.vllm-migrate.per-file-ignores]")
    (here / "pyproject.toml").write_text('[tool.other]\nVMX = "x"\n[tool.vllm-migrate]\n' + shared)
    assert load_config("conf").where(key, table) == f"pyproject.toml:{line + 3}"


def test_line_in_pyproject_is_that_of_our_table(here: Path) -> None:
    (here / "pyproject.toml").write_text('[tool.other]\nselct = 1\n\n[tool.vllm-migrate]\nto = "1"\nselct = ["VM1"]\n')
    with pytest.raises(UsageError, match=r"^pyproject\.toml:6: unknown setting 'selct'"):
        load_config(".")


@given(
    st.lists(
        st.sampled_from([*FULL.splitlines(), "[tool.vllm-migrate]", "to = 1", "x", "[", '"', "= 3", "a.b = 1"]),
        max_size=8,
    )
)
def test_any_text_is_read_or_refused_with_its_place(lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "vllm-migrate.toml")
        path.write_text("\n".join(lines))
        try:
            load_config(folder)
        except UsageError as error:
            line = int(error.message.split("vllm-migrate.toml:")[1].split(":")[0])
            assert 1 <= line <= len(lines) + 1


def test_not_utf8(here: Path) -> None:
    (here / "vllm-migrate.toml").write_bytes(b'to = "1"\n# \xff\n')
    with pytest.raises(UsageError, match=r"toml:2: not UTF-8: byte 0xff"):
        load_config(".")


def test_a_file_that_is_named(here: Path) -> None:
    (here / "other.toml").write_text('to = "0.9.0"\n')
    assert read_config("other.toml").text("to") == "0.9.0"
    (here / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(UsageError, match=r"no \[tool.vllm-migrate\] table"):
        read_config("pyproject.toml")
    with pytest.raises(UsageError, match=r"no such file: gone\.toml"):
        read_config("gone.toml")


def test_toml_is_only_imported_when_there_is_something_of_ours(here: Path) -> None:
    (here / "pyproject.toml").write_text('[project]\nname = "x"\n')
    code = (
        "import sys; from vllm_migrate.run.config import load_config; load_config('conf');"
        "sys.exit(any(name in sys.modules for name in ('tomllib', 'difflib', 'pathlib')))"
    )
    assert subprocess.run([sys.executable, "-S", "-c", code], env={"PYTHONPATH": ROOT}).returncode == 0


ROOT = str(Path(__file__).parents[2])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[per-file-settings."judges/a.sh"]\nrole = "judges"\n', 2),
        ('[per-file-settings."judges/**"]\nfrom = "0.8.5"\nrole = "judges"\n', 3),
        ('# a\n[per-file-settings]\n"a.sh" = {role = "judges"}\n', 3),
        ('to = "0.18.1"\nfail-on = "warn"\n', 2),
        ('[severity]\n"VM101" = "bad"\n', 2),
    ],
)
def test_a_wrong_value_is_placed_on_its_line(text: str, line: int, tmp_path: Path) -> None:
    for name, head in (("vllm-migrate.toml", ""), ("pyproject.toml", "[tool.vllm-migrate]\n")):
        (tmp_path / name).write_text(
            text
            if not head
            else head + text.replace("[per", "[tool.vllm-migrate.per").replace("[sev", "[tool.vllm-migrate.sev")
        )
        with pytest.raises(UsageError, match=rf"{name}:{line + bool(head)}: "):
            read_config(str(tmp_path / name))


def test_an_acknowledgement_needs_rule_and_reason_alone(tmp_path: Path) -> None:
    (tmp_path / "vllm-migrate.toml").write_text('[[acknowledged]]\nrule = "VM405"\n')
    with pytest.raises(UsageError, match="each with rule and reason, and with path if"):
        read_config(str(tmp_path / "vllm-migrate.toml"))
