"""Words find texts; nothing in a question is syntax."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.memory.knowledge.bm25 import Lexicon

TEXTS = [
    "The heap keeps its smallest element first.",
    "Sorting a list takes time; lists are sorted in place.",
    "class StrictRedis: the client of decode_responses",
    "heap sort and sorted heaps, sorting heaps",
    "\u691c\u7d22\u30a8\u30f3\u30b8\u30f3 caf\u00e9",
]
LEXICON = Lexicon(TEXTS)
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


def found(question: str) -> list[int]:
    return LEXICON.best(question, 10)[0]


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
def test_words_are_found_in_other_forms(question: str, first: int) -> None:
    assert found(question)[0] == first


@pytest.mark.parametrize(
    "question",
    ['"heap', "heap AND", "text:heap", "heap^", "(heap", "[heap TO", "-heap", "*heap~2", "heap\\"],
)
def test_query_syntax_is_only_characters(question: str) -> None:
    assert set(found(question)) == {0, 3}


@given(st.text(max_size=200))
def test_any_question_is_answered(question: str) -> None:
    positions, scores = LEXICON.best(question, 3)

    assert len(positions) == len(scores) <= 3
    assert scores == sorted(scores, reverse=True)


def test_a_very_long_question_is_answered() -> None:
    assert set(found("heap " * 100_000)) == {0, 3}


def test_a_question_without_a_known_word_finds_nothing() -> None:
    assert LEXICON.best("zebra unicorn", 3) == ([], [])
    assert LEXICON.best("", 3) == ([], [])


def test_what_is_not_known_lowers_the_score() -> None:
    (_, (alone, *_)) = LEXICON.best("smallest element", 3)
    (_, (among_others, *_)) = LEXICON.best("smallest element zebra", 3)

    assert 0.0 < among_others < alone < 1.5


def test_words_that_stand_together_count_for_more() -> None:
    lexicon = Lexicon(["green car and a red house", "red car and a green house"])

    assert lexicon.best("green house", 2)[0][0] == 1


def test_an_index_of_nothing_finds_nothing() -> None:
    assert Lexicon([]).best("heap", 3) == ([], [])


def test_questions_in_scripts_of_all_kinds_find_their_texts() -> None:
    lexicon = Lexicon(SCRIPTS)

    best = [lexicon.best(question, 1)[0] for question in ASKED]

    recall = sum(found == [at] for at, found in enumerate(best)) / len(ASKED)
    assert recall >= 0.95, best


def test_signs_in_another_order_are_another_word() -> None:
    lexicon = Lexicon(["\u4e0a\u6d77\u9152\u5e97", "\u6d77\u4e0a\u9152\u5427"])

    assert lexicon.best("\u6d77\u4e0a", 1)[0] == [1]
