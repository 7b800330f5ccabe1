"""Fixtures of the tests against real processes."""

from __future__ import annotations

from tests.support.attached import machine, model
from tests.support.redis import redis_prefix, redis_store, redis_url

__all__ = ["machine", "model", "redis_prefix", "redis_store", "redis_url"]
