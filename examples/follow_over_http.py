"""Hand a task in over HTTP, follow it, and go on after a cut connection: the standard library only.

Run it: `fleetmind serve`, then `.venv/bin/python examples/follow_over_http.py [URL [TOKEN]]`.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

GOAL = "What is a heap?"
ENDS = {"answered", "clarify", "failed", "cancelled"}
ATTEMPTS_MAX = 50
SERVERS_FAULT = 500
TIMEOUT_S = 30.0  # the server says something every 15 s at least


class Api:
    """The ingress, as one token sees it."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def open(self, path: str, body: object = None, **headers: str) -> http.client.HTTPResponse:
        """Return an answer whose body is still to be read; raises HTTPError for 4xx and 5xx."""
        data = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        asked = Request(self._url + path, data, {**self._headers, **named})  # noqa: S310 - the user's
        answer: http.client.HTTPResponse = urlopen(asked, timeout=TIMEOUT_S)  # noqa: S310
        return answer

    def events(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield a task's events, each once and in order, however often the connection breaks."""
        last = ""
        for _ in range(ATTEMPTS_MAX):
            try:
                for cursor, event in _parsed(self.open(path, Last_Event_ID=last)):
                    last = cursor
                    yield event
                    if event["kind"] in ENDS:
                        return
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, HTTPError) and error.code < SERVERS_FAULT:
                    raise
                print(f"cut after {last or 'nothing'}: {error}")
            time.sleep(1.0)


def _parsed(stream: http.client.HTTPResponse) -> Iterator[tuple[str, dict[str, Any]]]:
    fields: dict[str, str] = {}
    for line in stream:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            fields[name] = value
        elif "id" in fields:
            yield fields["id"], json.loads(fields["data"])
        if not name:
            fields = {}


def _sentence(error: HTTPError) -> str:
    """Return what the server says of a request that it refuses."""
    try:
        return f"{error.code}: {json.load(error)['error']['message']}"
    except (OSError, ValueError, LookupError, TypeError):
        return str(error)  # what has answered is another server


def main() -> None:
    """Ask, show what happens, print the answer; or say in one sentence why there is none."""
    url, token = (*sys.argv[1:], *["http://127.0.0.1:8000", "none"][len(sys.argv) - 1 :])[:2]
    try:
        _follow(Api(url, token))
    except HTTPError as error:
        sys.exit(f"{url} refuses: {_sentence(error)}")
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"{url} does not answer: {error}")


def _follow(api: Api) -> None:
    # A key for each wish: who sends the same wish again, after a cut, gets the same task.
    task = json.load(api.open("/v1/tasks", {"goal": GOAL}, Idempotency_Key=str(uuid4())))
    for event in api.events(task["events_url"]):
        if event["kind"] != "thought":
            print(
                f"{event['at_s']:7.3f} s  {event['agent']:<14} {event['step']:<8} {event['kind']}"
            )
    result = json.load(api.open(task["result_url"]))
    print(result["answer"])
    for reservation in result["degraded"]:  # what was replaced by something plainer, and why
        print(f"Degraded: {reservation}")


if __name__ == "__main__":
    main()
