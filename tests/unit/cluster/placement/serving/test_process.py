"""What the process that keeps the ingress is asked for survives its way there."""

from __future__ import annotations

from cluster.placement.serving.process import ServeRequest


def test_a_request_is_read_as_it_was_written() -> None:
    request = ServeRequest("127.0.0.1:6379", '{"serve": {}}', "/run/secrets.json")

    assert ServeRequest.from_json(request.to_json()) == request
