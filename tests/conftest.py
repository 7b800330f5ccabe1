"""What holds for every test: properties are tried on the same examples each time, no task is left.

Unit tests have more rules, see tests/unit/conftest.py.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")


TURNS_TO_END_IN = 100


def pytest_sessionstart() -> None:
    """Looks for no garbage while thousands of tests are collected, all of which stay."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Sets aside what was collected, so that it isn't gone through again and again."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Gives every asynchronous test `no_task_is_left`, first, so that it looks last.

    Where several processes share the files, the long ones come first: none is left waiting for one.
    They are collected in the usual order still, or unit tests could import what is barred to them.
    """
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("integration") is None)
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.fixturenames.insert(0, "no_task_is_left")


@pytest.fixture
async def no_task_is_left() -> AsyncIterator[None]:
    """Fails a test that leaves a task running: somebody must own and await it."""
    yield
    for _ in range(TURNS_TO_END_IN):  # what was cancelled or closed in the last turn may end
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if not left:
            break
        await asyncio.sleep(0)
    assert not left, f"still running: {', '.join(sorted(map(repr, left)))}"


@pytest.fixture
def signals_of_a_terminal() -> Iterator[None]:
    """Signals as a shell leaves them to what it runs; `nohup` and `&` have some of them ignored.

    For tests alone that send them, and restored after: who says `nohup make test` means it.
    """
    found = {
        each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
    }
    for number in found:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in found.items():
        signal.signal(number, handler)
