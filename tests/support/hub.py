"""A stand-in for the Hugging Face Hub on loopback: one repository, and what may go wrong there."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "2439f60ef33a0d46d85da5001d52aeda5b00ce9f"


@dataclass(frozen=True)
class Asked:
    """What somebody asked the hub for."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass
class Hub:
    """A repository `owner/name` with one file, and what is said and sent of it."""

    content: bytes
    file: str = "tiny.gguf"
    sha256: str = ""
    """As the hub tells it, where it isn't that of the content; ``none`` where it tells none."""
    sent: bytes | None = None
    """In place of the content."""
    cuts: list[int] = field(default_factory=list)
    """After how many bytes each of the next answers breaks off."""
    takes_ranges: bool = True
    tells_length: bool = True
    status: int = 200
    code: str = ""
    """The hub's own name of an error; ``-`` where a server that is no hub has none."""
    moved_to: str = ""
    """The root of the server that has the content."""
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    @property
    def etag(self) -> str:
        """The hash of the content as Git LFS has it, or that of Git for small files."""
        if self.sha256 == "none":
            return "7cb18dc9bafbfcf74629a4b760af1b160957a83e"
        return self.sha256 or hashlib.sha256(self.content).hexdigest()

    @property
    def sent_ranges(self) -> list[str]:
        """Which parts were asked for, one a fetch; empty text for the whole."""
        return [each.headers.get("range", "") for each in self.asked if each.method == "GET"]


@contextmanager
def served_hub(hub: Hub) -> Iterator[Hub]:
    """Serve it while the block runs."""

    class Handler(_Handler):
        served = hub

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        hub.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield hub
        finally:
            server.shutdown()
            serving.join()


class _Handler(BaseHTTPRequestHandler):
    served: Hub

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class
        pass

    def _answer(self, *, with_body: bool) -> None:
        hub = self.served
        headers = {name.lower(): value for name, value in self.headers.items()}
        hub.asked.append(Asked(self.command, self.path, headers))
        is_there = self.path.startswith("/owner/name/resolve/") and self.path.endswith(hub.file)
        if hub.status != 200 or not is_there:
            self._refuse(hub.status if hub.status != 200 else 404)
        elif hub.moved_to:
            self._begin(302, {"Location": hub.moved_to + self.path, "Content-Length": "0"})
        else:
            self._send(headers.get("range", ""), with_body=with_body)

    def _refuse(self, status: int) -> None:
        code = self.served.code or "EntryNotFound"
        said = {} if code == "-" else {"X-Error-Code": code}
        self._begin(status, {**said, "Content-Length": "0"})

    def _send(self, wanted: str, *, with_body: bool) -> None:
        hub = self.served
        content = hub.content if hub.sent is None else hub.sent
        start = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
        if not hub.takes_ranges:
            start = 0
        rest = content[start:]
        headers = {"Content-Length": str(len(rest))} if hub.tells_length else {}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._begin(206 if start else 200, headers)
        if with_body:
            cut = hub.cuts.pop(0) if hub.cuts else len(rest)
            self.wfile.write(rest[:cut])

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        hub = self.served
        self.send_response(status)
        told = {
            "X-Repo-Commit": COMMIT,
            "X-Linked-Etag": f'"{hub.etag}"',
            "X-Linked-Size": str(len(hub.content)),
        }
        for name, value in {**told, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
