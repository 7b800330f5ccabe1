"""How a client gets to a cluster: the resident one, a given Ray cluster, or one for the duration.

Used by `cluster.client` and the commands; the only place that knows in which order the parts of
a client are opened and closed. Attaching to a resident cluster imports neither Ray nor pydantic.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from cluster.kernel.clock import SystemClock
from cluster.memory.redis_store import RedisStore
from cluster.memory.store import Store
from cluster.runtime.driver import Driver, SubmittedTask
from cluster.settings import Secrets
from cluster.transport.grpc_exchange import GrpcTransport

Note = Callable[[str], None]
STORE_TIMEOUT_S = 5.0


class ClusterLink:
    """An open way to a cluster: its store, and a driver that submits to its Managers."""

    def __init__(self, store: Store, driver: Driver) -> None:
        self.store = store
        self._driver = driver

    async def submit(self, goal: str, *, collection: str, timeout_s: float) -> SubmittedTask:
        """Hand a goal to a Manager; errors as of `Driver.submit`."""
        return await self._driver.submit(goal, collection=collection, timeout_s=timeout_s)


@asynccontextmanager
async def link_to(secrets: Secrets, host: str) -> AsyncIterator[ClusterLink]:
    """Connect to a running cluster's store and be ready to talk to its agents.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    async with AsyncExitStack() as stack:
        store = await RedisStore.connect(secrets.redis_url, timeout_s=STORE_TIMEOUT_S)
        stack.push_async_callback(store.close)
        clock = SystemClock()
        driver = Driver(store, GrpcTransport(secrets.token, host, clock.now), clock)
        await driver.start()
        stack.push_async_callback(driver.close)
        yield ClusterLink(store, driver)
