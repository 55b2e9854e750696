"""Nothing is written by half: what a project hides, what is not judged, what cannot be read, what code still reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.migrate.plan import Migration, migrate
from vllm_migrate.run.settings import Options

PIN = "vllm==0.8.5\n"
IMAGE = "services:\n  a:\n    image: vllm/vllm-openai:v0.8.5\n    command: {}--model m --disable-log-requests\n"
REFUSED = ["--disable-log-requests", "--num-scheduler-steps 8", "--swap-space 4", "--guided-decoding-backend xgrammar"]
SERVE = "vllm serve m {}\n"
TORN = {
    "docker-compose.yml": IMAGE.format("") + "   env: x\n",
    "compose.yaml": IMAGE.format("'"),
    "k8s.yaml": "spec:\n  containers:\n  - image: vllm/vllm-openai:v0.8.5\n   args: [--model, m, --disable-log-requests]\n",
    "serve.sh": "if true; then\nvllm serve m --disable-log-requests\n",
    "conf.toml": "[vllm\nmodel = 'm'\ndisable_log_requests = true\n",
    "run.py": "from vllm import LLM\nllm = LLM('m', disable_log_requests=True\n",
}


def folder_of(folder: Path, texts: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, text in {".git/HEAD": "", **texts}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.chdir(folder)
    return texts


def planned(*paths: str, **options: object) -> Migration:
    return migrate(Options(paths or (".",), **options))  # type: ignore[arg-type]


def edited(found: Migration) -> set[str]:
    return {file.path for file in found.edits}


@pytest.mark.parametrize(
    ("hidden", "option"),
    list(zip(["baseline", "line", "file", "ignore", "off", "per-file"], REFUSED + REFUSED[:2], strict=True)),
)
def test_what_is_hidden_is_written_all_the_same(
    hidden: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    above = {"line": "# vllm-migrate: ignore\n", "file": "# vllm-migrate: ignore-file\n"}.get(hidden, "")
    config = {
        "baseline": 'baseline = "known.json"\n',
        "ignore": 'ignore = ["VM2"]\n',
        "off": '[severity]\nVM2 = "off"\n',
        "per-file": '[per-file-ignores]\n"*.sh" = ["ALL"]\n',
    }.get(hidden, "")
    texts = {"serve.sh": above + SERVE.format(option), "requirements.txt": PIN, "vllm-migrate.toml": config}
    folder_of(tmp_path, texts, monkeypatch)
    if hidden == "baseline":
        main(["lint", ".", "--write-baseline", "--baseline", "known.json"])
    found = planned()
    assert edited(found) == {"serve.sh", "requirements.txt"}
    assert [start.reasons for start in found.starts] == [()]
    assert option.split()[0] not in found.fixes.texts["serve.sh"]


def test_a_comment_still_hides_what_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path, {"serve.sh": "vllm serve m  # vllm-migrate: ignore\n", "requirements.txt": PIN}, monkeypatch)
    assert edited(planned()) == {"requirements.txt"}


OTHERS = {
    "docker-compose.yml": IMAGE.format(""),
    "docker/Dockerfile": 'FROM vllm/vllm-openai:v0.8.5\nCMD ["--model", "m", "--disable-log-requests"]\n',
    "train/run.sh": SERVE.format("--swap-space 4"),
    "requirements/gpu.txt": PIN,
}


@pytest.mark.parametrize(
    ("other", "named"), list(zip([*OTHERS, ""], [("serve.sh",), ("conf",), ("serve.sh", "conf")] * 2, strict=False))
)
def test_what_is_not_named_is_not_touched_and_keeps_the_pin(
    other: str, named: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {"serve.sh": SERVE.format(REFUSED[0]), "conf/a.sh": SERVE.format(REFUSED[0]), "requirements.txt": PIN}
    folder_of(tmp_path, texts | ({other: OTHERS[other]} if other else {}), monkeypatch)
    found = planned(*named)
    assert not edited(found)
    assert all(start.reasons for start in found.starts)
    assert "requirements.txt" in edited(planned("."))


def test_a_service_by_itself_moves_with_its_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"a.yaml": IMAGE.format(""), "docker-compose.yml": IMAGE.format(""), "serve.sh": SERVE.format(REFUSED[0])}
    folder_of(tmp_path, texts, monkeypatch)
    assert edited(planned("docker-compose.yml")) == {"docker-compose.yml"}
    assert edited(planned("serve.sh")) == set()  # its release is shown by an image that would stay


def test_an_excluded_service_keeps_its_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"serve.sh": SERVE.format(REFUSED[0]), "requirements.txt": PIN, "docker-compose.yml": IMAGE.format("")}
    folder_of(tmp_path, texts, monkeypatch)
    found = planned(exclude=("docker-compose.yml",))
    assert edited(found) == {"serve.sh", "requirements.txt"}
    assert any(item.path == "docker-compose.yml" and not item.blocks for item in found.projects[0].items)


@pytest.mark.parametrize("name", TORN)
def test_what_cannot_be_read_stays_and_blocks(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path, {name: TORN[name], "requirements.txt": PIN}, monkeypatch)
    found = planned()
    assert name not in edited(found)
    own = name in ("docker-compose.yml", "compose.yaml", "k8s.yaml")
    assert ("requirements.txt" in edited(found)) == own  # what it runs is its own image
    assert [start.path for start in found.starts if start.reasons] == [name]
    assert any("cannot be read" in item.text and item.blocks for item in found.projects[0].items)


@pytest.mark.parametrize("release", ["0.8.5", "0.18.1"])
@pytest.mark.parametrize("pin", ["transformers==4.52.0", "torch==2.6.0", "verl==0.4.1"])
def test_what_the_target_asks_for_is_checked_whatever_the_source(
    pin: str, release: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path, {"serve.sh": "vllm serve m\n", "requirements.txt": f"vllm=={release}\n{pin}\n"}, monkeypatch)
    (start,) = planned().starts
    assert pin.replace("==", " ") in start.reasons[0].replace("==", " ")


@pytest.mark.parametrize("pin", ["transformers==4.56.2", "torch==2.10.0", "verl==0.9.0", "trl>=0.10"])
def test_what_fits_at_the_target_says_nothing(pin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path, {"serve.sh": "vllm serve m\n", "requirements.txt": f"vllm==0.18.1\n{pin}\n"}, monkeypatch)
    found = planned()
    assert [start.reasons for start in found.starts] == [()]
    assert not found.projects[0].items


@pytest.mark.parametrize(("bounds", "blocks"), [(">=1.6.0", False), (">=0.17,<0.18", True), ("~=1.6", False)])
def test_a_range_of_a_framework_that_allows_no_release_known_to_run(
    bounds: str, blocks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path, {"serve.sh": "vllm serve m\n", "requirements.txt": f"{PIN}trl{bounds}\n"}, monkeypatch)
    items = planned(target="0.33.0").projects[0].items
    assert [item.blocks for item in items if "no known trl" in item.text] == [blocks]


@pytest.mark.parametrize("pin", ["transformers==4.51.3", "torch==2.6.0", "verl==0.4.1", "trl==0.17.0"])
def test_only_its_image_counts_for_a_service(pin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"docker-compose.yml": IMAGE.format(""), "serve.sh": SERVE.format(""), "requirements.txt": PIN + pin}
    folder_of(tmp_path, texts, monkeypatch)
    found = planned()
    assert edited(found) == {"docker-compose.yml"}
    assert {start.path: bool(start.reasons) for start in found.starts} == {
        "docker-compose.yml": False,
        "serve.sh": True,
    }


@pytest.mark.parametrize("key", ["num-scheduler-steps", "disable-log-requests", "swap-space"])
def test_a_key_that_code_reads_stays_and_the_engine_does_not_start(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = f'vllm_config:\n  use_v1: false\n  vllm_kwargs:\n    {key}: 1\n    enable-lora: ""\n'
    texts = {"conf/base.yaml": config, "launch.py": f'steps = kwargs["{key}"]\n', "requirements.txt": PIN}
    folder_of(tmp_path, texts, monkeypatch)
    found = planned()
    assert f"{key}: 1" in found.fixes.texts["conf/base.yaml"]
    assert any(key in reason for start in found.starts for reason in start.reasons)
    assert [reader.path for reader in found.readers] == ["launch.py"]


def test_a_blocked_project_writes_no_patch_and_shows_every_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pins = "vllm==0.8.5\ntorch==2.6.0\ntransformers==4.51.3\n"
    texts = {"a.sh": SERVE.format(REFUSED[0]), "b.sh": SERVE.format(REFUSED[0]), "requirements.txt": pins}
    folder_of(tmp_path, texts, monkeypatch)
    assert main(["migrate", "--isolated", ".", "--patch", "up.diff"]) == 1
    assert not (tmp_path / "up.diff").exists()
    shown = capsys.readouterr().out
    assert "fix --unsafe" in shown
    assert "  - requirements.txt:3: transformers==4.51.3" in shown
    assert shown.count("- [ ] `a.sh:1`, `b.sh:1` VM204") == 1


@pytest.mark.parametrize(
    ("text", "names"), [("vllm serve m\n", True), ("vllm serve --model m\n", True), ("vllm serve $M\n", False)]
)
def test_smoke_commands_ask_for_a_model_where_none_is_named(
    text: str, names: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder_of(tmp_path, {"a.sh": text, "requirements.txt": PIN}, monkeypatch)
    main(["migrate", "--isolated", "."])
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "smoke record" in line)
    assert ("--model DIR" in line) != names
