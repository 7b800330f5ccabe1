"""Peers: rounds keep 64 requests in flight, and figures are named and shown as the goals say."""

from __future__ import annotations

import asyncio

from benchmarks.harness import MET, MISSED, NOT_RUN
from benchmarks.peer_process import OURS, PEERS, figures_of, not_run_figures
from benchmarks.peers.rounds import IN_FLIGHT, requests_a_second

XOSCAR, AUTOGEN = PEERS


async def test_a_round_asks_as_often_as_told_with_all_places_taken() -> None:
    asked, under_way, most = 0, 0, 0

    async def ask() -> None:
        nonlocal asked, under_way, most
        asked += 1
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1

    assert await requests_a_second(ask, 1000) > 0
    assert (asked, most) == (1000, IN_FLIGHT)


def test_each_size_of_body_has_a_ratio_of_its_own_against_the_peers_goal() -> None:
    rates = {
        (OURS, 100): [60.0, 50.0, 55.0],
        (OURS, 500): [20.0, 20.0, 20.0],
        ("xoscar", 100): [10.0, 10.0, 10.0],
        ("xoscar", 500): [10.0, 10.0, 10.0],
    }
    figures = {f.name: f for f in figures_of(XOSCAR, rates, version="0.12.2", how="sockets")}

    assert figures["messaging.throughput_vs_xoscar"].value == 5.5
    assert figures["messaging.throughput_vs_xoscar"].verdict == MET
    assert figures["messaging.throughput_vs_xoscar"].peer_version == "0.12.2"
    assert "sockets" in figures["messaging.throughput_vs_xoscar"].note
    assert figures["messaging.throughput_vs_xoscar.500"].value == 2.0
    assert figures["messaging.throughput_vs_xoscar.500"].verdict == MISSED
    assert figures["messaging.per_s.xoscar"].value == 10.0


def test_a_peer_that_is_not_installed_is_shown_as_not_run_with_how_to_install_it() -> None:
    figures = not_run_figures(AUTOGEN, "make bench-peers")

    assert [(f.name, f.value, f.goal, f.verdict, f.note) for f in figures] == [
        (name, None, ">= 12", NOT_RUN, "not run: make bench-peers")
        for name in ("messaging.throughput_vs_autogen", "messaging.throughput_vs_autogen.500")
    ]
