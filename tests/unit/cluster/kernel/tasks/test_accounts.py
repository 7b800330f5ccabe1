"""A result tells how it was made, and its owner counts of that what it has not heard on the way."""

from __future__ import annotations

from cluster.kernel.events import FellBack, Hedged, Spent
from cluster.kernel.ids import AgentId, StepId
from cluster.kernel.reads import Saw
from cluster.kernel.tasks.accounts import REASONS_BYTES_MAX, Account, StepAccounts
from cluster.kernel.usage import Usage

ONE, OTHER = AgentId("coder-0"), AgentId("coder-1")
SMALL = FellBack("model", "a small model answers")
FIRST, SECOND, RUN = Spent("model", 1.5, 10, 20), Spent("model", 2.0, 1, 2), Spent("tool", 0.25)


def made(*details: Spent | FellBack) -> Saw:
    account = Account()
    for detail in details:
        account.note(detail)
    return account.added_to(Saw(made_by=ONE))


def heard(*details: object, agent: AgentId = ONE) -> StepAccounts:
    accounts = StepAccounts(StepId("a"))
    for detail in details:
        accounts.hear(agent, detail, redo=0)
    return accounts


def test_a_turn_tells_with_its_result_what_it_has_used_and_given_up() -> None:
    assert made(SMALL, FIRST, SMALL, RUN) == Saw(
        made_by=ONE,
        spent=Usage(1, 10, 20, seconds=1.5, tool_s=0.25),
        fell_back=("a small model answers",),
    )


def test_a_turn_that_has_used_nothing_tells_nothing() -> None:
    assert made() == Saw(made_by=ONE)


def test_of_reasons_without_room_only_the_beginning_is_told() -> None:
    [told] = made(FellBack("model", "ä" * REASONS_BYTES_MAX), SMALL).fell_back

    assert told == "ä" * ((REASONS_BYTES_MAX - 3) // 2)


def test_what_was_heard_on_the_way_is_not_heard_again() -> None:
    told = made(SMALL, FIRST, SECOND, RUN)

    assert heard(SMALL, FIRST, SECOND, RUN).unheard(told, 0) == []
    assert heard(FIRST).unheard(told, 0) == [SMALL, SECOND, RUN]
    assert heard().unheard(made(SECOND), 0) == [SECOND]


def test_what_an_attempt_of_before_has_used_is_no_part_of_what_the_record_tells() -> None:
    assert heard(FIRST, SECOND).unheard(made(SECOND), 0) == []
    assert heard(FIRST, SECOND).unheard(made(SECOND), 1) == [SECOND]


def test_what_another_replica_has_said_is_not_its_own() -> None:
    accounts = heard(SMALL, SECOND, Hedged("coder", 1.0), agent=OTHER)

    assert accounts.unheard(made(SMALL, SECOND), 0) == [SMALL, SECOND]
    assert (accounts.degraded(OTHER), accounts.degraded(ONE)) == (
        ("Step a: a small model answers.",),
        (),
    )


def test_what_all_attempts_have_used_is_added_up() -> None:
    accounts = heard(FIRST, SMALL, Hedged("coder", 1.0), SMALL)
    accounts.hear(OTHER, SECOND, redo=1)

    assert accounts.used == Usage(2, 11, 22, seconds=3.5, hedges=1)
    assert accounts.degraded(ONE) == ("Step a: a small model answers.",)
