"""Whether a process is alive, and whether it would take a task."""

from __future__ import annotations

import httpx

from cluster.serving.ports import Caller
from tests.support.fake_desk import FakeDesk, FakeGate, app_of


async def test_whoever_looks_after_the_process_needs_no_token() -> None:
    desk = FakeDesk([])
    transport = httpx.ASGITransport(app_of(desk, FakeGate({"t0ken": Caller("ann")})))

    async with httpx.AsyncClient(transport=transport, base_url="http://fleet") as client:
        alive, ready = await client.get("/healthz"), await client.get("/readyz")
        desk.not_ready = "no Manager is there"
        not_ready = await client.get("/readyz")
        still_alive = await client.get("/healthz")
        by_head = await client.head("/healthz")
        not_ready_by_head = await client.head("/readyz")

    assert [each.status_code for each in (alive, ready, still_alive)] == [200, 200, 200]
    assert (by_head.status_code, not_ready_by_head.status_code) == (200, 503)
    assert not_ready.status_code == 503
    assert not_ready.json()["error"]["message"] == "no Manager is there"
