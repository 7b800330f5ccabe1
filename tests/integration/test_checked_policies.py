"""A person's program checks its own ways of merging too, where the settings say so."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Annotated

import pytest

from cluster.joining import link_to
from cluster.kernel.ids import TaskId
from cluster.kernel.state.values import Value
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.settings import Secrets, Settings
from cluster.settings.values import StateSettings
from cluster.state import SharedState, merge

pytestmark = pytest.mark.integration

_numbers = count()


def unsteady(base: Value, mine: Value, theirs: Value) -> Value:
    """Merge to another value each time."""
    return next(_numbers)


class Dice(SharedState):
    """What merges by chance."""

    thrown: Annotated[int, merge.by(unsteady)]


async def test_a_policy_that_gives_two_results_is_named_in_the_log_of_a_driver(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = replace(Settings(), state=StateSettings(check_policies=True))
    with EmbeddedRedis(is_temporary=True) as server:
        async with link_to(Secrets(token="t", redis_url=server.url), settings) as link:
            person = link.sharing(TaskId("t"))
            async with person.state(Dice) as mine, person.state(Dice) as theirs:
                mine.thrown, theirs.thrown = 100, 200

    [warning] = [each for each in caplog.messages if "unsteady" in each]
    assert "unsteady merged the same values to two different ones" in warning
