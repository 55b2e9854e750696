"""What is being typed, by kind of file: the part that is replaced, and the text that is read for it."""

from __future__ import annotations

import pytest

from vllm_migrate.run.cursor import MARK, cursor_at


@pytest.mark.parametrize(
    ("kind", "text", "typed", "marked"),
    [
        ("yaml", "a:\n  dty|", "dty", f"a:\n  {MARK}: 0"),
        ("yaml", "a:\n  dty|pe: x", "dtype", f"a:\n  {MARK}: x"),
        ("yaml", "a: {b: 1, en|}", "en", f"a: {{b: 1, {MARK}: 0}}"),
        ("yaml", "dtype: ha| # why", "ha", f"dtype: {MARK} # why"),
        ("yaml", "dtype: '|'", "", f"dtype: '{MARK}'"),
        ("yaml", "- --max-|", "--max-", f"- --{MARK}"),
        ("yaml", "# dtype: |", None, ""),
        ("toml", "[a]\nmax_|", "max_", f"[a]\n{MARK} = 0"),
        ("toml", "dtype = |", "", f'dtype = "{MARK}"'),
        ("json", '{"a": {"b|"}}', "b", f'{{"a": {{"{MARK}": 0}}}}'),
        ("json", '{"|", "b": 1}', "", f'{{"{MARK}": 0, "b": 1}}'),
        ("json", '{"dtype": "h|"}', "h", f'{{"dtype": "{MARK}"}}'),
        ("shell", "vllm serve m --max-|", "--max-", f"vllm serve m --{MARK}"),
        ("shell", "vllm serve m --dtype |", "", f"vllm serve m --dtype {MARK}"),
        ("shell", "python t.py a.b.c|", "a.b.c", f"python t.py +a.b.{MARK}=0"),
        ("shell", "python t.py +a.b.c|=1", "a.b.c", f"python t.py +a.b.{MARK}=1"),
        ("shell", "python t.py a.b.c=x|", "x", f"python t.py a.b.c={MARK}"),
        ("python", "LLM(m, enf|)", "enf", f"LLM(m, {MARK}=0)"),
        ("python", "LLM(\n    |\n    a=1)", "", f"LLM(\n    {MARK}=0,\n    a=1)"),
        ("python", "LLM(dtype='|')", "", f"LLM(dtype='{MARK}')"),
        ("python", "f({'a': 1, 'b|'})", "b", f"f({{'a': 1, '{MARK}': 0}})"),
        ("", "anything|", None, ""),
    ],
)
def test_what_is_typed(kind: str, text: str, typed: str | None, marked: str) -> None:
    offset = text.index("|")
    whole = text[:offset] + text[offset + 1 :]
    cursor = cursor_at(kind, whole, offset)
    if typed is None:
        assert cursor is None
        return
    assert cursor is not None
    assert (whole[cursor.start : cursor.end], cursor.marked) == (typed, marked)


def test_values_are_spelled_as_the_file_has_them() -> None:
    spelled = {}
    for kind, text in (("yaml", "a: "), ("toml", "a = "), ("python", "f(a="), ("json", '{"a": ')):
        cursor = cursor_at(kind, text, len(text))
        assert cursor is not None and cursor.is_value
        spelled[kind] = [cursor.spelled(value) for value in (True, None, "half", "off", 1)]
    assert spelled == {
        "yaml": ["true", "null", "half", '"off"', "1"],
        "toml": ["true", "null", '"half"', '"off"', "1"],
        "python": ["True", "None", '"half"', '"off"', "1"],
        "json": ["true", "null", '"half"', '"off"', "1"],
    }
