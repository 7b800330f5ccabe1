"""The embedded server's configuration; that its guard ends it is for the integration tests."""

from __future__ import annotations

from pathlib import Path

from cluster.memory.store.guard import server_config
from cluster.memory.store.slot import Slot


def test_the_configuration_is_durable_never_evicts_and_listens_on_no_port() -> None:
    lines = server_config(Slot(Path("/run"), Path("/data"))).splitlines()
    assert {
        "port 0",
        'unixsocket "/run/redis.sock"',
        "unixsocketperm 700",
        'dir "/data"',
        'save ""',
        "appendonly yes",
        "appendfsync always",
        "aof-load-truncated yes",
        "maxmemory-policy noeviction",
    } <= set(lines)


def test_paths_with_spaces_and_quotes_stay_one_word_of_the_configuration() -> None:
    text = server_config(Slot(Path("/run dir"), Path('/a "b" \\c')))
    assert 'unixsocket "/run dir/redis.sock"\n' in text
    assert 'dir "/a \\"b\\" \\\\c"\n' in text
