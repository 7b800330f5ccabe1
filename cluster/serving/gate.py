"""Who may do what, by the book of tokens and by what each owner's tasks use.

Made by whoever serves the ingress. Limits are counted in the central store, so they hold over all
replicas; a revoked token is refused within `CACHED_S` everywhere.
"""

from __future__ import annotations

from cluster.kernel.clock import Clock
from cluster.kernel.ids import TaskId
from cluster.memory.store.port import Store
from cluster.memory.task_records.port import TaskRecords
from cluster.serving.ports import Caller, LimitReached
from cluster.serving.tokens import TokenBook, is_token_of, name_in
from cluster.serving.wire import AccessToken

CACHED_S = 1.0
NAMES_MAX = 1_000
"""Of which the book's answer is remembered."""
TASKS_RETRY_S = 1.0
"""When a task may have ended, nobody knows: clients that ask again by themselves wait longer."""
_DAY_S = 24 * 3600.0


class BookGate:
    """`cluster.serving.ports.Gate` by the book of tokens.

    Args:
        store: has the book.
        records: count tasks and what they use.
        clock: for the age of what is remembered, and for the day.
    """

    def __init__(self, store: Store, records: TaskRecords, clock: Clock) -> None:
        self._book = TokenBook(store, clock)
        self._records = records
        self._clock = clock
        self._known: dict[str, tuple[float, AccessToken | None]] = {}
        """When the book was asked for a name, and what it said; the oldest first."""
        self._has_tokens = False
        """Once it is so, it stays."""
        self._looked_at = -CACHED_S

    async def has_tokens(self) -> bool:
        """Say whether a token was ever added: revoking the last one lets nobody in.

        Raises:
            StoreUnavailable: the book can't be read.
        """
        now = self._clock.now()
        if not self._has_tokens and now - self._looked_at >= CACHED_S:
            self._has_tokens = await self._book.has_any()
            self._looked_at = now
        return self._has_tokens

    async def caller(self, token: str) -> Caller | None:
        """Return whose token it is; None where nobody's.

        Raises:
            StoreUnavailable: the book can't be read.
        """
        name = name_in(token)
        entry = await self._entry(name) if name else None
        if not is_token_of(entry, token) or entry is None:
            return None
        return Caller(
            name=entry.name,
            scopes=frozenset(entry.scopes),
            namespaces=entry.namespaces,
            tasks_max=entry.tasks_max,
            tokens_a_day_max=entry.tokens_a_day_max,
        )

    async def refusal(
        self, caller: Caller, task: TaskId, until_wall_s: float
    ) -> LimitReached | None:
        """Count a task that is about to begin; return why it may not, None where it may.

        The day's tokens are those of tasks that have ended: what runs as the limit is reached may
        go over it, and what begins then may not.

        Raises:
            StoreUnavailable: nothing can be counted.
        """
        if caller.tokens_a_day_max:
            now = self._clock.wall()
            used = await self._records.tokens_of_day(caller.name, now)
            if used >= caller.tokens_a_day_max:
                return LimitReached(
                    f"{caller.name} has used {used} of its {caller.tokens_a_day_max} tokens of "
                    "today (UTC)",
                    _DAY_S - now % _DAY_S,
                    may_pass_soon=False,
                )
        if caller.tasks_max and not await self._records.admit(
            task, caller.name, until_wall_s, caller.tasks_max
        ):
            return LimitReached(
                f"{caller.name} has as many tasks running as it may: {caller.tasks_max}",
                TASKS_RETRY_S,
                may_pass_soon=True,
            )
        return None

    async def release(self, caller: Caller, task: TaskId) -> None:
        """Count a task no longer that was refused by the cluster; raises StoreUnavailable."""
        if caller.tasks_max:
            await self._records.release(task, caller.name)

    async def _entry(self, name: str) -> AccessToken | None:
        now = self._clock.now()
        asked_at, entry = self._known.get(name, (-CACHED_S, None))
        if now - asked_at < CACHED_S:
            return entry
        entry = await self._book.entry(name)
        self._known.pop(name, None)
        self._known[name] = (now, entry)
        if len(self._known) > NAMES_MAX:
            del self._known[next(iter(self._known))]
        return entry
