"""What the ingress keeps survives the store; what is not ours is said to be so."""

from __future__ import annotations

import pytest

from cluster.kernel.errors import WireError
from cluster.kernel.ids import TaskId
from cluster.serving.wire import (
    AccessToken,
    Webhook,
    access_token_from_bytes,
    access_token_to_bytes,
    webhook_from_bytes,
    webhook_to_bytes,
)


def test_a_token_comes_back_as_it_was() -> None:
    whole = AccessToken("bot", b"\x01" * 32, ("ask", "learn"), ("a", "b"), 3, 10**12, 1.7e9)

    assert access_token_from_bytes(access_token_to_bytes(whole)) == whole


def test_a_wish_comes_back_as_it_was() -> None:
    whole = Webhook(TaskId("1" * 32), "https://example.org/hook", b"\x00\xff" * 16, 3, 1.7e9)

    assert webhook_from_bytes(webhook_to_bytes(whole)) == whole


def test_bytes_of_something_else_are_an_error() -> None:
    with pytest.raises(WireError, match="no AccessToken of the ingress"):
        access_token_from_bytes(b"\xff")
    with pytest.raises(WireError, match="no Webhook of the ingress"):
        webhook_from_bytes(b"\xff")
