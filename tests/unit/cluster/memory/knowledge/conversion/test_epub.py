"""An EPUB's chapters are read as HTML, in their order."""

from __future__ import annotations

import io
import zipfile

import pytest

from cluster.memory.knowledge.chunking.chunks import chunks_of
from cluster.memory.knowledge.conversion.converted import Unconvertible
from cluster.memory.knowledge.conversion.epub import epub
from cluster.memory.knowledge.omissions import Omission
from tests.support.packed import epub_of, zip_of

CHAPTERS = ("<h1>One</h1><p>A heap is a tree.</p>", "<h1>Two</h1><p>Sorting takes time.</p>")
LOCKED = '<encryption><CipherReference URI="{}"/></encryption>'


def test_chapters_are_read_in_their_order_without_their_tags() -> None:
    read = epub(epub_of(*CHAPTERS))

    (chunk,) = chunks_of(read.parts[0], read.format)
    assert " ".join(chunk.text.split()) == "One A heap is a tree. Two Sorting takes time."


def test_a_chapter_is_read_in_the_encoding_it_declares() -> None:
    chapter = '<?xml version="1.0" encoding="koi8-r"?><p>\u043a\u0443\u0447\u0430</p>'
    with zipfile.ZipFile(io.BytesIO(epub_of("x"))) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    (name,) = (each for each in members if each.endswith(".xhtml"))

    read = epub(zip_of({**members, name: chapter.encode("koi8-r")}))

    assert "\u043a\u0443\u0447\u0430" in read.parts[0]


def test_encrypted_chapters_are_refused_and_encrypted_fonts_are_not() -> None:
    font = epub_of(*CHAPTERS, encryption=LOCKED.format("book/font.otf"))
    chapter = epub_of(*CHAPTERS, encryption=LOCKED.format("book/text/1%20.xhtml"))

    assert epub(font) == epub(epub_of(*CHAPTERS))
    with pytest.raises(Unconvertible) as caught:
        epub(chapter)
    assert caught.value.omission is Omission.ENCRYPTED


@pytest.mark.parametrize(
    "data", [b"text", zip_of({"a": "b"}), zip_of({"META-INF/container.xml": "<container/>"})]
)
def test_what_is_no_epub_is_broken(data: bytes) -> None:
    with pytest.raises(Unconvertible) as caught:
        epub(data)

    assert caught.value.omission is Omission.BROKEN
