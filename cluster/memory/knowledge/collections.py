"""Collections in the central store: read by id, and by the name that they were learned under."""

from __future__ import annotations

from cluster.memory.knowledge.records import LEARNED, Collection, collection_key, name_key
from cluster.memory.knowledge.wire import collection_from_bytes
from cluster.memory.store.port import Store


async def named_collection(store: Store, name: str = LEARNED) -> str:
    """Return the id of a named collection, empty where nothing was learned under that name."""
    (data,) = await store.get_many([name_key(name)])
    return "" if data is None else data.decode("ascii", "replace")


async def stored_collection(store: Store, collection: str) -> Collection | None:
    """Return a collection; None where it isn't in the store.

    Raises:
        StoreUnavailable: the store does not answer.
        WireError: what it has is no collection.
    """
    (data,) = await store.get_many([collection_key(collection)])
    return None if data is None else collection_from_bytes(data)
