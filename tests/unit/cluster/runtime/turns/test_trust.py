"""What came from documents is marked as that, and stays so on its way through agents."""

from __future__ import annotations

from cluster.kernel.envelope import Envelope, Kind, Trust
from cluster.kernel.ids import AgentId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Assignment, Citation, Finding
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.turns.running_turn import RunningTurn
from tests.support.hosts import MemoryCluster
from tests.unit.cluster.runtime.tasks.test_engine import PlanningManager, step

CITED = Finding("It is blue [1].", (Citation("a.md", 1, 1, "It is blue."),))


async def reply_of(sender: Sender, recipient: str, trust: Trust) -> Envelope:
    ask = sender.envelope(
        AgentId(recipient),
        Kind.ASK,
        Finding("what is it?"),
        deadline_at=sender.clock.now() + 10,
        trust=trust,
    )
    return await sender.exchange.ask(ask)


async def search(message: object, turn: Turn) -> object:
    turn.reads.passages("manuals", 7)
    return CITED


async def say(message: object, turn: Turn) -> object:
    return Finding("It is blue.")


async def test_an_answer_from_documents_is_marked_as_retrieved() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add("searcher-0", search)
        await cluster.add("talker-0", say)
        sender = cluster.senders["talker-0"]

        assert (await reply_of(sender, "searcher-0", Trust.USER)).trust is Trust.RETRIEVED
        assert (await reply_of(cluster.senders["searcher-0"], "talker-0", Trust.USER)).trust is (
            Trust.AGENT
        )


async def test_an_answer_to_what_came_from_documents_is_marked_too() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add("talker-0", say)
        await cluster.add("asker-0", say)
        reply = await reply_of(cluster.senders["asker-0"], "talker-0", Trust.RETRIEVED)

        assert reply.trust is Trust.RETRIEVED


async def test_a_step_that_gets_quotes_from_documents_is_told_so() -> None:
    trusts: list[Trust] = []

    async def work(message: object, turn: Turn) -> object:
        assert isinstance(message, Assignment)
        assert isinstance(turn, RunningTurn)
        trusts.append(turn.work.asked.trust)
        return await search(message, turn)

    async with MemoryCluster() as cluster:
        await cluster.add("researcher-0", work)
        await cluster.add_manager(PlanningManager(step("a"), step("b", "a")))
        task = await cluster.submit("why?")
        async for _ in task:
            pass

    assert trusts == [Trust.AGENT, Trust.RETRIEVED]
