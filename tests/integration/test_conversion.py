"""The process that reads PDFs and the like: one for many files, bounded, gone with its starter."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.memory.cache.knowledge_cache import KnowledgeCache
from cluster.memory.knowledge.conversion.converted import Converted, Unconvertible
from cluster.memory.knowledge.conversion.converter import Converter
from cluster.memory.knowledge.learning import learn
from cluster.memory.knowledge.omissions import Omission, left_out_line
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.store.local import LocalStore
from tests.support.clock import ManualClock
from tests.support.hashing_embedder import HashingEmbedder
from tests.support.packed import docx_of, epub_of, pdf_of, zip_of

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PDF = pdf_of("A heap is a tree.")
WAIT_S = 60.0
BAD = (
    "Left out: 1 encrypted PDF (docs/b.pdf), 1 PDF without text (docs/c.pdf), "
    "1 broken Word file (docs/d.docx), 1 broken notebook (docs/e.ipynb)"
)
STARTER = """
import sys
from cluster.memory.knowledge.conversion.converter import Converter
converter = Converter()
converter.convert(sys.stdin.buffer.read(), "pdf")
print(converter.process_id, flush=True)
sys.stdout.close()
{end}
"""


Write = Callable[[str, bytes], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes files below the current folder, which is an empty one."""
    monkeypatch.chdir(tmp_path)

    def write(path: str, data: bytes) -> None:
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_bytes(data)

    return write


@pytest.fixture
def converter() -> Iterator[Converter]:
    with closing(Converter()) as opened:
        yield opened


def empty_namespaces() -> LocalNamespaces:
    clock = ManualClock()
    return LocalNamespaces(LocalStore(clock), clock)


def ended_within_wait(process: int) -> bool:
    """Whether a process that isn't our child ends."""
    try:
        watched = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], WAIT_S)[0])
    finally:
        os.close(watched)


def omission_of(converter: Converter, data: bytes, file_format: str) -> Omission:
    with pytest.raises(Unconvertible) as caught:
        converter.convert(data, file_format)
    return caught.value.omission


class Asking(threading.Thread):
    """Asks a converter for a file beside the test, and keeps why it has none."""

    def __init__(self, converter: Converter) -> None:
        super().__init__()
        self._converter = converter
        self.omission: Omission | None = None

    def run(self) -> None:
        try:
            self._converter.convert(PDF, "pdf")
        except Unconvertible as error:
            self.omission = error.omission


def test_one_process_reads_many_files_of_all_formats(converter: Converter) -> None:
    docx = docx_of("<w:p><w:r><w:t>A heap is a tree.</w:t></w:r></w:p>")
    notebook = json.dumps({"nbformat": 4, "cells": [{"source": "A heap is a tree."}]}).encode()
    files = {
        "pdf": PDF,
        "docx": docx,
        "epub": epub_of("<p>A heap is a tree.</p>"),
        "notebook": notebook,
        "mail": b"Subject: heaps\n\nA heap is a tree.\n",
    }
    read: list[Converted] = []
    processes = set()

    for file_format, data in files.items():
        read.append(converter.convert(data, file_format))
        processes.add(converter.process_id)

    assert all("A heap is a tree." in each.parts[0] for each in read)
    assert len(processes) == 1


def test_a_bad_file_is_told_and_the_next_is_read(converter: Converter) -> None:
    bomb = zip_of({"word/document.xml": bytes(60_000_000)})

    assert omission_of(converter, b"no pdf", "pdf") is Omission.BROKEN
    assert omission_of(converter, bomb, "docx") is Omission.UNPACKS_TOO_LARGE
    assert converter.convert(PDF, "pdf").is_paged


def test_a_file_that_ends_the_process_is_broken_and_the_next_one_has_another(
    converter: Converter,
) -> None:
    converter.convert(PDF, "pdf")
    first = converter.process_id
    os.kill(first, signal.SIGSEGV)

    assert omission_of(converter, PDF, "pdf") is Omission.BROKEN
    assert converter.convert(PDF, "pdf").is_paged
    assert converter.process_id != first


def test_what_uses_up_its_processor_time_is_too_slow(converter: Converter) -> None:
    converter.convert(PDF, "pdf")
    os.kill(converter.process_id, signal.SIGXCPU)

    assert omission_of(converter, PDF, "pdf") is Omission.TOO_SLOW


def test_what_takes_too_long_is_too_slow() -> None:
    with closing(Converter()) as converter:
        converter.convert(PDF, "pdf")
        os.kill(converter.process_id, signal.SIGSTOP)
        converter._wall_s_max = 0.01  # noqa: SLF001 - the child has had all the time it needs to start
        assert omission_of(converter, PDF, "pdf") is Omission.TOO_SLOW


def test_memory_is_bounded(converter: Converter) -> None:
    converter.convert(PDF, "pdf")

    limits = Path(f"/proc/{converter.process_id}/limits").read_text("utf-8").splitlines()
    [address_space] = [line for line in limits if line.startswith("Max address space")]
    assert "1500000000" in address_space


def test_closing_ends_it_at_once_whatever_it_does(converter: Converter) -> None:
    converter.convert(PDF, "pdf")
    process = converter.process_id
    os.kill(process, signal.SIGSTOP)
    asking = Asking(converter)
    asking.start()

    converter.close()
    asking.join(WAIT_S)

    assert not asking.is_alive()
    assert ended_within_wait(process)
    with pytest.raises(UsageError, match="given up"):
        converter.convert(PDF, "pdf")


@pytest.mark.parametrize("end", ["import os, signal; os.kill(os.getpid(), signal.SIGKILL)", ""])
def test_it_ends_with_its_starter_however_that_ended(end: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTER.format(end=end)],
        cwd=ROOT,
        input=PDF,
        capture_output=True,
        timeout=WAIT_S,
        check=False,
    )

    assert ended_within_wait(int(done.stdout))


def test_nothing_of_the_working_directory_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, converter: Converter
) -> None:
    (tmp_path / "pypdfium2.py").write_text("raise SystemExit", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")

    assert converter.convert(PDF, "pdf").is_paged


async def test_a_passage_of_a_pdf_has_its_page_and_its_lines_there(write: Write) -> None:
    write("a.pdf", pdf_of("Sorting takes time.", "Heaps\nA heap is a tree."))
    namespaces, embedder = empty_namespaces(), HashingEmbedder()

    learned = await learn(namespaces, ["a.pdf"], embedder=embedder)
    knowledge = KnowledgeCache(namespaces, embedder)
    found = await knowledge.search(learned.collection, "heap tree", 1)
    await knowledge.close()

    (best,) = found.passages
    assert (best.source, best.page, best.start_line, best.end_line) == ("a.pdf", 2, 1, 2)


async def test_files_without_text_are_left_out_and_told_each_time(write: Write) -> None:
    write("docs/a.md", b"A heap is a tree.")
    write("docs/b.pdf", pdf_of("secret", is_locked=True))
    write("docs/c.pdf", pdf_of(""))
    write("docs/d.docx", b"PK, but no zip")
    write("docs/e.ipynb", b"no JSON")
    namespaces, embedder = empty_namespaces(), HashingEmbedder()

    learned = [await learn(namespaces, ["docs"], embedder=embedder) for _ in range(2)]

    assert [(each.files, each.embedded, each.reused) for each in learned] == [(1, 1, 0), (1, 0, 1)]
    assert {left_out_line(each.left_out) for each in learned} == {BAD}


async def test_a_file_without_text_that_is_named_is_refused(write: Write) -> None:
    write("a.md", b"A heap is a tree.")
    write("b.pdf", pdf_of("secret", is_locked=True))

    with pytest.raises(UsageError, match=r"'b\.pdf' .*1 encrypted PDF"):
        await learn(empty_namespaces(), ["a.md", "b.pdf"], embedder=HashingEmbedder())
