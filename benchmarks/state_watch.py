"""The rivals of the writers' benchmark: a document of JSON that is changed under WATCH and MULTI.

`Lean` is as fast as Python gets there: a blocking client, one connection, WATCH and GET in one
packet, MULTI, SET and EXEC in another, JSON read and written in native code, no model around it.
`Typed` is what a program of agents would do: on an event loop, by the client's own pipeline, with a
pydantic model of the whole document. Where somebody else was first, both try again at once. Nothing
here imports anything of ours.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json, to_json
from redis import Redis, WatchError
from redis.asyncio import Redis as AsyncRedis


class Fact(BaseModel):
    """As `benchmarks.state_boards.Fact`."""

    text: str
    source: str
    lines: tuple[int, int]
    confidence: float
    seen: int


class PlainBoard(BaseModel):
    """As `benchmarks.state_boards.Board`."""

    facts: dict[str, Fact]
    sources: list[str]
    notes: list[str]
    draft: str
    title: str
    best: float
    spent: int
    verdict: str


class Lean:
    """A document under one key.

    Args:
        url: its server's.
        key: the document's.
    """

    def __init__(self, url: str, key: str) -> None:
        # redis-py's connections have no types.
        self._connection: Any = Redis.from_url(url).connection_pool.get_connection()
        self._key = key

    def count(self, name: str) -> int:
        """Count one up in a fact and in the sum; return how many tries that took."""
        tries = 0
        while True:
            tries += 1
            self._send(("WATCH", self._key), ("GET", self._key))
            _, data = self._read(2)
            board = from_json(data)
            board["spent"] += 1
            board["facts"][name]["seen"] += 1
            self._send(("MULTI",), ("SET", self._key, to_json(board)), ("EXEC",))
            if self._read(3)[-1] is not None:
                return tries

    def _send(self, *commands: tuple[object, ...]) -> None:
        packed = self._connection.pack_commands(commands)
        self._connection.send_packed_command(packed, check_health=False)

    def _read(self, count: int) -> list[Any]:
        return [self._connection.read_response() for _ in range(count)]

    def close(self) -> None:
        """Close the connection."""
        self._connection.disconnect()


class Typed:
    """A document under one key.

    Args:
        url: its server's.
        key: the document's.
    """

    def __init__(self, url: str, key: str) -> None:
        self._client = AsyncRedis.from_url(url)
        self._key = key

    async def count(self, name: str) -> int:
        """Count one up in a fact and in the sum; return how many tries that took."""
        tries = 0
        async with self._client.pipeline() as opened:
            pipeline: Any = opened  # parts of it have no types
            while True:
                tries += 1
                try:
                    await pipeline.watch(self._key)
                    board = PlainBoard.model_validate_json(await pipeline.get(self._key))
                    board.spent += 1
                    board.facts[name].seen += 1
                    pipeline.multi()
                    pipeline.set(self._key, board.model_dump_json())
                    await pipeline.execute()
                except WatchError:
                    continue
                return tries

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def json_of(fields: dict[str, Any]) -> bytes:
    """Return a document as both keep it."""
    return to_json(fields)


def fields_of(data: bytes | str) -> dict[str, Any]:
    """Read one."""
    fields: dict[str, Any] = from_json(data)
    return fields
