"""A number or identifier in another's place is no paraphrase, however loose the rest is."""

from __future__ import annotations

import pytest

from agents.evidence.alignment import Reason
from agents.evidence.features import Sources
from agents.evidence.verdict import Judge, Level

TEXT = """The reader opens the file, checks its header and calls `parse_rows()` for each chunk.

A chunk has 4096 bytes unless the file is shorter. `parse_rows()` may raise `HeaderError`.

The values are put into a list, which `collect_rows()` hands over to the writer.
"""


@pytest.fixture
def judge() -> Judge:
    return Judge(Sources([(TEXT, "")]))


def test_a_free_paraphrase_with_the_same_identifier_is_backed(judge: Judge) -> None:
    said = "After checking the header of the file, the reader calls `parse_rows()` for each chunk."

    assert judge.verdict(said).level.is_backed


def test_an_identifier_that_no_source_has_leaves_it_unverified(judge: Judge) -> None:
    said = "After checking the header of the file, the reader raises ChunkError for each chunk."

    verdict = judge.verdict(said)

    assert not verdict.level.is_backed


def test_a_number_that_no_source_has_leaves_it_unverified(judge: Judge) -> None:
    said = "Each chunk of the file has 8192 bytes unless it is a shorter one at the very end."

    verdict = judge.verdict(said)

    assert verdict.level is Level.UNVERIFIED
    assert verdict.reason is Reason.NUMBER


def test_an_identifier_said_twice_where_the_source_has_two_is_no_quote(judge: Judge) -> None:
    said = "The values are put into a list, which `collect_rows()` hands over to `collect_rows()`."

    assert not judge.verdict(said).level.is_backed


def test_a_free_paraphrase_that_drops_a_negation_is_not_backed() -> None:
    text = "By default redis-py does not implement the SELECT command on its client instances."
    judge = Judge(Sources([(text, "")]))
    said = (
        "Because of the SELECT command, which redis-py does {}implement on client instances, you {}"
    )
    rest = "need one client instance for each database."

    assert judge.verdict(said.format("", rest)).reason is Reason.NEGATION
    assert judge.verdict(said.format("not ", rest)).reason is not Reason.NEGATION
