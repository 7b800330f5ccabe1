"""One agent's host as a plain process, without Ray: what `benchmarks.plain_cluster` starts.

`python -m benchmarks.agent_host researcher-0 --settings FILE --secrets FILE --ready-file FILE`
serves until SIGTERM, which ends it in order, or until its parent dies. SIGUSR1 has it write one
line of JSON about itself to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import signal
from pathlib import Path

import uvloop

from agents.models.local.side_process import die_with_parent, write_ready
from cluster.kernel.ids import AgentId
from cluster.placement.actor.assembly import open_host
from cluster.placement.actor.host_spec import HostSpec


async def serve(spec: HostSpec, ready_file: Path) -> None:
    """Serve until told to stop, or until a newer incarnation of the agent has taken over."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGUSR1, _tell_of_oneself)
    host = await open_host(spec)
    try:
        address = await host.start()
        gc.collect()
        gc.freeze()  # as `cluster.placement.actor.actors` does
        write_ready(ready_file, address)
        waits = [asyncio.ensure_future(wait) for wait in (stopping.wait(), host.fenced())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    finally:
        await host.stop()


def _tell_of_oneself() -> None:
    """Say how much of what can leak there is."""
    gc.collect()
    told = {
        "tasks": len(asyncio.all_tasks()),
        "objects": len(gc.get_objects()),
        "handles": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - a count, no paths
    }
    print(json.dumps(told), flush=True)


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("agent", help="such as researcher-0")
    parser.add_argument("--settings", type=Path, required=True, help="the public settings, JSON")
    parser.add_argument("--secrets", type=Path, required=True)
    parser.add_argument("--ready-file", type=Path, required=True, help="gets the address")
    parser.add_argument("--parent", type=int, default=0, help="process to die with")
    options = parser.parse_args()
    if options.parent:
        die_with_parent(options.parent)
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s")
    settings = options.settings.read_text(encoding="utf-8")
    spec = HostSpec(AgentId(options.agent), settings, str(options.secrets))
    uvloop.run(serve(spec, options.ready_file))


if __name__ == "__main__":
    main()
