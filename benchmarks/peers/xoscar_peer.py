"""xoscar: an asking actor and an answering one in two processes of one pool, in rounds on command.

The pool's processes reach each other over its unix sockets, its fastest path on one machine; both
run on uvloop. Bodies are bytes, which it pickles without a copy of its own format. The actors are
stateless ones: xoscar locks the others for each message.
"""

from __future__ import annotations

import os
import tempfile
from importlib.metadata import version

import uvloop

from benchmarks.peers.rounds import requests_a_second, serve_rounds

HOW = "one pool, unix sockets between its processes, uvloop, stateless actors, bytes pickled"


async def main() -> None:
    """Start the pool and its actors, then serve rounds."""
    import xoscar  # reads XOSCAR_DIR when it is imported

    class Echo(xoscar.StatelessActor):
        """Answers with what it is asked."""

        async def echo(self, body: bytes) -> bytes:
            """Return the bytes."""
            return body

    class Asker(xoscar.StatelessActor):
        """Asks the other actor."""

        def __init__(self, other: xoscar.ActorRef) -> None:
            self._other = other

        async def run_round(self, body_bytes: int, count: int) -> float:
            """Return messages a second."""
            body = os.urandom(body_bytes)
            assert await self._other.echo(body) == body
            return await requests_a_second(lambda: self._other.echo(body), count)

    pool = await xoscar.create_actor_pool("127.0.0.1:0", n_process=1, use_uvloop=True)
    [other_process] = pool.sub_processes
    echo = await xoscar.create_actor(Echo, address=other_process)
    asker = await xoscar.create_actor(Asker, echo, address=pool.external_address)
    about = {"peer": "xoscar", "version": version("xoscar"), "how": HOW}
    await serve_rounds(about, asker.run_round)
    await pool.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XOSCAR_DIR"] = folder  # of its sockets; by default in the user's home
        uvloop.run(main())
