"""The rows of a text that is data; a table's row in an answer is judged cell by cell."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.evidence.backing import PassageJudge, place_of
from agents.evidence.data.rows import rows_of
from agents.evidence.features import Sources
from cluster.kernel.vocabulary import Passage, Support

CLIENTS = Passage(
    "clients.md",
    1,
    3,
    "Client instances can safely be shared between threads. Pipeline objects must not be shared "
    "between threads. The pool has 40 connections.",
)


@pytest.fixture
def judge() -> PassageJudge:
    sources = Sources([(CLIENTS.text, place_of(CLIENTS))])
    return PassageJudge([CLIENTS], "", sources, is_strict=False)


def test_a_label_beside_a_quoted_sentence_takes_nothing_from_it(judge: PassageJudge) -> None:
    row = "| Rule 1 | Client instances can safely be shared between threads. |"

    assert judge.sentence(row, [1]).support is Support.QUOTED


def test_a_row_with_one_contradicted_cell_is_not_shown(judge: PassageJudge) -> None:
    row = (
        "| Client instances can safely be shared between threads. "
        "| Pipeline objects must be shared between threads. |"
    )

    assert not judge.sentence(row, [1]).is_shown


def test_short_cells_say_something_together(judge: PassageJudge) -> None:
    shared = "Client instances can safely be shared between threads."

    assert judge.sentence(f"| The pool | has 40 connections | {shared} |", [1]).is_shown
    assert not judge.sentence(f"| The pool | has 50 connections | {shared} |", [1]).is_shown


def names_and_values(text: str, title: str = "") -> list[list[tuple[set[str], list[str]]]]:
    return [
        [(set(cell.names), [word.raw for word in cell.words]) for cell in row.cells]
        for row in rows_of(text, title.split(" > "), "en")
    ]


def test_the_cells_of_a_table_are_named_by_its_head() -> None:
    named = [[({"name"}, ["zephyr"]), ({"port"}, ["8080"])]]

    assert names_and_values("| name | port |\n|---|---|\n| zephyr | 8080 |") == named
    assert names_and_values("name\tport\nzephyr\t8080") == named
    assert names_and_values("zephyr,8080", "name,port > a.csv") == named


def test_a_setting_is_named_by_its_section_too() -> None:
    assert names_and_values("[cache]\nttl = 600 # seconds\nport: 6379") == [
        [({"cach", "ttl"}, ["600"]), ({"cach", "port"}, ["6379"])]
    ]
    assert names_and_values("pool:\n  size: 4\n  queue:\n    max: 9") == [
        [({"pool", "size"}, ["4"]), ({"pool", "queue", "max"}, ["9"])]
    ]


@pytest.mark.parametrize(
    "text", ['[{"pool": {"size": 1}, "ttl": 2}]', '{"pool": {"size": 1}, "ttl": 2}']
)
def test_an_object_in_another_is_a_part_of_its_row(text: str) -> None:
    assert names_and_values(text) == [[({"pool", "size"}, ["1"]), ({"ttl"}, ["2"])]]


def test_a_passage_that_begins_and_ends_within_json_has_rows() -> None:
    found = names_and_values('}, {"port": 1, "name": "x"}, {"port": 2, "na')

    assert [row[0] for row in found] == [({"port"}, ["1"]), ({"port"}, ["2"])]


@pytest.mark.parametrize(
    "text",
    [
        "First, we read it, and then, we close it.\nSecond, we write it, and then, we open it.",
        "At 13:30:00 it began.\nIt ended at 14:00:00.",
        "Args:\n    text: The text that is to be read\n    start: The place where it begins there",
        'found = read(path, mode="r", encoding="utf-8")',
    ],
)
def test_prose_and_programs_have_no_rows(text: str) -> None:
    assert names_and_values(text) == []


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from("{}[]\":,|=- \n\taZ0.#'"), max_size=200))
def test_any_text_is_read_for_rows(text: str) -> None:
    for row in rows_of(text, [text], "en"):
        assert all(0 <= cell.start < len(text) for cell in row.cells)
