"""The Python driver: tasks that are iterated, awaited and cancelled, and what is cleaned up."""

from __future__ import annotations

import ast
import asyncio
import gc
import weakref
from functools import partial
from pathlib import Path
from types import FunctionType

import pytest

import cluster as package
from cluster.client import Cluster, run
from cluster.kernel.errors import (
    DeadlinePassed,
    StoreUnavailable,
    TaskCancelled,
    TaskFailed,
    UsageError,
)
from cluster.kernel.events import (
    Answered,
    Corrected,
    Failed,
    PlanReady,
    Spent,
    Submitted,
    Thought,
)
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import (
    Answer,
    Citation,
    Claim,
    Coherence,
    Failure,
    Plan,
    Step,
    Support,
)
from cluster.settings import Configuration, Secrets, Settings
from cluster.workflows import Workflow
from tests.support.boards import Board
from tests.support.hosts import until
from tests.support.scripted_link import ANSWERED, TASK, ScriptedLink, event

CONFIGURATION = Configuration(Settings(), Secrets())


DOUBTED = event(
    0.5,
    Answered(Answer("It is [unverified].", claims=(Claim("It is.", Support.UNVERIFIED),))),
)
CORRECTED = event(
    0.9, Corrected(0, "It is.", Support.PARAPHRASED, (Citation("a.md", 1, 1, "It is so."),))
)


def cluster_of(link: ScriptedLink) -> Cluster:
    return Cluster(configuration=CONFIGURATION, join=link.join)


async def test_ask_returns_the_answer_and_leaves_nothing_open() -> None:
    link = ScriptedLink()

    async with cluster_of(link) as cluster:
        answer = await cluster.ask("why?", knowledge=["docs"], deadline_s=7.0)

    assert answer.text == "It is 42."
    assert link.goals == ["why?"]
    assert (link.learned, link.collections) == (["docs"], ["collection-1"])
    assert link.timeouts_s == [7.0]
    assert not link.is_open


async def test_when_steps_begin_is_what_the_call_says_or_else_the_settings() -> None:
    link = ScriptedLink()

    async with cluster_of(link) as cluster:
        await cluster.ask("why?", coherence="broadcast")
        await cluster.ask("why?")
        with pytest.raises(UsageError, match="coherence: 'both' is not chained or broadcast"):
            await cluster.ask("why?", coherence="both")

    assert link.coherences == [Coherence.BROADCAST, Coherence.CHAINED]


async def test_a_workflow_brings_its_steps_and_the_goal_that_is_left_out(tmp_path: Path) -> None:
    link = ScriptedLink()
    workflow = Workflow(Plan((Step(StepId("a"), "coder", "do it"),)), "all of it")
    workflow.save(tmp_path / "f.toml")

    async with cluster_of(link) as cluster:
        await cluster.ask(workflow=workflow)
        await cluster.ask("why?", workflow=tmp_path / "f.toml")
        await cluster.ask("why?")
        with pytest.raises(UsageError, match="the goal is empty"):
            await cluster.ask(workflow=Workflow(workflow.plan))

    assert link.goals == ["all of it", "why?", "why?"]
    assert link.workflows == [workflow.plan, workflow.plan, None]


async def test_the_plan_that_a_model_made_is_a_workflow_as_soon_as_it_is_there() -> None:
    plan = Plan((Step(StepId("a"), "coder", "do it"),))
    events = (event(0.0, Submitted("why?")), event(0.1, PlanReady(plan)), *ANSWERED)

    async with cluster_of(ScriptedLink(events)) as cluster:
        task = await cluster.submit("why?")
        before = task.workflow
        await task

    assert (before, task.workflow) == (None, Workflow(plan, "why?"))


README = Path(__file__).resolve().parents[3] / "README.md"


async def test_what_the_readme_shows_prints_the_sources_of_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = Answer("It is 42 [1].", (Citation("a.md", 3, 4, "42"),))
    link = ScriptedLink((event(0.5, Answered(answer)),))
    _, _, rest = README.read_text(encoding="utf-8").partition("## From Python\n\n```python\n")
    shown = compile(rest.partition("```")[0], "README", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    monkeypatch.setattr(package, "Cluster", partial(Cluster, join=link.join))

    await FunctionType(shown, {})()

    assert capsys.readouterr().out.endswith("It is 42 [1].\n[1] a.md:3-4\n")


async def test_one_path_may_be_given_as_it_is_and_the_deadline_is_the_settings() -> None:
    link = ScriptedLink()

    async with cluster_of(link) as cluster:
        await cluster.ask("why?", knowledge="docs/")

    assert link.learned == ["docs/"]
    assert link.timeouts_s == [300.0]


async def test_a_namespace_is_what_a_task_answers_from_and_not_beside_paths() -> None:
    link = ScriptedLink()

    async with cluster_of(link) as cluster:
        await cluster.ask("why?", namespace="handbook")
        with pytest.raises(UsageError, match="from paths or from a namespace: give one of the two"):
            await cluster.ask("why?", namespace="handbook", knowledge=["docs"])

    assert link.collections == ["handbook@1"]


async def test_the_deadline_ends_the_reading_of_the_knowledge() -> None:
    link = ScriptedLink(never_learns=True)

    async with cluster_of(link) as cluster:
        with pytest.raises(DeadlinePassed, match="the knowledge was not read within"):
            await cluster.submit("why?", knowledge=["docs"], deadline_s=0.01)

    assert (link.goals, link.is_open) == ([], False)


async def test_every_iteration_of_a_task_sees_every_event() -> None:
    link = ScriptedLink((event(0.0, Submitted("why?")), event(0.1, Thought("hm")), *ANSWERED))

    async with cluster_of(link) as cluster:
        task = await cluster.submit("why?")
        first = [item.kind async for item in task]
        answer = await task
        second = [item.kind async for item in task]

    assert first == second == ["submitted", "thought", "answered"]
    assert answer.text == "It is 42."
    assert task.report.to_json()["status"] == "answered"


async def test_what_was_spent_is_in_the_report_and_no_event_for_users() -> None:
    link = ScriptedLink((event(0.1, Spent("model", 0.1, 2, 3)), *ANSWERED))

    async with cluster_of(link) as cluster:
        task = await cluster.submit("why?")
        kinds = [item.kind async for item in task]

    assert kinds == ["answered"]
    assert task.report.to_json()["usage"]["completion_tokens"] == 3  # type: ignore[index]


async def test_a_task_can_be_awaited_while_it_is_iterated() -> None:
    link = ScriptedLink((event(0.0, Submitted("why?")), *ANSWERED))

    async with cluster_of(link) as cluster:
        task = await cluster.submit("why?")
        answers = [await task async for item in task if item.kind == "submitted"]

    assert [answer.text for answer in answers] == ["It is 42."]


async def test_a_failed_task_raises_with_its_failure() -> None:
    failure = Failure("model", "the model refused")
    link = ScriptedLink((event(0.1, Failed(failure)),))

    async with cluster_of(link) as cluster:
        with pytest.raises(TaskFailed, match="the model refused") as caught:
            await cluster.ask("why?")

    assert caught.value.failure == failure


async def test_a_refused_task_raises_when_to_try_again() -> None:
    failure = Failure("overloaded", "manager-0 is busy", is_retryable=True, retry_after_s=2.5)
    link = ScriptedLink((event(0.0, Failed(failure)),))

    async with cluster_of(link) as cluster:
        with pytest.raises(TaskFailed, match="manager-0 is busy") as caught:
            await cluster.ask("why?")

    assert caught.value.failure.retry_after_s == 2.5


async def test_a_task_that_has_ended_is_not_kept() -> None:
    async with cluster_of(ScriptedLink()) as cluster:
        task = await cluster.submit("why?")
        await task
        await asyncio.sleep(0)
        kept = weakref.ref(task)
        del task
        gc.collect()

        assert kept() is None


async def test_awaiting_a_task_does_not_wait_for_the_second_look_at_it() -> None:
    link = ScriptedLink((DOUBTED,), keeps_looking=True)

    async with cluster_of(link) as cluster:
        task = await cluster.submit("why?")
        answer = await task

    assert answer.text == "It is [unverified]."
    assert link.tasks[0].reasons == ["the driver is leaving"]
    assert task.report.status == "answered"


async def test_an_iteration_goes_on_to_the_corrections_and_the_report_has_them() -> None:
    link = ScriptedLink((DOUBTED, CORRECTED))

    async with cluster_of(link) as cluster:
        task = await cluster.submit("why?")
        kinds = [item.kind async for item in task]
        answer = await task

    assert kinds == ["answered", "corrected"]
    assert answer.text == "It is [1]."


async def test_cancelling_an_answered_task_ends_the_second_look_at_it() -> None:
    link = ScriptedLink((DOUBTED,), keeps_looking=True)

    async with cluster_of(link) as cluster:
        task = await cluster.submit("why?")
        await until(lambda: task.report.is_finished)
        await task.cancel("enough")
        kinds = [item.kind async for item in task]

    assert kinds == ["answered"]
    assert link.tasks[0].reasons == ["enough"]


async def test_a_cancelled_task_raises_that_it_was() -> None:
    link = ScriptedLink(())

    async with cluster_of(link) as cluster:
        task = await cluster.submit("why?")
        await task.cancel("changed my mind")
        with pytest.raises(TaskCancelled, match="changed my mind"):
            await task


async def test_leaving_cancels_what_still_runs() -> None:
    link = ScriptedLink(())

    async with cluster_of(link) as cluster:
        task = await cluster.submit("why?")

    assert link.tasks[0].reasons == ["the driver is leaving"]
    assert task.report.status == "cancelled"
    assert not link.is_open


async def test_leaving_does_not_end_a_task_that_belongs_to_the_cluster() -> None:
    link = ScriptedLink((event(0.0, Submitted("why?")),), is_resident=True)

    async with cluster_of(link) as cluster:
        task = await cluster.submit("why?", detached=True)
        first = await anext(aiter(task))

    assert (first.kind, link.tasks[0].reasons) == ("submitted", [])
    assert not task.report.is_finished
    with pytest.raises(UsageError, match=f"{task.id} was left, and goes on"):
        await task
    with pytest.raises(UsageError, match="was left"):
        [item async for item in task]


async def test_a_task_that_belongs_to_the_cluster_is_followed_as_others_are() -> None:
    link = ScriptedLink((event(0.0, Submitted("why?")), *ANSWERED), is_resident=True)

    async with cluster_of(link) as cluster:
        task = await cluster.submit("why?", detached=True)
        kinds = [item.kind async for item in task]
        answer = await task
    after = await task

    assert (kinds, answer.text) == (["submitted", "answered"], "It is 42.")
    assert after == answer


async def test_a_task_can_not_belong_to_a_cluster_that_ends_with_its_client() -> None:
    link = ScriptedLink(is_resident=False)

    async with cluster_of(link) as cluster:
        with pytest.raises(UsageError, match="run `fleetmind up`"):
            await cluster.submit("why?", knowledge=["docs"], detached=True)

    assert (link.goals, link.learned) == ([], [])


async def test_any_task_is_rejoined_by_its_id_from_its_beginning_and_not_ended_by_leaving() -> None:
    link = ScriptedLink((event(0.0, Submitted("why?")),))
    await link.list("why?")

    async with cluster_of(link) as cluster:
        task = await cluster.task(TASK)
        first = await anext(aiter(task))

    assert (task.id, first.kind) == (TASK, "submitted")
    assert link.tasks[0].reasons == []


async def test_a_rejoined_task_is_ended_where_somebody_asks_for_it() -> None:
    link = ScriptedLink(())
    await link.list("why?")

    async with cluster_of(link) as cluster:
        task = await cluster.task(TASK)
        await task.cancel("changed my mind")
        with pytest.raises(TaskCancelled, match="changed my mind"):
            await task


async def test_a_task_of_which_nothing_is_known_can_not_be_rejoined() -> None:
    async with cluster_of(ScriptedLink()) as cluster:
        with pytest.raises(UsageError, match="no task 0123 is known"):
            await cluster.task("0123")


async def test_a_task_that_can_not_be_followed_any_longer_has_not_failed_for_that() -> None:
    link = ScriptedLink((event(0.0, Submitted("why?")),), is_resident=True)
    link.lost = StoreUnavailable("redis://h:1 does not answer")

    async with cluster_of(link) as cluster:
        task = await cluster.submit("why?", detached=True)
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await task
        with pytest.raises(StoreUnavailable, match="does not answer"):
            [item async for item in task]

    assert not task.report.is_finished


async def test_events_that_end_without_an_outcome_are_a_failure() -> None:
    link = ScriptedLink((event(0.0, Submitted("why?")),), is_lost=True)

    async with cluster_of(link) as cluster:
        with pytest.raises(TaskFailed, match="ended before its outcome"):
            await cluster.ask("why?")


async def test_why_no_cluster_was_reached_is_passed_on() -> None:
    link = ScriptedLink(refusal=StoreUnavailable("redis://h:1 does not answer"))

    with pytest.raises(StoreUnavailable, match="does not answer"):
        async with cluster_of(link):
            pass


@pytest.mark.parametrize(
    ("goal", "deadline_s", "complaint"),
    [
        (" \n", None, "the goal is empty"),
        ("why?", 0.0, "deadline_s: 0.0 is no number of seconds above 0"),
    ],
)
async def test_a_wrong_call_is_refused(goal: str, deadline_s: float | None, complaint: str) -> None:
    async with cluster_of(ScriptedLink()) as cluster:
        with pytest.raises(UsageError, match=complaint):
            await cluster.submit(goal, deadline_s=deadline_s)


async def test_a_cluster_that_was_not_entered_says_how_to() -> None:
    with pytest.raises(UsageError, match="async with Cluster"):
        await cluster_of(ScriptedLink()).submit("why?")


async def test_the_synchronous_form_refuses_to_block_an_event_loop() -> None:
    with pytest.raises(UsageError, match=r"use `await cluster\.ask"):
        run("why?")


def test_the_package_exports_its_driver_when_it_is_asked_for() -> None:
    assert package.Cluster is Cluster
    assert {"Cluster", "run", "TaskFailed", "TaskCancelled"} <= set(dir(package))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        package.nonsense  # noqa: B018


async def test_what_the_agents_of_a_task_share_is_edited_and_peeked_at() -> None:
    link = ScriptedLink()

    async with cluster_of(link) as cluster:
        task = await cluster.submit("why?")
        async with task.state(Board, key="left") as board:
            board.spent += 120
        seen = task.peek(Board, key="left").spent
        with pytest.raises(UsageError, match="isn't open here"):
            task.peek(Board)

        assert (seen, (await task.open(Board, key="left")).spent) == (120, 120)
        assert await task.conflicts(Board, key="left") == ()
        assert await link.log.names() == [f"task/{task.id}/Board/left"]


async def test_what_the_cluster_shares_needs_no_task() -> None:
    link = ScriptedLink()

    async with cluster_of(link) as cluster:
        async with cluster.state(Board, scope="cluster") as board:
            board.verdict = "yes"
        with pytest.raises(UsageError, match="Board is shared within a task, and there is none"):
            await cluster.open(Board)

        assert cluster.peek(Board, scope="cluster").verdict == "yes"
    assert await link.log.names() == ["cluster/Board"]


async def test_a_cluster_that_is_not_open_shares_nothing() -> None:
    with pytest.raises(UsageError, match="the cluster is not open"):
        cluster_of(ScriptedLink()).peek(Board)


async def test_a_task_that_nobody_has_any_more_holds_no_document() -> None:
    link = ScriptedLink()

    async with cluster_of(link) as cluster:
        task = await cluster.submit("why?")
        await task.open(Board)
        await task
        assert link.documents is not None
        document = link.documents.peek(f"task/{task.id}/Board")
        assert document is not None
        assert document.readers.count == 1
        del task
        gc.collect()

        assert document.readers.count == 0
