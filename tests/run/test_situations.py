"""Which releases each engine of a run moves between, and what shows them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from vllm_migrate import effective, lint
from vllm_migrate.errors import UsageError
from vllm_migrate.report.model import Report

SERVE = "vllm serve org/m --max-model-len 8192\n"
COMPOSE = "services:\n{services}"
SERVICE = "  {name}:\n    image: {image}\n    command: --model org/m\n"


def moves(report: Report) -> dict[str, tuple[str, str]]:
    """The releases that findings of each path are about."""
    return {finding.path: finding.releases for finding in report.findings}


def of(files: Mapping[str, str], path: str = "", **options: str) -> Report:
    """A lint of a project in memory; it has a repository's root."""
    return lint(path or (), files={".git/HEAD": "", **files}, **options)


def releases(files: Mapping[str, str], **options: str) -> set[tuple[str, str]]:
    return {(project.source, project.target) for project in of(files, **options).projects}


def why(files: Mapping[str, str], **options: str) -> str:
    (project,) = of(files, **options).projects
    return project.why


LOCK = '[[package]]\nname = "vllm"\nversion = "{}"\n'
ALONE = {"serve.sh": SERVE}
INNER = {"a/serve.sh": SERVE}


@pytest.mark.parametrize(
    ("files", "expected", "shown"),
    [
        (ALONE, ("0.8.5", "0.18.1"), "the default"),
        ({**ALONE, "requirements.txt": "vllm==0.9.2\n"}, ("0.9.2", "0.18.1"), "requirements.txt:1 pins it"),
        # the script's own install line goes before what the project pins
        (
            {"serve.sh": "pip install vllm==0.10.0\n" + SERVE, "requirements.txt": "vllm==0.9.2\n"},
            ("0.10.0", "0.18.1"),
            "serve.sh:1",
        ),
        # the nearest folder goes before those above it
        (
            {"a/b/serve.sh": SERVE, "a/requirements.txt": "vllm==0.9.1\n", "requirements.txt": "vllm==0.8.5\n"},
            ("0.9.1", "0.18.1"),
            "a/requirements.txt:1",
        ),
        # a range below does not keep the lock above from deciding, unless it excludes what that locks
        (
            {**INNER, "a/requirements.txt": "vllm>=0.9\n", "uv.lock": LOCK.format("0.10.1")},
            ("0.10.1", "0.18.1"),
            "uv.lock:3",
        ),
        (
            {**INNER, "a/requirements.txt": "vllm>=0.11.0\n", "requirements.txt": "vllm==0.9.1\n"},
            ("0.11.0", "0.18.1"),
            "the oldest that",
        ),
        # a lower bound excludes the default
        (
            {**ALONE, "requirements.txt": "vllm>=0.15.0\n"},
            ("0.15.0", "0.18.1"),
            "the oldest that requirements.txt:1 allows (vllm>=0.15.0)",
        ),
        ({**ALONE, "setup.py": '["vllm>=0.8.5,<=0.12.0"]\n'}, ("0.8.5", "0.18.1"), "setup.py:1 allows"),
        # at the target, and past it, a project is judged at its own release
        ({**ALONE, "requirements.txt": "vllm==0.18.1\n"}, ("0.18.1", "0.18.1"), "requirements.txt:1 pins it"),
        ({**ALONE, "requirements.txt": "vllm==0.21.0\n"}, ("0.21.0", "0.21.0"), "requirements.txt:1 pins it"),
        ({**ALONE, "requirements.txt": "vllm>=0.19.0\n"}, ("0.19.0", "0.19.0"), "the oldest that"),
        # a development version is never compared
        ({**ALONE, "uv.lock": LOCK.format("0.11.1.dev3+gabc")}, ("0.18.1", "0.18.1"), "not a release"),
        # a release that the catalog lacks is compared as the nearest older one
        ({**ALONE, "requirements.txt": "vllm==0.99.0\n"}, ("0.33.0", "0.33.0"), "for 0.99.0"),
    ],
)
def test_the_nearest_evidence_decides(files: dict[str, str], expected: tuple[str, str], shown: str) -> None:
    assert releases(files) == {expected}
    assert shown in why(files)


def test_a_lock_in_the_folder_decides_before_a_range_in_it() -> None:
    files = {
        "serve.sh": SERVE,
        "pyproject.toml": 'dependencies = ["vllm>=0.8"]\n',
        "requirements.txt": "vllm==0.10.2\n",
    }
    assert releases(files) == {("0.10.2", "0.18.1")}


def test_each_service_has_the_release_of_its_image() -> None:
    services = "".join(
        SERVICE.format(name=name, image=f"vllm/vllm-openai:{tag}") for name, tag in (("a", "v0.9.2"), ("b", "v0.18.1"))
    )
    report = of({"compose.yaml": COMPOSE.format(services=services), "requirements.txt": "vllm==0.8.5\n"})
    by_engine = {finding.engine.id: finding.releases for finding in report.findings if finding.engine is not None}
    assert {ident.rpartition(".")[2]: found for ident, found in by_engine.items()}["a"] == ("0.9.2", "0.18.1")
    assert {(project.source, project.target) for project in report.projects} == {
        ("0.9.2", "0.18.1"),
        ("0.18.1", "0.18.1"),
    }


def test_each_command_has_the_release_installed_before_it() -> None:
    script = "pip install vllm==0.9.1\n" + SERVE + "pip install vllm==0.10.2\n" + SERVE
    report = of({"run.sh": script})
    lines = {finding.line: finding.releases[0] for finding in report.findings if finding.engine is not None}
    assert {line: source for line, source in lines.items() if line in (2, 4)} == {2: "0.9.1", 4: "0.10.2"}


def test_projects_of_one_run_have_their_own_releases() -> None:
    files = {
        "train/serve.sh": SERVE,
        "train/requirements.txt": "vllm==0.9.2\n",
        "judge/serve.sh": SERVE,
        "judge/requirements.txt": "vllm==0.10.1\n",
    }
    report = of(files)
    assert [(project.root, project.source) for project in report.projects] == [("judge", "0.10.1"), ("train", "0.9.2")]
    assert (report.source, report.target) == ("0.10.1", "0.18.1")
    assert {path.partition("/")[0]: found[0] for path, found in moves(report).items()} == {
        "judge": "0.10.1",
        "train": "0.9.2",
    }


FLEET = {
    "a/serve.sh": "pip install vllm==0.9.2\n" + SERVE,
    "b/conf.yaml": "model: org/m\nmax-model-len: 8192\nenable-prefix-caching: false\n",
    "b/requirements.txt": "vllm==0.10.1\n",
    "c/vllm-migrate.toml": 'from = "0.8.5.post1"\nfrom-engine = "v1"\n',
    "c/serve.sh": SERVE,
    "d.sh": SERVE,
}


def test_neither_the_order_of_the_paths_nor_what_else_is_judged_changes_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    for name, text in FLEET.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    paths = ["a/serve.sh", "b/conf.yaml", "c/serve.sh", "d.sh"]
    apart = [finding for path in paths for finding in lint([path]).findings]
    for order in itertools.permutations(paths):
        assert list(lint(order).findings) == apart


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"to": "0.18"}, ("0.8.5", "0.18.1")),
        ({"to": "latest"}, ("0.8.5", "0.33.0")),
        ({"from_": "0.9", "to": "0.12"}, ("0.9.2", "0.12.0")),
        ({"from_": "v0.9.1"}, ("0.9.1", "0.18.1")),
        ({"from_": "0.18.1", "to": "0.8.5"}, ("0.18.1", "0.8.5")),  # a way back
        ({"from_": "0.20.0"}, ("0.20.0", "0.20.0")),
    ],
)
def test_what_is_asked_for(options: dict[str, str], expected: tuple[str, str]) -> None:
    assert releases({"serve.sh": SERVE, "requirements.txt": "vllm==0.10.0\n"}, **options)
    assert releases({"serve.sh": SERVE}, **options) == {expected}


def test_a_series_says_which_release_it_means() -> None:
    report = of({"serve.sh": SERVE}, to="0.18")
    assert report.target_why == "--to 0.18, the newest of that series"


def test_settings_by_path() -> None:
    config = (
        'to = "0.18.1"\n[per-file-settings."judge/**"]\nfrom = "0.9.2"\nrole = "judge"\n'
        '[per-file-settings."train/**"]\nfrom = "0.10.0"\nfrom-engine = "v1"\ngpu = "h100"\n'
    )
    report = of({"vllm-migrate.toml": config, "judge/serve.sh": SERVE, "train/serve.sh": SERVE})
    assert {(project.source, project.target) for project in report.projects} == {
        ("0.9.2", "0.18.1"),
        ("0.10.0", "0.18.1"),
    }
    roles = {finding.path: finding.engine.role for finding in report.findings if finding.engine is not None}
    assert roles["judge/serve.sh"] == "judge" and roles["train/serve.sh"] == "serving"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[per-file-settings."a/**"]\ngpus = "h100"\n', "vllm-migrate.toml:2: unknown setting 'gpus'"),
        ('[per-file-settings."a/**"]\nrole = "jugde"\n', "vllm-migrate.toml:2: role must be one of"),
        ('[per-file-settings."a/**"]\ngpu = "toaster"\n', "vllm-migrate.toml"),
        ('[per-file-settings]\na = "b"\n', "vllm-migrate.toml:1: per-file-settings must be"),
    ],
)
def test_a_wrong_setting_by_path_is_refused(text: str, place: str) -> None:
    with pytest.raises(UsageError) as error:
        of({"vllm-migrate.toml": text, "a/serve.sh": SERVE})
    assert place in str(error.value)


PACKAGE_INFO = "MAJOR = 0\nMINOR = 5\nPATCH = 1\n"


@pytest.mark.parametrize(
    ("files", "package", "release"),
    [
        ({"pyproject.toml": '[project]\nname = "trl"\nversion = "1.3.0"\n'}, "trl", "1.3.0"),
        ({"setup.py": 'setup(\n    name="verl",\n)\n', "verl/version/version": "0.7.0.dev\n"}, "verl", "0.7.0"),
        (
            {"pyproject.toml": '[project]\nname = "nemo-rl"\n', "nemo_rl/package_info.py": PACKAGE_INFO},
            "nemo-rl",
            "0.5.1",
        ),
        ({"setup.cfg": "[metadata]\nname = openrlhf\nversion = 0.8.0\n"}, "openrlhf", "0.8.0"),
    ],
)  # fmt: skip
def test_a_frameworks_own_repository_shows_its_release(files: dict[str, str], package: str, release: str) -> None:
    from vllm_migrate.catalog import store
    from vllm_migrate.documents.disk import Memory
    from vllm_migrate.knowledge.load import load
    from vllm_migrate.run.dependencies import Unnoted
    from vllm_migrate.run.settings import Options, Settings
    from vllm_migrate.run.situations import Situations

    disk = Memory({".git/HEAD": "", "conf/a.yaml": "", **files})
    settings = Settings.of(Options(paths=("conf",)), Unnoted(), disk)
    found = Situations(settings, store.load(), load(), Unnoted(), disk).of("conf/a.yaml").frameworks
    assert found[package].value == release


def test_the_framework_that_a_project_pins_shows_the_vllm_it_runs_with() -> None:
    files = {"serve.sh": SERVE, "requirements.txt": "verl==0.9.0\n"}
    assert releases(files) == {("0.18.0", "0.18.1")}
    assert why(files) == "the oldest that verl 0.9.0 runs with (requirements.txt:1 pins it)"


def test_json_lists_the_projects(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vllm_migrate.cli.main import main

    (tmp_path / ".git").mkdir()
    (tmp_path / "serve.sh").write_text(SERVE)
    (tmp_path / "requirements.txt").write_text("vllm==0.18.1\n")
    monkeypatch.chdir(tmp_path)
    main(["lint", "--output-format", "json"])
    report = json.loads(capsys.readouterr().out)
    assert report["projects"] == [{"root": ".", "from": "0.18.1", "to": "0.18.1", "why": "requirements.txt:1 pins it"}]
    assert (report["from"], report["to"]) == ("0.18.1", "0.18.1")
    assert all((f["project"], f["from"], f["to"]) == (".", "0.18.1", "0.18.1") for f in report["findings"])
    main(["lint"])
    assert "--from X compares it with an earlier one" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("model", "source"),
    [
        ("openai/gpt-oss-20b", "0.10.1"),
        ("/models/Qwen3.5-35B-A3B", "0.17.0"),
        ("google/gemma-3n-E4B-it", "0.9.2"),
        ("Qwen/Qwen2.5-7B", "0.8.5"),
        ("org/not-gpt-4", "0.8.5"),
    ],
)
def test_a_model_that_an_older_release_does_not_know(model: str, source: str) -> None:
    assert {moved[0] for moved in releases({"serve.sh": f"vllm serve {model}\n"})} == {source}


def test_an_image_of_the_project_for_another_device() -> None:
    text = COMPOSE.format(
        services=SERVICE.format(name="a", image="public.ecr.aws/q9t5s3a7/vllm-cpu-release-repo:v0.10.2")
    )
    report = of({"compose.yaml": text, "requirements.txt": "vllm==0.9.1\n"})
    assert all(project.source in ("0.10.2", "0.9.1") for project in report.projects)


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("vllm serve BAAI/bge-m3 --seed 1\n", "pooling"),
        ("vllm serve --model Qwen/Qwen3-Embedding-8B\n", "pooling"),
        ("vllm serve org/m --task score\n", "pooling"),
        ("vllm serve org/m --worker-extension-cls a.B\n", "rl_rollout"),
        ("vllm serve org/m --seed 1\n", "serving"),
    ],
)
def test_the_role_that_a_setting_shows(text: str, role: str) -> None:
    from vllm_migrate import effective

    (engine,) = effective(files={"run.sh": text})
    assert engine.role == role
    assert (" in line 1: " in engine.situation.role.because) is (role != "serving")


def test_a_project_at_its_target_is_told_how_to_look_back() -> None:
    files = {"serve.sh": SERVE, "uv.lock": LOCK.format("0.18.1"), "docker/Dockerfile": "RUN pip install vllm==0.9.2\n"}
    assert "docker/Dockerfile:1 names 0.9.2; to compare with it, pass --from 0.9.2" in of(files).notes
    assert not any("shows the way" in note for note in of({"serve.sh": SERVE, "uv.lock": LOCK.format("0.18.1")}).notes)


@pytest.mark.parametrize(
    ("version", "found"),
    [("0.99.0", 1), ("0.99.0.post1", 1), ("0.99.0rc1", 0), ("0.99.0.dev3", 0), ("0.99.0+mine", 0), ("0.18.1", 0)],
)
def test_a_final_release_beyond_the_catalog_is_one_warning_at_its_pin(version: str, found: int) -> None:
    files = {"a.sh": SERVE, "b.sh": SERVE, "requirements.txt": f"torch\nvllm=={version}\n"}
    beyond = [each for each in of(files).findings if each.code == "VM912"]
    assert [(each.severity, each.region.path, each.region.line) for each in beyond] == [
        ("warning", "requirements.txt", 2)
    ] * found
    assert all("0.33.0" in each.message and version in each.message for each in beyond)


def test_a_final_release_beyond_the_catalog_may_be_asked_for() -> None:
    (project,) = of(ALONE, to="0.99.0").projects
    assert project.target == "0.33.0" and "0.99.0" in project.target_why and "catalog add" in project.target_why
    for unknown in ("0.99.0rc1", "0.99.0.dev3", "0.8.99", "later"):
        with pytest.raises(UsageError, match=r"not in the catalog|later"):
            of(ALONE, to=unknown)


@pytest.mark.parametrize(
    ("pin", "core"),
    [
        ("vllm==0.7.3", "v0"),
        ("vllm==0.6.6.post1", "v0"),
        ("vllm>=0.6,<0.8", "v0"),
        ("vllm<=0.7.3", "v0"),
        ("vllm==0.8.2", "v1"),
        ("vllm==0.8.5", "v1"),
        ("vllm>=0.8.0,<0.8.4", "v1"),
        ("vllm>=0.7", "v1"),
    ],
)
def test_what_is_older_than_v1_by_default_ran_v0(pin: str, core: str) -> None:
    """0.8.0 made V1 the default; what the catalog lacks is compared as 0.8.5, and its core is its own."""
    files = {".git/HEAD": "", "requirements.txt": f"{pin}\n", "serve.sh": SERVE}
    (engine,) = effective("serve.sh", files=files)
    (row,) = [row for row in engine.settings if row.option == "engine"]
    assert row.source.value == core
    (engine,) = effective("serve.sh", files={**files, "serve.sh": "VLLM_USE_V1=1 " + SERVE})
    (row,) = [row for row in engine.settings if row.option == "engine"]
    assert row.source.value == "v1"


@pytest.mark.parametrize(
    ("bound", "release"),
    [("<=0.6.3", "0.6.3"), ("<0.8", "0.7.3"), (">=0.5,<0.7", "0.6.6"), ("<0.4.1,>=0.3.0", "0.4.0")],
)
def test_a_range_before_the_catalog_shows_its_newest_release(bound: str, release: str) -> None:
    files = {".git/HEAD": "", "requirements.txt": f"vllm{bound}\n", "serve.sh": "vllm serve m --max-model-len 8192\n"}
    (project,) = lint(files=files).projects
    assert (project.source, project.target) == ("0.8.5", "0.18.1")
    assert project.why == f"for {release}, the newest that requirements.txt:1 allows (vllm{bound})"
    assert "engine-v0-removed" in {found.name for found in lint(files=files).findings}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"serve.sh": "docker run vllm/vllm-openai:latest --model a/b\n"}, "serve.sh:1 names vllm-openai:latest"),
        ({"serve.sh": "#!/bin/sh\ndocker run vllm/vllm-openai:nightly a/b\n"}, "serve.sh:2 names vllm-openai:nightly"),
        ({"serve.sh": "# vllm/vllm-openai:latest\nvllm serve a/b\n"}, ""),
        ({"serve.sh": "docker run vllm/vllm-openai:latest-x86 --model a/b\n"}, "serve.sh:1 names vllm-openai:latest"),
        ({"serve.sh": "docker run vllm/vllm-openai:v0.8.5 --model a/b\n"}, ""),
        (
            {"serve.sh": "docker run vllm/vllm-openai:latest --model a/b\n", "requirements.txt": "vllm==0.9.2\n"},
            "",
        ),
    ],
)
def test_an_image_whose_tag_is_no_release(files: dict[str, str], said: str) -> None:
    found = [note for note in of(files).notes if "is no release" in note]
    assert [note.partition(", which")[0] for note in found] == ([said] if said else [])


MODEL = "unsloth/gpt-oss-20b"
PROSE = '{"cells": [{"cell_type": "markdown", "source": [\n "[it](https://a.b/blob/nb/gpt-oss-20b.ipynb)",\n "see %s"\n ]}, '
CODE = '{"cell_type": "code", "source": [\n "from vllm import LLM\\n",\n "llm = LLM(%s)"\n ]}], "nbformat": 4, "nbformat_minor": 5}'


@pytest.mark.parametrize(
    ("files", "source"),
    [
        ({"a.ipynb": PROSE % MODEL + CODE % "model"}, "0.8.5"),
        ({"a.ipynb": PROSE % "this" + CODE % f"'{MODEL}'"}, "0.10.1"),
        ({"serve.sh": f"# https://github.com/a/b/blob/main/nb/gpt-oss-20b.md\n{SERVE}"}, "0.8.5"),
        ({"serve.sh": f"vllm serve {MODEL}\n"}, "0.10.1"),
        ({"serve.sh": f"curl https://huggingface.co/{MODEL}/resolve/main/config.json\nvllm serve ./m\n"}, "0.10.1"),
    ],
)
def test_a_model_counts_where_it_runs(files: dict[str, str], source: str) -> None:
    assert {project.source for project in of(files).projects} == {source}


PIPELINE = Path(__file__).parents[2] / "examples" / "pipelinerl" / "before" / "conf" / "base.yaml"


@pytest.mark.parametrize("pin", ["vllm==0.8.5", "vllm==0.9.2"])
@pytest.mark.parametrize("stated", ["", 'from = "0.9.2"\nto = "0.18.1"\n'])
def test_what_the_project_installs_rejects_is_for_review_whatever_is_stated(pin: str, stated: str) -> None:
    from vllm_migrate import lint

    files = {
        "requirements.txt": f"{pin}\n",
        "conf/base.yaml": PIPELINE.read_text(),
    }
    if stated:
        files["vllm-migrate.toml"] = stated
    fix = next(found.fix for found in lint(files=files).findings if found.code == "VM401")
    assert fix is not None and fix.safety == "review" and [place[0] for place in fix.conflicts] == ["requirements.txt"]


def test_a_stated_release_from_before_the_move_of_the_version() -> None:
    from vllm_migrate import lint

    files = {
        "requirements.txt": "vllm==0.18.1\n",
        "vllm-migrate.toml": 'from = "0.8.5"\n',
        "conf/base.yaml": PIPELINE.read_text(),
    }
    fix = next(found.fix for found in lint(files=files).findings if found.code == "VM401")
    assert fix is not None and not fix.conflicts
