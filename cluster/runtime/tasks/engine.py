"""The task engine: owns tasks on a Manager's host, from submission or adoption to their end.

A submission is a turn of the Manager that watches: its progress is the task's events, its answer
the terminal one. The run itself belongs to the engine, which journals it, adopts the tasks of
Managers that are gone, and gives up what another one has claimed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from functools import partial
from random import Random
from typing import Any

from cluster.kernel.clock import Deadline
from cluster.kernel.errors import (
    ClusterError,
    Overloaded,
    Stopped,
)
from cluster.kernel.events import Event, Submitted, shown
from cluster.kernel.ids import TaskId, role_of
from cluster.kernel.second_look import SecondLook
from cluster.kernel.submission import CancelTask, Seen, Submission
from cluster.kernel.tasks.lookahead import Limits
from cluster.kernel.tasks.ownership import Owner, retry_after_s, task_s_after
from cluster.kernel.tasks.turn_life import Ending, TaskFate, task_fate
from cluster.kernel.trace import new_traceparent
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Role
from cluster.memory.journal.port import ACKNOWLEDGED_KEPT_S, ENDED_KEPT_S, Journal, OpenTask
from cluster.memory.state.host.documents import Documents
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.tasks.answers_of_before import AnswersOfBefore
from cluster.runtime.tasks.claimant import Claimant, EngineStatistics
from cluster.runtime.tasks.context import Experience, TaskContext, Techniques, Trace
from cluster.runtime.tasks.feed_writer import FeedStores
from cluster.runtime.tasks.following import begun, follow, see_out, shown_end, terminal_event
from cluster.runtime.tasks.freshness import Freshness
from cluster.runtime.tasks.second_look import verify_request
from cluster.runtime.tasks.settling import Settling
from cluster.runtime.tasks.task_feeds import TaskFeeds
from cluster.runtime.tasks.task_journal import TaskJournal
from cluster.runtime.tasks.task_run import TaskRun
from cluster.runtime.tasks.task_story import View
from cluster.runtime.turns.handler import Handler
from cluster.runtime.turns.running_turn import RunningTurn

_log = logging.getLogger(__name__)

TASKS_MAX = 256
"""Tasks one Manager runs at once; more are refused, with when to try again."""
SCAN_SHARE = 1 / 3
"""Of a lease: how often abandoned tasks are looked for."""
CANCEL_WAIT_S = 5.0
LAST_WORD_S = 1.5
"""How long a task's end may take that its deadline brought about: drivers wait a little longer."""

Taken = TaskRun | list[Event] | None
"""What a claim came to: the run, the journal of what has ended, or None: another one has it."""


class TaskEngine:
    """The handler of a Manager's host: submissions are run here, the rest is the agent's."""

    def __init__(
        self,
        manager: Handler,
        sender: Sender,
        journal: Journal,
        *,
        documents: Documents | None = None,
        tasks_max: int = TASKS_MAX,
        rng: Random | None = None,
        freshness: Freshness | None = None,
        techniques: Techniques | None = None,
        calls_max: Limits | None = None,
        answers: AnswersOfBefore | None = None,
        experience: Experience | None = None,
        feeds: FeedStores | None = None,
    ) -> None:
        """Own no task yet.

        With ``calls_max`` the model calls that each role's agents have under way at once; with
        ``feeds`` what happens can be watched by others than who submitted the task.
        """
        self.statistics = EngineStatistics()
        self._manager = manager
        self._sender = sender
        self._tasks_max = tasks_max
        self._is_stopping = False
        self._random = rng or Random()
        self._settling = Settling(documents, sender.clock)
        self._experience = experience or Experience()
        self._context = partial(
            TaskContext,
            sender.clock,
            sender.directory,
            sender,
            documents=documents,
            freshness=freshness,
            experience=self._experience,
            techniques=techniques or Techniques(),
            calls_max=calls_max or {},
            answers=answers,
        )
        self._claimant = Claimant(sender, journal, self.statistics)
        self._feeds = TaskFeeds(feeds, self._claimant)
        self._runs: dict[TaskId, TaskRun] = {}
        self._claims: dict[TaskId, asyncio.Task[Taken]] = {}
        """Claims under way: whoever asks for the same task meanwhile waits for the same one."""
        self._roles: dict[str, Role] = {}
        """Every role ever seen: one whose only replica restarts just now still counts."""
        self._scanning: asyncio.Task[None] | None = None

    # ---- life ------------------------------------------------------------------------------

    async def start(self, epoch: int) -> None:
        """Begin to look for tasks whose owner is gone."""
        self._claimant.owner = Owner(self._sender.exchange.agent, epoch)
        self._scanning = asyncio.ensure_future(self._scan())

    async def stop(self) -> None:
        """Leave the tasks to whoever adopts them."""
        self._is_stopping = True  # what is submitted while the runs end would be left behind
        if self._scanning is not None:
            self._scanning.cancel()
            await asyncio.gather(self._scanning, return_exceptions=True)
        for claim in list(self._claims.values()):
            claim.cancel()
        await asyncio.gather(*self._claims.values(), return_exceptions=True)
        await asyncio.gather(*[run.leave() for run in list(self._runs.values())])
        await self._settling.close()
        await self._feeds.close()

    async def end_tasks(self, reason: str) -> None:
        """Cancel every task, for nobody will go on with it; return when the journals say so."""
        self._tasks_max = 0
        for claim in self._claims.values():
            claim.add_done_callback(partial(_cancel_claimed, reason))
        if self._claims:
            await asyncio.wait(list(self._claims.values()), timeout=CANCEL_WAIT_S)
        runs = list(self._runs.values())
        for run in runs:
            run.cancel(reason)
        if runs:
            await asyncio.wait([run.ended for run in runs], timeout=CANCEL_WAIT_S)

    @property
    def tasks_running(self) -> int:
        """How many tasks this Manager owns."""
        return len(self._runs)

    # ---- messages --------------------------------------------------------------------------

    async def handle(self, message: object, turn: Turn) -> object:
        """Follow a submission to its terminal event, or pass another message to the Manager."""
        if isinstance(message, Seen):
            await self._claimant.journal.acknowledge(message.task, message.index)
            self._settling.task_ended(message.task, ACKNOWLEDGED_KEPT_S)
            return None
        if isinstance(message, SecondLook):
            message = verify_request(await self._claimant.events_of(message.task))
        if isinstance(message, CancelTask):
            return await self._end(message)
        if not isinstance(message, Submission) or not isinstance(turn, RunningTurn):
            return await self._manager.handle(message, turn)
        if message.is_detached:
            return await self._start(message, turn)
        try:
            taken = await self._run_of(message, turn)
            return shown_end(taken, turn) if isinstance(taken, list) else await follow(taken, turn)
        except asyncio.CancelledError:
            fate = task_fate(turn.work.ending)
            if fate is TaskFate.CANCEL:
                await self._cancel(message.task, turn)
            elif fate is TaskFate.SEE_OUT and (run := self._runs.get(message.task)) is not None:
                await see_out(run, turn, LAST_WORD_S)
            raise

    async def _start(self, submission: Submission, turn: RunningTurn) -> Event:
        """Begin a task that goes on by itself; return what says that it was accepted.

        Raises: as `_run_of`.
        """
        try:
            run = await self._run_of(submission, turn)
            if isinstance(run, list):
                return shown(run[0])
            return await self._feeds.listed(await begun(run))
        except Stopped:  # somebody else has it: then it has begun as well
            accepted = await self._claimant.accepted(submission.task)
            if accepted is None:
                raise
            return shown(accepted)

    async def _end(self, wish: CancelTask) -> Event:
        """End a task, whoever runs it; return its terminal event.

        Raises:
            UsageError: there is no such task.
            Stopped: another Manager runs it, and is to be asked.
            StoreUnavailable: it can't be said who has it.
        """
        task = wish.task
        run: Taken = self._runs.get(task)
        if run is None and not self._is_stopping:
            claim = self._claims.get(task) or self._claiming(task, self._take_abandoned(task))
            run = await asyncio.shield(claim)
        if not isinstance(run, TaskRun):
            return shown((run or await self._claimant.ended(task))[-1])
        run.cancel(wish.reason)
        return await terminal_event(run)

    async def cancelled(self, message: object, turn: Turn) -> None:
        """A submission was cancelled before its turn: end what an earlier owner began of it."""
        if not isinstance(message, Submission) or not isinstance(turn, RunningTurn):
            return
        if not message.is_detached and message.task in await self._claimant.journal.open_tasks():
            await self._run_of(message, turn)
            await self._cancel(message.task, turn)

    async def _cancel(self, task: TaskId, turn: RunningTurn) -> None:
        """End a task that is run here, or about to be; return when its journal says so.

        Its driver is told how it has ended, which may be otherwise than by this.
        """
        reason = (turn.work.ending or Ending.CANCELLED).value
        claim = self._claims.get(task)
        if claim is not None:
            claim.add_done_callback(partial(_cancel_claimed, reason))
            await asyncio.wait([claim], timeout=CANCEL_WAIT_S)
        run = self._runs.get(task)
        if run is not None:
            run.cancel(reason)
            await see_out(run, turn, CANCEL_WAIT_S)

    # ---- ownership -------------------------------------------------------------------------

    async def _run_of(self, submission: Submission, turn: RunningTurn) -> TaskRun | list[Event]:
        """Return the run of a task, begun or adopted where there is none; or all of its journal.

        Raises:
            Overloaded: this Manager has as many tasks as it may.
            Stopped: another Manager runs it, or is to: this one is stopping.
            StoreUnavailable: it can't be journaled.
        """
        run = self._runs.get(submission.task)
        if run is not None:
            return run
        if self._is_stopping:
            raise Stopped(f"{self._sender.exchange.agent} is stopping")
        claim = self._claims.get(submission.task)
        if claim is None:
            self._admit()
            claim = self._claiming(submission.task, self._take(submission, turn))
        taken = await asyncio.shield(claim)
        if taken is None:
            raise Stopped(f"task {submission.task} has another owner")
        return taken

    def _claiming(self, task: TaskId, work: Coroutine[Any, Any, Taken]) -> asyncio.Task[Taken]:
        """Own the only claim of a task that is under way here."""

        def ended(claim: asyncio.Task[Taken]) -> None:
            del self._claims[task]
            if not claim.cancelled():
                claim.exception()  # whoever waits for it has it, if anybody still does

        claim = self._claims[task] = asyncio.ensure_future(work)
        claim.add_done_callback(ended)
        return claim

    def _admit(self) -> None:
        tasks = len(self._runs.keys() | self._claims.keys())
        wait_s = retry_after_s(tasks, self._tasks_max, self._experience.task_s)
        if wait_s is None:
            return
        self.statistics.refused += 1
        raise Overloaded(
            f"{self._sender.exchange.agent} runs {self._tasks_max} tasks already: try again in"
            f" {wait_s:.1f} s",
            wait_s,
        )

    async def _take(self, submission: Submission, turn: RunningTurn) -> Taken:
        if turn.work.asked.attempt == 1 and not submission.is_again:
            taken: TaskJournal | list[Event] | None = self._claimant.new(submission.task)
        else:
            taken = await self._claimant.take(submission)
        if not isinstance(taken, TaskJournal):
            return taken
        submitted = None
        if taken.history.submitted is None:
            self.statistics.accepted += 1
            submitted = submission.accepted(self._sender.clock.wall(), turn.remaining_s())
        asked = turn.work.asked
        trace = Trace(asked.task, asked.traceparent, asked.id)
        view = None if submission.is_detached else turn.show
        return await self._begin(taken, turn.deadline, trace, submitted, view)

    async def _begin(
        self,
        journal: TaskJournal,
        deadline: Deadline,
        trace: Trace,
        submitted: Submitted | None = None,
        view: View | None = None,
    ) -> TaskRun:
        roles = await self.roles(role_of(self._sender.exchange.agent))
        context = self._context(deadline, trace)
        run = TaskRun(self._manager, context, journal, roles, self._settling)
        self._runs[journal.task] = run
        began_at = self._sender.clock.now()

        def ended(outcome: asyncio.Future[Event | ClusterError]) -> None:
            del self._runs[journal.task]
            if isinstance(outcome.result(), ClusterError):
                self.statistics.fenced += 1
            else:
                self._experience.task_s = task_s_after(
                    self._experience.task_s, self._sender.clock.now() - began_at
                )

        run.ended.add_done_callback(ended)
        self._feeds.attach(run, journal)
        if view is not None:
            run.story.attach(view)
        run.start(submitted)
        return run

    # ---- adoption --------------------------------------------------------------------------

    async def _scan(self) -> None:
        """Adopt what nobody works on, now and every part of a lease; sweep shared state."""
        while True:
            try:
                open_tasks = await self._claimant.journal.open_tasks()
                await self._settling.sweep(self._claimant.journal, open_tasks, ENDED_KEPT_S)
                for task in await self._claimant.abandoned(open_tasks):
                    await self._try_to_adopt(task, open_tasks[task])
                await self._feeds.sweep()
            except ClusterError as error:
                _log.warning("abandoned tasks can't be looked for: %s", error)
            pause_s = self._sender.directory.lease_s * SCAN_SHARE
            await asyncio.sleep(pause_s * self._random.uniform(0.8, 1.2))

    async def _try_to_adopt(self, task: TaskId, known: OpenTask) -> None:
        """Adopt a task, unless it runs or is claimed here already."""
        if task in self._runs or task in self._claims or len(self._runs) >= self._tasks_max:
            return
        try:
            await self._claiming(task, self._adopt(task, known))
        except ClusterError as error:
            _log.warning("task %s was not adopted: %s", task, error)
        except Exception:  # noqa: BLE001 - one task's trouble must not end the search for others
            _log.exception("task %s could not be adopted", task)

    async def _take_abandoned(self, task: TaskId) -> Taken:
        """Adopt a task if its owner is gone."""
        known = (await self._claimant.journal.open_tasks()).get(task)
        if known is None or not await self._claimant.abandoned({task: known}):
            return None
        return await self._adopt(task, known)

    async def _adopt(self, task: TaskId, known: OpenTask) -> Taken:
        """Go on with a task whose owner is gone."""
        taken = await self._claimant.take_abandoned(task, known)
        if not isinstance(taken, TaskJournal):
            return taken
        submitted = taken.history.submitted
        assert submitted is not None
        left_s = submitted.deadline_wall_s - self._sender.clock.wall()
        deadline = Deadline.after(
            max(0.0, min(left_s, submitted.allowed_s)), self._sender.clock.now()
        )
        self.statistics.adopted += 1
        trace = Trace(task, new_traceparent(self._random))
        run = await self._begin(taken, deadline, trace)
        if not submitted.is_detached:
            run.await_driver()
        return run

    async def roles(self, own_role: str) -> tuple[Role, ...]:
        """Return the roles a plan may use: all but those that are only woken by topics."""
        for found in await self._sender.directory.all():
            if found.handles or not found.subscribes:
                self._roles[found.role] = Role(found.role, found.purpose, found.handles)
        return tuple(role for name, role in sorted(self._roles.items()) if name != own_role)


def _cancel_claimed(reason: str, claim: asyncio.Task[Taken]) -> None:
    """Cancel what has just been claimed."""
    if not claim.cancelled() and claim.exception() is None:
        run = claim.result()
        if isinstance(run, TaskRun):
            run.cancel(reason)
