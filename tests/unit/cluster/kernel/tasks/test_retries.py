"""A step is tried again where that can help, elsewhere if it can, and not for ever."""

from __future__ import annotations

import pytest

from cluster.kernel.errors import (
    AgentFailed,
    PeerUnavailable,
    StoreUnavailable,
    UnknownRecipient,
    UsageError,
)
from cluster.kernel.ids import NO_AGENT, AgentId
from cluster.kernel.tasks.retries import (
    FAILURES_MAX,
    ROLE_WAIT_S,
    Retry,
    RoleWait,
    agent_restarted,
    first_try,
    role_missing,
    step_failed,
)

CODER = AgentId("coder-0")
LOST = PeerUnavailable("coder-0 can't be reached")


def test_a_step_whose_agent_is_lost_goes_to_another_replica_and_says_why() -> None:
    tries, retry = step_failed(first_try(1, CODER, ("coder",)), LOST)

    assert retry is Retry.AGAIN
    assert (tries.attempt, tries.agent, tries.avoid) == (2, NO_AGENT, frozenset({CODER}))
    assert tries.reason == str(LOST)


def test_a_failure_that_would_come_again_is_the_steps_result() -> None:
    before = first_try(1, CODER, ("coder",))

    tries, retry = step_failed(before, AgentFailed("it raised"))

    assert retry is Retry.NEVER
    assert (tries.attempt, tries.agent) == (before.attempt, before.agent)


def test_a_step_fails_only_so_often() -> None:
    tries = first_try(1, CODER, ("coder",))
    retries: list[Retry] = []
    while len(retries) < FAILURES_MAX:
        tries, retry = step_failed(tries, LOST)
        retries.append(retry)

    assert retries == [Retry.AGAIN] * (FAILURES_MAX - 1) + [Retry.NEVER]


def test_a_restart_is_an_attempt_and_no_failure() -> None:
    tries = agent_restarted(first_try(1, CODER, ("coder",)), CODER, 7)

    assert (tries.attempt, tries.agent, tries.failures) == (2, CODER, 0)
    assert "incarnation 7" in tries.reason


def test_a_step_of_a_lost_manager_is_asked_for_where_it_was_and_says_why() -> None:
    tries = first_try(2, CODER, ("coder",))

    assert (tries.agent, tries.attempt) == (CODER, 2)
    assert tries.reason


def test_a_role_without_replicas_is_waited_for_as_long_as_a_restart_takes() -> None:
    wait = RoleWait.begin(deadline_at=1000.0, now=0.0)
    missing = UnknownRecipient("no coder is registered")

    assert role_missing(wait, missing, ROLE_WAIT_S - 0.1) is Retry.AGAIN
    assert role_missing(wait, missing, ROLE_WAIT_S) is Retry.NEVER


def test_without_the_store_a_role_is_waited_for_until_the_deadline() -> None:
    wait = RoleWait.begin(deadline_at=1000.0, now=0.0)
    away = StoreUnavailable("no store")

    assert role_missing(wait, away, 999.0) is Retry.AGAIN
    assert role_missing(wait, away, 1000.0) is Retry.NEVER


def test_no_role_is_waited_for_beyond_the_deadline() -> None:
    wait = RoleWait.begin(deadline_at=1.0, now=0.0)

    assert role_missing(wait, UnknownRecipient("no coder is registered"), 1.0) is Retry.NEVER


def test_other_trouble_with_the_directory_is_not_waited_out() -> None:
    wait = RoleWait.begin(deadline_at=1000.0, now=0.0)

    assert role_missing(wait, AgentFailed("what?"), 0.0) is Retry.NEVER


def test_where_a_role_has_failed_for_good_the_next_one_that_may_do_it_is_asked() -> None:
    tries = first_try(1, NO_AGENT, ("coder", "tester"))

    tries, retry = step_failed(tries, UsageError("it can't"))
    assert (retry, tries.roles, tries.attempt, tries.failures) == (Retry.AGAIN, ("tester",), 2, 0)

    tries, retry = step_failed(tries, UsageError("nor can it"))
    assert retry is Retry.NEVER


@pytest.mark.parametrize(
    ("latest", "roles"),
    [("tester-1", ("tester",)), ("", ("coder", "tester")), ("x-1", ("coder", "tester"))],
)
def test_the_next_owner_goes_on_with_the_role_that_had_the_step(
    latest: str, roles: tuple[str, ...]
) -> None:
    assert first_try(2, AgentId(latest), ("coder", "tester")).roles == roles


def test_a_role_that_nobody_has_is_not_waited_for_where_another_may_do_it() -> None:
    missing = UnknownRecipient("no coder")
    wait = RoleWait.begin(100.0, 10.0, has_other=True)
    assert role_missing(wait, missing, 10.0) is Retry.NEVER

    tries, retry = step_failed(first_try(1, NO_AGENT, ("coder", "tester")), missing)

    assert (retry, tries.roles) == (Retry.AGAIN, ("tester",))
