"""How long each task has waited in the methods that are timed, in this process."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

waited_s: defaultdict[str, float] = defaultdict(float)


def timed(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return the method, with its time added to what its task has waited.

    Its first argument is the task, or something of a task.
    """

    async def measured(self: object, subject: Any, *arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return await method(self, subject, *arguments, **named)
        finally:
            waited_s[getattr(subject, "task", subject)] += time.perf_counter() - started

    return measured
