"""Fixtures of the tests against real processes."""

from __future__ import annotations

from tests.support.redis import redis_prefix, redis_store, redis_url

__all__ = ["redis_prefix", "redis_store", "redis_url"]
