"""The Researcher with a model that answers rightly, on what people have beside English prose."""

from __future__ import annotations

import pytest

from agents import Assignment, Finding, Parts, Passage
from agents.evidence.strictness import SupportMode
from agents.models.build import EmbeddedModel
from agents.researcher import NOTHING_FOUND, Researcher
from benchmarks.evidence_kinds import KindRow, kind_rows
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Basis, Support
from tests.support.fake_tools import FakeKnowledge, FakeSandbox
from tests.support.recording_turn import RecordingTurn
from tests.support.scripted_model import ScriptedModel

each_row = pytest.mark.parametrize("row", kind_rows(), ids=lambda row: row.passage.source)
NAMES = Passage("names.txt", 4, 6, "anna\nbruno\ncarla")
SERVER = Passage("server.ini", 1, 3, "[server]\nport = 8443\nworkers = 6")


async def finding_of(
    reply: str, question: str, *passages: Passage, is_embedded: bool = False
) -> Finding:
    model = ScriptedModel({"researcher": reply})
    parts = Parts(
        EmbeddedModel(model) if is_embedded else model,
        FakeKnowledge(*passages),
        FakeSandbox(),
        support=SupportMode.AUTO,
        is_embedded=is_embedded,
    )
    sent = Assignment(StepId("r1"), question, question, (), "c")
    finding = await Researcher(parts).handle(sent, RecordingTurn("researcher-0", "r1"))
    assert isinstance(finding, Finding)
    return finding


@each_row
async def test_a_right_answer_is_cited(row: KindRow) -> None:
    reply = "\n\n".join(f"{each} [1]" for each in row.true)

    finding = await finding_of(reply, row.question, row.passage)

    assert finding.basis is Basis.DOCUMENTS
    assert finding.citations
    assert all(each.quote in row.passage.text for each in finding.citations)


@each_row
@pytest.mark.parametrize("is_embedded", [False, True])
async def test_the_passage_is_shown_where_nothing_of_an_answer_is_supported(
    row: KindRow, *, is_embedded: bool
) -> None:
    finding = await finding_of("Zzyzx.", row.question, row.passage, is_embedded=is_embedded)

    assert finding.text != NOTHING_FOUND
    assert [each.support for each in finding.claims if each.citations] != []
    assert all(each.quote in row.passage.text for each in finding.citations)


async def test_a_passage_without_a_sentence_is_shown_by_its_first_line() -> None:
    finding = await finding_of("Nobody that I know.", "Who is invited?", NAMES)

    assert [(each.quote, each.start_line) for each in finding.citations] == [(NAMES.text, 4)]


async def test_a_setting_is_shown_as_it_stands() -> None:
    finding = await finding_of("", "On which port does the server listen?", SERVER)

    assert finding.text == "`port = 8443` [1]"
    assert finding.citations[0].start_line == 2


@pytest.mark.parametrize("reply", ["`port = 8443` [1]", "```ini\nport = 8443\nworkers = 6\n```"])
async def test_lines_of_a_passage_that_a_model_copies_are_cited(reply: str) -> None:
    finding = await finding_of(reply, "How is the server set up?", SERVER)

    assert [each.support for each in finding.claims] == [Support.QUOTED]
    assert finding.text.endswith("[1]")
    assert finding.citations[0].quote in reply
