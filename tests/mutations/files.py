"""Mutated files through what reads and splits them.

A case takes a small file of one of the formats, in one of many encodings, changes it a few times,
lays it into a folder and has it read as `fleetmind learn` does. Whatever becomes of it, it is left
out for a reason, or its passages can be stored: any exception has crashed it.

Of the 13 kinds of files each makes a thirteenth of the cases. Only PDFs are read by the process
that reads packed files otherwise, since native code would end this one; Word files, EPUBs,
notebooks and mails by the same functions here. Folders are looked through once for each kind: what
is found depends on a file's name alone.
"""

from __future__ import annotations

import io
import json
import random
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache, partial
from pathlib import Path

from cluster.memory.knowledge.chunking.chunks import chunks_of
from cluster.memory.knowledge.conversion.converted import (
    Converted,
    Unconvertible,
    from_line,
    to_line,
)
from cluster.memory.knowledge.conversion.converter import Converter
from cluster.memory.knowledge.conversion.docx import docx
from cluster.memory.knowledge.conversion.epub import epub
from cluster.memory.knowledge.conversion.mail import mail
from cluster.memory.knowledge.conversion.notebook import notebook
from cluster.memory.knowledge.documents import FileReading
from cluster.memory.knowledge.formats import PACKED
from cluster.memory.knowledge.omissions import Omission, Omissions, left_out_line
from cluster.memory.knowledge.reading import FileReader
from cluster.memory.knowledge.records import Chunk, StoredDocument
from cluster.memory.knowledge.sources import SourceFile, find_files
from cluster.memory.knowledge.wire import document_from_bytes, document_to_bytes
from tests.mutations.campaign import Outcome
from tests.support.packed import docx_of, epub_of, pdf_of, zip_of

TEXTS = {
    "md": "---\ntitle: a\n---\n# Title\n\nText with `code`.\n\n```python\nprint(1)\n```\n\n- one\n",
    "rst": "Title\n=====\n\n.. code-block:: python\n\n   import os\n\nText::\n\n    >>> 1\n    1\n",
    "html": "<html><head><title>T</title><script>if (a < b) {}</script></head><body>\n"
    "<h1 class='a'>H &amp; I</h1><pre>&gt;&gt;&gt; 1\n1</pre><!-- c --><p>x<br>y</body>\n",
    "py": "# -*- coding: latin-1 -*-\nimport os\n\n\nclass A:\n    def f(self):\n        pass\n",
    "txt": "A text. It has sentences!\n\n\u041f\u0440\u0438\u0432\u0435\u0442, \u65e5\u672c.\n",
    "csv": 'name,age\nann,3\nbob,"4"\n',
    "log": "2024-01-01 INFO started\n2024-01-01 ERROR \x1b[31mfailed\x1b[0m\n",
    "json": '{"a": [1, 2, {"b": "c"}]}\n',
}
NOTEBOOK = {
    "nbformat": 4,
    "metadata": {"language_info": {"name": "python"}},
    "cells": [
        {"cell_type": "markdown", "source": ["# T\n", "text"]},
        {"cell_type": "code", "source": "print(1)", "outputs": []},
    ],
}
MAIL = (
    b"Subject: =?utf-8?b?w6k=?=\nFrom: a@example.com\nMIME-Version: 1.0\n"
    b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain; charset=koi8-r\n"
    b"Content-Transfer-Encoding: quoted-printable\n\n=F0=D2 text\n--x\nContent-Type: text/html\n\n"
    b"<p>b</p>\n--x\nContent-Disposition: attachment; filename=a.txt\n\nY\n--x--\n"
)
ENCODINGS = (
    *("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-le"),
    *("latin-1", "cp1252", "koi8-r", "gb18030", "cp932", "euc_jp", "cp949", "iso2022_jp", "cp037"),
)
READERS: dict[str, Callable[[bytes], Converted]] = {
    "docx": docx,
    "epub": epub,
    "mail": mail,
    "notebook": notebook,
}
CHANGES_MAX = 5
REPEATS_MAX = 400
ZIP_MARK = b"PK"
WITHIN_SHARE = 0.8
"""Of the files that are zips: so many are changed within."""
BYTES_MAX = 1 << 17
"""Of a file: what more there is, is left out."""
ODD = (
    *(
        b"\0",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xef\xbb\xbf",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\t",
        b" ",
        b"\f",
    ),
    *(b"<", b">", b"<!--", b"-->", b"<title>", b"</pre>", b"<a b='", b'"', b"&#", b"&#9;", b"&amp"),
    *(
        b"```",
        b"~~~",
        b"    ",
        b"# ",
        b"===",
        b"---",
        b"- ",
        b"[",
        b"](",
        b"`",
        b"::",
        b".. code::",
    ),
    *(b">>> ", b"... ", b"def f(", b"class A:", b"(", b"{", b"[", b"lambda ", b"\\", b"'''", b"@"),
    *(
        b"\x1b$B",
        b"\x1b(B",
        b"\x1b$)C",
        b"%PDF-1.4",
        b"%!PS",
        b"PK\x03\x04",
        b"{\\rtf1",
        b"\xed\xa0\x80",
    ),
    *(b"=?utf-8?q?", b"boundary=", b"Content-Type: ", b"charset=idna", b"<w:p>", b"endobj", b"<<"),
    *("\u2028\u0085\u00a0\u3000\u3002".encode(), b"9" * 5_000, b"x" * 2_000, b"\\ud800", b"\xe9"),
)


@contextmanager
def cases() -> Iterator[Callable[[int], Outcome]]:
    """Yield what reads the mutated file of a seed, in a folder and with a converter of its own."""
    folders = tempfile.TemporaryDirectory(prefix="mutated-")
    with folders as folder, closing(Converter()) as converter:
        files = {each: _file(Path(folder, each), each) for each in (*TEXTS, *_packed())}
        yield partial(_run, files, converter)


def _file(folder: Path, extension: str) -> SourceFile:
    """Return the one file of a folder, as a folder is looked through."""
    folder.mkdir()
    (folder / f"case.{extension}").touch()
    (file,) = find_files([folder], Omissions())
    return file


@cache
def _packed() -> dict[str, bytes]:
    """A file of each format whose text has to be taken out of it."""
    return {
        "pdf": pdf_of("A page.\nIts text.", "Another."),
        "docx": docx_of("<w:p><w:r><w:t>Text.</w:t></w:r></w:p>"),
        "epub": epub_of("<h1>A</h1><p>b</p>", "<p>c &lt; d</p>"),
        "ipynb": json.dumps(NOTEBOOK).encode(),
        "eml": MAIL,
    }


def _run(files: Mapping[str, SourceFile], converter: Converter, seed: int) -> Outcome:
    """Read one mutated file; raises what is wrong with what comes of it."""
    rng = random.Random(seed)
    extension = rng.choice([*TEXTS, *_packed()])
    data = _packed().get(extension) or TEXTS[extension].encode(rng.choice(ENCODINGS), "ignore")
    if data.startswith(ZIP_MARK) and rng.random() < WITHIN_SHARE:
        data = _changed_within(data, rng)
    else:
        data = _changed(data, rng)
    file = files[extension]
    file.path.write_bytes(data)
    return Outcome(_read(file, converter), len(data))


def _read(file: SourceFile, converter: Converter) -> str:
    """Read a file as one of a folder; return what became of it."""
    omissions = Omissions()
    reader = FileReader()
    content = reader.read(file, omissions)
    if content is None:
        assert left_out_line(omissions.left_out()).isprintable()
        (left_out,) = omissions.left_out()
        return f"left out: {left_out.omission}"
    assert not omissions.count, "it is read and left out"
    reading = FileReading.of(file, content, "none")
    try:
        chunks = _chunks(reading, converter)
    except Unconvertible as error:
        return f"{reading.file.format}: {error.omission}"
    _check(reading, chunks)
    return f"{reading.file.format}: read" if chunks else f"{reading.file.format}: no text"


def _chunks(reading: FileReading, converter: Converter) -> list[Chunk]:
    if reading.file.format not in PACKED:
        return chunks_of(reading.content.text, reading.file.format)
    data = reading.content.data
    if reading.file.format == "pdf":
        converted = converter.convert(data, "pdf")
    else:
        converted = from_line(to_line(READERS[reading.file.format](data)))
    return [chunk for part in converted.parts for chunk in chunks_of(part, converted.format)]


def _check(reading: FileReading, chunks: list[Chunk]) -> None:
    """Hold passages to what is promised of them, and store them."""
    for chunk in chunks:
        assert chunk.text.strip(), "a passage without text"
        assert 1 <= chunk.start_line <= chunk.end_line, chunk
    stored = StoredDocument(
        content_hash=reading.content_hash,
        format=reading.file.format,
        chunker_version=1,
        embedder="none",
        dimensions=1,
        chunks=tuple(chunks),
        vectors=bytes(2 * len(chunks)),
        omission="" if chunks else Omission.NO_TEXT,
    )
    read = document_from_bytes(document_to_bytes(stored))
    assert [each.text for each in read.chunks] == [each.text for each in chunks]


def _changed(data: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.randint(1, CHANGES_MAX)):
        data = rng.choice(CHANGES)(data, rng)[:BYTES_MAX]
    return data


def _changed_within(data: bytes, rng: random.Random) -> bytes:
    """Change a member of a zip: the zip's own sums would tell of any other change."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(members))
    members[name] = _changed(members[name], rng)
    return zip_of(members)


def _spot(data: bytes, rng: random.Random) -> slice:
    start = rng.randint(0, len(data))
    return slice(start, min(len(data), start + rng.choice((0, 1, 2, 8, 64, 4_096))))


def _without(data: bytes, rng: random.Random) -> bytes:
    spot = _spot(data, rng)
    return data[: spot.start] + data[spot.stop :]


def _with_odd(data: bytes, rng: random.Random) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice(ODD) * rng.choice((1, 1, 2, 50, REPEATS_MAX)) + data[at:]


def _flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8) if changed else 0):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _repeated(data: bytes, rng: random.Random) -> bytes:
    spot = _spot(data, rng)
    return data[: spot.stop] + data[spot] * rng.randint(1, REPEATS_MAX) + data[spot.stop :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randint(0, len(data))]


def _swapped(data: bytes, rng: random.Random) -> bytes:
    one, two = sorted(rng.randint(0, len(data)) for _ in range(2))
    return data[two:] + data[one:two] + data[:one]


def _spliced(data: bytes, rng: random.Random) -> bytes:
    """Put a part of a file of another format into this one."""
    other = rng.choice([*_packed().values(), *(text.encode() for text in TEXTS.values())])
    at = rng.randint(0, len(data))
    return data[:at] + other[_spot(other, rng)] + data[at:]


def _noise(data: bytes, rng: random.Random) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.randbytes(rng.choice((1, 16, 1_000))) + data[at:]


def _on_one_line(data: bytes, _: random.Random) -> bytes:
    return data.replace(b"\n", b" ")


CHANGES = (
    *(_without, _with_odd, _flipped, _repeated, _cut, _swapped, _spliced, _noise, _on_one_line),
)
