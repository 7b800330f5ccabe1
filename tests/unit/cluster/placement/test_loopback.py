"""Which hosts only this machine can reach."""

from __future__ import annotations

import pytest

from cluster.placement.loopback import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_these_are_reached_from_here_only(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["::", "10.0.0.1", "example.org", ""])
def test_these_may_be_reached_from_elsewhere(host: str) -> None:
    assert not is_loopback(host)
