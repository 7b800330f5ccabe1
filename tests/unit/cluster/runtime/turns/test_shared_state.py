"""Shared state in the turns of agents: edits count once, and no result stands without its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from cluster.kernel.envelope import Kind
from cluster.kernel.errors import DeliveryError, StaleEpoch, StoreUnavailable, UsageError
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Finding
from cluster.memory.state.host import follower
from cluster.memory.state.host.documents import Documents
from cluster.runtime.host import Host
from cluster.runtime.messaging.sender import Sender
from tests.support.hosts import MemoryCluster, until
from tests.support.notice_board import Board, Rates
from tests.unit.cluster.runtime.turns.test_steps_once import asker, asks

NAME = "task/t/Board"


class Spender:
    """Spends 120 on the board and says so, then waits until it is let go."""

    def __init__(self, said: str, *, edits: bool = True) -> None:
        self._said = said
        self._edits = edits
        self.begun = 0
        self.go_on = asyncio.Event()

    async def __call__(self, message: object, turn: Turn) -> object:
        if self._edits:
            async with turn.state(Board) as board:
                board.spent += 120
                board.said.append(self._said)
        self.begun += 1
        await self.go_on.wait()
        return Finding(self._said)


@pytest.fixture
async def cluster() -> AsyncIterator[MemoryCluster]:
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", asker)
        await cluster.add("asker-1", asker)
        yield cluster


async def test_a_turn_knows_for_how_long_the_store_has_said_nothing(
    cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "STALE_S", 0.05)
    monkeypatch.setattr(follower, "HEARTBEAT_S", 0.01)
    seen: list[float] = []

    async def look(message: object, turn: Turn) -> object:
        await turn.open(Board)
        seen.append(turn.stale_s)
        cluster.log.is_down = True
        await until(lambda: turn.stale_s > 0)
        cluster.log.is_down = False
        await until(lambda: turn.stale_s == 0)
        return Finding(str(turn.peek(Board).spent))

    await cluster.add("researcher-0", look)

    assert await asked_of(cluster, "researcher-0") == Finding("0")
    assert seen == [0.0]


async def board_of(cluster: MemoryCluster) -> dict[str, object]:
    """The board as somebody sees it who opens it now."""
    documents = Documents(cluster.log, cluster.clock)
    fields: dict[str, object] = dict((await documents.open(NAME)).fields)
    await documents.close()
    return fields


def asked_of(cluster: MemoryCluster, agent: str, by: str = "asker-0") -> asyncio.Task[object]:
    sender: Sender = cluster.senders[by]
    return asks(sender, agent)


async def crash(cluster: MemoryCluster, host: Host) -> None:
    cluster.hosts.remove(host)
    await host.abort()


async def given_up(asking: asyncio.Task[object]) -> None:
    """Have the asker wait no longer: nobody is there to answer before its deadline."""
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def test_edits_are_durable_before_the_record_is_written(
    cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_record: list[dict[str, object]] = []
    spender, put = Spender("one"), cluster.store.put_once

    async def put_once(*arguments: object, **keywords: object) -> bool:
        at_record.append(await board_of(cluster))
        return await put(*arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(cluster.store, "put_once", put_once)
    await cluster.add("spender-0", spender)
    cluster.log.delay = lambda: 20
    spender.go_on.set()

    await asked_of(cluster, "spender-0")

    assert at_record == [{"said": ["one"], "spent": 120}]


async def test_a_step_that_is_done_again_replaces_what_it_had_edited(
    cluster: MemoryCluster,
) -> None:
    dying, living = Spender("dying"), Spender("living")
    host = await cluster.add("spender-0", dying)
    await cluster.add("spender-1", living)
    first = asked_of(cluster, "spender-0")
    await until(lambda: dying.begun == 1)
    await cluster.shared["spender-0"].open(NAME)
    await crash(cluster, host)
    await given_up(first)
    living.go_on.set()

    assert await asked_of(cluster, "spender-1") == Finding("living")

    assert await board_of(cluster) == {"said": ["living"], "spent": 120}


async def test_a_step_that_edits_nothing_the_second_time_takes_back_the_first(
    cluster: MemoryCluster,
) -> None:
    dying, living = Spender("dying"), Spender("living", edits=False)
    await cluster.add("spender-0", dying)
    await cluster.add("spender-1", living)
    first = asked_of(cluster, "spender-0")
    await until(lambda: dying.begun == 1)
    await given_up(first)
    living.go_on.set()

    await asked_of(cluster, "spender-1")

    assert not any((await board_of(cluster)).values())


async def test_an_attempt_that_is_late_is_void_and_answers_with_what_holds(
    cluster: MemoryCluster,
) -> None:
    late, quick = Spender("late"), Spender("quick")
    await cluster.add("spender-0", late)
    await cluster.add("spender-1", quick)
    first = asked_of(cluster, "spender-0")
    await until(lambda: late.begun == 1)
    quick.go_on.set()
    await asked_of(cluster, "spender-1", "asker-1")
    late.go_on.set()

    assert await first == Finding("quick")
    assert await board_of(cluster) == {"said": ["quick"], "spent": 120}


@pytest.mark.parametrize("edits", [True, False])
async def test_an_attempt_records_nothing_while_a_later_one_is_under_way(
    cluster: MemoryCluster, *, edits: bool
) -> None:
    early, later = Spender("early", edits=edits), Spender("later")
    await cluster.add("spender-0", early)
    await cluster.add("spender-1", later)
    first = asked_of(cluster, "spender-0")
    await until(lambda: early.begun == 1)
    second = asked_of(cluster, "spender-1", "asker-1")
    await until(lambda: later.begun == 1)
    early.go_on.set()

    with pytest.raises(DeliveryError, match="spender-0 made of step s is void"):
        await first
    later.go_on.set()
    assert await second == Finding("later")
    assert await board_of(cluster) == {"said": ["later"], "spent": 120}


async def test_no_attempt_begins_once_the_step_has_its_record(cluster: MemoryCluster) -> None:
    quick = Spender("quick")
    quick.go_on.set()
    host = await cluster.add("spender-0", quick)
    await asked_of(cluster, "spender-0")
    documents = cluster.shared["spender-0"]
    marks = host.records.marks(TaskId("t"), StepId("s"))

    with pytest.raises(StaleEpoch, match="has its result"):
        await documents.begin(marks.task, StepId("s"), "spender-1", marks)


async def test_an_answer_with_edits_that_are_not_durable_does_not_go_out(
    cluster: MemoryCluster,
) -> None:
    spender = Spender("one")
    await cluster.add("spender-0", spender)
    asking = asks(cluster.senders["asker-0"], "spender-0", timeout_s=1.0)
    await until(lambda: spender.begun == 1)
    cluster.log.is_down = True
    spender.go_on.set()

    with pytest.raises(StoreUnavailable, match="has not taken all edits"):
        await asking


async def test_an_answer_with_edits_does_not_go_out_unrecorded(
    cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    spender = Spender("one")
    spender.go_on.set()

    async def refuse(*_: object, **__: object) -> bool:
        raise StoreUnavailable("the store is gone")

    monkeypatch.setattr(cluster.store, "put_once", refuse)
    await cluster.add("spender-0", spender)

    with pytest.raises(StoreUnavailable, match="was not written"):
        await asks(cluster.senders["asker-0"], "spender-0", timeout_s=1.0)


async def test_an_incarnation_that_was_replaced_gives_no_answer_with_edits(
    cluster: MemoryCluster,
) -> None:
    late = Spender("late")
    host = await cluster.add("spender-0", late)
    asking = asked_of(cluster, "spender-0")
    await until(lambda: late.begun == 1)
    await cluster.store.next_epoch(f"agent//{host.profile.agent}")
    late.go_on.set()

    with pytest.raises(DeliveryError, match="attempt 1 may write no record"):
        await asking


async def test_what_handles_no_step_edits_as_its_message(cluster: MemoryCluster) -> None:
    async def counts(message: object, turn: Turn) -> object:
        async with turn.state(Rates) as rates:
            rates.known["asked"] = rates.known.get("asked", 0) + 1
        return Finding(str(turn.peek(Rates).known["asked"]))

    await cluster.add("counter-0", counts)
    sender = cluster.senders["asker-0"]
    for times in ("1", "2"):
        counter = await sender.replica_of("counter", frozenset())
        envelope = sender.envelope(counter, Kind.ASK, Finding("count"))
        envelope.deadline_at = sender.clock.now() + 5.0
        assert await sender.ask(envelope) == Finding(times)

    assert (await cluster.log.heads(["cluster/Rates"]))["cluster/Rates"].version == 2


@pytest.mark.parametrize(("is_recorded", "counts"), [(False, "living"), (True, "dying")])
async def test_a_crash_at_the_record_leaves_one_answer_and_its_own_edits(
    cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch, counts: str, *, is_recorded: bool
) -> None:
    dying, living, put = Spender("dying"), Spender("living"), cluster.store.put_once
    crashed = asyncio.Event()

    async def put_once(*arguments: object, **keywords: object) -> bool:
        if not crashed.is_set():
            if is_recorded:
                await put(*arguments, **keywords)  # type: ignore[arg-type]
            crashed.set()
            await asyncio.Event().wait()
        return await put(*arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(cluster.store, "put_once", put_once)
    host = await cluster.add("spender-0", dying)
    await cluster.add("spender-1", living)
    dying.go_on.set()
    living.go_on.set()
    first = asked_of(cluster, "spender-0")
    await crashed.wait()
    await crash(cluster, host)
    await given_up(first)

    assert await asked_of(cluster, "spender-1") == Finding(counts)
    assert await board_of(cluster) == {"said": [counts], "spent": 120}


async def test_what_a_step_that_is_over_has_left_running_edits_nothing(
    cluster: MemoryCluster,
) -> None:
    left: list[asyncio.Task[None]] = []
    go_on = asyncio.Event()

    async def edit_late(turn: Turn) -> None:
        async with turn.state(Board) as board:
            board.spent += 1
            await go_on.wait()

    async def leave(message: object, turn: Turn) -> object:
        left.append(asyncio.ensure_future(edit_late(turn)))
        await turn.open(Board)
        return Finding("done")

    await cluster.add("leaver-0", leave)
    await asked_of(cluster, "leaver-0")
    go_on.set()

    with pytest.raises(UsageError, match="no part in its result"):
        await left[0]
    assert await board_of(cluster) == {}


@pytest.mark.parametrize("edits", [True, False])
async def test_a_pure_step_reads_what_is_shared_and_can_change_nothing(
    cluster: MemoryCluster, *, edits: bool
) -> None:
    seen: list[int] = []

    async def trespass(message: object, turn: Turn) -> object:
        turn.only_reads("Judge.judge")
        seen.extend([(await turn.open(Board)).spent, turn.peek(Board).spent])
        if not edits:
            turn.publish("verdicts", "guilty")
        async with turn.state(Board) as board:
            board.spent += 1
        return Finding("done")

    await cluster.add("judge-0", trespass)

    with pytest.raises(UsageError, match=r"Judge\.judge is pure, .* (edits|publishes)"):
        await asked_of(cluster, "judge-0")
    assert seen == [0, 0]
    assert await board_of(cluster) == {}
