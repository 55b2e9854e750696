"""`catalog add`: from a tree, an sdist, a wheel and an interpreter; and what is no source of vLLM."""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from vllm_migrate.catalog import added, confined, contract, details, diff, requires, store
from vllm_migrate.errors import UsageError

pytestmark = pytest.mark.usefixtures("own_cache")


def files_of(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*.py"))}


def sdist(root: Path, target: Path, more: dict[str, bytes] | None = None) -> Path:
    members = {"PKG-INFO": b"Metadata-Version: 2.1\nName: vllm\nVersion: 9.2.0\n", **files_of(root), **(more or {})}
    with tarfile.open(target, "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(f"vllm-9.2.0/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target


def wheel(root: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files_of(root).items():
            archive.writestr(name, data)
        archive.writestr("vllm-9.3.0.dist-info/METADATA", "Name: vllm\nVersion: 9.3.0\n")
    return target


def check(release: str) -> store.Catalog:
    cat = store.load()
    assert cat.releases[-1] == release and cat.is_added(release)
    assert cat.get("engine", "depth", release).default == 3
    assert cat.get("config", "ShaftConfig.tools", release).default == ["pick"]
    assert cat.flags(release)["--no-lamp"].dest == "lamp" and cat.flags(release)["-w"].type == "float"
    assert cat.get("env", "VLLM_DEPTH", release).default == 3
    assert cat.get("sampling", "stop", release).default == []
    assert cat.get("llm", "chatty", release).extra("forced") is True
    assert cat.get("request", "ChatCompletionRequest.temperature", release) is not None
    assert cat.get("route", "POST /dig", release).extra("gate") == "envs.VLLM_DEPTH"
    assert cat.get("api", "LLM.sleep.level", release).default == 1
    assert details.load(cat).late_of("lamp", release) == {
        "EngineArgs.create:lamp": [("self.lamp is None", "self.depth > 5")]
    }
    assert details.load(cat).doc("config", "ShaftConfig.width", release) == "Metres across."
    return cat


def test_from_a_source_tree(small: Path) -> None:
    steps: list[str] = []
    assert added.add(str(small), progress=steps.append) == ("9.1.0", [])
    assert "cli" in steps and "env" in steps
    cat = check("9.1.0")
    assert any(c.option == "swap_space" or c.kind == "removed" for c in diff.diff(cat, "0.33.0", "9.1.0"))


def test_from_the_package_folder_itself(small: Path) -> None:
    assert added.add(str(small / "vllm"))[0] == "9.1.0"


def test_from_an_sdist(small: Path, tmp_path: Path) -> None:
    assert added.add(str(sdist(small, tmp_path / "vllm-9.2.0.tar.gz")))[0] == "9.2.0"
    origin = details.load(check("9.2.0")).origins["9.2.0"]
    assert origin["artefact"] == "vllm-9.2.0.tar.gz" and len(origin["artefact_sha256"]) == 64


def test_from_a_wheel_under_a_name_of_ones_own(small: Path, tmp_path: Path) -> None:
    path = wheel(small, tmp_path / "vllm-9.3.0-cp38-abi3-linux_x86_64.whl")
    assert added.add(str(path))[0] == "9.3.0"
    assert added.add(str(path), release="v9.3.0+mine")[0] == "9.3.0+mine"
    check("9.3.0+mine")
    added.remove("9.3.0+mine")
    check("9.3.0")


def test_from_the_vllm_of_an_interpreter(small: Path, tmp_path: Path) -> None:
    folder = small / "vllm-9.4.0+cpu.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 9.4.0+cpu\n")
    python = tmp_path / "py"  # -I hides PYTHONPATH, so the wrapper puts the folder on the path itself
    python.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.path.insert(0, {str(small)!r}); exec(sys.argv[1])" "$3"\n'
    )
    python.chmod(0o755)
    assert added.add(str(python))[0] == "9.4.0"
    check("9.4.0")


@pytest.mark.parametrize("make", ["missing", "empty_folder", "text", "no_vllm", "broken", "python_without"])
def test_what_is_no_source(make: str, tmp_path: Path) -> None:
    path = tmp_path / "it"
    if make == "empty_folder":
        path.mkdir()
    elif make == "text":
        path.write_text("hello")
    elif make == "no_vllm":
        path = tmp_path / "x-1.tar.gz"
        with tarfile.open(path, "w:gz"):
            pass
    elif make == "broken":
        path = tmp_path / "x.whl"
        path.write_bytes(b"PK not a zip")
    elif make == "python_without":
        path = Path(sys.executable)
    with pytest.raises(UsageError):
        added.add(str(path), release="9.9.9")
    assert store.load().releases[-1] == "0.33.0"


def test_a_tree_without_a_version_needs_a_name(small: Path) -> None:
    (small / "vllm" / "_version.py").unlink()
    with pytest.raises(UsageError) as error:
        added.add(str(small))
    assert "--release" in error.value.remedy
    assert added.add(str(small), release="9.5.dev1")[0] == "9.5.dev1"


def test_members_that_would_leave_the_folder_are_passed_over(small: Path, tmp_path: Path) -> None:
    path = sdist(small, tmp_path / "vllm-9.2.0.tar.gz", {"vllm/../../../evil.py": b"x = 1"})
    added.add(str(path))
    assert not list(tmp_path.rglob("evil.py"))


def test_what_a_tree_declares_is_read_from_archives_too(small: Path, tmp_path: Path) -> None:
    path = sdist(small, tmp_path / "vllm-9.2.0.tar.gz", {"requirements/cuda.txt": b"torch==9.9\n", "README.md": b"x"})
    added.add(str(path))
    package = requires.load().package("torch", "9.2.0")
    assert package is not None and package.spec == "==9.9"
    assert contract.load().signature("vllm.entrypoints.llm.LLM.sleep", "9.2.0") == contract.Signature(
        (contract.Parameter("level", "plain", "1"),)
    )
    added.remove("9.2.0")
    assert list((Path(store.cache_folder())).iterdir()) == []


def test_the_environment_does_not_reach_what_is_read(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_MACHINE", "hunter2")
    path = small / "vllm" / "config" / "__init__.py"
    leak = "'{0.__init__.__globals__[os].environ}'.format(field)"
    path.write_text(path.read_text().replace("width: float = 1.5", f"width: str = {leak}"))
    added.add(str(small))
    (kept,) = Path(store.cache_folder()).glob("*.json")
    assert "hunter2" not in kept.read_text()


# -- archives that mean harm ---------------------------------------------------------------------


def tar_of(target: Path, members: dict[str, tuple[int, bytes]], kind: bytes = tarfile.REGTYPE) -> Path:
    """An archive whose headers say sizes that need not be true."""
    with target.open("wb") as stream:
        for name, (size, data) in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.type = size, kind
            stream.write(info.tobuf(tarfile.GNU_FORMAT))
            stream.write(data + b"\0" * (-len(data) % 512))
        stream.write(b"\0" * 1024)
    return target


def zeros(size: int) -> bytes:
    return b"\0" * size


def hostile_archives(folder: Path) -> dict[str, Path]:
    """Kind of harm -> archive."""
    made: dict[str, Path] = {}
    huge = added.MEMBER_LIMIT + 10
    made["large member"] = folder / "a.tar.gz"
    with tarfile.open(made["large member"], "w:gz") as archive:
        info = tarfile.TarInfo("vllm-1/vllm/big.py")
        info.size = huge
        archive.addfile(info, io.BytesIO(zeros(huge)))
    made["a terabyte, says the header"] = tar_of(folder / "b.tar", {"vllm-1/vllm/x.py": (1 << 40, b"x = 1")})
    made["a terabyte to skip"] = tar_of(folder / "c.tar", {"vllm-1/data.bin": (1 << 40, b"")})
    made["a long name of gigabytes"] = tar_of(
        folder / "d.tar", {"././@LongLink": (1 << 33, b"")}, tarfile.GNUTYPE_LONGNAME
    )
    made["a pax header of gigabytes"] = tar_of(folder / "e.tar", {"pax": (1 << 33, b"")}, tarfile.XHDTYPE)
    made["cut off"] = folder / "f.tar.gz"
    made["cut off"].write_bytes(made["large member"].read_bytes()[:500])
    made["large member of a wheel"] = folder / "g.whl"
    with zipfile.ZipFile(made["large member of a wheel"], "w", zipfile.ZIP_DEFLATED) as wheel_file:
        wheel_file.writestr("vllm/big.py", zeros(huge))
    plain = folder / "h.whl"
    with zipfile.ZipFile(plain, "w") as wheel_file:
        wheel_file.writestr("vllm/x.py", "x = 1")
    data = bytearray(plain.read_bytes())
    central = data.index(b"PK\x01\x02")
    encrypted, unknown, damaged = bytearray(data), bytearray(data), bytearray(data)
    for position in (6, central + 8):
        encrypted[position] |= 1
    for position in (8, central + 10):
        unknown[position] = 97
    damaged[central + 42] = 200
    for name, content in (("encrypted", encrypted), ("unknown compression", unknown), ("damaged", damaged)):
        made[name] = folder / f"{name.replace(' ', '_')}.whl"
        made[name].write_bytes(content)
    return made


@pytest.mark.parametrize(
    "harm",
    [
        "large member",
        "a terabyte, says the header",
        "a terabyte to skip",
        "a long name of gigabytes",
        "a pax header of gigabytes",
        "cut off",
        "large member of a wheel",
        "encrypted",
        "unknown compression",
        "damaged",
    ],
)
def test_an_archive_that_means_harm_is_a_clean_error(harm: str, tmp_path: Path) -> None:
    path = hostile_archives(tmp_path)[harm]
    with pytest.raises(UsageError) as error:
        added.add(str(path), release="9.9.9")
    assert path.name in error.value.message
    assert not Path(store.cache_folder()).exists() or not list(Path(store.cache_folder()).iterdir())


def test_too_many_members(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(added, "MEMBERS_LIMIT", 3)
    with pytest.raises(UsageError, match="more than 3 members"):
        added.add(str(sdist(small, tmp_path / "vllm-9.2.0.tar.gz")))


def test_pipes_devices_and_deep_sources_are_passed_over(small: Path) -> None:
    os.mkfifo(small / "vllm" / "pipe.py")
    (small / "vllm" / "zero.py").symlink_to("/dev/zero")
    (small / "vllm" / "secret.py").symlink_to("/etc/passwd")
    (small / "vllm" / "deep.py").write_text("x = " + "(" * 5_000 + "1" + ")" * 5_000)
    (small / "vllm" / "nul.py").write_bytes(b"x = 1\0")
    (small / "vllm" / "loop").symlink_to(small / "vllm")
    assert added.add(str(small)) == ("9.1.0", [])


def test_limits_end_a_reading_that_does_not_end(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "WALL_LIMIT_S", 0.2)
    monkeypatch.setattr(confined, "_CODE", "import time; time.sleep(60)")
    with pytest.raises(UsageError, match="could not be read within"):
        added.add(str(small))


@pytest.mark.parametrize("answer", ["", "{", "[]", "[1, 2]", "[null]", "3", '["/", 5]', "[" * 100_000])
def test_an_interpreter_that_answers_anything(answer: str, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ncat {tmp_path}/answer\n")
    python.chmod(0o755)
    (tmp_path / "answer").write_text(answer)
    with pytest.raises(UsageError, match="did not say where its vLLM is"):
        added.add(str(python))


def test_what_could_not_be_followed_is_returned(small: Path) -> None:
    path = small / "vllm" / "engine" / "arg_utils.py"
    text = path.read_text().replace(
        "        return parser\n", "        platform.register(parser)\n        return parser\n", 1
    )
    path.write_text(
        "from somewhere import platform\n" + text.replace("platform.register(parser)", "if platform.gpu(): pass", 1)
    )
    _, gaps = added.add(str(small))
    assert len(gaps) == 1 and "platform.gpu()" in gaps[0]


def test_a_source_that_has_moved_on_loses_one_section_and_says_so(small: Path) -> None:
    (small / "vllm" / "sampling_params.py").unlink()
    name, gaps = added.add(str(small))
    sections = ("sampling", "late", "refusals", "startup")
    assert gaps == [f"section {section}: no class SamplingParams" for section in sections]
    assert store.load().names("sampling", name) == frozenset() and store.load().names("engine", name)


def test_the_cache_file_is_whole_or_absent(small: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        added.add(str(small))
    assert list((own_cache / "catalog").iterdir()) == []


def test_removing_what_was_never_added() -> None:
    with pytest.raises(UsageError):
        added.remove("9.9.9")
    assert json.dumps(store.load().releases[-1]) == '"0.33.0"'
