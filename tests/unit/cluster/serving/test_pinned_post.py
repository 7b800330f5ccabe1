"""A caller's URL reaches nothing that only this machine or its network does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from cluster.kernel.errors import DeliveryError, UsageError
from cluster.serving.pinned_post import check_url, is_public, pinned_post

HOST = "hook.example"


@dataclass
class Receiver:
    """A server on loopback: what it was sent, and what it answers."""

    port: int = 0
    answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n"
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/told"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        self.requests.append(head + await reader.readexactly(length))
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


class Names:
    """A look-up that knows one answer, or another each time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "8.8.8.8"])
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",  # noqa: S104 - it is what is refused
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:8.8.8.8%eth0",
        "::127.0.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
    ],
)
def test_an_address_that_is_nearer_is_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://example.org/hook", "has to begin with https://"),
        ("https://127.0.0.1/", "not public"),
        ("https://[::1]/", "not public"),
        ("https://[::ffff:10.0.0.1]:8443/", "not public"),
        ("https://169.254.169.254/latest", "not public"),
        ("https://user:word@example.org/", "no user and no password"),
        ("https://example.org@127.0.0.1/", "no user and no password"),
        ("https:///hook", "can't be read"),
        ("https://example.org:99999/", "can't be read"),
        ("https://example.org:0/", "can't be read"),
        ("https://[::1/", "can't be read"),
        ("ftp://example.org/", "can't be read"),
        ("file:///etc/passwd", "can't be read"),
        ("https://exa mple.org/", "can't be read"),
        ("https://example.org\\@127.0.0.1/", "can't be read"),
        ("https://ex\xe4mple.org/", "can't be read"),
        ("https://example.org/\r\nX: y", "can't be read"),
    ],
)
def test_a_url_is_looked_at_before_anything_is_kept(url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_url(url, ())


@pytest.mark.parametrize(
    "url", ["http://intranet/hook", "https://INTRANET./hook", "http://127.0.0.1:8080/"]
)
def test_a_listed_host_may_be_anywhere(url: str) -> None:
    assert check_url(url, ("intranet", "127.0.0.1")) == url


async def test_it_goes_to_the_address_that_was_looked_up_once(receiver: Receiver) -> None:
    names = Names(["127.0.0.1"], ["127.0.0.2"])

    status = await pinned_post(receiver.url, {"x-a": "1"}, b"{}", listed={HOST}, lookup=names)

    [request] = receiver.requests
    assert (status, names.asked) == (204, [HOST])
    assert f"Host: {HOST}:{receiver.port}".encode() in request
    assert request.startswith(b"POST /told HTTP/1.1\r\n")
    assert request.endswith(b"\r\n\r\n{}")


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:127.0.0.1"]]
)
async def test_a_name_that_leads_here_is_not_called(
    receiver: Receiver, addresses: list[str]
) -> None:
    url = f"https://{HOST}:{receiver.port}/told"

    with pytest.raises(UsageError, match="not public"):
        await pinned_post(url, {}, b"{}", lookup=Names(addresses))

    assert receiver.requests == []


async def test_no_redirect_is_followed(receiver: Receiver) -> None:
    receiver.answer = (
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    )

    status = await pinned_post(receiver.url, {}, b"{}", listed={HOST}, lookup=Names(["127.0.0.1"]))

    assert (status, len(receiver.requests)) == (307, 1)


@pytest.mark.parametrize("answer", [b"", b"no http at all\r\n\r\n"])
async def test_a_broken_answer_is_none(receiver: Receiver, answer: bytes) -> None:
    receiver.answer = answer

    with pytest.raises(DeliveryError, match=f"no answer from {HOST}"):
        await pinned_post(receiver.url, {}, b"{}", listed={HOST}, lookup=Names(["127.0.0.1"]))


async def test_a_host_that_has_no_address_gives_no_answer() -> None:
    with pytest.raises(DeliveryError, match="no answer from"):
        await pinned_post("https://hook.example/", {}, b"{}", lookup=Names([]))
