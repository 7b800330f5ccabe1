"""A task that belongs to the cluster: begun by whoever may leave, ended by whoever asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from cluster.kernel.conversation import ChatMessage
from cluster.kernel.errors import DeadlinePassed, Overloaded, Stopped, Unsupported, UsageError
from cluster.kernel.events import Answered, Event, Submitted, WasCancelled
from cluster.kernel.feed import BEFORE_ALL, Cursor, TaskRecord, TaskSummary
from cluster.kernel.ids import NO_STEP, AgentId, TaskId
from cluster.kernel.submission import CancelTask, Submission
from cluster.kernel.tasks.ownership import Owner
from cluster.kernel.turn import Turn
from cluster.kernel.usage import Usage
from cluster.kernel.vocabulary import Answer
from cluster.memory.feed.local import LocalTaskFeed
from cluster.memory.task_records.local import LocalTaskRecords
from cluster.runtime.driver import detached
from cluster.runtime.driver.driver import Driver
from cluster.wire.messages import MessageCodec
from tests.support.hosts import MemoryCluster, until
from tests.unit.cluster.runtime.tasks.test_engine import forever

TASK = TaskId("0" * 32)
OTHER = TaskId("1" * 32)
MANAGER = AgentId("manager-0")
END = Event(2.0, TASK, MANAGER, NO_STEP, WasCancelled("enough"), 3)
Answering = Callable[[object, Turn], Awaitable[object]]


class Managers:
    """Managers that say what they are told to, and a driver that asks them."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self.cluster = cluster
        self.feed = LocalTaskFeed(cluster.clock)
        self.records = LocalTaskRecords(cluster.clock)
        self.asked: list[tuple[AgentId, object]] = []
        self.driver = Driver(
            cluster.store,
            cluster.transport(),
            cluster.clock,
            feed=self.feed,
            records=self.records,
            journal=cluster.journal,
        )

    async def add(self, answer: Answering, agent: str = "manager-0") -> None:
        """Start a Manager."""

        async def noted(message: object, turn: Turn) -> object:
            self.asked.append((AgentId(agent), message))
            return await answer(message, turn)

        await self.cluster.add(agent, noted)

    async def start(self, task: TaskId | None = None) -> TaskId:
        """Hand a task in."""
        return await self.driver.start("why?", collection="", timeout_s=60.0, task=task)

    async def owned(self, owner: str, *, ended: Event | None = None) -> None:
        """Have a Manager own the task, and end it."""
        claim = await self.cluster.journal.claim(TASK, Owner(AgentId(owner), 1))
        assert claim is not None
        if ended is not None:
            _, entry = MessageCodec().encode(ended)
            await self.cluster.journal.append(TASK, claim.term, 1, [entry], is_final=True)


@pytest.fixture
async def managers() -> AsyncIterator[Managers]:
    async with MemoryCluster() as cluster:
        made = Managers(cluster)
        await made.driver.open()
        yield made
        await made.driver.close()


async def accept(message: object, turn: Turn) -> object:
    """Accept a task, durably."""
    assert isinstance(message, Submission)
    return Event(0.0, message.task, turn.agent, NO_STEP, Submitted(message.goal), 1)


async def refuse(message: object, turn: Turn) -> object:
    """Have no room."""
    raise Overloaded(f"{turn.agent} runs 2 tasks already", 3.0)


async def end(message: object, turn: Turn) -> object:
    """End a task."""
    assert isinstance(message, CancelTask)
    return Event(2.0, message.task, turn.agent, NO_STEP, WasCancelled(message.reason), 3)


async def test_a_task_is_handed_in_with_all_that_is_said_of_it(managers: Managers) -> None:
    await managers.add(accept)
    said = (ChatMessage("user", "hello"), ChatMessage("assistant", "what is it?"))

    task = await managers.driver.start(
        "why?", collection="k", timeout_s=60.0, owner="tool", conversation=said, task=TASK
    )

    assert task == TASK
    [(_, submission)] = managers.asked
    assert submission == Submission(
        TASK, "why?", "k", owner="tool", is_detached=True, conversation=said
    )


async def test_a_followed_task_has_an_owner_a_conversation_and_an_id_too(
    managers: Managers,
) -> None:
    async def answer(message: object, turn: Turn) -> object:
        return Event(1.0, TASK, turn.agent, NO_STEP, Answered(Answer("so")))

    await managers.add(answer)
    said = (ChatMessage("user", "hello"),)

    task = await managers.driver.submit(
        "why?", collection="", timeout_s=60.0, owner="tool", conversation=said, task=TASK
    )

    assert [event.kind async for event in task] == ["answered"]
    [(_, submission)] = managers.asked
    assert submission == Submission(TASK, "why?", owner="tool", conversation=said)


async def test_what_is_asked_as_an_aside_is_handed_in_as_one(managers: Managers) -> None:
    await managers.add(accept)

    await managers.driver.start("title it", collection="", timeout_s=60.0, is_aside=True, task=TASK)

    [(_, submission)] = managers.asked
    assert submission == Submission(TASK, "title it", is_detached=True, is_aside=True)


async def test_every_task_has_an_id_of_its_own(managers: Managers) -> None:
    await managers.add(accept)

    assert await managers.start() != await managers.start()


async def test_one_manager_without_room_leaves_the_task_to_another(managers: Managers) -> None:
    await managers.add(refuse, "manager-0")
    await managers.add(accept, "manager-1")

    await managers.start(TASK)

    assert managers.asked[-1][0] == "manager-1"


async def test_a_task_for_which_nobody_has_room_is_refused(managers: Managers) -> None:
    for agent in ("manager-0", "manager-1"):
        await managers.add(refuse, agent)

    with pytest.raises(Overloaded, match="runs 2 tasks already") as refused:
        await managers.start()

    assert refused.value.retry_after_s == 3.0
    assert {agent for agent, _ in managers.asked} == {"manager-0", "manager-1"}


async def test_a_manager_that_stops_leaves_the_task_to_another_which_is_told(
    managers: Managers,
) -> None:
    async def stop(message: object, turn: Turn) -> object:
        raise Stopped(f"{turn.agent} is stopping")

    await managers.add(stop, "manager-0")
    await managers.add(accept, "manager-1")

    await managers.start(TASK)

    agent, submission = managers.asked[-1]
    assert agent == "manager-1"
    assert isinstance(submission, Submission)
    assert submission.is_again == (len(managers.asked) > 1)


async def test_a_task_that_nobody_accepts_in_time_may_go_on(
    managers: Managers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detached, "START_WAIT_S", 0.2)
    was_cancelled = asyncio.Event()

    async def hang(message: object, turn: Turn) -> object:
        try:
            return await forever()
        except asyncio.CancelledError:
            was_cancelled.set()
            raise

    await managers.add(hang)

    with pytest.raises(DeadlinePassed, match=f"task {TASK}.* the same id"):
        await managers.start(TASK)

    assert len(managers.asked) == 1
    for _ in range(50):
        await asyncio.sleep(0)
    assert not was_cancelled.is_set()


async def test_an_answer_that_is_no_event_is_said_to_be_newer(managers: Managers) -> None:
    async def newer(message: object, turn: Turn) -> object:
        return Answer("so")

    await managers.add(newer)

    with pytest.raises(Unsupported):
        await managers.start()


async def test_an_empty_goal_is_a_usage_error(managers: Managers) -> None:
    with pytest.raises(UsageError, match="empty"):
        await managers.driver.start(" ", collection="", timeout_s=60.0)


async def test_a_task_is_ended_by_its_owner(managers: Managers) -> None:
    for agent in ("manager-0", "manager-1", "manager-2"):
        await managers.add(end, agent)
    await managers.owned("manager-1")

    ended = await managers.driver.cancel(TASK, "enough")

    assert ended.detail == WasCancelled("enough")
    assert managers.asked == [(AgentId("manager-1"), CancelTask(TASK, "enough"))]


async def test_a_task_whose_owner_is_gone_is_ended_by_another_manager(managers: Managers) -> None:
    await managers.add(end)
    await managers.owned("manager-7")

    ended = await managers.driver.cancel(TASK, "enough")

    assert ended.detail == WasCancelled("enough")


async def test_a_task_of_a_cluster_that_has_no_manager_just_now_waits_for_one(
    managers: Managers,
) -> None:
    await managers.owned("manager-0")
    cancelling = asyncio.ensure_future(managers.driver.cancel(TASK, "enough"))
    await asyncio.sleep(0)
    await managers.add(end)

    assert (await cancelling).detail == WasCancelled("enough")


async def test_a_manager_that_has_given_the_task_up_is_not_the_last_to_be_asked(
    managers: Managers,
) -> None:
    async def pass_on(message: object, turn: Turn) -> object:
        await managers.owned("manager-1")
        raise Stopped(f"{turn.agent} is stopping")

    await managers.add(pass_on, "manager-0")
    await managers.add(end, "manager-1")
    await managers.owned("manager-0")

    ended = await managers.driver.cancel(TASK, "enough")

    assert ended.agent == "manager-1"


async def test_a_task_that_ends_meanwhile_has_its_own_end(managers: Managers) -> None:
    async def too_late(message: object, turn: Turn) -> object:
        await managers.owned("manager-0", ended=END)
        raise Stopped(f"{turn.agent} is stopping")

    await managers.add(too_late)
    await managers.owned("manager-0")

    assert await managers.driver.cancel(TASK, "another reason") == END


async def test_a_failure_that_would_come_again_is_told_at_once(managers: Managers) -> None:
    async def fail(message: object, turn: Turn) -> object:
        raise UsageError("no such thing")

    await managers.add(fail)
    await managers.owned("manager-0")

    with pytest.raises(UsageError, match="no such thing"):
        await managers.driver.cancel(TASK)
    assert len(managers.asked) == 1


async def test_a_manager_that_never_answers_is_not_waited_for_for_ever(
    managers: Managers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detached, "CANCEL_WAIT_S", 0.2)

    async def hang(message: object, turn: Turn) -> object:
        return await forever()

    await managers.add(hang)
    await managers.owned("manager-0")

    with pytest.raises(DeadlinePassed):
        await managers.driver.cancel(TASK)


async def test_the_end_of_a_task_is_that_of_its_journal_as_drivers_see_it(
    managers: Managers,
) -> None:
    answered = Event(2.0, TASK, MANAGER, NO_STEP, Answered(Answer("so"), spent=Usage()), 3)
    await managers.owned("manager-0", ended=answered)

    ended = await managers.driver.cancel(TASK)

    assert ended.detail == Answered(Answer("so"))
    assert managers.asked == []


async def test_the_end_of_a_task_whose_journal_is_gone_is_that_of_its_feed(
    managers: Managers,
) -> None:
    entries = [MessageCodec().encode(event)[1] for event in (END, END)]
    await managers.feed.append(TASK, Cursor(4, 1), entries, index=3, is_final=True)

    assert await managers.driver.cancel(TASK) == END


async def test_a_task_of_which_only_the_record_is_kept_can_not_be_ended_again(
    managers: Managers,
) -> None:
    summary = TaskSummary(TASK, "why?", "answered", ended_wall_s=1.0)
    await managers.records.ended(TaskRecord(summary, "{}"), tokens=0)

    with pytest.raises(UsageError, match="only its record"):
        await managers.driver.cancel(TASK)


async def test_a_task_that_nobody_knows_can_not_be_ended(managers: Managers) -> None:
    await managers.add(end)

    with pytest.raises(UsageError, match="no such task"):
        await managers.driver.cancel(OTHER)
    assert managers.asked == []


async def test_a_task_is_watched_through_its_driver(managers: Managers) -> None:
    _, entry = MessageCodec().encode(END)
    await managers.feed.append(TASK, Cursor(1, 1), [entry], index=3, is_final=True)

    assert [shown async for shown in managers.driver.watch(TASK)] == [(Cursor(1, 1), END)]


async def test_a_driver_without_a_feed_watches_nothing() -> None:
    async with MemoryCluster() as cluster:
        driver = Driver(cluster.store, cluster.transport(), cluster.clock)

        with pytest.raises(UsageError, match="without the feed"):
            driver.watch(TASK)


async def test_a_watch_ends_with_its_driver_and_the_feed_stays_open(managers: Managers) -> None:
    await managers.owned("manager-0")
    watching = asyncio.ensure_future(anext(managers.driver.watch(TASK)))
    await until(lambda: len(asyncio.all_tasks()) > 2)

    await managers.driver.close()

    with pytest.raises(Stopped):
        await watching
    _, entry = MessageCodec().encode(END)
    await managers.feed.append(TASK, Cursor(1, 1), [entry], index=3)
    assert await managers.feed.wait({TASK: BEFORE_ALL}, 60.0) == {TASK}
