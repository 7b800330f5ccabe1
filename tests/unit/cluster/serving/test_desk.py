"""The desk turns orders into submissions of its cluster, and finds the knowledge they name."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from cluster.kernel.conversation import ChatMessage
from cluster.kernel.errors import StoreUnavailable, UsageError
from cluster.kernel.ids import AgentId, IdSource, TaskId
from cluster.kernel.registration import Registration
from cluster.kernel.tasks.workflow import check_workflow
from cluster.memory.directory import Directory
from cluster.memory.feed.local import LocalTaskFeed
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.namespaces.port import SourceChange
from cluster.memory.store.local import LocalStore
from cluster.memory.task_records.local import LocalTaskRecords
from cluster.runtime.driver.driver import Driver
from cluster.serving.desk import ClusterDesk, DeskParts
from cluster.serving.ports import TaskOrder
from tests.support.clock import ManualClock

TASK = TaskId("0" * 32)


@dataclass
class RecordingDriver:
    """Remembers what it is handed."""

    submitted: list[dict[str, Any]] = field(default_factory=list)
    started: list[dict[str, Any]] = field(default_factory=list)

    async def submit(self, goal: str, **options: Any) -> object:
        self.submitted.append({"goal": goal, **options})
        return object()

    async def start(self, goal: str, **options: Any) -> TaskId:
        self.started.append({"goal": goal, **options})
        return TASK


class Cluster:
    """A desk and what is behind it."""

    def __init__(self) -> None:
        clock = ManualClock()
        self.store = LocalStore(clock)
        self.driver = RecordingDriver()
        self.namespaces = LocalNamespaces(self.store, clock)
        self.directory = Directory(self.store, clock)
        parts = DeskParts(
            store=self.store,
            directory=self.directory,
            driver=cast("Driver", self.driver),
            namespaces=self.namespaces,
            feed=LocalTaskFeed(clock),
            records=LocalTaskRecords(clock),
            ids=IdSource(clock.wall, random.Random(1)),
        )
        self.desk = ClusterDesk(parts)

    async def learn(self, name: str) -> None:
        document = "d" * 32
        await self.namespaces.apply(
            name, [SourceChange("key", 0, document, b"")], documents={document: b"text"}
        )

    async def serve(self, *agents: str) -> None:
        for agent in agents:
            await self.directory.put(Registration(AgentId(agent), "127.0.0.1:1", 1))


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


async def test_an_order_reaches_the_driver_whole(cluster: Cluster) -> None:
    before = (ChatMessage("user", "What is the sea?"), ChatMessage("assistant", "Water."))
    order = TaskOrder("Is it deep?", 20.0, before, "alice", tokens_max=1_000, cost_max=0.5)

    await cluster.desk.submit(order, TASK)

    (sent,) = cluster.driver.submitted
    assert (sent["goal"], sent["timeout_s"], sent["owner"]) == ("Is it deep?", 20.0, "alice")
    assert (sent["conversation"], sent["task"]) == (before, TASK)
    assert (sent["budget"].tokens_max, sent["budget"].cost_max) == (1_000, 0.5)
    assert sent["workflow"] is None


async def test_an_aside_reaches_the_driver_as_one(cluster: Cluster) -> None:
    order = TaskOrder("Title it", 20.0, is_aside=True)

    await cluster.desk.submit(order, TASK)

    (sent,) = cluster.driver.submitted
    assert sent["is_aside"]


async def test_a_task_that_belongs_to_the_cluster_is_begun_with_the_same(cluster: Cluster) -> None:
    order = TaskOrder("Is it deep?", 20.0, role="researcher")

    await cluster.desk.submit(order, TASK)
    await cluster.desk.start(order, TASK)

    assert cluster.driver.submitted == cluster.driver.started


async def test_an_aside_that_is_asked_of_one_role_has_no_plan_either(cluster: Cluster) -> None:
    await cluster.desk.submit(TaskOrder("Title it", 20.0, role="researcher", is_aside=True), TASK)

    assert cluster.driver.submitted[0]["workflow"] is None


async def test_one_role_alone_is_a_workflow_of_one_step(cluster: Cluster) -> None:
    await cluster.desk.submit(TaskOrder("Is it deep?", 20.0, role="researcher"), TASK)

    plan = cluster.driver.submitted[0]["workflow"]
    check_workflow(plan)
    assert [(step.agent, step.instruction) for step in plan.steps] == [
        ("researcher", "Is it deep?")
    ]


@pytest.mark.parametrize("name", ["", "sea"])
async def test_a_namespace_is_answered_from_at_the_version_it_has_now(
    cluster: Cluster, name: str
) -> None:
    await cluster.learn(name or "default")

    await cluster.desk.submit(TaskOrder("Is it deep?", 20.0, namespace=name), TASK)

    assert cluster.driver.submitted[0]["collection"] == f"{name or 'default'}@1"


async def test_without_anything_learned_there_is_no_knowledge(cluster: Cluster) -> None:
    await cluster.desk.submit(TaskOrder("Is it deep?", 20.0), TASK)

    assert cluster.driver.submitted[0]["collection"] == ""


async def test_an_unknown_namespace_is_refused_without_a_word_of_the_others(
    cluster: Cluster,
) -> None:
    await cluster.learn("tax")

    with pytest.raises(UsageError, match="'sea' is not known") as refused:
        await cluster.desk.submit(TaskOrder("Is it deep?", 20.0, namespace="sea"), TASK)

    assert not cluster.driver.submitted
    assert "tax" not in str(refused.value)


async def test_the_roles_are_those_that_serve_but_for_the_managers(cluster: Cluster) -> None:
    await cluster.serve("manager-0", "researcher-0", "researcher-1", "coder-0")

    assert await cluster.desk.roles() == ("coder", "researcher")


async def test_it_is_ready_once_a_manager_serves(cluster: Cluster) -> None:
    await cluster.serve("researcher-0")
    before = await cluster.desk.why_not_ready()
    await cluster.serve("manager-0")

    assert "no Manager" in before
    assert await cluster.desk.why_not_ready() == ""


async def test_a_store_that_is_away_is_why_it_is_not_ready_and_not_where_it_is(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> list[Registration]:
        raise StoreUnavailable("the store at 10.0.0.7:6379 is away")

    monkeypatch.setattr(cluster.directory, "replicas", away)

    assert await cluster.desk.why_not_ready() == "the store of the cluster does not answer"


def test_no_two_new_tasks_have_one_id(cluster: Cluster) -> None:
    new: Callable[[], TaskId] = cluster.desk.new_task

    assert new() != new()


async def test_a_text_that_is_not_there_is_not_forgotten(cluster: Cluster) -> None:
    assert not await cluster.desk.forget_text("", "sea.md")
