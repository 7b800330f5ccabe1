"""Words find texts; nothing in a question is syntax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cluster.memory.cache.bm25 import LooseWords, Postings, WantedWords, WordIndex, norms_of
from cluster.memory.cache.words import LINKING, Tokens, tokens_of

TEXTS = [
    "The heap keeps its smallest element first.",
    "Sorting a list takes time; lists are sorted in place.",
    "class StrictRedis: the client of decode_responses",
    "heap sort and sorted heaps, sorting heaps",
    "\u691c\u7d22\u30a8\u30f3\u30b8\u30f3 caf\u00e9",
]
SCRIPTS = [
    "北京是中华人民共和国的首都,也是全国的政治和文化中心。",
    "上海是中国最大的城市,港口的货物吞吐量居世界首位。",
    "堆是一种完全二叉树,最小的元素总在根节点。",
    "归并排序的时间复杂度是线性对数级的。",
    "東京は日本の首都であり、世界最大の都市圏の一つです。",
    "富士山は日本で一番高い山で、標高は3776メートルです。",
    "データベースの索引は検索を速くするために使われます。",
    "서울은 대한민국의 수도이자 가장 큰 도시이다.",
    "데이터베이스의 색인은 검색을 빠르게 한다.",
    "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย",
    "ช้างเป็นสัตว์บกที่ใหญ่ที่สุดในโลก",
    "Москва является столицей России и крупнейшим городом страны.",
    "القاهرة هي عاصمة جمهورية مصر العربية وأكبر مدنها.",
    "दिल्ली भारत की राजधानी है।",
]
ASKED = [
    "中国的首都是哪里?北京吗",
    "哪个城市的港口吞吐量最大",
    "最小元素在堆的哪里",
    "归并排序要多少时间",
    "日本の首都はどこですか",
    "富士山の高さは何メートルですか",
    "検索を速くする索引とは何ですか",
    "대한민국의 수도는 어디인가",
    "검색을 빠르게 하는 색인",
    "เมืองหลวงของไทยคืออะไร",
    "สัตว์บกที่ใหญ่ที่สุดคืออะไร",
    "Какой город столица России?",
    "ما هي عاصمة مصر",
    "भारत की राजधानी क्या है",
]
"""Of each text what it answers, in other words than its own."""


Words = Postings | LooseWords


class Lay(Protocol):
    def __call__(self, texts: Sequence[str]) -> Words:
        """Lay texts out to be searched."""
        ...


def sorted_once(texts: Sequence[str]) -> Words:
    tokens = [tokens_of(text) for text in texts]
    return Postings.of(np.concatenate(tokens or [tokens_of("")]), starts(tokens))


def counted_anew(texts: Sequence[str]) -> Words:
    tokens = [tokens_of(text) for text in texts]
    index = WordIndex()
    for row, words in enumerate(tokens):
        index.add(row, words)
    lengths = np.array([len(words) for words in tokens], dtype=np.int64)
    stream = np.concatenate(tokens or [tokens_of("")])
    return LooseWords(index, stream, starts(tokens), norms_of(lengths))


def starts(tokens: Sequence[Tokens]) -> NDArray[np.int64]:
    return np.cumsum([0, *map(len, tokens)], dtype=np.int64)


@pytest.fixture(params=[sorted_once, counted_anew])
def lay(request: pytest.FixtureRequest) -> Lay:
    laid: Lay = request.param
    return laid


def best(words: Words, question: str, limit: int = 3) -> tuple[list[int], list[float]]:
    """Returns the best texts that have a word of a question, and their scores."""
    wanted = WantedWords.of(tokens_of(question), [words], LINKING)
    scores = wanted.scores(0, len(words.norms))
    rows = np.flatnonzero(scores)
    scores = scores[rows] + wanted.pair_scores(words, rows)
    order = np.argsort(-scores, kind="stable")[:limit]
    return rows[order].tolist(), scores[order].tolist()


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("smallest elements", 0),
        ("SORTS LISTS", 1),
        ("strict redis", 2),
        ("StrictRedis", 2),
        ("decode responses", 2),
        ("\u7d22", 4),
        ("cafe", 4),
        ("cafe\u0301", 4),
        ("\u691c\u7d22\u306f", 4),
        ("\uff68\uff9d\uff7c\uff9e\uff9d", 4),
    ],
)
def test_words_are_found_in_other_forms(lay: Lay, question: str, first: int) -> None:
    assert best(lay(TEXTS), question)[0][0] == first


@pytest.mark.parametrize(
    "question",
    ['"heap', "heap AND", "text:heap", "heap^", "(heap", "[heap TO", "-heap", "*heap~2", "heap\\"],
)
def test_query_syntax_is_only_characters(lay: Lay, question: str) -> None:
    assert set(best(lay(TEXTS), question)[0]) == {0, 3}


SORTED, LOOSE = sorted_once(TEXTS), counted_anew(TEXTS)


@given(st.text(max_size=200))
def test_both_layouts_answer_any_question_alike(question: str) -> None:
    rows, scores = best(SORTED, question, len(TEXTS))
    same_rows, same_scores = best(LOOSE, question, len(TEXTS))

    assert same_scores == pytest.approx(scores, rel=2e-3)
    assert sorted(same_rows) == sorted(rows)


def test_a_very_long_question_is_answered(lay: Lay) -> None:
    assert set(best(lay(TEXTS), "heap " * 100_000)[0]) == {0, 3}


def test_a_question_without_a_known_word_finds_nothing(lay: Lay) -> None:
    assert best(lay(TEXTS), "zebra unicorn") == ([], [])
    assert best(lay(TEXTS), "") == ([], [])


def test_what_is_not_known_lowers_the_score(lay: Lay) -> None:
    (_, (alone, *_)) = best(lay(TEXTS), "smallest element")
    (_, (among_others, *_)) = best(lay(TEXTS), "smallest element zebra")

    assert 0.0 < among_others < alone < 1.5


def test_words_that_stand_together_count_for_more(lay: Lay) -> None:
    words = lay(["green car and a red house", "red car and a green house"])

    assert best(words, "green house")[0][0] == 1


def test_words_of_two_passages_are_no_neighbours(lay: Lay) -> None:
    words = lay(["a green", "house", "a green box", ""])

    wanted = WantedWords.of(tokens_of("green house"), [words])

    assert wanted.pair_scores(words, np.arange(4)).tolist() == [0.0] * 4


def test_a_word_of_one_part_is_as_rare_as_it_is_in_all_of_them(lay: Lay) -> None:
    here, there = lay(["heap", "sort"]), lay(["heap", "heap of heaps"])

    together = WantedWords.of(tokens_of("heap"), [here, there])

    alone = WantedWords.of(tokens_of("heap"), [here])
    assert max(together.weights.values()) < max(alone.weights.values())


def test_an_index_of_nothing_finds_nothing(lay: Lay) -> None:
    assert best(lay([]), "heap") == ([], [])


def test_questions_in_scripts_of_all_kinds_find_their_texts(lay: Lay) -> None:
    words = lay(SCRIPTS)

    first = [best(words, question, 1)[0] for question in ASKED]

    recall = sum(found == [at] for at, found in enumerate(first)) / len(ASKED)
    assert recall >= 0.95, first


def test_signs_in_another_order_are_another_word(lay: Lay) -> None:
    words = lay(["\u4e0a\u6d77\u9152\u5e97", "\u6d77\u4e0a\u9152\u5427"])

    assert best(words, "\u6d77\u4e0a", 1)[0] == [1]
