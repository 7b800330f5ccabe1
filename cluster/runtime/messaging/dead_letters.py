"""The dead-letter box of a cluster: what was given up lately, in the central store.

Written by the host that gave it up, beside its other work; read by ``fleetmind status``.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import replace

from cluster.kernel.delivery.dead_letters import DeadLetter
from cluster.kernel.errors import ClusterError
from cluster.memory.store.port import Store
from cluster.wire.dead_letters import dead_letter_from_bytes, dead_letter_to_bytes

_log = logging.getLogger(__name__)

LETTERS_MAX = 100
"""Entries a cluster keeps: the newest. As many wait at a host while the store is away."""
LETTER_KEPT_S = 7 * 24 * 3600.0
AGAIN_S = 1.0
CLOSE_S = 2.0


class DeadLetterBox:
    """Puts entries into the store in the order they come, for as long as it is open."""

    def __init__(self, store: Store, scope: str = "") -> None:
        self._store = store
        self._prefix = f"dead_letter/{scope}/"
        self._waiting: deque[DeadLetter] = deque(maxlen=LETTERS_MAX)
        self._writing: asyncio.Task[None] | None = None

    def put(self, letter: DeadLetter) -> None:
        """Keep an entry; the store gets it soon, or, where it is away, when it is back."""
        self._waiting.append(letter)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.ensure_future(self._write())

    async def _write(self) -> None:
        while self._waiting:
            letter = self._waiting[0]
            try:
                number = await self._store.next_epoch(self._prefix)
                data = dead_letter_to_bytes(replace(letter, number=number))
                await self._store.put_many({self._key(number): data}, LETTER_KEPT_S)
            except ClusterError as error:
                _log.warning("a dead letter could not be put into the store yet: %s", error)
                await asyncio.sleep(AGAIN_S)
            else:
                if self._waiting and self._waiting[0] is letter:
                    self._waiting.popleft()

    async def latest(self) -> list[DeadLetter]:
        """Return the entries that are kept, the newest last.

        Raises:
            StoreUnavailable: the store can't be reached.
        """
        found = await self._store.get_many([self._key(number) for number in range(LETTERS_MAX)])
        letters = [dead_letter_from_bytes(data) for data in found if data is not None]
        return sorted(letters, key=lambda letter: letter.number)

    def _key(self, number: int) -> str:
        return f"{self._prefix}{number % LETTERS_MAX:02d}"

    async def close(self, timeout_s: float = CLOSE_S) -> None:
        """Write what waits, if the store takes it in time."""
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=timeout_s)
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
