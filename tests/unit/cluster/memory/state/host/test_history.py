"""The history of a document: read page by page, and told with what became of each entry."""

from __future__ import annotations

from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.attempts import Fate
from cluster.kernel.state.edits import Reversal, Seal, Withdrawal
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.host.history import history_of, retold
from cluster.memory.state.limits import PAGE_ENTRIES_MAX
from tests.support.shared_documents import BOARD, UnsteadyStateLog, spend
from tests.support.state_logs import edit_id, make_edit, make_field, stamp
from tests.support.state_logs import log as entries_of

SPENT = make_edit(edit_id("a"), spent=make_field("total", 0, 120))
OTHER = make_edit(edit_id("b"), spent=make_field("total", 0, 7))
WITHDRAWN = Withdrawal(TaskId("t"), StepId("a"), 2)


async def test_all_pages_are_read_and_what_was_reverted_is_known(
    log: UnsteadyStateLog, here: Documents
) -> None:
    board, person = await here.open(BOARD), here.person("anna")
    for _ in range(PAGE_ENTRIES_MAX + 1):
        spend(board, person)
        await board.flushed()
    board.revert(person, PAGE_ENTRIES_MAX + 1)
    await board.flushed()

    history = await history_of(log, BOARD)

    undone = [each for each in history if each.fate is Fate.REVERSED]
    assert [each.entry.version for each in undone] == [PAGE_ENTRIES_MAX + 1]


async def test_a_document_that_is_not_there_has_no_history(log: UnsteadyStateLog) -> None:
    assert await history_of(log, BOARD) == []


def test_what_was_undone_is_told_so_though_a_seal_came_after_it() -> None:
    reverted = Reversal(edit_id("c"), stamp(3), 2)

    told = retold(entries_of(SPENT, OTHER, reverted, WITHDRAWN, Seal(4), make_edit(edit_id("d"))))

    assert [each.entry.version for each in told] == [1, 2, 3, 4, 5, 6]
    assert [each.fate for each in told] == [Fate.REPLACED, Fate.REVERSED, *[Fate.COUNTS] * 4]


def test_what_comes_after_a_seal_changes_nothing_of_what_is_sealed() -> None:
    told = retold(entries_of(SPENT, Seal(1), WITHDRAWN))

    assert told[0].fate is Fate.COUNTS


def test_a_history_may_begin_anywhere() -> None:
    told = retold(entries_of(SPENT, Reversal(edit_id("c"), stamp(3), 41), after=40))

    fates = [(each.entry.version, each.fate) for each in told]
    assert fates == [(41, Fate.REVERSED), (42, Fate.COUNTS)]
