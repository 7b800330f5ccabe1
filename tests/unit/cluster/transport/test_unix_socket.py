"""The protocol of a unix socket: what is refused, and when; the socket itself is a fake."""

from __future__ import annotations

import asyncio
import itertools
import os
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kernel.envelope import Frame, Goodbye
from cluster.kernel.errors import ClusterError, PeerUnavailable, WireError
from cluster.transport.unix_socket import HEADER, TOKEN_BYTES_MAX, UnixConnection
from cluster.wire.codec import FRAME_BYTES_MAX, frame_to_bytes


class FakeSocket:
    """Says whose process the other end is."""

    def __init__(self, user: int) -> None:
        self._user = user

    def getsockopt(self, *_: int) -> bytes:
        return struct.pack("3i", 1, self._user, 1)


class FakeTransport(asyncio.Transport):
    """Keeps what is written; an abort ends the protocol at once."""

    def __init__(self, protocol: UnixConnection, user: int) -> None:
        super().__init__({"socket": FakeSocket(user)})
        self._protocol = protocol
        self.written: list[bytes] = []
        self.is_aborted = False
        self.is_half_closed = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def write_eof(self) -> None:
        self.is_half_closed = True

    def abort(self) -> None:
        self.is_aborted = True
        asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)


class Ear:
    """A receiver that writes down what it gets."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.errors: list[ClusterError | None] = []
        self.writable_count = 0

    def on_frame(self, frame: Frame) -> None:
        self.frames.append(frame)

    def on_writable(self) -> None:
        self.writable_count += 1

    def on_end(self, error: ClusterError | None) -> None:
        self.errors.append(error)


class Opened:
    """A connection past its handshake, or, with no token shown yet, before it."""

    def __init__(self, *, user: int | None = None, alive_s: float = 60.0) -> None:
        self.shown: list[bytes] = []
        self.connection = UnixConnection(
            lambda: 0.0, lambda _, shown: self.shown.append(shown), lambda _: None, alive_s=alive_s
        )
        self.transport = FakeTransport(self.connection, os.getuid() if user is None else user)
        self.ear = Ear()
        self.connection.connection_made(self.transport)

    async def start(self) -> None:
        self.connection.data_received(message(b"token"))
        self.connection.start(self.ear)
        await asyncio.sleep(0)


def message(data: bytes) -> bytes:
    return HEADER.pack(len(data)) + data


def frame(text: str) -> bytes:
    return message(frame_to_bytes(Goodbye(text), 0.0))


def cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(place % (len(data) + 1) for place in at), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(st.lists(st.integers(min_value=0), max_size=8))
async def test_frames_are_delivered_however_their_bytes_are_cut(at: list[int]) -> None:
    opened = Opened()
    opened.connection.data_received(message(b"token"))
    opened.connection.start(opened.ear)
    await asyncio.sleep(0)

    for piece in cut(frame("one") + HEADER.pack(0) + frame("x" * 200) + frame("three"), at):
        opened.connection.data_received(piece)

    assert opened.ear.frames == [Goodbye("one"), Goodbye("x" * 200), Goodbye("three")]
    opened.transport.abort()
    await asyncio.sleep(0)


async def test_what_comes_with_the_token_waits_for_the_start() -> None:
    opened = Opened()
    opened.connection.data_received(message(b"token") + frame("early"))
    assert opened.shown == [b"token"]
    assert not opened.ear.frames

    opened.connection.start(opened.ear)
    await asyncio.sleep(0)

    assert opened.ear.frames == [Goodbye("early")]


@pytest.mark.parametrize("length", [FRAME_BYTES_MAX + 1, 2**31, 2**32 - 2])
async def test_a_length_over_the_limit_is_refused_before_its_bytes(length: int) -> None:
    opened = Opened()
    await opened.start()

    opened.connection.data_received(HEADER.pack(length) + b"the first of many")
    await asyncio.sleep(0)

    assert opened.transport.is_aborted
    assert [type(error) for error in opened.ear.errors] == [WireError]


async def test_a_first_message_that_is_too_long_for_a_token_is_refused() -> None:
    opened = Opened()

    opened.connection.data_received(HEADER.pack(TOKEN_BYTES_MAX + 1))
    await asyncio.sleep(0)

    assert opened.transport.is_aborted
    assert not opened.shown


async def test_bytes_that_are_no_frame_end_the_stream() -> None:
    opened = Opened()
    await opened.start()

    opened.connection.data_received(message(b"\xff\xff") + frame("after"))
    await asyncio.sleep(0)

    assert opened.ear.frames == []
    assert [type(error) for error in opened.ear.errors] == [WireError]


async def test_another_users_process_gets_no_byte() -> None:
    opened = Opened(user=os.getuid() + 1)

    opened.connection.write_bytes(b"the token")
    opened.connection.data_received(message(b"token"))
    await asyncio.sleep(0)

    assert opened.transport.is_aborted
    assert not opened.transport.written
    assert not opened.shown


async def test_a_peer_that_falls_silent_is_given_up() -> None:
    opened = Opened(alive_s=0.001)
    await opened.start()

    async with asyncio.timeout(5):
        await opened.connection.ended.wait()

    assert [type(error) for error in opened.ear.errors] == [PeerUnavailable]
    assert HEADER.pack(0) in opened.transport.written


async def test_an_end_without_a_word_is_no_orderly_end() -> None:
    ends: list[ClusterError | None] = []
    for last_words in (b"", HEADER.pack(2**32 - 1)):
        opened = Opened()
        await opened.start()
        opened.connection.data_received(last_words)
        opened.connection.eof_received()
        opened.connection.connection_lost(None)
        ends += opened.ear.errors

    assert [type(error) for error in ends] == [PeerUnavailable, type(None)]


async def test_a_full_socket_is_not_writable_until_it_has_room() -> None:
    opened = Opened()
    await opened.start()

    seen = []
    for change in (opened.connection.pause_writing, opened.connection.resume_writing):
        change()
        seen.append(opened.connection.is_writable)

    assert seen == [False, True]
    assert opened.ear.writable_count == 1


async def test_a_close_half_closes_and_delivers_nothing_more() -> None:
    opened = Opened()
    await opened.start()

    opened.connection.close()
    opened.connection.write(Goodbye("too late"))
    opened.connection.data_received(frame("too late"))
    opened.connection.connection_lost(None)

    assert opened.transport.is_half_closed
    assert opened.transport.written == [HEADER.pack(2**32 - 1)]
    assert opened.ear.frames == []
    assert opened.ear.errors == [None]
