"""Cleaning up that an interruption must not break off, as Ctrl-C of `cluster.cli.run` is one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


async def uninterrupted(work: Coroutine[object, object, None]) -> None:
    """Run to the end what must not be left half done; a cancellation is passed on after it."""
    running = asyncio.ensure_future(work)
    interruption: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError as error:
            interruption = error
    running.result()
    if interruption is not None:
        raise interruption
