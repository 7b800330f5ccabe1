"""Asks, before Ray itself is told to, whether it can be imported and whether it answers somewhere.

`ray.init` takes minutes to give up on an address where nothing answers, retries a refused token
for 20 s or longer, and prints what no user can use. Plain sockets tell within seconds whether its
control store (GCS) answers.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE

from cluster.child_environment import WORKING_FOLDER, environment
from cluster.kernel.errors import PlacementError, UsageError

PROBE_TIMEOUT_S = 5.0
# A client's opening of HTTP/2 (RFC 9113 section 3.4) with empty SETTINGS; a server answers with
# its own SETTINGS, frame type 4 on stream 0.
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_FRAME_HEADER_BYTES = 9
_SETTINGS = 4


_LOADED = "import ray; print(ray.__version__)"


async def load_version() -> str:
    """Import Ray in a process of its own and return its version.

    Raises:
        PlacementError: it can't be imported; with the last line of what it says.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", _LOADED),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        # As the cluster's own processes have it: an empty entry in PYTHONPATH means the working
        # directory, and a ray.py there would be run.
        env=environment(os.environ),
        cwd=WORKING_FOLDER,
    )
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = err.decode(errors="replace").strip().rpartition("\n")[2]
        raise PlacementError(
            f"Ray can't be imported ({last or f'status {process.returncode}'}): install it anew, "
            "`pip install --force-reinstall 'ray[default,serve]'`"
        )
    return out.decode(errors="replace").strip()


async def check_answers(address: str, timeout_s: float = PROBE_TIMEOUT_S) -> None:
    """Return if something that may be Ray's control store answers at ``host:port``.

    Raises:
        UsageError: it is no such address.
        PlacementError: nothing answers in time, or something else does.
    """
    host, port = split(address)
    reader = writer = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port)
            if os.environ.get("RAY_USE_TLS", "0").lower() in {"1", "true"}:
                return
            writer.write(_HELLO)
            await writer.drain()
            header = await reader.readexactly(_FRAME_HEADER_BYTES)
    except TimeoutError:
        raise PlacementError(
            f"no Ray cluster answers at {address} within {timeout_s:g} s"
        ) from None
    except asyncio.IncompleteReadError:
        raise PlacementError(f"what answers at {address} is no Ray cluster") from None
    except OSError as error:
        number = error.errno or 0  # below zero where a name can't be looked up
        reason = os.strerror(number) if number > 0 else error.strerror or str(error)
        raise PlacementError(f"no Ray cluster answers at {address}: {reason.lower()}") from error
    finally:
        if writer is not None:
            writer.close()
    if header[3] != _SETTINGS:
        raise PlacementError(f"what answers at {address} is no Ray cluster")


def of_resident(address: str) -> UsageError:
    """Return what refuses the Ray cluster that the agents of `fleetmind up` are in."""
    return UsageError(
        f"at {address} the agents of `fleetmind up` are there already, and others would be started "
        "beside them: leave it away as --address, as RAY_ADDRESS and as `address` under [ray] in "
        "the configuration file to serve those"
    )


def split(address: str) -> tuple[str, int]:
    """Return host and port of an address as `ray.init` takes it.

    Raises:
        UsageError: it is none.
    """
    if address.startswith("ray://"):
        raise UsageError(
            f"{address} is the address of Ray's client server, which can't place agents: give "
            "HOST:PORT as `ray start` prints it, or send a job with `fleetmind submit`"
        )
    host, colon, port = address.rpartition(":")
    is_number = port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16
    if not (colon and host and is_number) or "/" in host:
        raise UsageError(
            f"{address!r} is no address of a Ray cluster; give HOST:PORT (as `ray start` prints "
            "it) or `auto`"
        )
    return host.strip("[]"), int(port)
