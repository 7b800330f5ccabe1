"""The topics of a task that somebody subscribes to: followed, and their subscribers woken.

One `TopicDesk` a run. For each subscription it wakes one replica of the role, once for all that
was published since, and again where more came meanwhile. The news is what the document's log has,
so a wake-up that got lost is made up for by the next look; what acting on a version is called is
made of that version, so whoever is told twice, by the next owner of the task too, acts once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from cluster.kernel.errors import ClusterError
from cluster.kernel.ids import AgentId
from cluster.kernel.state.values import Value
from cluster.kernel.tasks.topics import (
    WAKES_MAX,
    Subscription,
    news_of,
    published_values,
    published_version,
    subscriptions,
)
from cluster.kernel.time_shares import ANSWER_SHARE, SUBSCRIBERS_SHARE
from cluster.kernel.topic_news import TopicNews
from cluster.memory.state.host.document import Document
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.limits import STEPS_KEPT_S
from cluster.memory.state.port import task_prefix
from cluster.runtime.tasks.context import TaskContext
from cluster.runtime.tasks.settling import Settling
from cluster.runtime.tasks.task_story import TaskStory

_log = logging.getLogger(__name__)

TRIES = 3
"""So many replicas are asked to act on a version."""
LOOK_S = 1.0
"""So long the store may take to say what was published."""
WAIT_S = 30.0
"""So long an answer waits for subscribers at most."""

Wake = Callable[[Subscription, TopicNews], Awaitable[None]]


class Subscriber:
    """One subscription of a task: what of its topic was handed over, and what is under way.

    Args:
        subscription: who is woken, and by what.
        document: of the topic, open.
        wake: has news acted on.
    """

    def __init__(self, subscription: Subscription, document: Document, wake: Wake) -> None:
        self.document = document
        self.error: ClusterError | None = None
        """Why the latest version was not acted on."""
        self.is_exhausted = False
        """Whether it was woken so often that it is no more."""
        self.quiet = asyncio.Event()
        """Set while there is nothing to act on."""
        self._subscription = subscription
        self._wake = wake
        self._news = asyncio.Event()
        self._handed_over = 0
        self._seen: tuple[Value, ...] = ()
        """What there was when it last acted; where it could not, that stays new to it."""

    @property
    def has_news(self) -> bool:
        """Whether something was published that was not handed over."""
        is_new = published_version(self.document.fold) > self._handed_over
        return is_new and not self.is_exhausted

    def hear(self) -> None:
        """Look at the topic again."""
        if self.has_news:
            self.quiet.clear()
            self._news.set()

    async def serve(self) -> None:
        """Have one version after another acted on; those that come meanwhile become one."""
        wakes = 0
        while True:
            while not self.has_news:
                self.quiet.set()
                await self._news.wait()
                self._news.clear()
            if wakes >= WAKES_MAX:
                self.is_exhausted = True
                continue
            wakes += 1
            await self._act()

    async def _act(self) -> None:
        """Have all that was published so far acted on."""
        fold = self.document.fold
        self._handed_over = version = published_version(fold)
        values = published_values(fold)
        news = news_of(self._subscription, version, values, self._seen)
        try:
            await self._wake(self._subscription, news)
        except ClusterError as error:
            self.error = error
        else:
            self.error, self._seen = None, values

    def told(self) -> str:
        """Return the sentence that an answer is given with, empty where nothing is to be said."""
        role, topic = self._subscription.role, self._subscription.topic
        if self.is_exhausted:
            return f"The {role} was woken {WAKES_MAX} times by topic {topic}, and then no more."
        if not self.quiet.is_set() or self.has_news:
            return f"The {role} has not acted on all of topic {topic} yet."
        if self.error is not None:
            return f"The {role} could not act on topic {topic}: {self.error}."
        return ""


class TopicDesk:
    """Follows the topics of one task, and knows whether all was acted on.

    Args:
        story: of the task.
        context: what its owner works with.
        settling: told when what a subscriber has edited is there to stay.
    """

    def __init__(self, story: TaskStory, context: TaskContext, settling: Settling) -> None:
        self._story = story
        self._context = context
        self._settling = settling
        self._subscribers: dict[Subscription, Subscriber] = {}
        self._watches: list[Callable[[], None]] = []
        self._work: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """Begin to follow what is subscribed to; nothing waits for it."""
        documents = self._context.documents
        if documents is not None:
            work = asyncio.create_task(self._follow(documents), name="follow topics")
            self._work.append(work)

    async def finish(self) -> tuple[str, ...]:
        """Wait a while until all that was published is acted on; return what is to be said."""
        documents = self._context.documents
        if documents is None:
            return ()
        timeout_s = min(WAIT_S, self._context.remaining_s() * SUBSCRIBERS_SHARE)
        try:
            async with asyncio.timeout(timeout_s):
                await self._follow(documents)
                while await self._is_busy(documents):
                    waits = (each.quiet.wait() for each in self._subscribers.values())
                    await asyncio.gather(*waits)
        except TimeoutError:
            pass
        return tuple([said for each in self._subscribers.values() if (said := each.told())])

    async def close(self) -> None:
        """Follow nothing any more; what is under way is cancelled."""
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        for end in self._watches:
            end()
        for subscriber in self._subscribers.values():
            subscriber.document.readers.count -= 1
        self._watches, self._subscribers = [], {}

    # ---- following -------------------------------------------------------------------------

    async def _follow(self, documents: Documents) -> None:
        """Follow what is subscribed to and was not followed yet: agents may join during a task."""
        try:
            for found in subscriptions(await self._context.directory.all()):
                if found not in self._subscribers:
                    await self._begin_one(documents, found)
        except ClusterError as error:
            _log.warning("topics of %s are not followed: %s", self._context.trace.task, error)

    async def _begin_one(self, documents: Documents, found: Subscription) -> None:
        name = f"{task_prefix(self._context.trace.task)}Topic/{found.topic}"
        document = await documents.open(name, ttl_s=STEPS_KEPT_S)
        if found in self._subscribers:
            return  # `begin` is still at work
        document.readers.count += 1
        subscriber = self._subscribers[found] = Subscriber(found, document, self._wake)
        self._watches.append(documents.watchers.add(name, subscriber.hear))
        self._work.append(asyncio.create_task(subscriber.serve(), name=f"wake {found.role}"))

    async def _is_busy(self, documents: Documents) -> bool:
        """Look at what the store has, and say whether some of it is not acted on."""
        followed = {each.document.name for each in self._subscribers.values()}
        await asyncio.gather(*(self._look(documents, name) for name in followed))
        for subscriber in self._subscribers.values():
            subscriber.hear()
        return any(each.has_news or not each.quiet.is_set() for each in self._subscribers.values())

    async def _look(self, documents: Documents, name: str) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                await documents.open(name, is_fresh=True)
        except (ClusterError, TimeoutError) as error:
            _log.info("%s can't be looked at: %s", name, error)

    # ---- waking ----------------------------------------------------------------------------

    async def _wake(self, subscription: Subscription, news: TopicNews) -> None:
        """Have a replica act on news, and another one where that fails.

        Raises:
            ClusterError: nobody could.
        """
        context, step = self._context, news.step
        avoid: frozenset[AgentId] = frozenset()
        for tries in range(1, TRIES + 1):
            deadline = context.share(1 - ANSWER_SHARE)
            agent = await context.asker.replica_of(subscription.role, avoid)
            try:
                await context.asker.ask(context.envelope(agent, news, step, deadline))
            except ClusterError as error:
                if self._story.is_over or tries == TRIES or not error.is_retryable:
                    raise
                avoid |= {agent}
                continue
            self._settling.step_ended(context.trace.task, step)
            return
