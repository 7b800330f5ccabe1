"""Server-sent events: how they are written, batched, and left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable

import pytest
from starlette.types import Message

from cluster.serving import sse
from cluster.serving.sse import (
    BUFFER_BYTES_MAX,
    EventStream,
    Gone,
    frame,
    framed,
    one_line,
    while_there,
)

SCOPE = {"type": "http"}


class Reader:
    """Whoever reads a stream: keeps the messages, may stop taking them, may leave."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.bodies: list[bytes] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self.leaves = asyncio.Event()
        self.left = 0
        self.news = asyncio.Condition()

    async def receive(self) -> Message:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await self.takes.wait()
        self.messages.append(message)
        if message.get("body"):
            self.bodies.append(message["body"])
        async with self.news:
            self.news.notify_all()

    async def has(self, reached: Callable[[], bool]) -> None:
        async with self.news:
            await self.news.wait_for(reached)

    async def leave(self) -> None:
        self.left += 1

    async def read(self, frames: AsyncGenerator[bytes, None]) -> None:
        await EventStream(frames, self.leave)(SCOPE, self.receive, self.send)

    @property
    def is_whole(self) -> bool:
        return self.messages[-1].get("more_body") is False


async def frames_of(*data: bytes, then: asyncio.Event | None = None) -> AsyncGenerator[bytes, None]:
    """Events that come at once, and then perhaps nothing."""
    for each in data:
        yield each
    if then is not None:
        await then.wait()


def test_an_event_has_its_data_its_name_and_its_place() -> None:
    written = frame({"text": "Käuze\nrufen"}, event="thought", cursor="1.7").decode()

    assert written.startswith("id: 1.7\nevent: thought\ndata: ")
    assert written.endswith("\n\n")
    assert json.loads(written.splitlines()[2].removeprefix("data: ")) == {"text": "Käuze\nrufen"}


@pytest.mark.parametrize("write", [frame, lambda data: framed(one_line(data))])
def test_no_client_finds_the_end_of_a_line_in_the_middle_of_an_event(
    write: Callable[[object], bytes],
) -> None:
    text = "".join(map(chr, range(0x3000)))

    [line, *_] = write({"text": text}).decode().splitlines()

    assert json.loads(line.removeprefix("data: ")) == {"text": text}


async def test_all_events_are_sent_and_the_stream_is_ended() -> None:
    reader = Reader()

    await reader.read(frames_of(b"one", b"two"))

    assert b"".join(reader.bodies) == b"onetwo"
    assert reader.is_whole
    assert reader.left == 1


async def test_events_that_come_together_leave_in_one_message() -> None:
    reader = Reader()

    await reader.read(frames_of(*[b"token "] * 50))

    assert len(reader.bodies) < 5


async def test_an_event_after_a_while_leaves_without_waiting_for_others() -> None:
    reader, told = Reader(), asyncio.Event()
    reading = asyncio.create_task(reader.read(frames_of(b"one", then=told)))

    await reader.has(lambda: reader.bodies == [b"one"])

    told.set()
    await reading


async def test_whoever_leaves_ends_what_the_events_come_from() -> None:
    reader, closed = Reader(), asyncio.Event()

    async def frames() -> AsyncGenerator[bytes, None]:
        try:
            yield b"one"
            await asyncio.Event().wait()
        finally:
            closed.set()

    reading = asyncio.create_task(reader.read(frames()))
    await reader.has(lambda: bool(reader.bodies))
    reader.leaves.set()

    await reading
    assert closed.is_set()
    assert reader.left == 1


async def test_a_burst_that_is_larger_than_the_buffer_is_sent_whole() -> None:
    reader = Reader()

    await reader.read(frames_of(*[b"x" * BUFFER_BYTES_MAX] * 3))

    assert len(b"".join(reader.bodies)) == 3 * BUFFER_BYTES_MAX
    assert reader.is_whole


async def test_a_reader_that_does_not_catch_up_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "CATCH_UP_S", 0.0)
    reader = Reader()
    reader.takes.clear()

    await reader.read(frames_of(b"x" * BUFFER_BYTES_MAX, b"x", then=asyncio.Event()))

    assert reader.left == 1
    assert reader.messages == []


async def test_what_is_kept_elsewhere_waits_for_a_reader_that_does_not_keep_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sse, "CATCH_UP_S", 0.0)
    reader, read = Reader(), asyncio.Event()
    reader.takes.clear()

    async def frames() -> AsyncGenerator[bytes, None]:
        yield b"x" * BUFFER_BYTES_MAX
        yield b"y"
        read.set()
        yield b"z"

    stream = EventStream(frames(), reader.leave, may_wait=True)
    reading = asyncio.create_task(stream(SCOPE, reader.receive, reader.send))
    for _ in range(10):
        await asyncio.sleep(0)
    was_read = read.is_set()
    reader.takes.set()
    await reading

    assert not was_read
    assert b"".join(reader.bodies).endswith(b"xyz")


async def test_a_reader_that_takes_nothing_for_long_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sse, "SEND_WAIT_S", 0.0)
    reader = Reader()
    reader.takes.clear()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await reader.send(message)

    await EventStream(frames_of(b"one", then=asyncio.Event()), reader.leave)(
        SCOPE, reader.receive, send
    )

    assert reader.left == 1


async def test_a_comment_keeps_a_quiet_stream_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE_S", 0.0)
    reader, told = Reader(), asyncio.Event()
    reading = asyncio.create_task(reader.read(frames_of(then=told)))

    await reader.has(lambda: b": keep-alive\n\n" in reader.bodies)

    told.set()
    await reading


async def test_a_stream_that_crashes_is_cut_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def frames() -> AsyncGenerator[bytes, None]:
        yield b"one"
        raise KeyError("x")

    reader = Reader()
    await reader.read(frames())

    assert not reader.is_whole
    assert "a stream crashed" in caplog.text


async def test_a_stream_whose_server_cancels_it_leaves_its_task_too() -> None:
    reader = Reader()
    reading = asyncio.create_task(reader.read(frames_of(b"one", then=asyncio.Event())))
    await reader.has(lambda: bool(reader.bodies))

    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert reader.left == 1


async def test_work_is_awaited_while_its_asker_is_there() -> None:
    async def work() -> int:
        return 7

    assert await while_there(Reader().receive, work()) == 7


async def test_work_is_cancelled_when_its_asker_leaves() -> None:
    reader, cancelled = Reader(), asyncio.Event()
    reader.leaves.set()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(Gone):
        await while_there(reader.receive, work())

    assert cancelled.is_set()


async def test_what_goes_wrong_with_the_work_is_raised() -> None:
    async def work() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await while_there(Reader().receive, work())


async def test_a_result_that_nobody_gets_is_undone() -> None:
    undone: list[int] = []

    async def work() -> int:
        waiting.cancel()  # arrives when the work is done
        return 7

    async def undo(result: int) -> None:
        undone.append(result)

    waiting = asyncio.create_task(while_there(Reader().receive, work(), undo))

    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert undone == [7]
