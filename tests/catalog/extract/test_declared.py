"""Requirements as a release's own files declare them."""

from __future__ import annotations

from pathlib import Path

from vllm_migrate.catalog.extract.requires import requires

FILES = {
    "pyproject.toml": '[project]\nname = "vllm"\nrequires-python = ">=3.10,<3.14"\n',
    "requirements/common.txt": """
# a comment
transformers >= 4.56.0, < 5  # why
typing_extensions
numba == 0.60; python_version == '3.9'
numba == 0.61; python_version > '3.9'
--extra-index-url https://example.invalid
""",
    "requirements/cuda.txt": "-r common.txt\nray[cgraph,default]>=2.48,!=2.44.*\ntorch==2.9.0\n",
    "requirements/cpu.txt": "-r common.txt\ntorch @ https://example.invalid/torch.whl\n",
    "docker/Dockerfile": "ARG CUDA_VERSION=12.9.1\nARG PYTHON_VERSION=3.12\nARG X=${CUDA_VERSION}\nARG UBUNTU_VERSION\n",
    "setup.py": 'setup(extras_require={"audio": ["librosa>=0.10", "av"], "video": []})\nMAIN_CUDA_VERSION = "12.8"\n',
}


def test_of_a_source_tree(tmp_path: Path) -> None:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = requires(str(tmp_path))
    assert found["python"] == {"python": {"spec": ">=3.10,<3.14"}}
    assert found["cuda"] == {
        "transformers": {"spec": ">=4.56.0,<5"},
        "typing-extensions": {"spec": ""},
        "numba": {"when": [['python_version == "3.9"', "==0.60"], ['python_version > "3.9"', "==0.61"]]},
        "ray": {"spec": "!=2.44.*,>=2.48", "extras": ["cgraph", "default"]},
        "torch": {"spec": "==2.9.0"},
    }
    assert found["cpu"]["torch"] == {"spec": "@ https://example.invalid/torch.whl"}
    assert "rocm" not in found
    assert found["image"] == {
        "CUDA_VERSION": {"value": "12.9.1"},
        "PYTHON_VERSION": {"value": "3.12"},
        "VLLM_MAIN_CUDA_VERSION": {"value": "12.8"},
    }
    assert found["extra"] == {
        "audio": {"packages": {"librosa": {"spec": ">=0.10"}, "av": {"spec": ""}}},
        "video": {"packages": {}},
    }


def test_of_a_wheel_and_of_an_installed_vllm(tmp_path: Path) -> None:
    metadata = """Metadata-Version: 2.4
Name: vllm
Requires-Python: <3.14,>=3.10
Requires-Dist: torch==2.9.1
Provides-Extra: bench
Requires-Dist: pandas; extra == "bench"

Requires-Dist: not a header
"""
    for name in ("PKG-INFO", "vllm-0.15.0.dist-info/METADATA"):
        root = tmp_path / name.partition("/")[0].replace("vllm", "site")
        path = root / name
        path.parent.mkdir(parents=True)
        path.write_text(metadata)
        found = requires(str(root))
        assert found["cuda"] == {"torch": {"spec": "==2.9.1"}}
        assert found["extra"] == {"bench": {"packages": {"pandas": {"spec": ""}}}}
        assert len(found["python"]) == 1


def test_of_nothing_and_of_what_is_no_plain_file(tmp_path: Path) -> None:
    import os

    (tmp_path / "requirements").mkdir()
    os.mkfifo(tmp_path / "requirements" / "cuda.txt")
    (tmp_path / "pyproject.toml").symlink_to("/dev/zero")
    assert requires(str(tmp_path)) == {"python": {}, "image": {}, "extra": {}}
