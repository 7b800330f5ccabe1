"""What must not be left half done is done, and whoever interrupts it is heard after that."""

from __future__ import annotations

import asyncio

import pytest

from cluster.uninterrupted import uninterrupted


async def test_cleaning_up_is_finished_before_an_interruption_is_passed_on() -> None:
    may_end, done = asyncio.Event(), []

    async def clean_up() -> None:
        await may_end.wait()
        done.append("all")

    cleaning = asyncio.create_task(uninterrupted(clean_up()))
    await asyncio.sleep(0)
    cleaning.cancel()
    await asyncio.sleep(0)
    cleaning.cancel()
    may_end.set()

    with pytest.raises(asyncio.CancelledError):
        await cleaning
    assert done == ["all"]
