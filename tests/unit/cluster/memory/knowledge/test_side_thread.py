"""Work beside the event loop gives its result, and nobody has to wait for what is abandoned."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from cluster.cli.entry import execute
from cluster.memory.knowledge.side_thread import in_side_thread


@pytest.fixture
def endless() -> Iterator[threading.Event]:
    """What endless work waits for: it comes when the test is over."""
    over = threading.Event()
    yield over
    over.set()


async def test_the_result_is_returned_and_an_error_is_raised() -> None:
    assert await in_side_thread(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await in_side_thread(divmod, 7, 0)


def test_the_end_of_the_loop_does_not_wait_for_abandoned_work(endless: threading.Event) -> None:
    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await in_side_thread(endless.wait)

    asyncio.run(give_up())

    assert not endless.is_set()


@pytest.mark.usefixtures("signals_of_a_terminal")
@pytest.mark.parametrize(
    ("number", "ending"),
    [
        (signal.SIGINT, (130, "fleetmind: interrupted\n")),
        (signal.SIGTERM, (143, "fleetmind: terminated\n")),
    ],
)
def test_a_signal_ends_a_command_while_it_computes(
    number: signal.Signals,
    ending: tuple[int, str],
    endless: threading.Event,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def compute() -> None:
        os.kill(os.getpid(), number)
        endless.wait()

    async def command() -> int:
        await in_side_thread(compute)
        return 0

    exit_code = execute(["learn", "docs"], command=lambda _options, _console: command())

    assert (exit_code, capsys.readouterr().err) == ending
    assert not endless.is_set()
