"""The ingress from outside: starts the process that keeps it, and drains it in the end.

Called by the command line; nothing here imports Ray.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from cluster.kernel.errors import UsageError
from cluster.placement.local.child_process import ChildProcess
from cluster.placement.serving.listening import check_can_listen
from cluster.placement.serving.process import CUT, WITHDRAW_MARGIN_S, ServeRequest
from cluster.settings.values import ServeSettings

START_TIMEOUT_S = 200.0
"""Above the sum of the deadlines of the phases, which name what took too long."""
STOP_MARGIN_S = 60.0
"""What the end of Ray Serve, and leaving Ray, may take beyond the streams."""
_MODULE = "cluster.placement.serving.process"


class ServedHttp:
    """The ingress, for as long as the context lasts.

    Args:
        request: what is served, and in which Ray cluster.
        own: the section [serve] of its settings.
        on_progress: is told in one line what is being done.
    """

    def __init__(
        self, request: ServeRequest, own: ServeSettings, on_progress: Callable[[str], None]
    ) -> None:
        self._request = request
        self._own = own
        self._on_progress = on_progress
        self._process: ChildProcess | None = None

    async def __aenter__(self) -> Self:
        """Start it and wait until every replica answers.

        Raises:
            ClusterError: what could not be started; nothing is left then.
        """
        try:
            self._process = await ChildProcess.start(_MODULE, request=self._request.to_json())
            await self._process.ready(self._on_progress, START_TIMEOUT_S)
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
        """Take no request any more, let streams end, and stop everything.

        Where it is cancelled, the streams are cut.

        Raises:
            PlacementError: something can't be stopped.
        """
        await self._stop()

    async def ended(self) -> str:
        """Return when it has ended by itself, with the reason it gave."""
        assert self._process is not None, "it is not open"
        return await self._process.ended()

    async def kill(self) -> None:
        """End it at once: its Ray is gone, and nothing of it is there to be taken away.

        Raises:
            PlacementError: it can't be killed.
        """
        process, self._process = self._process, None
        if process is not None:
            await process.stop(0.0)

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await _stopped(process, self._own.drain_s + WITHDRAW_MARGIN_S + STOP_MARGIN_S)


async def _stopped(process: ChildProcess, timeout_s: float) -> None:
    try:
        await process.stop(timeout_s)
    except asyncio.CancelledError:
        process.id.send(CUT)
        try:
            await process.stop(STOP_MARGIN_S)  # else Ray Serve stays in the resident cluster
        except asyncio.CancelledError:
            await process.stop(0.0)
            raise
        raise


def check_can_serve(own: ServeSettings, *, may_be_in_use: bool = False) -> None:
    """Say in good time why nothing can listen where the ingress is to, or speak TLS there.

    Args:
        own: the section [serve] of the settings.
        may_be_in_use: whether the port may be that of a `fleetmind serve` that is gone, which the
            start of this one ends; it looks then.

    Raises:
        UsageError: the port is in use, the host is none of this machine's, or the certificate and
            its key are no pair that TLS can be spoken with.
    """
    if bool(own.tls_cert) != bool(own.tls_key):
        raise UsageError("HTTPS needs both a certificate and its key: --tls-cert and --tls-key")
    if own.tls_cert:
        _check_certificate(own.tls_cert, own.tls_key)
    check_can_listen(own, may_be_in_use=may_be_in_use)


def _check_certificate(certificate: str, key: str) -> None:
    """Load them as Ray Serve's proxy will, which says only to its log that it can't."""
    for path in (certificate, key):
        if not (Path(path).is_file() and os.access(path, os.R_OK)):
            raise UsageError(f"{path} can't be read: it is to hold the certificate or its key")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, _no_password)
    except _EncryptedKeyError as error:
        raise UsageError(
            f"{key} is encrypted, and nobody could type its password at every start: give a key "
            "without one"
        ) from error
    except OSError as error:  # ssl.SSLError is one
        # Where OpenSSL has no reason, the text is a line of Python's source.
        reason = getattr(error, "reason", None) or "one of them is something else"
        raise UsageError(
            f"{certificate} and {key} are no certificate in PEM and its key: "
            f"{reason.lower().replace('_', ' ')}"
        ) from error


class _EncryptedKeyError(Exception):
    """OpenSSL has asked for the password of a key."""


def _no_password() -> str:
    raise _EncryptedKeyError
