"""The store that has the user's data, whoever runs it; for the commands and for `fleetmind up`."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.store.embedded import EmbeddedRedis, find_server
from cluster.memory.store.server_socket import accepts, answers, reply_to, url_of
from cluster.memory.store.slot import check_first_slot, first_data, first_socket
from cluster.memory.store.versions import taken_over

OTHERS_S = 5.0
"""How long somebody may take to start or stop the store that others want to use."""
_POLL_S = 0.05


def is_run_beside(data_root: Path | None = None) -> bool:
    """Say whether somebody else runs the store with the user's data; blocks, up to a second."""
    others = first_socket(data_root)
    return others is not None and answers(others)


def end_orphan(run_dir: Path, data_root: Path | None = None) -> None:
    """End the store of a cluster that has died, where it has outlived it: its guard died as well.

    It would hold the user's data, and the next cluster would have others. Blocks, some seconds.

    Args:
        run_dir: the dead cluster's folder, which its store's socket lies in.
        data_root: as for `EmbeddedRedis`.
    """
    socket = first_socket(data_root)
    if socket is None or run_dir not in socket.parents:
        return
    give_up_at = time.monotonic() + OTHERS_S
    reply_to(b"SHUTDOWN", socket)
    while accepts(socket) and time.monotonic() < give_up_at:
        time.sleep(_POLL_S)


@contextmanager
def users_store(
    data_root: Path | None = None,
    *,
    wait_s: float = OTHERS_S,
    note: Callable[[str], None] = lambda _text: None,
) -> Generator[tuple[str, bool]]:
    """Give the URL of the store with the user's data, and whether it is run by somebody else.

    Where a cluster, or another command, runs it, that one is used, as long as it lives; else a
    server is started until the context ends. Blocks.

    Args:
        data_root: as for `EmbeddedRedis`.
        wait_s: how long somebody may take who is just starting or stopping it, in seconds.
        note: is told what a user should know of the data of a server that is started.

    Raises:
        StoreUnavailable: as `EmbeddedRedis.start`, or somebody holds the data and does not answer.
    """
    give_up_at = time.monotonic() + wait_s
    while True:
        others = first_socket(data_root)
        if others is not None and answers(others):
            yield url_of(others), True
            return
        with EmbeddedRedis(data_root=data_root) as server:
            if server.has_users_data:
                if server.note:
                    note(server.note)
                with _last_words_of(server):
                    yield server.url, False
                return
        if time.monotonic() > give_up_at:
            raise StoreUnavailable(
                "another process of yours has the embedded store and does not answer: end it"
            )
        time.sleep(_POLL_S)


@contextmanager
def tried_store(
    data_root: Path | None = None,
    *,
    note: Callable[[str], None] = lambda _text: None,
    will_take_over: Callable[[int], None] = lambda _version: None,
) -> Generator[tuple[str, bool]]:
    """Give what `users_store` does, with no data made and none taken over, to look whether it runs.

    Where `users_store` would do so, the server is an empty one whose data go with it. Blocks.

    Args:
        data_root: as for `EmbeddedRedis`.
        note: as for `users_store`.
        will_take_over: is told the version whose data `users_store` would have taken over.

    Raises:
        StoreUnavailable: as `users_store`, also where it could make no data.
    """
    if not is_run_beside(data_root):
        written_at, (_, major) = first_data(data_root), find_server()
        is_new, older = major not in written_at, taken_over(written_at, major)
    else:
        is_new, older = False, None
    if not is_new:
        with users_store(data_root, note=note) as found:
            yield found
        return
    check_first_slot(data_root)
    if older is not None:
        will_take_over(older)
    with EmbeddedRedis(is_temporary=True) as server, _last_words_of(server):
        yield server.url, False


@contextmanager
def _last_words_of(server: EmbeddedRedis) -> Generator[None]:
    """Raise what the server says of its end in place of what its end looked like from outside."""
    try:
        yield
    except StoreUnavailable as error:
        if why := server.why_ended():
            raise StoreUnavailable(why) from error
        raise
