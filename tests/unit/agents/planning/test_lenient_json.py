"""JSON as models write it: what is meant is read, in linear time, whatever the text is."""

from __future__ import annotations

import pytest

from agents.planning.lenient_json import TOKENS_MAX, Unreadable, read_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, -2.5, 1e3, true, null]}', {"a": [1, -2.5, 1000.0, True, None]}),
        ("{'a': True, 'b': None, 'c': False}", {"a": True, "b": None, "c": False}),
        ("{'a': 'it's \"b\", isn't it', 'c': 1}", {"a": "it's \"b\", isn't it", "c": 1}),
        ('{"a": "say "b", then c", "d": 1}', {"a": 'say "b", then c', "d": 1}),
        ('{"a": "b\n\tc"}', {"a": "b\n\tc"}),
        ('{"a": "\\u00e4\\n\\d\\"\\ud83d\\ude00"}', {"a": 'ä\n\\d"😀'}),
        ('{"a": "\\ud83d"}', {"a": "\ufffd"}),
        ("{a: b c, d: 'e'}", {"a": "b c", "d": "e"}),
        ('{"a": b // c, "d": 1\n, "e": 2 # f: 3\n}', {"a": "b", "e": 2}),
        ('{"a": "http://b/#c /* d */"}', {"a": "http://b/#c /* d */"}),
        ('{"a": 1 /* "b": 2 */, "c": 3}', {"a": 1, "c": 3}),
        ("{\u201ca\u201d: \u201eb\u201c, \u2018c\u2019: \u00abd\u00bb}", {"a": "b", "c": "d"}),
        ('{"a": 1 "b": 2}', {"a": 1, "b": 2}),
        ('{"a" [1], "b" {"c": 2}}', {"a": [1], "b": {"c": 2}}),
        ("[1, 2,, 3,]", [1, 2, 3]),
        ('{"a": ("b", "c")}', {"a": ["b", "c"]}),
        ('[{"a": [1}, {"b": 2}]', [{"a": [1]}, {"b": 2}]),
        ('[{"a": 1}}, {"b": 2}]', [{"a": 1}, {"b": 2}]),
        ('{"a": 1, "a": 2}', {"a": 1}),
        ("{: 1, 2}", {}),
    ],
)
def test_what_is_meant_is_read(text: str, value: object) -> None:
    reading = read_json(text)

    assert reading.value == value
    assert (reading.end, reading.is_closed) == (len(text), True)


@pytest.mark.parametrize(
    ("text", "value", "is_cut"),
    [
        ('[{"a": 1}, {"a": 2', [{"a": 1}], True),
        ('[{"a": 1}, {"a": "b', [{"a": 1}], True),
        ('[{"a": 1}, {"a": ["b", "c', [{"a": 1}], True),
        ('[{"a": 1}, {"a":', [{"a": 1}], True),
        ('[{"a": 1},', [{"a": 1}], True),
        ('[{"a": 1}, {"a": [2]', [{"a": 1}, {"a": [2]}], False),
        ('{"s": [{"a": 1}', {"s": [{"a": 1}]}, False),
    ],
)
def test_of_what_is_broken_off_the_whole_parts_are_read(
    text: str, value: object, *, is_cut: bool
) -> None:
    reading = read_json(text)

    assert (reading.value, reading.is_cut, reading.is_closed) == (value, is_cut, False)


def test_reading_ends_where_the_value_does() -> None:
    reading = read_json('see {"a": 1} and {"b": 2}', 4)

    assert (reading.value, reading.end) == ({"a": 1}, 12)


@pytest.mark.parametrize("text", ["", "x", "[" * 65_536, '{"a":' * 13_000, "[1," * 99])
def test_what_is_too_deep_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read_json(text)


def test_what_has_too_many_parts_counts_as_broken_off() -> None:
    reading = read_json("[" + "1, " * TOKENS_MAX + "]")

    assert isinstance(reading.value, list)
    assert len(reading.value) == TOKENS_MAX // 2
    assert reading.is_cut


@pytest.mark.parametrize(
    "unit", ['"', "'", '{"', '"x", ', '"x": ', "\\", "/*", "`", " ", "\u201c", '","']
)
def test_a_quotation_that_never_ends_is_read_in_no_time(unit: str) -> None:
    text = '{"a": "' + unit * (65_536 // len(unit))

    assert isinstance(read_json(text).value, dict)
