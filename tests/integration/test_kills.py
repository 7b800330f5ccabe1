"""The short form of `tests.kills`: what is left of a start of which both ends, or `up`, are killed.

The moments are those at which each of them has something to lose; `tests.integration.test_killed`
kills the command alone.
"""

from __future__ import annotations

import pytest

from tests.kills import Victim, killed
from tests.support.commands import Surroundings

pytestmark = [
    pytest.mark.usefixtures("signals_of_a_terminal"),
    pytest.mark.integration,
    pytest.mark.timeout(240),
]


async def once_ray_starts(here: Surroundings) -> None:
    await here.until_there("gcs_server")


@pytest.mark.parametrize("victim", ["leader", "up", "command and leader"])
async def test_nothing_is_left_of_a_start_of_which_part_is_killed(victim: Victim) -> None:
    round_ = await killed(victim, once_ray_starts)

    assert round_.left == ()
