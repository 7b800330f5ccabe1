"""Named paths are read or refused with a sentence; folders yield their text and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.memory.knowledge import sources
from cluster.memory.knowledge.omissions import Omission, Omissions, left_out_line
from cluster.memory.knowledge.sources import check_paths, decoded, find_files, read_file


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, content: str | bytes = "Some text.\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def names(*paths: str | Path) -> list[str]:
    return [file.source for file in find_files(paths, Omissions())]


def line(omissions: Omissions) -> str:
    return left_out_line(omissions.left_out())


def refusal(path: str | Path) -> str:
    """The sentence with which a named path is refused, by its name or by its content."""
    with pytest.raises(UsageError) as caught:
        [read_file(file, Omissions()) for file in find_files([path], Omissions())]
    return str(caught.value)


def test_sources_are_named_by_the_path_as_it_was_given(here: Path) -> None:
    write(here / "docs" / "b.md")
    write(here / "docs" / "deep" / "a.md")

    assert names("docs") == ["docs/b.md", "docs/deep/a.md"]
    assert names("./docs/") == ["docs/b.md", "docs/deep/a.md"]
    assert names("docs/b.md") == ["docs/b.md"]
    assert names(".") == ["docs/b.md", "docs/deep/a.md"]
    assert names(here / "docs" / "b.md") == [f"{here}/docs/b.md"]


def test_sources_above_the_current_folder_are_named_from_there(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(here / "docs" / "deep" / "a.md")
    monkeypatch.chdir(here / "docs" / "deep")

    assert names("..") == ["../deep/a.md"]


def test_a_file_reached_twice_is_found_once(here: Path) -> None:
    write(here / "docs" / "a.md")

    assert names("docs/a.md", "docs", here / "docs") == ["docs/a.md"]


def test_what_a_folder_holds_besides_knowledge_is_left_out_and_counted(here: Path) -> None:
    write(here / "docs" / "a.md")
    write(here / "docs" / ".hidden.md")
    write(here / "docs" / ".git" / "b.md")
    write(here / "docs" / "node_modules" / "c.md")
    write(here / "docs" / "env" / "pyvenv.cfg")
    write(here / "docs" / "env" / "d.md")
    write(here / "docs" / "data.json", "{}")
    write(here / "docs" / "picture.png", b"\x89PNG\0")
    os.mkfifo(here / "docs" / "pipe.md")
    omissions = Omissions()

    found = find_files(["docs"], omissions)

    assert [file.source for file in found] == ["docs/a.md"]
    assert line(omissions) == (
        "Left out: 2 folders of tools, 1 hidden folder, 1 hidden file, 1 data file, 1 image, "
        "1 special file"
    )


def test_links_in_a_folder_are_not_followed(here: Path) -> None:
    write(here / "outside" / "secret.md")
    write(here / "docs" / "a.md")
    (here / "docs" / "file.md").symlink_to(here / "outside" / "secret.md")
    (here / "docs" / "folder").symlink_to(here / "outside")
    (here / "docs" / "loop").symlink_to(here / "docs")

    assert names("docs") == ["docs/a.md"]


def test_a_link_that_is_named_is_followed(here: Path) -> None:
    write(here / "real" / "a.md")
    (here / "link").symlink_to(here / "real")

    assert names("link") == ["link/a.md"]


def test_a_link_put_in_the_place_of_a_found_file_is_not_followed(here: Path) -> None:
    write(here / "secret.txt")
    path = write(here / "docs" / "a.md")
    (file,) = find_files(["docs"], Omissions())
    path.unlink()
    path.symlink_to(here / "secret.txt")
    omissions = Omissions()

    assert read_file(file, omissions) is None
    assert line(omissions) == "Left out: 1 unreadable file (docs/a.md)"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("missing", "'missing' doesn't exist"),
        ("a.md/below", "can't be read (Not a directory)"),
        ("", "is empty: name a file or a folder"),
        ("nul\0byte", "can't be read (embedded null byte)"),
        ("x" * 300, "can't be read (File name too long)"),
        ("pipe", "is neither a file nor a folder"),
        ("empty.md", "'empty.md' is empty"),
        ("blank.md", "'blank.md' is empty"),
        ("binary.md", "'binary.md' is binary"),
        ("huge.md", "has 100.0 MB, more than the 20 MB"),
    ],
)
def test_a_named_path_that_is_no_knowledge_is_refused(here: Path, path: str, why: str) -> None:
    write(here / "a.md")
    write(here / "empty.md", "")
    write(here / "blank.md", " \n\n")
    write(here / "binary.md", b"\x7fELF\0\0")
    with (here / "huge.md").open("wb") as huge:
        huge.truncate(100_000_000)
    os.mkfifo(here / "pipe")

    assert why in refusal(path)
    assert "\n" not in refusal(path)


def test_a_named_file_of_any_extension_is_read(here: Path) -> None:
    write(here / "data.json", '{"a": 1}')
    write(here / "data.strange", "some text")
    files = find_files(["data.json", "data.strange"], Omissions())

    assert [(file.format, read_file(file, Omissions())) for file in files] == [
        ("source", b'{"a": 1}'),
        ("text", b"some text"),
    ]


def test_a_folder_of_data_is_read(here: Path) -> None:
    write(here / "data" / "a.csv", "name,age")
    write(here / "data" / "deep" / "b.log", "started")
    write(here / "data" / "README.md")

    assert names("data") == ["data/README.md", "data/a.csv", "data/deep/b.log"]


def test_packed_files_need_not_be_text(here: Path) -> None:
    write(here / "docs" / "a.docx", b"PK\x03\x04\0")
    write(here / "docs" / "really.txt", b"%PDF-1.4\0")
    files = find_files(["docs"], Omissions())

    assert all(read_file(file, Omissions()) for file in files)


def test_files_in_a_folder_that_are_no_text_are_left_out(here: Path) -> None:
    write(here / "docs" / "empty.md", "")
    write(here / "docs" / "binary.md", b"a\0b")
    with (here / "docs" / "huge.md").open("wb") as huge:
        huge.truncate(100_000_000)
    gone = write(here / "docs" / "gone.md")
    omissions = Omissions()
    files = find_files(["docs"], omissions)
    gone.unlink()

    assert [read_file(file, omissions) for file in files] == [None, None, None]
    assert line(omissions) == (
        "Left out: 1 file over 20 MB (docs/huge.md), 1 unreadable file (docs/gone.md), "
        "1 binary file, 1 empty file"
    )


def test_the_limit_that_is_told_is_the_one_that_holds() -> None:
    omissions = Omissions()
    omissions.add("files", Omission.TOO_LARGE, "a.md")

    assert f"over {sources.FILE_BYTES_MAX // sources.MEGABYTE} MB" in line(omissions)


@pytest.mark.parametrize(
    ("limit", "value", "why"),
    [
        ("FILES_MAX", 2, "leads to more than 2 files"),
        ("TOTAL_BYTES_MAX", 20, "leads to more than 0 MB in all"),
        ("ENTRIES_MAX", 2, "holds more than 2 entries"),
    ],
)
def test_too_much_is_refused_and_not_cut(
    here: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, why: str
) -> None:
    monkeypatch.setattr(sources, limit, value)
    for at in range(3):
        write(here / "docs" / f"{at}.md")

    assert why in refusal("docs")


def test_packed_files_have_a_limit_of_their_own(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "TOTAL_BYTES_MAX", 20)
    write(here / "docs" / "a.pdf", b"%PDF-" + bytes(30))
    write(here / "docs" / "b.md", "some text")

    assert names("docs") == ["docs/a.pdf", "docs/b.md"]

    monkeypatch.setattr(sources, "PACKED_BYTES_MAX", 30)
    assert "leads to more than 0 MB in all" in refusal("docs")


def test_names_that_are_no_unicode_can_be_shown_and_stored(here: Path) -> None:
    write(here / "docs" / os.fsdecode(b"caf\xe9.md"))

    (name,) = names("docs")

    assert name == "docs/caf\ufffd.md"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"plain\r\n", "plain\r\n"),
        ("\ufeffcaf\u00e9".encode(), "caf\u00e9"),
        ("caf\u00e9".encode("utf-16"), "caf\u00e9"),
        (b"caf\xe9", "caf\u00e9"),
        (b"\xff\xfe\x00", None),
        (b"a\0b", None),
        ("a\0b".encode("utf-16"), None),
        (bytes(range(1, 256)), None),
    ],
)
def test_text_is_told_from_other_bytes(data: bytes, expected: str | None) -> None:
    assert decoded(data) == expected


def test_paths_are_checked_before_they_are_read(here: Path) -> None:
    write(here / "docs" / "a.md", b"")
    write(here / "docs" / "b.md")
    write(here / "bare" / "a.md", b"")
    write(here / "bare" / "b.png")

    check_paths(["docs", "docs/b.md"])
    with pytest.raises(UsageError, match="'bare' holds no text that can be read"):
        check_paths(["docs", "bare"])
    with pytest.raises(UsageError, match=r"'docs/a\.md' is empty"):
        check_paths(["docs", "docs/a.md"])


def test_paths_that_are_too_much_together_are_refused_early(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "FILES_MAX", 1)
    write(here / "a.md")
    write(here / "b.md")

    with pytest.raises(UsageError, match="more than 1 files"):
        check_paths(["a.md", "b.md"])
