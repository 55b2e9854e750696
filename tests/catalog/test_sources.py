"""Fetching sources: from a package index on this machine."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vllm_migrate.catalog import build, release, sources, store

SERVED: dict[str, bytes] = {}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self, body: bool = True) -> None:
        data = SERVED.get(self.path)
        if data is None:
            self.send_error(404)
            return
        span = self.headers.get("Range")
        if span:
            first, last = (int(n) for n in span.partition("=")[2].split("-"))
            data = data[first : last + 1]
        self.send_response(206 if span else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def do_HEAD(self) -> None:
        self.do_GET(body=False)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def index_url(small: Path) -> Iterator[str]:
    """An index with an sdist of 0.8.5, a wheel alone of 0.9.0, and files that are neither."""
    SERVED.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    SERVED["/sdist"] = _sdist(small)
    SERVED["/wheel"] = _wheel(small)
    files = [
        _file(base, "vllm-0.8.5.tar.gz", "/sdist"),
        _file(base, "vllm-0.8.5-cp38-abi3-manylinux_x86_64.whl", "/wheel"),
        _file(base, "vllm-0.9.0-cp38-abi3-manylinux_aarch64.whl", "/wheel"),
        _file(base, "vllm-0.9.0-cp38-abi3-manylinux_x86_64.whl", "/wheel"),
        _file(base, "vllm-0.8.4.tar.gz", "/sdist"),
        _file(base, "vllm-0.10.0rc1.tar.gz", "/sdist"),
        _file(base, "vllm-0.9.0.tar.gz.asc", "/sdist"),
    ]
    SERVED["/simple/vllm/"] = json.dumps({"files": files}).encode()
    yield f"{base}/simple"
    server.shutdown()
    server.server_close()


def _file(base: str, name: str, path: str) -> dict[str, object]:
    return {"filename": name, "url": base + path, "hashes": {"sha256": hashlib.sha256(SERVED[path]).hexdigest()}}


def _sdist(root: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(root / "vllm", "vllm-0.8.5/vllm")
        archive.add(root / "vllm" / "envs.py", "vllm-0.8.5/setup.py")
        archive.add(root / "vllm" / "envs.py", "vllm-0.8.5/README.md")
    return buffer.getvalue()


def _wheel(root: Path, spoiled: str = "") -> bytes:
    buffer, record = io.BytesIO(), ""
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vllm/big.so", b"\0" * 100)
        for path in sorted(root.rglob("*.py")):
            name, data = path.relative_to(root).as_posix(), path.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(data)}\n"
            archive.writestr(name, data + b"#" if name == spoiled else data)
        archive.writestr("vllm-0.9.0.dist-info/RECORD", record)
    return buffer.getvalue()


def test_final_releases_and_their_artefacts(index_url: str) -> None:
    files = sources.index(index_url)
    assert sources.releases(files) == ["0.8.5", "0.9.0"]
    assert sources.choose(files, "0.8.5")["filename"] == "vllm-0.8.5.tar.gz"
    assert sources.choose(files, "0.9.0")["filename"].endswith("x86_64.whl")
    with pytest.raises(sources.SourceError):
        sources.choose(files, "0.9.9")


def test_fetch_then_build_twice_gives_the_same_bytes(index_url: str, tmp_path: Path, small: Path) -> None:
    outputs = []
    for number in (1, 2):
        arguments = [
            "--sources",
            str(tmp_path / "src"),
            "--index-url",
            index_url,
            "--out",
            str(tmp_path / f"out{number}"),
        ]
        assert build.main(arguments) == 0
        outputs.append({p.name: p.read_bytes() for p in (tmp_path / f"out{number}").iterdir()})
        SERVED.pop("/sdist", None)  # what is there already is not fetched again
        SERVED.pop("/wheel", None)
    assert outputs[0] == outputs[1] and set(outputs[0]) == set(release.FILES)
    assert (tmp_path / "src" / "0.8.5" / "setup.py").exists(), "it declares what the release requires"
    assert not (tmp_path / "src" / "0.8.5" / "README.md").exists()
    cat = store.Catalog(json.loads(outputs[0]["catalog.json"]))
    assert cat.releases == ("0.8.5", "0.9.0") and cat.life("engine", "depth")[0][:2] == ("0.8.5", None)
    origins = json.loads(outputs[0]["details.json"])["origins"]
    assert origins["0.9.0"]["artefact"].endswith("x86_64.whl")
    assert origins["0.8.5"]["tree_sha256"] == origins["0.9.0"]["tree_sha256"]


def test_what_does_not_match_its_hash_is_refused(index_url: str, tmp_path: Path, small: Path) -> None:
    files = sources.index(index_url)
    SERVED["/sdist"] += b"x"
    with pytest.raises(sources.SourceError, match="sha256"):
        sources.fetch(sources.choose(files, "0.8.5"), str(tmp_path / "a"))
    SERVED["/wheel"] = _wheel(small, spoiled="vllm/envs.py")
    with pytest.raises(sources.SourceError, match="RECORD"):
        sources.fetch(sources.choose(files, "0.9.0"), str(tmp_path / "b"))


def test_no_index_there() -> None:
    with pytest.raises(sources.SourceError):
        sources.index("http://127.0.0.1:9/simple")
