"""Files of folders are read or left out, named ones are read or refused with a sentence."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.memory.knowledge import reading, sources
from cluster.memory.knowledge.decoding import FileContent
from cluster.memory.knowledge.omissions import Omissions, left_out_line
from cluster.memory.knowledge.reading import (
    ATTEMPTS_MAX,
    FileReader,
    check_paths,
    check_watchable,
)
from cluster.memory.knowledge.sources import find_files

CYRILLIC = "\u041f\u0440\u0438\u0432\u0435\u0442"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, content: str | bytes = "Some text.\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: str, reader: FileReader | None = None) -> tuple[list[str | None], str]:
    """The texts of what a path leads to, and the line on what is left out."""
    omissions = Omissions()
    reader = reader or FileReader()
    files = find_files([path], omissions)
    reader.meet(files)
    contents = [reader.read(file, omissions) for file in files]
    texts = [content.text if content else None for content in contents]
    return texts, left_out_line(omissions.left_out())


def refusal(path: str) -> str:
    with pytest.raises(UsageError) as caught:
        read(path)
    return str(caught.value)


def meddle(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let something happen after each time bytes are read."""
    really = reading._whole  # noqa: SLF001 - each reading goes through it

    def meddled(data: bytes | None) -> bytes:
        act()
        return really(data)

    monkeypatch.setattr(reading, "_whole", meddled)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        ("\ufeff \n".encode("utf-16"), "is empty"),
        (b"\x7fELF\0\0", "is binary"),
        (b"%!PS-Adobe-3.0\n%%Title: x\n", "PostScript files are not"),
        (b"{\\rtf1\\ansi x}", "Office files are not"),
    ],
)
def test_a_named_file_without_text_is_refused(here: Path, content: bytes, why: str) -> None:
    write(here / "a.md", content)

    assert why in refusal("a.md")
    assert "\n" not in refusal("a.md")


def test_a_named_file_of_any_extension_is_read(here: Path) -> None:
    write(here / "data.strange", "some text")

    assert read("data.strange") == (["some text"], "")


def test_a_link_put_in_the_place_of_a_found_file_is_not_followed(here: Path) -> None:
    write(here / "secret.txt")
    path = write(here / "docs" / "a.md")
    (file,) = find_files(["docs"], Omissions())
    path.unlink()
    path.symlink_to(here / "secret.txt")
    omissions = Omissions()

    assert FileReader().read(file, omissions) is None
    assert left_out_line(omissions.left_out()) == "Left out: 1 unreadable file (docs/a.md)"


def test_a_link_put_in_the_place_of_a_folder_is_not_followed(here: Path) -> None:
    write(here / "outside" / "a.md", "secret")
    write(here / "docs" / "deep" / "a.md")
    (file,) = find_files(["docs"], Omissions())
    (here / "docs" / "deep").rename(here / "moved")
    (here / "docs" / "deep").symlink_to(here / "outside")
    omissions = Omissions()

    assert FileReader().read(file, omissions) is None
    assert left_out_line(omissions.left_out()) == "Left out: 1 unreadable file (docs/deep/a.md)"


def test_files_in_a_folder_that_are_no_text_are_left_out(here: Path) -> None:
    write(here / "docs" / "binary.md", b"a\0b")
    write(here / "docs" / "empty.md", "")
    write(here / "docs" / "figure.txt", "%!PS-Adobe-3.0")
    with (here / "docs" / "huge.md").open("wb") as huge:
        huge.truncate(100_000_000)

    assert read("docs") == (
        [None, None, None],
        (
            "Left out: 1 file over 20 MB (docs/huge.md), 1 binary file, 1 empty file, "
            "1 PostScript file"
        ),
    )


def test_packed_files_need_not_be_text(here: Path) -> None:
    write(here / "docs" / "a.docx", b"PK\x03\x04\0")
    write(here / "docs" / "really.txt", b"\n%PDF-1.4 mostly text")

    assert [file and file.encoding for file in contents("docs")] == ["", ""]


def contents(path: str) -> list[FileContent | None]:
    return [FileReader().read(file, Omissions()) for file in find_files([path], Omissions())]


def test_lines_end_alike_whatever_ends_them_in_the_file(here: Path) -> None:
    write(here / "a.md", b"one\r\ntwo\nthree")
    write(here / "b.md", b"one\rtwo\rthree")

    assert read("a.md") == read("b.md") == (["one\ntwo\nthree"], "")


def test_a_return_within_a_line_does_not_end_it(here: Path) -> None:
    write(here / "a.log", b"10 %\r50 %\r100 %\ndone\n")

    assert read("a.log") == (["10 % 50 % 100 %\ndone\n"], "")


def test_a_log_that_grows_is_read_up_to_where_it_was(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(here / "docs" / "a.md", "first\n")

    def grow() -> None:
        with path.open("ab") as file:
            file.write(b"more\n")

    meddle(monkeypatch, grow)

    assert read("docs") == (["first\n"], "")


def test_a_file_that_is_rewritten_all_the_time_is_left_out_and_the_rest_is_read(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(here / "docs" / "a.md", "0")
    write(here / "docs" / "b.md", "b")
    contents = iter("x" * length for length in range(100, 0, -1))
    meddle(monkeypatch, lambda: path.write_text(next(contents)))

    assert read("docs") == ([None, "b"], "Left out: 1 changing file (docs/a.md)")
    assert "changes whenever it is read" in refusal("docs/a.md")


def test_a_file_that_is_rewritten_once_is_read_again(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(here / "a.md", "the first")
    changes = iter(["the second is longer"])
    meddle(monkeypatch, lambda: [path.write_text(each) for each in changes])

    assert ATTEMPTS_MAX > 1
    assert read("a.md") == (["the second is longer"], "")


def test_a_file_that_vanishes_is_left_out_and_the_rest_is_read(here: Path) -> None:
    gone = write(here / "docs" / "a.md")
    write(here / "docs" / "b.md", "b")
    files = find_files(["docs"], Omissions())
    gone.unlink()
    omissions = Omissions()

    texts = [FileReader().read(file, omissions) for file in files]

    assert [content.text if content else None for content in texts] == [None, "b"]
    assert left_out_line(omissions.left_out()) == "Left out: 1 unreadable file (docs/a.md)"


def test_a_pipe_that_does_not_block_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    parts = [b"the first, ", b"the second, ", b"and the last"]
    really = os.read

    def reading_before_it_is_written(descriptor: int, size: int) -> bytes:
        try:
            return really(descriptor, size)
        finally:
            if descriptor == read_end and parts:
                os.write(write_end, parts.pop(0))
                if not parts:
                    os.close(write_end)

    os.write(write_end, parts.pop(0))
    monkeypatch.setattr(os, "read", reading_before_it_is_written)

    assert read(f"/dev/fd/{read_end}") == (["the first, the second, and the last"], "")
    os.close(read_end)


def test_what_another_process_has_read_from_a_pipe_first_is_waited_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"the rest")
    os.close(write_end)
    really, refusals = os.read, [BlockingIOError()]

    def read_by_another(descriptor: int, size: int) -> bytes:
        if descriptor == read_end and refusals:
            raise refusals.pop()
        return really(descriptor, size)

    monkeypatch.setattr(os, "read", read_by_another)

    assert read(f"/dev/fd/{read_end}") == (["the rest"], "")
    os.close(read_end)


def test_a_pipe_with_more_than_a_file_may_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "FILE_BYTES_MAX", 3)
    read_end, write_end = os.pipe()
    os.write(write_end, b"four")

    assert "has more than the 20 MB" in refusal(f"/dev/fd/{read_end}")
    os.close(read_end)
    os.close(write_end)


def test_a_pipe_is_read_once_and_remembered() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"from a pipe")
    os.close(write_end)
    reader = FileReader()

    first = read(f"/dev/fd/{read_end}", reader)
    second = read(f"/dev/fd/{read_end}", reader)
    os.close(read_end)

    assert first == second == (["from a pipe"], "")


def test_a_pipe_can_not_be_watched() -> None:
    read_end, write_end = os.pipe()

    with pytest.raises(UsageError, match="can be read only once"):
        check_watchable(["docs", f"/dev/fd/{read_end}"])
    check_watchable(["docs"])
    os.close(read_end)
    os.close(write_end)


def test_a_short_text_has_the_encoding_of_its_folder(here: Path) -> None:
    write(here / "docs" / "a.txt", CYRILLIC.encode("koi8-r"))
    write(here / "docs" / "long.txt", (f"{CYRILLIC}, " * 3 + CYRILLIC.lower() * 9).encode("koi8-r"))
    write(here / "docs" / "z.txt", "caf\u00e9".encode())
    reader = FileReader()

    texts, _ = read("docs", reader)

    assert texts[0] == CYRILLIC
    assert not reader.guesses()


def test_a_short_text_is_told_by_no_file_outside_its_folder(here: Path) -> None:
    write(here / "docs" / "a.txt", CYRILLIC.encode("koi8-r"))
    write(here / "long.txt", (f"{CYRILLIC}, " * 3 + CYRILLIC.lower() * 9).encode("koi8-r"))
    (here / "docs" / "z.txt").symlink_to(here / "long.txt")
    reader = FileReader()

    read("docs", reader)

    assert "docs/a.txt" in reader.guesses()


def test_a_neighbour_that_has_become_a_pipe_is_not_waited_for(here: Path) -> None:
    write(here / "docs" / "a.txt", b"caf\xe9")
    neighbour = write(here / "docs" / "z.txt")
    files = find_files(["docs"], Omissions())
    neighbour.unlink()
    os.mkfifo(neighbour)
    reader = FileReader()
    reader.meet(files)

    content = reader.read(files[0], Omissions())

    assert content is not None
    assert content.text == "caf\u00e9"


def test_a_guess_is_named(here: Path) -> None:
    write(here / "docs" / "a.txt", b"caf\xe9")
    reader = FileReader()

    texts, _ = read("docs", reader)

    assert texts == ["caf\u00e9"]
    assert reader.guesses() == (
        "too short to tell the encoding for certain, guessed: 1 file (docs/a.txt as cp1252)"
    )


def test_paths_are_checked_before_they_are_read(here: Path) -> None:
    write(here / "docs" / "a.md", b"")
    write(here / "docs" / "b.md")
    write(here / "bare" / "a.md", b"")
    write(here / "bare" / "b.png")
    read_end, write_end = os.pipe()

    check_paths(["docs", "docs/b.md", f"/dev/fd/{read_end}"])
    with pytest.raises(UsageError, match="'bare' holds no text that can be read"):
        check_paths(["docs", "bare"])
    with pytest.raises(UsageError, match=r"'docs/a\.md' is empty"):
        check_paths(["docs", "docs/a.md"])
    os.close(read_end)
    os.close(write_end)


def test_paths_that_are_too_much_together_are_refused_early(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "FILES_MAX", 1)
    write(here / "a.md")
    write(here / "b.md")

    with pytest.raises(UsageError, match="more than 1 files"):
        check_paths(["a.md", "b.md"])
