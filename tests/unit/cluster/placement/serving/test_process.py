"""What the process that keeps the ingress is asked for survives its way there."""

from __future__ import annotations

from pathlib import Path

from cluster.placement.serving.process import ServeRequest


def test_a_request_is_read_as_it_was_written(tmp_path: Path) -> None:
    request = ServeRequest("127.0.0.1:6379", '{"serve": {}}', "/run/secrets.json")
    request.write(tmp_path)

    assert ServeRequest.read(tmp_path) == request
