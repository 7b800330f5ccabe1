"""What comes of a file is looked at before it is kept; what is true stays whatever comes next."""

from __future__ import annotations

from io import BytesIO

import pytest

from agents.models.local.incoming_file import Awaited, IncomingFile
from cluster.kernel.errors import ModelError

AWAITED = Awaited("hf:o/n/m.gguf", "http://hub", size_bytes=12)
PAGES = [b"<!DOCTYPE html>", b"\r\n <!doctype HTML><p>", b"<html lang=en>", b"<HTML>"]


def incoming(kept: BytesIO) -> IncomingFile:
    return IncomingFile(kept, AWAITED, lambda _done, _total: None)


@pytest.mark.parametrize("piece", PAGES)
def test_a_page_is_told_by_how_it_begins(piece: bytes) -> None:
    kept = BytesIO()

    with pytest.raises(ModelError, match="in its place came an HTML page"):
        incoming(kept).write(piece)

    assert kept.getvalue() == b""


@pytest.mark.parametrize("piece", [b"<htmlx>", b"GGU", b"{}", b"text, and then <html>"])
def test_what_begins_otherwise_is_no_gguf_file(piece: bytes) -> None:
    with pytest.raises(ModelError, match="is no GGUF file, whatever its name"):
        incoming(BytesIO()).write(piece)


def test_what_is_kept_goes_when_the_file_itself_comes_again() -> None:
    kept = BytesIO(b"GGUF-old")
    coming = incoming(kept)

    coming.seek(0)
    coming.truncate()
    assert kept.getvalue() == b"GGUF-old"
    kept.seek(0)  # a file that is opened for appending needs none
    coming.write(b"GGUF-new-one")

    assert kept.getvalue() == b"GGUF-new-one"
    assert coming.tell() == AWAITED.size_bytes


def test_a_piece_is_told_before_it_is_kept() -> None:
    kept = BytesIO()
    seen: list[tuple[int, int, bytes]] = []
    coming = IncomingFile(
        kept, AWAITED, lambda done, total: seen.append((done, total, kept.getvalue()))
    )

    coming.write(b"GGUF")
    coming.write(b"more")

    assert seen == [(4, 12, b""), (8, 12, b"GGUF")]
