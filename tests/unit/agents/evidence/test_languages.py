"""A text has a language, and a passage that of its set until it clearly is in another."""

from __future__ import annotations

import pytest

from agents.evidence.languages import language_among, language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The cache holds 512 entries and it evicts them.", "en"),
        ("Der Cache hält 512 Einträge und wirft sie weg.", "de"),
        ("La caché guarda 512 entradas y las borra.", "es"),
        ("Le cache garde 512 entrées et il les efface.", "fr"),
        ("缓存有 512 个条目，最旧的会被删除。", "zh"),  # noqa: RUF001
        ("キャッシュは512件の項目を保持します。", "ja"),
        ("Кэш хранит 512 записей.", "ru"),
        ("x = 1", "en"),
        ("room floor seats free Oak 1 12 yes Birch 2 40 no Cedar 2 8 no", "en"),
        ("", "en"),
    ],
)
def test_a_text_has_a_language(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Ana do Vale, Rui da Costa, Luis dos Santos. The parser accepts comments.", "en"),
        ("Jane os, e, a, o. John e, o, a, com. The relay starts when the tank is full.", "en"),
        ("Der Cache hält 512 Einträge und wirft die ältesten weg.", "de"),
        ("缓存有 512 个条目，最旧的会被删除。", "zh"),  # noqa: RUF001
    ],
)
def test_a_passage_has_another_language_than_its_set_where_that_is_clear(
    text: str, language: str
) -> None:
    assert language_among(text, "en") == language
