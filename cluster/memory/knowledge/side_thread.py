"""Blocking work in a thread that nobody has to wait for.

Called by `cluster.memory` for what computes over files and stored documents. `asyncio.to_thread`
is no place for it: the end of an event loop waits for those threads, however long they compute, so
that neither Ctrl-C nor a deadline would end a command before its file is split.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, Protocol, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Aside(Protocol):
    """What `in_side_thread` is: simulations compute on their event loop instead."""

    def __call__(self, function: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        """Return what a function returns."""
        ...


async def in_side_thread(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Return what a function returns, computed beside the event loop.

    A cancellation is passed on at once; the thread goes on to the end of its function, whose result
    nobody gets. So the function must end by itself, and the caller looks in between two calls.
    """
    outcome: Future[Result] = Future()
    outcome.set_running_or_notify_cancel()

    def work() -> None:
        try:
            result = function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    # A daemon: the end of the interpreter doesn't wait for it either. One a call, which takes 0.1
    # ms: none that was abandoned stands in the way of the next piece of work.
    threading.Thread(target=work, name=function.__qualname__, daemon=True).start()
    return await asyncio.wrap_future(outcome)
