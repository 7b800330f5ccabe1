"""What a text is about, and sentences that say the sources are silent."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from agents.evidence.topic import NOT_FOUND, is_denial, topic_of
from tests.unit.agents.evidence.test_sentences import TEXTS

DENIALS = [
    NOT_FOUND,
    f"**{NOT_FOUND}**",
    "The passages don't mention a limit.",
    "The documents do not say how large the cache is.",
    "None of the sources describes the protocol.",
    "The documentation contains nothing on this question.",
    "Die Dokumente enthalten keine Angaben dazu.",
    "In den Textstellen steht nichts über die Größe.",
    "Los documentos no mencionan el límite.",
    "Las fuentes no contienen nada sobre esto.",
    "Les documents ne mentionnent pas la limite.",
    "文档中没有提到缓存的大小。",
    "資料にはキャッシュの大きさが記載されていない。",
]
NO_DENIALS = [
    "The cache does not hold more than 512 entries.",
    "The document says that the cache holds 512 entries.",
    "Nothing is evicted.",
    "A document without a title is never indexed.",
    "Der Cache hält nicht mehr als 512 Einträge.",
    "La caché no guarda más de 512 entradas.",
    "缓存不支持事务。",
    "キャッシュは永続化されない。",
    "",
]


@pytest.mark.parametrize("sentence", DENIALS)
def test_silence_of_the_sources_is_told(sentence: str) -> None:
    assert is_denial(sentence)


@pytest.mark.parametrize("sentence", NO_DENIALS)
def test_what_a_source_denies_is_no_silence(sentence: str) -> None:
    assert not is_denial(sentence)


def test_a_topic_is_words_with_content_whatever_their_form() -> None:
    assert topic_of("How many entries does the cache hold?") >= topic_of("The cache holds entries")
    assert topic_of("Is it not so?") == topic_of("") == frozenset()


@settings(deadline=None, max_examples=100)
@given(TEXTS)
def test_any_text_has_a_topic(text: str) -> None:
    assert "" not in topic_of(text)
    assert is_denial(text) in (True, False)
