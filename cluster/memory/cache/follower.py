"""Keeps the namespaces of a cache current: hears of writes, and looks where they are.

Used by `cluster.memory.cache.knowledge_cache`. A feed wakes it when a namespace was written to;
every second it compares where each is, so that a wake-up may be lost and a change may not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from cluster.kernel.clock import Clock
from cluster.kernel.errors import StoreUnavailable
from cluster.memory.cache.segments import left_segments, remove_unused
from cluster.memory.knowledge.side_thread import Aside
from cluster.memory.namespaces.port import Feed, Namespaces

HEARTBEAT_S = 1.0
"""So often it is looked where the namespaces are, whatever the feed says."""
RETRY_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Between two tries to reach a store that doesn't answer; the last one from then on."""
STALE_S = 3.0
"""Without word from the store for so long, what is here counts as stale."""
SWEEP_S = 10.0
"""So often the disk is looked over for segments of what was forgotten."""

_log = logging.getLogger(__name__)


class KeptCurrent(Protocol):
    """A namespace that is kept current; `cluster.memory.cache.shelf.Shelf` is one."""

    behind_since: float
    """Since when it isn't known to be what the store has; infinite while it is."""

    def is_behind(self, version: int, digest: int | None) -> bool:
        """Say whether the store has something else than what can be searched."""
        ...

    def hear(self) -> None:
        """Read what is new, in the background."""
        ...

    def tend(self) -> None:
        """Look after what is searched, in the background."""
        ...


class Follower:
    """Follows the store for the namespaces of a mapping, which others fill and empty.

    Args:
        namespaces: the central store.
        followed: what is kept current, by name.
        folder: where this node keeps segments; None where it has none.
        clock: tells when it is time to look.
        aside: where the disk is read.
    """

    def __init__(
        self,
        namespaces: Namespaces,
        followed: Mapping[str, KeptCurrent],
        folder: Path | None,
        clock: Clock,
        aside: Aside,
    ) -> None:
        self._namespaces = namespaces
        self._followed = followed
        self._folder = folder
        self._clock = clock
        self._aside = aside
        self._following: asyncio.Task[None] | None = None
        self._heard_at = clock.now()
        """When the store last said where the namespaces are."""
        self._swept_at = -SWEEP_S

    @property
    def stale_s(self) -> float:
        """Since when the store hasn't said where the namespaces are; 0 while it does."""
        return _silent_s(self._heard_at, self._clock.now()) if self._followed else 0.0

    def stale_s_of(self, name: str, now: float) -> float:
        """Return since when a namespace isn't known to be the store's; 0 while it is.

        That the store answers is not enough: it may have said where the namespace is, and then
        failed to hand over what is new.
        """
        followed = self._followed.get(name)
        behind_since = self._heard_at if followed is None else followed.behind_since
        return _silent_s(min(self._heard_at, behind_since), now)

    def start(self) -> None:
        """Begin, unless it has begun."""
        if self._following is None:
            self._heard_at = self._clock.now()
            self._following = asyncio.create_task(self._follow(), name="follow knowledge")

    async def stop(self) -> None:
        """End it."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def _follow(self) -> None:
        """Hear of writes, and look after all namespaces every second."""
        failures = 0
        while True:
            heard_at = self._heard_at
            try:
                feed = await self._namespaces.feed()
                try:
                    await self._listen(feed)
                finally:
                    await feed.close()
            except StoreUnavailable:
                pass  # look-ups say since when
            except Exception:  # noqa: BLE001 - one namespace must not end the following of all
                if not failures:
                    _log.exception("the knowledge can't be followed for the moment")
            failures = 0 if self._heard_at > heard_at else failures + 1
            await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])

    async def _listen(self, feed: Feed) -> None:
        """Keep the namespaces current until the store fails.

        Raises:
            StoreUnavailable: it has.
        """
        looked_at = -HEARTBEAT_S
        while True:
            now = self._clock.now()
            if now - looked_at >= HEARTBEAT_S:
                await self._look(list(self._followed))
                looked_at = now
                for followed in list(self._followed.values()):
                    followed.tend()
                await self._sweep()
            written = await feed.wait(max(0.0, looked_at + HEARTBEAT_S - self._clock.now()))
            for name in written & self._followed.keys():
                self._followed[name].hear()

    async def _sweep(self) -> None:
        """Remove the segments of namespaces that nobody on the node keeps and that have changed.

        What was forgotten isn't to lie on the disk until somebody asks for the rest of it.
        """
        now = self._clock.now()
        if self._folder is None or now - self._swept_at < SWEEP_S:
            return
        self._swept_at = now
        left = await self._aside(left_segments, self._folder)
        names = {name for _, name, _ in left} - self._followed.keys()
        heads = await self._namespaces.heads(sorted(names)) if names else {}
        for path, name, version in left:
            if name in heads and heads[name].version != version:
                await self._aside(remove_unused, path)

    async def _look(self, names: Sequence[str]) -> None:
        heads = await self._namespaces.heads(names) if names else {}
        before, self._heard_at = self._heard_at, self._clock.now()  # even of nothing
        for name, head in heads.items():
            followed = self._followed.get(name)
            if followed is not None and followed.is_behind(head.version, head.digest):
                followed.behind_since = min(followed.behind_since, before)
                followed.hear()


def _silent_s(since: float, now: float) -> float:
    silent_s = now - since
    return silent_s if silent_s > STALE_S else 0.0
