"""Nothing outside the project is read, quoted or written, unless the call or the environment allows it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from vllm_migrate import lint
from vllm_migrate.cli.main import main
from vllm_migrate.documents.disk import DISK
from vllm_migrate.run.fence import VARIABLE, fence_of
from vllm_migrate.run.settings import Options

SECRET = "only-for-staff"
SERVE = "model: x\nmax-model-len: 5\nswap-space: 4\n"
NEMO = """policy:
  generation:
    backend: vllm
    vllm_cfg:
      tensor_parallel_size: 4
    vllm_kwargs:
      kv_cache_dtype: ${db.pw}
"""
OUTSIDE = f"db:\n  pw: {SECRET}\npolicy:\n  generation:\n    vllm_kwargs:\n      seed: {SECRET}\n" + SERVE.replace(
    "x", SECRET
)


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, a repository beside a folder that it shall not look into."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder, outside = tmp_path / "repo", tmp_path / "outside"
    for each in (folder / ".git" / "info", outside):
        each.mkdir(parents=True)
    (outside / "x.yaml").write_text(OUTSIDE)
    (outside / "x.sh").write_text(f"export VLLM_USE_V1={SECRET}\nvllm serve {SECRET} --swap-space 4\n")
    (outside / "x.json").write_text(
        json.dumps({"schema": 1, "entries": [{"fingerprint": SECRET}], "torch_dtype": SECRET})
    )
    (outside / "x.txt").write_text(f"vllm==0.9.1 # {SECRET}\n")
    (outside / "x.toml").write_text(f'from = "0.9.0"\n{SECRET.replace("-", "")} = 1\n')
    monkeypatch.chdir(folder)
    return folder


def link(name: str, to: str) -> Callable[[Path], None]:
    def make(repo: Path) -> None:
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).symlink_to(repo.parent / "outside" / to)

    return make


def text(name: str, content: str) -> Callable[[Path], None]:
    def make(repo: Path) -> None:
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(content.replace("ABSOLUTE", str(repo.parent)))

    return make


def folder_link(repo: Path) -> None:
    (repo / "shared").symlink_to(repo.parent / "outside")
    (repo / "a.yaml").write_text("defaults: shared/x.yaml\n" + NEMO)


LEADS_OUT = {
    "parent": text("a.yaml", "defaults: ../outside/x.yaml\n" + NEMO),
    "absolute parent": text("a.yaml", "defaults: ABSOLUTE/outside/x.yaml\n" + NEMO),
    "list of parents": text("a.yaml", "defaults: [../outside/x.yaml]\n" + NEMO),
    "deeper parent": text("conf/deep/a.yaml", "defaults: ../../../outside/x.yaml\n" + NEMO),
    "hydra": text("a.yaml", "defaults:\n- ../outside/x\n- _self_\nvllm_config:\n  vllm_kwargs:\n    seed: ${db.pw}\n"),
    "hydra search path": text(
        "a.yaml",
        "defaults:\n- x\n- _self_\nhydra:\n  searchpath: [file://../outside]\nvllm_config:\n  vllm_kwargs:\n    seed: ${db.pw}\n",
    ),
    "parent behind a linked folder": folder_link,
    "linked file": link("a.yaml", "x.yaml"),
    "linked script": link("a.sh", "x.sh"),
    "sourced": text("a.sh", "source ../outside/x.sh\nvllm serve y --swap-space 4\n"),
    "--config of a command": text("a.sh", "vllm serve y --config ../outside/x.yaml\n"),
    "linked requirements": link("requirements.txt", "x.txt"),
    "linked configuration": link("vllm-migrate.toml", "x.toml"),
    "baseline": text("vllm-migrate.toml", 'baseline = "../outside/x.json"\n'),
    "model-config": text("vllm-migrate.toml", 'model-config = "../outside"\n'),
    "include": text("vllm-migrate.toml", 'include = ["../outside"]\n'),
    "include by pattern": text("vllm-migrate.toml", 'include = ["../out*/*.yaml"]\n'),
    "knowledge": text("vllm-migrate.toml", 'knowledge = ["../outside"]\n'),
    "linked knowledge": link("know/r.yaml", "x.yaml"),
}
COMMANDS = (
    ["lint"],
    ["lint", "."],
    ["fix", "--unsafe"],
    ["effective", "."],
    ["lint", "--output-format", "json", "."],
    ["migrate"],
)


@pytest.mark.parametrize("kind", LEADS_OUT)
def test_what_leads_out_is_not_quoted(kind: str, repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repo / "own.yaml").write_text(SERVE)
    LEADS_OUT[kind](repo)
    if kind == "linked knowledge":
        (repo / "vllm-migrate.toml").write_text('knowledge = ["know"]\n')
    for command in COMMANDS:
        main(command)
        shown = "".join(capsys.readouterr())
        assert SECRET not in shown and SECRET.replace("-", "") not in shown, (command, shown)
        assert "0.9.1" not in shown
    if kind != "linked requirements":  # nothing is missing where no release is pinned
        main(["lint"])
        said = "parent-not-found" if kind == "hydra search path" else "outside"
        assert said in "".join(capsys.readouterr())


@pytest.mark.parametrize("way", ["option", "variable", "named"])
def test_it_is_read_where_it_is_allowed(
    way: str, repo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    LEADS_OUT["parent"](repo)
    words = {"option": ["--allow-outside", "../outside"], "named": ["../outside/x.yaml"]}.get(way, [])
    if way == "variable":
        monkeypatch.setenv(VARIABLE, os.pathsep.join(("/nowhere", str(repo.parent / "outside"))))
    main(["lint", "a.yaml", *words])
    shown = capsys.readouterr().out
    assert "outside-project" not in shown and SECRET in shown


def test_a_repository_cannot_allow_it_itself(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repo / "vllm-migrate.toml").write_text('allow-outside = ["../outside"]\n')
    assert main(["lint"]) == 2
    assert "unknown setting" in capsys.readouterr().err


def test_a_link_is_written_inside_alone(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = repo.parent / "outside" / "serve.yaml"
    target.write_text(SERVE)
    (repo / "a.yaml").symlink_to(target)
    (repo / "real.yaml").write_text(SERVE)
    (repo / "b.yaml").symlink_to("real.yaml")
    main(["fix", "--write", "b.yaml"])
    assert "swap-space" not in (repo / "real.yaml").read_text() and (repo / "b.yaml").is_symlink()
    for words in (["."], ["a.yaml"]):
        main(["fix", "--write", *words])
        assert target.read_text() == SERVE
    assert "outside the project" in "".join(capsys.readouterr())
    assert main(["fix", "--write", "a.yaml", "--allow-outside", "../outside"]) == 0
    assert "swap-space" not in target.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ["lint", "-o", "out"],
        ["lint", "--baseline", "out", "--write-baseline"],
        ["migrate", "--patch", "out"],
        ["migrate", "--checklist", "out"],
        ["lock", "-o", "out"],
        ["lint", "--reason", "seen", "--write", "--add-ignores"],
    ],
    ids=" ".join,
)
def test_outputs_do_not_follow_a_link_out(words: list[str], repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = repo.parent / "outside" / "x.yaml"
    (repo / "own.yaml").write_text(SERVE)
    (repo / "out").symlink_to(target)
    if words[-1] == "--add-ignores":
        (repo / "a.yaml").symlink_to(target)
    main([*words, *(["."] if words[0] != "lock" else [])])
    assert target.read_text() == OUTSIDE
    if words[-1] != "--add-ignores":
        assert "outside the project" in capsys.readouterr().err
        main([*words, "--allow-outside", "../outside", *(["."] if words[0] != "lock" else [])])
        assert target.read_text() != OUTSIDE


def test_an_output_that_is_named_may_be_anywhere(repo: Path) -> None:
    (repo / "own.yaml").write_text(SERVE)
    assert main(["lint", "-o", "../report.txt", "own.yaml"]) == 1
    assert "VM202" in (repo.parent / "report.txt").read_text()


def test_a_lock_names_what_is_in_its_own_project(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repo / "own.yaml").write_text(SERVE)
    assert main(["lock", "own.yaml"]) == 0
    lock = json.loads((repo / "vllm-migrate.lock").read_text())
    for change in ({"paths": ["../outside/x.yaml"]}, {"assumed": {"model_config": "../outside"}}):
        (repo / "vllm-migrate.lock").write_text(json.dumps({**lock, **change}))
        assert main(["lock", "--check"]) == 2
        shown = "".join(capsys.readouterr())
        assert "outside the project" in shown and SECRET not in shown


def root_of(path: str) -> Callable[[str], bool]:
    fence = fence_of(Options((path,)), DISK)
    return lambda other: fence.holds(os.path.realpath(other))


def test_the_root_of_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("git/.git", "git/a/b", "own/a/b", "bare/a/b"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "own" / "vllm-migrate.toml").write_text("")
    for path, inside, outside in (
        ("git/a/b", "git/c", "own"),
        ("git/a/b/x.yaml", "git/c", "own"),
        ("own/a/b/x.yaml", "own/c", "git"),
        ("bare/a", "bare/a/b", "bare/c"),
        ("bare/a/x.yaml", "bare/c", ".."),  # a file below the working folder
    ):
        holds = root_of(path)
        assert holds(inside) and not holds(outside), path
    monkeypatch.chdir(tmp_path / "own")
    assert root_of(str(tmp_path / "bare" / "a" / "x.yaml"))(str(tmp_path / "bare" / "a"))
    assert not root_of(str(tmp_path / "bare" / "a" / "x.yaml"))(str(tmp_path / "bare" / "b"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert not root_of("bare/a/x.yaml")(str(tmp_path / "bare" / "b"))  # the home folder is no project


def test_evidence_above_the_project_counts(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repo / ".git" / "info").rmdir()
    (repo / ".git").rmdir()
    (repo / "conf").mkdir()
    (repo / "conf" / "a.yaml").write_text(SERVE)
    (repo / "requirements.txt").write_text("vllm==0.9.2\n")
    main(["lint", "conf"])
    assert "0.9.2" in capsys.readouterr().out
    (repo / "requirements.txt").unlink()
    (repo / "requirements.txt").symlink_to("../outside/x.txt")
    main(["lint", "conf"])
    assert "0.9.1" not in capsys.readouterr().out


@pytest.mark.parametrize("line", ['fail-on = "never"', "unsafe-fixes = true"])
def test_what_the_repository_decides_of_writing_is_said(
    line: str, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repo / "own.yaml").write_text(SERVE)
    (repo / "vllm-migrate.toml").write_text(f"\n{line}\n")
    main(["lint", "own.yaml"])
    assert f"vllm-migrate.toml:2 sets {line.partition(' ')[0]}" in capsys.readouterr().out
    main(["fix", "--write", "own.yaml"])
    shown = capsys.readouterr().out
    assert ("async" in (repo / "own.yaml").read_text()) == line.startswith("unsafe")
    assert ("vllm-migrate.toml:2 sets" in shown) == line.startswith("unsafe")
    main(["lint", "--fail-on", "never", "own.yaml"])
    assert "sets fail-on" not in capsys.readouterr().out


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def around(path: Path) -> None:
    path.symlink_to(path.name)


def pipe_elsewhere(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


NO_FILES = (pipe, endless, huge, around, pipe_elsewhere, Path.mkdir)
SIDE_FILES: dict[str, list[list[str]]] = {
    "vllm-migrate.toml": [["lint", "own.yaml"], ["fix", "own.yaml"]],
    "pyproject.toml": [["lint", "own.yaml"]],
    "requirements.txt": [["lint", "own.yaml"], ["migrate", "own.yaml"]],
    "uv.lock": [["lint", "own.yaml"], ["migrate", "own.yaml"]],
    "Dockerfile": [["lint", "own.yaml"]],
    "docker/Dockerfile": [["lint", "own.yaml"]],
    "setup.py": [["lint", "own.yaml"]],
    ".gitignore": [["lint", "."]],
    ".git/info/exclude": [["lint", "."]],
    "sub/.git": [["lint", "."]],
    "parent.yaml": [["lint", "child.yaml"], ["effective", "child.yaml"]],
    "env.sh": [["lint", "command.sh"]],
    "serve.yaml": [["lint", "command.sh"]],
    "b.json": [["lint", "--baseline", "b.json", "own.yaml"]],
    "m/config.json": [["lint", "--config", "m.toml", "own.yaml"]],
    "m/generation_config.json": [["lint", "--config", "m.toml", "own.yaml"]],
    "know/r.yaml": [["lint", "--config", "k.toml", "own.yaml"]],
    "vllm-migrate.lock": [["lock", "--check"]],
    "catalog/x.json": [["lint", "own.yaml"]],
    "run/x.log": [["verify", "own.yaml", "--run", "run"]],
    "run/.hydra/config.yaml": [["verify", "own.yaml", "--run", "run"]],
    "own2.yaml": [["lint", "."], ["fix", "."], ["diff", "0.8.5", "0.18.1", "."]],
}


@pytest.mark.parametrize("name", SIDE_FILES)
def test_what_is_no_file_neither_hangs_nor_fills_memory(
    name: str, repo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    monkeypatch.setenv("VLLM_MIGRATE_CACHE", str(repo))
    monkeypatch.delenv("VLLM_MIGRATE_TRACEBACK", raising=False)
    own = {
        "own.yaml": SERVE,
        "child.yaml": "defaults: parent.yaml\n" + NEMO,
        "command.sh": "source env.sh\nvllm serve x --config serve.yaml --swap-space 4\n",
        "m.toml": 'model-config = "m"\n',
        "k.toml": 'knowledge = ["know"]\n',
        "m/config.json": "{}",
        "sub/a.yaml": SERVE,
    }
    for each, content in own.items():
        text(each, content)(repo)
    for make in NO_FILES:
        path = repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        (path.parent / "pipe").unlink(missing_ok=True)
        make(path)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for command in SIDE_FILES[name]:
            assert main(command) in (0, 1, 2, 3)
            shown = "".join(capsys.readouterr())
            assert "internal error" not in shown, (make.__name__, command, shown)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # KiB
        if stat.S_ISDIR(path.lstat().st_mode):
            path.rmdir()


def test_a_folder_behind_a_link_has_no_configuration_above_the_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders above a link that is named are not the project's: what is not there is no error."""
    (tmp_path / "real/p").mkdir(parents=True)
    (tmp_path / "real/p/serve.sh").write_text("vllm serve org/m\n")
    (tmp_path / "way").mkdir()
    (tmp_path / "way/link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path / "way")
    assert lint("link/p").files == 1
