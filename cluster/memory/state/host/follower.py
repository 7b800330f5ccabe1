"""Keeps the open documents of a host current: hears of edits, and looks where the logs are.

Used by `cluster.memory.state.host.documents`. A feed wakes it when a document was edited; every
second it compares where each is, so that a wake-up may be lost and an edit may not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final, Protocol

from cluster.kernel.clock import Clock
from cluster.kernel.errors import StoreUnavailable
from cluster.memory.namespaces.port import Feed
from cluster.memory.state.entries import LogHead
from cluster.memory.state.port import StateLog

HEARTBEAT_S = 1.0
"""So often it is looked where the logs are, whatever the feed says."""
RETRY_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Between two tries to reach a store that doesn't answer; the last one from then on."""
STALE_S = 3.0
"""Without word from the store for so long, what is here counts as stale."""

_log = logging.getLogger(__name__)


class FollowedLog(Protocol):
    """A log that is followed; `cluster.memory.state.host.keeper.Keeper` follows one."""

    def is_behind(self, head: LogHead) -> bool:
        """Say whether there may be something to read."""
        ...

    def hear(self) -> None:
        """Read what is new, in the background."""
        ...


class LogFollower:
    """Follows the store for the keepers of a mapping, which others fill and empty."""

    def __init__(self, log: StateLog, keepers: Mapping[str, FollowedLog], clock: Clock) -> None:
        self._log = log
        self._keepers = keepers
        self._clock = clock
        self._following: asyncio.Task[None] | None = None
        self._heard_at = clock.now()
        """When the store last said where the logs are."""

    @property
    def stale_s(self) -> float:
        """Since when the store hasn't said where the logs are; 0 while it does."""
        silent_s = self._clock.now() - self._heard_at
        return silent_s if self._keepers and silent_s > STALE_S else 0.0

    def start(self) -> None:
        """Begin, unless it has begun."""
        if self._following is None:
            self._heard_at = self._clock.now()
            self._following = asyncio.create_task(self._follow(), name="follow shared state")

    async def stop(self) -> None:
        """End it."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def _follow(self) -> None:
        failures = 0
        while True:
            heard_at = self._heard_at
            try:
                feed = await self._log.feed()
                try:
                    await self._listen(feed)
                finally:
                    await feed.close()
            except StoreUnavailable:
                pass  # `stale_s` says since when
            except Exception:  # noqa: BLE001 - one document must not end the following of all
                if not failures:
                    _log.exception("shared state can't be followed for the moment")
            failures = 0 if self._heard_at > heard_at else failures + 1
            await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])

    async def _listen(self, feed: Feed) -> None:
        """Keep the documents current until the store fails; raises `StoreUnavailable` then."""
        looked_at = -HEARTBEAT_S
        while True:
            if self._clock.now() - looked_at >= HEARTBEAT_S:
                await self._look()
                looked_at = self._clock.now()
            edited = await feed.wait(max(0.0, looked_at + HEARTBEAT_S - self._clock.now()))
            for name in edited & self._keepers.keys():
                self._keepers[name].hear()

    async def _look(self) -> None:
        heads = await self._log.heads(list(self._keepers))
        self._heard_at = self._clock.now()
        for name, head in heads.items():
            keeper = self._keepers.get(name)
            if keeper is not None and keeper.is_behind(head):
                keeper.hear()
