"""Scalars read as PyYAML and OmegaConf read them, and written so that every reader gets them back."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf._utils import get_yaml_loader

from vllm_migrate.documents.interface import CannotEdit, Unknown
from vllm_migrate.documents.oracle import equal
from vllm_migrate.documents.yaml.scalars import Style, read_plain, reads_as_itself, render, render_string

WORDS = [
    "", "~", "null", "Null", "NULL", "nULL", "true", "True", "TRUE", "tRue", "yes", "No", "on", "Off", "y", "n",
    "0", "-0", "+1", "012", "-012", "0o17", "0x1F", "0b101", "08", "1_000", "1:30", "-1:30", "1:30.5", "190:20:30",
    "1.5", "1.", ".5", "-.5", "1e3", "1e-6", "1E+6", "1.0e-6", "1.0e6", "-1.0e+6", ".inf", "-.INF", ".nan", ".NaN",
    "1_000.5", "1_0e3", "+.inf", "1e", "e1", ".", "--", "_1", "1__0", "auto", "raw_logprobs", "2.0.1", "0.18.1",
    "1e400", "-1e400", "00", "0_", "99999999999999999999999", "v0", "12:30:45", "1:99", "٣", "1²",
]  # fmt: skip
DATES = ["2001-01-01", "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43"]


@pytest.mark.parametrize("word", WORDS)
def test_as_pyyaml(word: str) -> None:
    assert equal(read_plain(word), yaml.safe_load(word))


@pytest.mark.parametrize("word", WORDS)
def test_as_omegaconf(word: str) -> None:
    assert equal(read_plain(word, True), yaml.load(word, get_yaml_loader()))


def test_the_famous_ones() -> None:
    assert [read_plain(w) for w in ("1e-6", "on", "012", "1:30")] == ["1e-6", True, 10, 90]
    assert read_plain("1e-6", True) == 1e-6


@given(st.text(alphabet="0123456789+-._:eExbo", min_size=1, max_size=7))
@settings(max_examples=300)
def test_number_like_words(word: str) -> None:
    for omegaconf, loader in ((False, yaml.SafeLoader), (True, get_yaml_loader())):
        try:
            loaded = yaml.load(word, loader)
        except (ValueError, IndexError, OverflowError, yaml.YAMLError):
            continue
        if isinstance(loaded, str | int | float):
            assert equal(read_plain(word, omegaconf), loaded)


def test_timestamps_stay_strings() -> None:
    for word in DATES:
        assert read_plain(word) == word == read_plain(word, True)


def test_what_pyyaml_chokes_on_stays_a_string() -> None:
    for word in ("0b_", "0x_", "=", "<<", "9" * 5000, "1" + ":30" * 50_000, "1" + ":00" * 400 + ".5"):
        assert read_plain(word) == word


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, "true"), (False, "false"), (None, "null"), (0, "0"), (-5, "-5"), (0.9, "0.9"), (1e-6, "1.0e-06"),
        (1e20, "1.0e+20"), (math.inf, ".inf"), (-math.inf, "-.inf"), ("raw", "raw"), ("", '""'), ("no", '"no"'),
        ("1e3", '"1e3"'), ("1e-6", '"1e-6"'), ("5", '"5"'), ("a: b", '"a: b"'), ("a #b", '"a #b"'), ("a#b", "a#b"),
        ("${x}", "${x}"), ("${oc.env:X}", "${oc.env:X}"), ("--flag", "--flag"), ("- x", '"- x"'), ("*x", '"*x"'),
        ("{a}", '"{a}"'), ('say "x"', 'say "x"'), ('"x"', "'\"x\"'"), ('{"a": 1}', "'{\"a\": 1}'"), ("it's", "it's"),
        ("a\nb", '"a\\nb"'),
        ("\x85", '"\\x85"'), ("\u2028", '"\\u2028"'), ("\ufeff", '"\\ufeff"'), ("x:", '"x:"'), (" x", '" x"'),
        ("y", '"y"'),
        ("2001-01-01", '"2001-01-01"'), ("0o17", '"0o17"'), ("null", '"null"'), ("=", '"="'), ("<<", '"<<"'),
        ({}, "{}"), ([], "[]"), ({"a": 1, "b": "x"}, "{a: 1, b: x}"), ([1, "a, b"], '[1, "a, b"]'),
        (["${x}"], '["${x}"]'), ({"a": {"b": [True]}}, "{a: {b: [true]}}"), ([""], '[""]'), (["http://h"], '["http://h"]'),
    ],
)  # fmt: skip
def test_written(value: object, written: str) -> None:
    assert render(value, Style()) == written
    assert equal(yaml.safe_load(f"k: {written}\n")["k"], value)
    assert equal(yaml.load(f"k: {written}\n", get_yaml_loader())["k"], value)


def test_written_in_the_style_of_the_file() -> None:
    assert render({"a": True}, Style(capital=True)) == "{a: True}"
    assert render({"a": "x", "b": 1}, Style(quote='"')) == '{"a": "x", "b": 1}'
    assert render_string("it's", quote="'") == "'it''s'"


@pytest.mark.parametrize("value", [Unknown("$x"), object(), b"x", {1: 2}, "\ud800", 1 << 2000, {"a": {2}}])
def test_not_written(value: object) -> None:
    with pytest.raises(CannotEdit):
        render(value, Style())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=12)
    | st.text(alphabet=" :#-?,[]{}&*!|>'\"%@`~$\\\n\tyn01.e=<", max_size=6) | st.sampled_from(WORDS + DATES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(VALUES, st.sampled_from(["", "'", '"']))
@settings(max_examples=150)
def test_every_value_reads_back(value: object, quote: str) -> None:
    try:
        written = render(value, Style(quote=quote))
    except CannotEdit:
        return
    assert "\n" not in written
    for loader in (yaml.CSafeLoader, yaml.SafeLoader, get_yaml_loader()):
        assert equal(yaml.load(f"k: {written}\n", loader)["k"], value)
        inside = render(value, Style(quote=quote), True)
        assert equal(yaml.load(f"[{inside}, {{k: {inside}}}]\n", loader), [value, {"k": value}])


@given(st.text(max_size=8), st.booleans())
@settings(max_examples=200)
def test_plain_only_where_it_is_safe(text: str, flow: bool) -> None:
    if reads_as_itself(text, flow):
        assert yaml.safe_load(f"[{text}]" if flow else f"k: {text}") == ([text] if flow else {"k": text})
