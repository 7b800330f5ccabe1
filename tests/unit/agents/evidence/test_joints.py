"""Sentences that name what 'it' is, join two clauses, or lie nearer to another passage."""

from __future__ import annotations

import pytest

from agents.evidence.alignment import Reason
from agents.evidence.features import Sources
from agents.evidence.topic import is_denial
from agents.evidence.verdict import Judge, Level

GOAL = "How many entries does the Zephyr cache hold?"


def judge(*passages: str, known: str = GOAL) -> Judge:
    return Judge(Sources([(text, "") for text in passages]), known)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("It holds at most 512 entries.", "The Zephyr cache holds at most 512 entries."),
        ("Entries expire after 30 minutes.", "Lifetime: Entries expire after 30 minutes."),
        ("它最多容纳512个条目。", "Zephyr缓存最多容纳512个条目。"),
        ("最大で512件の項目を格納します。", "容量：最大で512件の項目を格納します。"),  # noqa: RUF001
    ],
)
def test_a_sentence_may_name_what_it_is_about_and_have_a_label(source: str, sentence: str) -> None:
    found = judge(source, known="The Zephyr cache. Zephyr缓存").verdict(sentence)

    assert found.level is Level.QUOTED


def test_what_a_sentence_names_does_not_hide_what_it_says_otherwise() -> None:
    source = "It holds at most 512 entries in the memory of the server."

    found = judge(source).verdict(f"The Zephyr cache{source[2:]}".replace("512", "600"))

    assert (found.level, found.reason) == (Level.CONTRADICTED, Reason.NUMBER)


DECIDE = "Ana Ruiz decides about the database, and Ben Ode decides about the interface."


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (DECIDE, "Ben Ode decides about the database."),
        (DECIDE, "Ana Ruiz decides about the interface."),
        (
            "Über die Datenbank entscheidet Ana Ruiz, und über die Seiten entscheidet Ben Ode.",
            "Über die Datenbank entscheidet Ben Ode.",
        ),
        ("数据库由 Ana Ruiz 决定，界面由 Ben Ode 决定。", "数据库由 Ben Ode 决定。"),  # noqa: RUF001
    ],
)
def test_the_head_of_a_clause_and_the_tail_of_the_next_make_no_sentence(
    source: str, sentence: str
) -> None:
    found = judge(source).verdict(sentence)

    assert (found.level, found.reason) == (Level.CONTRADICTED, Reason.ORDER)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (DECIDE, "Ben Ode decides about the interface."),
        ("The cache, which holds 512 entries, drops the oldest.", "The cache drops the oldest."),
        ("It reads from files, sockets and pipes.", "It reads from pipes."),
        ("In 2019 Ada Byron wrote the cache.", "Ada Byron wrote the cache in 2019."),
    ],
)
def test_a_clause_or_a_part_of_a_list_may_be_left_out(source: str, sentence: str) -> None:
    assert judge(source).verdict(sentence).level.is_backed


def test_a_quote_in_another_passage_is_nearer_than_a_paraphrase_in_the_cited_one() -> None:
    cache = "The Zephyr cache holds 512 entries in memory."
    author = "Ada Byron wrote the Zephyr cache in 2019."

    found = judge(cache, author).verdict(author, cited=[0])

    assert (found.level, found.units) == (Level.QUOTED, (1,))


def test_a_passage_that_says_otherwise_counts_wherever_it_stands() -> None:
    cache = "The Zephyr cache holds 512 entries in memory."
    author = "Ada Byron wrote the Zephyr cache in 2019."

    found = judge(cache, author).verdict("Ada Byron wrote the Zephyr cache in 2017.", cited=[0])

    assert (found.level, found.reason) == (Level.CONTRADICTED, Reason.NUMBER)


def test_a_name_that_no_passage_has_is_not_put_in_the_place_of_another() -> None:
    found = judge("Ada Byron wrote the Zephyr cache in 2019.").verdict(
        "Grace Hopper painted the Zephyr cache in 2019."
    )

    assert (found.level, found.reason) == (Level.UNVERIFIED, Reason.NAME)


def test_only_is_not_put_in() -> None:
    found = judge("警报可以在应用中关闭。").verdict("警报只能在应用中关闭。")

    assert (found.level, found.reason) == (Level.UNVERIFIED, Reason.LIMIT)


def test_a_single_word_in_common_backs_nothing() -> None:
    found = judge("The Zephyr cache holds 512 entries.").verdict("Caches are nice.")

    assert found.level is Level.UNVERIFIED


@pytest.mark.parametrize(
    ("sentence", "is_so"),
    [
        ("The documents do not mention a limit.", True),
        ("However, the documents do not mention a limit.", True),
        ("The passages name the cache, but do not say who wrote it.", True),
        ("The documents do not say so, though.", True),
        ("The documents do not mention a limit, but it is 600.", False),
        ("Die Dokumente nennen keine Grenze; sie liegt bei 600.", False),
        ("文档没有提到上限，但上限是600。", False),  # noqa: RUF001
    ],
)
def test_a_denial_that_goes_on_to_say_something_is_none(
    sentence: str,
    is_so: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert is_denial(sentence) is is_so


STEPS = """Parameters:
- open_file reads the path
- close_file leaves the path
- lock_file keeps the path
- drop_file removes the path
- send_file mails the path"""
ALL_STEPS = STEPS.replace("\n- ", "; ")


def test_a_sentence_may_run_over_more_lines_than_a_window_has() -> None:
    assert judge(STEPS).verdict(f"{ALL_STEPS}.").level is Level.QUOTED


@pytest.mark.parametrize("name", ["open_file", "lock_file", "send_file"])
def test_an_identifier_of_such_a_sentence_is_no_other_one(name: str) -> None:
    found = judge(STEPS).verdict(f"{ALL_STEPS.replace(name, 'find_file')}.")

    assert (found.level, found.reason) == (Level.CONTRADICTED, Reason.NAME)
