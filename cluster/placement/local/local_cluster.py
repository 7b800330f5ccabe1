"""`LocalCluster`: a running cluster for as long as a context lasts.

The cluster is a process of its own (`cluster.placement.local.cluster_process`), not part of this
one: Ray replaces signal handlers, kills what a thread started when that thread ends, and would be
in the way of Ctrl-C; so nothing of it is imported here. Owned by `run` where no cluster is
resident, and by `cluster.placement.resident.process`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from cluster.placement.local.child_process import ChildProcess
from cluster.placement.local.process_table import ProcessId
from cluster.placement.local.reports import Ready
from cluster.placement.local.request import SECRETS_FILE, StartRequest, order_stop
from cluster.placement.local.run_dir import new_run_dir
from cluster.settings import Configuration, Settings

START_TIMEOUT_S = 150.0
"""Above the sum of the deadlines of the phases, which name what took too long."""
STOP_TIMEOUT_S = 20.0
NAMESPACE = "fleetmind"
_MODULE = "cluster.placement.local.cluster_process"
_TOKEN_BYTES = 32


class LocalCluster:
    """Starts store, local model, Ray and actors, and stops them when the context ends.

    Args:
        configuration: the settings; without a store, or a Ray address, one of its own is started.
        on_progress: is told in one line what is being done.
        has_dashboard: whether Ray's dashboard is served; it costs a second or two at the start.
        is_resident: whether it is the one of this machine; others get a namespace of their own, so
            that several can be on one Ray cluster.
        apart_from: the address of a Ray cluster that is not joined, whatever it is called.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        on_progress: Callable[[str], None] = lambda _text: None,
        has_dashboard: bool = False,
        is_resident: bool = False,
        apart_from: str = "",
    ) -> None:
        self.settings: Settings = configuration.settings
        self._secrets = configuration.secrets
        self._on_progress = on_progress
        self._has_dashboard = has_dashboard
        self._is_resident = is_resident
        self._apart_from = apart_from
        self._run_dir: Path | None = None
        self._process: ChildProcess | None = None
        self._ready: Ready | None = None
        self._ending: asyncio.Task[str] | None = None
        """Ends with the cluster's process, with the reason it gave."""

    @property
    def secrets_path(self) -> Path:
        """The 0600 file with the token of its streams and the URL of its store."""
        assert self._run_dir is not None, "the cluster is not open"
        return self._run_dir / SECRETS_FILE

    @property
    def ready(self) -> Ready:
        """Where Ray and its dashboard are, and the agents."""
        assert self._ready is not None, "the cluster is not open"
        return self._ready

    @property
    def process(self) -> ProcessId:
        """The cluster's process, the leader of the session all its processes are in."""
        assert self._process is not None, "the cluster is not open"
        return self._process.id

    async def __aenter__(self) -> Self:
        """Start it and wait until every agent serves.

        Raises:
            ClusterError: what could not be started, in one sentence; nothing is left then.
        """
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything and remove its folder.

        Raises:
            PlacementError: something can't be stopped.
        """
        await self._stop()

    async def ended(self) -> str:
        """Return when the cluster's process has ended by itself, with the reason it gave."""
        assert self._ending is not None, "the cluster is not open"
        return await asyncio.shield(self._ending)

    @property
    def why_ended(self) -> str | None:
        """Why its process has ended by itself, in a sentence; None while it runs."""
        if self._ending is None or not self._ending.done():
            return None
        return f"the cluster has ended, the reason: {self._ending.result()}"

    async def _start(self) -> None:
        # Made by the process that removes it: this one may be killed before that is there.
        run_dir = self._run_dir = new_run_dir()
        namespace = NAMESPACE if self._is_resident else f"{NAMESPACE}-{run_dir.name}"
        own = dataclasses.replace(self._secrets, token=secrets.token_hex(_TOKEN_BYTES))
        request = StartRequest(self.settings, own, namespace, self._has_dashboard, self._apart_from)
        self._process = await ChildProcess.start(
            _MODULE, "--run-dir", str(run_dir), request=request.to_json()
        )
        self._ready = await self._process.ready(self._on_progress, START_TIMEOUT_S)
        self._ending = asyncio.create_task(self._process.ended())

    async def _stop(self) -> None:
        process, run_dir, ending = self._process, self._run_dir, self._ending
        self._process = self._run_dir = self._ready = self._ending = None
        if ending is not None:
            ending.cancel()
            await asyncio.wait([ending])
        try:
            if process is not None and run_dir is not None:
                order_stop(run_dir)
                await process.stop(STOP_TIMEOUT_S)
        finally:
            if run_dir is not None:
                await asyncio.to_thread(shutil.rmtree, run_dir, ignore_errors=True)
