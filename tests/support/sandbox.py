"""The real sandbox; where it runs no programs, tests are skipped with the reason, or fail in CI."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agents.tools.sandbox.bubblewrap import BubblewrapSandbox
from agents.tools.sandbox.libraries import SandboxLibraries
from cluster.kernel.sections import SandboxSettings


@asynccontextmanager
async def real_sandbox(
    limits: SandboxSettings | None = None,
    *,
    running_max: int = 4,
    waiting_max: int = 64,
    warm_max: int = 0,
    libraries: SandboxLibraries | None = None,
) -> AsyncIterator[BubblewrapSandbox]:
    """A sandbox that works, closed in the end; its first programs find it warm, if it may be."""
    sandbox = BubblewrapSandbox(
        limits,
        running_max=running_max,
        waiting_max=waiting_max,
        warm_max=warm_max,
        libraries=libraries,
    )
    reason = sandbox.unavailable_because
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    try:
        await sandbox.warm()
        yield sandbox
    finally:
        await sandbox.close()
