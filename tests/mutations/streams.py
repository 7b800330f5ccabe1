"""Mutated streams through the reading of an endpoint's answer.

Three of four cases take a recorded stream, change it a few times, cut it into blocks and read it as
the adapter does. Whatever comes out, it is deltas of sound text and then one finish, or trouble
with a sentence: any other exception has crashed it. And it is what comes out of the same bytes in
one block.

The fourth takes a recorded stream, in half of the cases with other words in it, and says the same
in other bytes (`retold`): text, reasoning, finish, usage and trouble must stay as they were.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agents.models.endpoint.stream_reading import StreamReading
from agents.models.endpoint.trouble import Endpoint, Trouble
from agents.models.port import Delta, Finish, Note, Restarted, StreamItem
from tests.mutations.campaign import Outcome
from tests.mutations.retold import retold, with_other_words
from tests.streams.index import RECORDED

KEY = "sk-very-secret"
ENDPOINT = Endpoint("http://models.example/v1", "m", KEY)
CHANGES_MAX = 4
BLOCKS_MAX = 12
BEGINNING = 8
"""Bytes that tell what a body is made of: a third of the cases is cut only there."""
BYTEWISE_MAX = 4_096
"""The longest body that is also read byte by byte."""
RETOLD_SHARE = 0.25
"""Of the cases: so many say in other bytes what a recorded stream says."""
REPEATS_MAX = 200
BYTES_MAX = 1 << 18
"""Of a body: what more there is, is left out."""
DEPTH = 20_000
"""Of what is nested: deeper than any reader follows."""
ODD_VALUES: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    1 << 70,
    1e308,
    float("nan"),
    "",
    " ",
    "null",
    "[DONE]",
    "stop",
    "length",
    "\ud83d",
    "\udf31\ud83c",
    "\x00\n\r",
    KEY,
    [],
    [None],
    [[["x"]]],
    {},
    {"text": "x"},
    {"message": "x", "code": 503},
    [{"type": "text", "text": "x"}, {"type": "thinking", "thinking": ["y"]}],
)
ODD_LINES = (
    b"",
    b":",
    b": ping",
    b"data",
    b"data:",
    b"data: [DONE]",
    b'data: {"error": "gone"}',
    b"data: 7",
    b'data: "words"',
    b"event: error",
    b"error: {}",
    b"id: 1",
    b"retry: x",
    b"{}",
    b"\xef\xbb\xbf",
    b"<html>",
    b"data: " + b"[" * DEPTH,
    b'data: {"a":' * DEPTH,
    b"data: " + b"9" * 5_000,
    b'data: {"error": {"message": "' + KEY.encode() + b'"}}',
)
PREFACES = (b"\xef\xbb\xbf", b"\xef\xbb", b"\xbf", b"\n", b"\r", b" ", b"{", b":")
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-7", "latin-1", "gb18030", "cp037")


@contextmanager
def cases() -> Iterator[Callable[[int], Outcome]]:
    """Yield what reads the mutated stream of a seed."""
    yield _run


@dataclass(frozen=True, slots=True)
class Heard:
    """What a stream has said."""

    text: str
    reasoning: str
    notes: tuple[Note, ...] = ()
    finish: Finish | None = None
    trouble: tuple[str, str, bool] = ("", "", False)
    """What it was, what helps, and whether the call is asked again."""

    @property
    def kind(self) -> str:
        """One of few words for it."""
        if self.finish is not None:
            return f"finish {self.finish.reason}"
        return "trouble, asked again" if self.trouble[-1] else "trouble"


def _run(seed: int) -> Outcome:
    """Read one stream twice; raises what is wrong with what comes out."""
    rng = random.Random(seed)
    recorded = rng.choice(RECORDED)
    if rng.random() < RETOLD_SHARE:
        said = with_other_words(recorded.body, rng) if rng.random() < 0.5 else recorded.body
        body, kind, story = retold(said, rng), recorded.content_type, "retold: "
    else:
        said = recorded.body
        for _ in range(rng.randint(1, CHANGES_MAX)):
            said = rng.choice(CHANGES)(said, rng)[:BYTES_MAX]
        kind = rng.choice(("text/event-stream", "application/json", ""))
        body, story = said, ""
    heard, expected = _heard(_blocks(body, rng), kind), _heard([said], kind)
    assert heard == expected, f"{recorded.file} is read as {heard}, not as {expected}"
    return Outcome(story + heard.kind, len(body))


def _heard(blocks: list[bytes], content_type: str) -> Heard:
    """Return what a stream says; raises what no stream should."""
    reading = StreamReading(ENDPOINT)
    said: tuple[list[str], list[str]] = ([], [])
    notes: list[Note] = []
    finishes: list[Finish] = []
    trouble = ("", "", False)
    try:
        for item in _items(reading, blocks, content_type):
            assert not finishes, f"{item!r} after the finish"
            if isinstance(item, Delta):
                item.text.encode()
                assert item.text, "a delta without text"
                said[item.is_reasoning].append(item.text)
            elif isinstance(item, Restarted):
                said = ([], [])
            elif isinstance(item, Finish):
                assert item.reason in {"stop", "length"}, item.reason
                assert 0 <= item.cached_tokens <= item.prompt_tokens, item
                finishes.append(item)
            else:
                notes.append(item)
        assert finishes, "ends without a finish"
    except Trouble as error:
        _check(error)
        trouble = (error.what, error.remedy, error.is_retryable)
    text, reasoning = ("".join(each) for each in said)
    finish = finishes[0] if finishes else None
    return Heard(text, reasoning, tuple(notes), finish, trouble)


def _items(reading: StreamReading, blocks: list[bytes], content_type: str) -> Iterator[StreamItem]:
    for block in blocks:
        yield from reading.feed(block)
    yield from reading.finish(content_type)


def _check(trouble: Trouble) -> None:
    for said in (trouble.what, trouble.remedy):
        assert said.isprintable(), said
        assert KEY not in said, said
    assert len(trouble.what) < 1_000, len(trouble.what)


def _blocks(body: bytes, rng: random.Random) -> list[bytes]:
    if len(body) <= BYTEWISE_MAX and rng.random() < 0.1:
        return [body[at : at + 1] for at in range(len(body))]
    before = rng.choice((len(body), len(body), min(len(body), BEGINNING)))
    cuts = sorted(rng.randint(0, before) for _ in range(rng.randint(0, BLOCKS_MAX)))
    ends = [*cuts, len(body)]
    return [body[start:end] for start, end in zip([0, *cuts], ends, strict=True)]


# ---- changes of the bytes ------------------------------------------------------------------------


def _cut(body: bytes, rng: random.Random) -> bytes:
    return body[: rng.randint(0, len(body))]


def _drop(body: bytes, rng: random.Random) -> bytes:
    start = rng.randint(0, len(body))
    return body[:start] + body[start + rng.randint(1, 40) :]


def _flip(body: bytes, rng: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.choice((0, 10, 13, 34, 92, 123, 195, 255))
    return bytes(changed)


def _repeat(body: bytes, rng: random.Random) -> bytes:
    events = body.split(b"\n\n")
    at = rng.randrange(len(events))
    return b"\n\n".join([*events[:at], *[events[at]] * rng.randint(1, REPEATS_MAX), *events[at:]])


def _shuffle(body: bytes, rng: random.Random) -> bytes:
    events = body.split(b"\n\n")
    rng.shuffle(events)
    return b"\n\n".join(events)


def _merge(body: bytes, rng: random.Random) -> bytes:
    """Put another stream behind it, or into it."""
    other, at = rng.choice(RECORDED).body, rng.randint(0, len(body))
    return body + other if rng.random() < 0.5 else body[:at] + other + body[at:]


def _insert(body: bytes, rng: random.Random) -> bytes:
    lines = body.split(b"\n")
    lines.insert(rng.randint(0, len(lines)), rng.choice(ODD_LINES))
    return b"\n".join(lines)


def _preface(body: bytes, rng: random.Random) -> bytes:
    """Put something before it that a body may begin with, or parts of that."""
    return b"".join(rng.choices(PREFACES, k=rng.randint(1, 4))) + body


def _line_ends(body: bytes, rng: random.Random) -> bytes:
    return body.replace(rng.choice((b"\n", b"\n\n")), rng.choice((b"\r\n", b"\r", b"\n", b"")))


def _encode(body: bytes, rng: random.Random) -> bytes:
    return body.decode(errors="replace").encode(rng.choice(ENCODINGS), errors="replace")


# ---- changes of the chunks -----------------------------------------------------------------------


def _alter(body: bytes, rng: random.Random) -> bytes:
    """Change some values within the chunks: other types, missing fields, another order."""
    lines = body.split(b"\n")
    whole = [at for at, line in enumerate(lines) if line.startswith(b"data:")]
    for at in rng.sample(whole, min(len(whole), rng.randint(1, 3))):
        try:
            chunk = json.loads(lines[at][5:])
        except (ValueError, RecursionError):
            continue
        lines[at] = b"data: " + json.dumps(_altered(chunk, rng)).encode()
    return b"\n".join(lines)


def _altered(value: object, rng: random.Random) -> object:
    """Return a value with one thing in it changed; goes down a path of it at random."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        fields = list(value.items())
        name, found = rng.choice(fields)
        way = rng.random()
        if way < 0.1:
            del value[name]
        elif way < 0.2:
            rng.shuffle(fields)
            return dict(fields)
        elif way < 0.3:
            other, _ = rng.choice(fields)
            value[name], value[other] = value[other], value[name]
        else:
            value[name] = _altered(found, rng)
        return value
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        value[at] = _altered(value[at], rng)
        return value * rng.choice((1, 1, 2))
    return rng.choice(ODD_VALUES)


CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _cut,
    _drop,
    _flip,
    _repeat,
    _shuffle,
    _merge,
    _insert,
    _preface,
    _line_ends,
    _encode,
    _alter,
    _alter,
    _alter,
    _alter,
)
