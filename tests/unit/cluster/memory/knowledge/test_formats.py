"""Which files are read, and as what; what is left out, and as what."""

from __future__ import annotations

import pytest

from cluster.memory.knowledge.chunking.chunks import FORMATS
from cluster.memory.knowledge.folders import EntryType, FolderEntry
from cluster.memory.knowledge.formats import (
    PACKED,
    REPEATED_LINKS,
    Choice,
    choose,
    format_of,
    format_of_content,
    kind_of_format,
)
from cluster.memory.knowledge.omissions import Omission

READABLE = [
    *("a.md", "a.rst", "a.html", "a.py", "a.txt", "a.c", "a.csv"),
    *("a.pdf", "a.docx", "a.epub", "a.ipynb", "a.eml"),
]


def chosen(*names: str, is_named: bool = False) -> dict[str, str]:
    """The format that each file is read in, or the kind as one of which it is left out."""
    entries = [FolderEntry(name, 10) for name in names]
    choices = choose(entries, 100, is_named=is_named)
    return {
        entry.name: each.format if each.is_read else f"left out: {each.kind}"
        for entry, each in zip(entries, choices, strict=True)
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.md", "markdown"),
        ("README.MD", "markdown"),
        ("a.rst", "rst"),
        ("a.html", "html"),
        ("a.py", "python"),
        ("a.txt", "text"),
        ("a.rs", "source"),
        ("a.b.toml", "source"),
        ("LICENSE", "text"),
        ("Makefile", "source"),
        ("copyright", "text"),
        ("README.Debian", "text"),
        ("CHANGES.2.4", "text"),
        ("Makefile.am", "source"),
        ("readme.png", ""),
        ("changelog.Debian.gz", ""),
        ("news.json", ""),
        ("readme-not.x", ""),
        ("a.PDF", "pdf"),
        ("a.docx", "docx"),
        ("a.epub", "epub"),
        ("a.ipynb", "notebook"),
        ("a.eml", "mail"),
        ("a.json", ""),
        ("a.csv", ""),
        ("a.png", ""),
        ("a", ""),
        ("a.", ""),
        (".md", ""),
    ],
)
def test_a_name_tells_the_format(name: str, expected: str) -> None:
    assert format_of(name) == expected


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.png", "images"),
        ("a.tar.gz", "archives"),
        ("a.mp3", "sound files"),
        ("a.mp4", "videos"),
        ("a.xlsx", "Office files"),
        ("a.woff2", "fonts"),
        ("a.sqlite", "databases"),
        ("a.pyc", "programs"),
        ("a.log", "logs"),
        ("a.json", "data files"),
        ("a.po", ".po files"),
        ("a.long-and-strange", "unknown files"),
        ("a", "unknown files"),
        (".hidden.md", "hidden files"),
    ],
)
def test_what_is_no_knowledge_is_left_out_as_one_of_its_kind(name: str, kind: str) -> None:
    assert chosen("a.md", name) == {"a.md": "markdown", name: f"left out: {kind}"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.json", "source"),
        ("a.log", "source"),
        ("a.csv", "table"),
        ("a.png", "text"),
        (".hidden.md", "markdown"),
        ("no-extension", "text"),
    ],
)
def test_a_file_that_is_named_is_read_whatever_it_is_called(name: str, expected: str) -> None:
    assert chosen(name, is_named=True) == {name: expected}


@pytest.mark.parametrize(
    ("names", "is_read"),
    [
        (["a.csv"], True),
        (["a.csv", "b.log", "c.png", "README.md"], True),
        (["a.json", "README.md"], False),
        (["a.json", "b.json", "README.md", "b.pdf"], False),
    ],
)
def test_data_is_read_where_it_is_most_of_what_a_folder_has(
    names: list[str], *, is_read: bool
) -> None:
    assert chosen(*names)[names[0]].startswith("left out") is not is_read


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (FolderEntry(".a.md", type=EntryType.LINK), "hidden files"),
        (FolderEntry("a.md", type=EntryType.OUTSIDE_LINK), "outside links"),
        (FolderEntry("a.md", type=EntryType.HIDDEN_LINK), "hidden links"),
        (FolderEntry("a.md", type=EntryType.BROKEN_LINK), "broken links"),
        (FolderEntry("a", type=EntryType.REPEATED_LINK), REPEATED_LINKS),
        (FolderEntry("a.md", type=EntryType.OTHER), "special files"),
        (FolderEntry(".git", type=EntryType.FOLDER), "hidden folders"),
        (FolderEntry("node_modules", type=EntryType.FOLDER), "tool folders"),
    ],
)
def test_what_is_no_file_is_left_out(entry: FolderEntry, kind: str) -> None:
    assert choose([entry], 100, is_named=False) == [Choice("", kind, Omission.KIND)]


@pytest.mark.parametrize(
    ("name", "expected"), [("latest", "markdown"), ("page.txt", "text"), ("a.png", "markdown")]
)
def test_where_a_links_name_tells_nothing_the_files_own_does(name: str, expected: str) -> None:
    (choice,) = choose([FolderEntry(name, 1, target="v2.md")], 100, is_named=False)

    assert choice.format == expected


@pytest.mark.parametrize(
    ("type_", "kind"), [(EntryType.CLOSED_FILE, "files"), (EntryType.CLOSED_FOLDER, "folders")]
)
def test_what_can_not_be_looked_at_is_left_out_as_that(type_: EntryType, kind: str) -> None:
    (choice,) = choose([FolderEntry("a", type=type_)], 100, is_named=False)

    assert choice == Choice("", kind, Omission.UNREADABLE)


@pytest.mark.parametrize("is_named", [True, False])
def test_a_file_over_the_limit_is_left_out_as_that(*, is_named: bool) -> None:
    choices = choose([FolderEntry("a.pdf", 101), FolderEntry("a.md", 100)], 100, is_named=is_named)

    assert choices == [Choice("pdf", "PDFs", Omission.TOO_LARGE), Choice("markdown", "files")]


def test_data_that_is_too_large_does_not_make_a_folder_one_of_data() -> None:
    entries = [FolderEntry("a.csv", 101), FolderEntry("b.csv", 1), FolderEntry("a.md", 1)]

    assert [each.is_read for each in choose(entries, 100, is_named=False)] == [False, False, True]


def test_a_pdf_is_told_by_its_first_bytes() -> None:
    assert format_of_content(b"%PDF-1.4\n", "text") == "pdf"
    assert format_of_content(b"\xef\xbb\xbf\r\n%PDF-1.4\n", "text") == "pdf"
    assert format_of_content(b"% a comment in TeX", "text") == "text"
    assert format_of_content(b"It begins with %PDF-1.4", "text") == "text"
    assert format_of_content(b"not yet", "pdf") == "pdf"


def test_every_format_a_name_can_tell_can_be_split_or_unpacked() -> None:
    assert {chosen(name, is_named=True)[name] for name in READABLE} == FORMATS | PACKED


@pytest.mark.parametrize("file_format", sorted(FORMATS | PACKED))
def test_what_files_are_called_is_a_plural_that_ends_in_s(file_format: str) -> None:
    assert kind_of_format(file_format).endswith("s")
