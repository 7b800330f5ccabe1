"""Fixtures of the conformance suites, and the event loops they run on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

from tests.support.redis import redis_prefix, redis_store, redis_url

__all__ = ["redis_prefix", "redis_store", "redis_url"]


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Ray's workers run on uvloop, whose transports differ in detail; the driver does not."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.path.stem == "test_transport":
        loops["uvloop"] = uvloop.new_event_loop
    return loops
