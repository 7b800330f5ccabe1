"""Who is calling, what is allowed to them, and what is still done when they have gone."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from cluster.kernel.errors import DeadlinePassed
from cluster.serving import ingress
from cluster.serving.ingress import Endings, namespace_for
from cluster.serving.ports import Caller
from cluster.serving.problems import Problem
from tests.support.fake_desk import FakeDesk, FakeGate, app_of

MODELS = "/v1/models"
GATE = FakeGate({"t0ken": Caller("ann"), "learner": Caller("bob", scopes=frozenset({"learn"}))})


async def asked(
    headers: dict[str, str],
    *,
    gate: FakeGate | None = None,
    host: str = "127.0.0.1",
    at: str = "localhost",
) -> httpx.Response:
    """The answer to whoever asks for the models."""
    transport = httpx.ASGITransport(app_of(FakeDesk([]), gate, host=host))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{at}:8000") as client:
        return await client.get(MODELS, headers=headers)


async def test_a_token_lets_its_owner_in() -> None:
    answer = await asked({"authorization": "Bearer t0ken"}, gate=GATE, at="fleet")

    assert answer.status_code == 200


async def test_a_token_without_the_scope_is_not_enough() -> None:
    answer = await asked({"authorization": "Bearer learner"}, gate=GATE)

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "insufficient_permissions"


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer whatever"}])
async def test_on_loopback_anybody_may_call_until_there_is_a_token(
    headers: dict[str, str],
) -> None:
    assert (await asked(headers)).status_code == 200
    assert (await asked(headers, gate=GATE)).status_code == 401


async def test_beyond_loopback_nobody_may_call_without_a_token() -> None:
    assert (await asked({}, host="0.0.0.0")).status_code == 401  # noqa: S104 - nothing listens


async def test_no_page_of_elsewhere_may_call_without_a_token() -> None:
    assert (await asked({"origin": "https://evil.example"})).status_code == 403
    assert (await asked({"origin": "http://localhost:8000"})).status_code == 200


async def test_no_name_of_elsewhere_may_mean_this_machine() -> None:
    assert (await asked({}, at="rebound.example")).status_code == 403


@pytest.mark.parametrize("host", ["evil.example:", "evil.example:99999", "[", "a/b?c#d@localhost"])
async def test_a_host_that_cannot_be_read_is_not_taken_for_this_machine(host: str) -> None:
    assert (await asked({"host": host})).status_code == 403


async def test_an_origin_that_cannot_be_read_is_refused_as_one_of_elsewhere() -> None:
    assert (await asked({"origin": "http://["})).status_code == 403


def test_a_token_without_namespaces_may_use_all() -> None:
    assert namespace_for(Caller("ann"), "birds") == "birds"


def test_a_token_with_namespaces_may_use_these_and_has_the_first_by_default() -> None:
    caller = Caller("ann", namespaces=("birds", "bees"))

    assert namespace_for(caller, "bees") == "bees"
    assert namespace_for(caller, "") == "birds"
    with pytest.raises(Problem) as refused:
        namespace_for(caller, "tax")
    assert refused.value.status == 403


async def test_what_is_left_to_do_is_done_though_whoever_waits_is_cancelled() -> None:
    endings, told, done = Endings(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await told.wait()
        done.set()

    waiting = asyncio.create_task(endings.finish(work()))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    told.set()
    await endings.wait(timeout_s=5.0)

    assert done.is_set()


async def test_what_is_not_done_in_time_is_cancelled() -> None:
    endings = Endings()
    waiting = asyncio.create_task(endings.finish(asyncio.Event().wait()))  # type: ignore[arg-type] # its result is of no use
    await asyncio.sleep(0)

    await endings.wait(timeout_s=0.0)

    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()


async def test_what_is_left_to_do_has_a_deadline_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ingress, "ENDING_WAIT_S", 0.0)

    with pytest.raises(DeadlinePassed):
        await Endings().finish(asyncio.Event().wait())  # type: ignore[arg-type] # its result is of no use


class SilentGate(FakeGate):
    """One whose store says nothing."""

    async def caller(self, token: str) -> Caller | None:
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_gate_that_says_nothing_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ingress, "GATE_WAIT_S", 0.0)
    gate = SilentGate({"t0ken": Caller("ann")})

    answer = await asked({"authorization": "Bearer t0ken"}, gate=gate)

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store")
