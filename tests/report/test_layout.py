from __future__ import annotations

import pytest

from vllm_migrate.report.layout import cells, clean, column_widths, excerpt, fill


@pytest.mark.parametrize(
    ("line", "span", "shown"),
    [
        ("port: 8000", "8000", "8000"),
        ("\tport: 8000", "port", "port"),
        ("a\tb: 1", "b", "b"),
        ("名前: 多步 # x", "多步", "多步"),
        ("e\u0301te\u0301: 1", "1", "1"),
        ("emoji 🚀 key: 1", "key", "key"),
    ],
)
def test_the_underline_stands_under_the_span(line: str, span: str, shown: str) -> None:
    start = line.index(span)
    out = excerpt(line, start, start + len(span), 80)
    assert (out.start, out.end) == (
        cells(out.text[: out.text.index(shown)]),
        cells(out.text[: out.text.index(shown)]) + cells(shown),
    )


def test_an_empty_span_has_a_mark() -> None:
    assert excerpt("abc", 3, 3, 80).end == 4


@pytest.mark.parametrize("at", [0, 5, 60, 300, 590])
@pytest.mark.parametrize("filler", ["x", "多"])
def test_a_long_line_is_cut_around_the_span(at: int, filler: str) -> None:
    line = filler * at + "KEY" + filler * (600 - at)
    out = excerpt(line, at, at + 3, 60)
    assert cells(out.text) <= 60
    before = ""
    for c in out.text:
        if cells(before) == out.start:
            break
        before += c
    assert out.text[len(before) :].startswith("KEY")
    assert out.text.startswith("...") == (at * cells(filler) > 57) or at <= 20
    assert ("..." in out.text[-3:]) == (at < 590)


def test_a_span_longer_than_the_room_is_cut() -> None:
    out = excerpt("a: " + "x" * 500, 3, 503, 50)
    assert cells(out.text) <= 50
    assert out.start < out.end <= 50


def test_what_moves_a_cursor_is_shown() -> None:
    assert clean("a\x1b[31mb\u202ec\u2028d\x00") == "a\\x1b[31mb\\u202ec\\u2028d\\x00"
    assert excerpt("k: \x1b[2J", 0, 1, 80).text == "k: \\x1b[2J"
    assert clean("two\nlines\tof it") == "two lines of it"


def test_paragraphs_are_filled() -> None:
    text = "one two three four five six seven"
    lines = fill(text, 20, "why: ", "     ")
    assert lines == ["why: one two three", "     four five six", "     seven"]
    assert " ".join(" ".join(lines).split()) == f"why: {text}"


def test_a_long_word_is_not_broken() -> None:
    assert fill("see " + "p" * 30 + " now", 20, "", "  ") == ["see", "  " + "p" * 30, "  now"]


def test_wide_characters_count_twice() -> None:
    assert fill("多步 多步 多步", 9, "", "") == ["多步 多步", "多步"]


def test_columns_shrink_to_their_words_first_and_then_to_fit() -> None:
    rows = [["option", "one long value here", "x"], ["o", "FULL_AND_PIECEWISE", "y"]]
    assert column_widths(rows, 60, (1,)) == [6, 19, 1]
    assert column_widths(rows, 25, (1,)) == [6, 18, 1]
    assert column_widths(rows, 17, (1,)) == [6, 10, 1]
    assert column_widths(rows, 3, (1,)) == [6, 6, 1]
