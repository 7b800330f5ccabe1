"""Two hosts that share one store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cluster.kernel.clock import SystemClock
from cluster.memory.state.host.documents import Documents
from tests.support.shared_documents import UnsteadyStateLog


@pytest.fixture
def log() -> UnsteadyStateLog:
    return UnsteadyStateLog(SystemClock())


@pytest.fixture
async def here(log: UnsteadyStateLog) -> AsyncIterator[Documents]:
    opened = Documents(log, SystemClock())
    yield opened
    await opened.close()


@pytest.fixture
async def there(log: UnsteadyStateLog) -> AsyncIterator[Documents]:
    opened = Documents(log, SystemClock())
    yield opened
    await opened.close()
