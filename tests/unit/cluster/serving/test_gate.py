"""Who is let in, how soon a revocation counts, and what each may have at once and in a day."""

from __future__ import annotations

import pytest

from cluster.kernel.feed import TaskRecord, TaskSummary
from cluster.kernel.ids import TaskId
from cluster.memory.store.local import LocalStore
from cluster.memory.task_records.local import LocalTaskRecords
from cluster.serving.gate import CACHED_S, NAMES_MAX, TASKS_RETRY_S, BookGate
from cluster.serving.ports import Caller, LimitReached
from cluster.serving.tokens import TokenBook
from tests.support.clock import ManualClock

ONE, OTHER = TaskId("1" * 32), TaskId("2" * 32)


class Surroundings:
    """A gate, and what it goes by."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = LocalStore(self.clock)
        self.records = LocalTaskRecords(self.clock)
        self.book = TokenBook(self.store, self.clock)
        self.gate = BookGate(self.store, self.records, self.clock)

    async def ended(self, task: TaskId, owner: str, tokens: int) -> None:
        now = self.clock.wall()
        summary = TaskSummary(task, "?", "answered", owner, ended_wall_s=now)
        await self.records.ended(TaskRecord(summary, "{}"), tokens=tokens)


@pytest.fixture
def here() -> Surroundings:
    return Surroundings()


async def test_a_token_says_who_calls_and_what_they_may(here: Surroundings) -> None:
    token = await here.book.add(
        "bot", scopes=("learn",), namespaces=("a",), tasks_max=3, tokens_a_day_max=9
    )

    assert await here.gate.caller(token) == Caller("bot", frozenset({"learn"}), ("a",), 3, 9)


@pytest.mark.parametrize("token", ["", "none", f"fm-bot-{'0' * 64}", f"fm-nobody-{'0' * 64}"])
async def test_another_token_is_nobodys(here: Surroundings, token: str) -> None:
    await here.book.add("bot")

    assert await here.gate.caller(token) is None


async def test_a_revocation_counts_within_a_second(here: Surroundings) -> None:
    token = await here.book.add("bot")
    before = await here.gate.caller(token)
    await here.book.revoke("bot")
    here.clock.advance(CACHED_S)

    assert before is not None
    assert await here.gate.caller(token) is None
    assert CACHED_S <= 1.0


async def test_the_book_is_not_asked_for_each_request(here: Surroundings) -> None:
    token = await here.book.add("bot")
    await here.gate.caller(token)
    await here.store.delete(["token/bot"])

    assert await here.gate.caller(token) is not None


async def test_what_is_remembered_is_bounded(here: Surroundings) -> None:
    for number in range(NAMES_MAX + 10):
        await here.gate.caller(f"fm-n{number}-{'0' * 64}")

    assert len(here.gate._known) == NAMES_MAX  # noqa: SLF001 - nothing else shows it


async def test_no_token_is_asked_for_before_the_first_and_always_after(here: Surroundings) -> None:
    before = await here.gate.has_tokens()
    await here.book.add("bot")
    here.clock.advance(CACHED_S)
    added = await here.gate.has_tokens()
    await here.book.revoke("bot")
    here.clock.advance(CACHED_S)

    assert (before, added, await here.gate.has_tokens()) == (False, True, True)


async def test_so_many_tasks_run_at_once_and_no_more(here: Surroundings) -> None:
    caller = Caller("bot", tasks_max=1)
    until = here.clock.wall() + 60.0

    first = await here.gate.refusal(caller, ONE, until)
    again = await here.gate.refusal(caller, ONE, until)
    second = await here.gate.refusal(caller, OTHER, until)
    await here.gate.release(caller, ONE)
    third = await here.gate.refusal(caller, OTHER, until)

    assert (first, again, third) == (None, None, None)
    assert second == LimitReached(
        "bot has as many tasks running as it may: 1", TASKS_RETRY_S, may_pass_soon=True
    )


async def test_a_task_counts_no_longer_than_it_may_take(here: Surroundings) -> None:
    caller = Caller("bot", tasks_max=1)
    await here.gate.refusal(caller, ONE, here.clock.wall() + 60.0)
    here.clock.advance(61.0)

    assert await here.gate.refusal(caller, OTHER, here.clock.wall() + 60.0) is None


async def test_the_tokens_of_a_day_are_those_of_its_tasks(here: Surroundings) -> None:
    caller = Caller("bot", tokens_a_day_max=100)
    until = here.clock.wall() + 60.0
    before = await here.gate.refusal(caller, ONE, until)
    await here.ended(ONE, "bot", 100)
    after = await here.gate.refusal(caller, OTHER, until)

    assert before is None
    assert after is not None
    assert after.message == "bot has used 100 of its 100 tokens of today (UTC)"
    assert not after.may_pass_soon
    here.clock.advance(after.retry_after_s - 1.0)
    assert await here.gate.refusal(caller, OTHER, until) is not None
    here.clock.advance(1.0)
    assert await here.gate.refusal(caller, OTHER, until) is None


async def test_who_has_no_limits_is_not_counted(here: Surroundings) -> None:
    caller = Caller("bot")

    for task in (ONE, OTHER):
        assert await here.gate.refusal(caller, task, here.clock.wall() + 60.0) is None
    await here.gate.release(caller, ONE)

    limited = Caller("bot", tasks_max=1)
    assert await here.gate.refusal(limited, ONE, here.clock.wall() + 60.0) is None
