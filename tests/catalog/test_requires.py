"""What releases require, as shipped."""

from __future__ import annotations

import pytest

from vllm_migrate.catalog import requires, store


@pytest.mark.parametrize(
    ("release", "python", "torch", "transformers", "cuda"),
    [
        ("0.8.5", ">=3.9,<3.13", "==2.6.0", ">=4.51.1", "12.4.1"),
        ("0.15.0", ">=3.10,<3.14", "==2.9.1", ">=4.56.0,<5", None),
        ("0.18.1", ">=3.10,<3.14", "==2.10.0", ">=4.56.0,<5", "12.9.1"),
        ("0.33.0", ">=3.11,<3.15", "==2.14.0", ">=5.16.1,<5.21.0", "13.0.3"),
    ],
)
def test_of_a_release(release: str, python: str, torch: str, transformers: str, cuda: str | None) -> None:
    found = requires.load()
    assert sorted((found.python(release) or "").split(",")) == sorted(python.split(","))
    assert found.package("torch", release).spec == torch
    assert sorted((found.package("Transformers", release).spec or "").split(",")) == sorted(transformers.split(","))
    assert found.image(release).get("CUDA_VERSION") == cuda


def test_every_release_says_what_it_needs() -> None:
    found = requires.load()
    for release in store.load().shipped:
        packages = found.packages(release)
        assert {"torch", "transformers", "numpy"} <= set(packages) and len(packages) > 40, release
        assert found.python(release) and "audio" in found.extras(release), release


def test_what_is_allowed() -> None:
    found = requires.load()
    assert found.allows("torch", "2.10.0", "0.18.1") is True
    assert found.allows("torch", "2.9.0", "0.18.1") is False
    assert found.allows("transformers", "5.17.0", "0.18.1") is False
    assert found.allows("python", "3.9", "0.8.5") is True and found.allows("python", "3.9", "0.33.0") is False
    assert found.allows("numba", "0.60.0", "0.8.5") is None, "it depends on the Python"
    assert found.allows("no-such-package", "1", "0.18.1") is None
    assert found.allows("torch", "nightly", "0.18.1") is None
    assert found.package("ray", "0.18.1") is None and found.package("ray", "0.8.5").extras == ("cgraph",)


def test_other_platforms() -> None:
    found = requires.load()
    assert found.package("torch", "0.18.1", "cpu") is not None
    assert found.packages("0.33.0", "neuron") == {} and found.packages("0.8.5", "neuron")
