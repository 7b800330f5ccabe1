"""Named paths are read or refused with a sentence; folders yield their text and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.memory.knowledge import sources
from cluster.memory.knowledge.omissions import Omission, Omissions, left_out_line
from cluster.memory.knowledge.path_names import shown_name
from cluster.memory.knowledge.sources import find_files, stream_descriptor


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
    """The sentence with which a named path is refused."""
    with pytest.raises(UsageError) as caught:
        find_files([path], Omissions())
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
        "Left out: 2 tool folders, 1 hidden folder, 1 hidden file, 1 data file, 1 image, "
        "1 special file"
    )


def test_a_link_that_is_named_is_followed(here: Path) -> None:
    write(here / "real" / "a.md")
    (here / "link").symlink_to(here / "real")

    assert names("link") == ["link/a.md"]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("missing", "'missing' doesn't exist"),
        ("a.md/below", "can't be read (Not a directory)"),
        ("", "is empty: name a file or a folder"),
        ("nul\0byte", "can't be read (embedded null byte)"),
        ("x" * 300, "can't be read (File name too long)"),
        ("pipe", "is neither a file nor a folder"),
        ("huge.md", "has 100.0 MB, more than the 20 MB"),
    ],
)
def test_a_named_path_that_is_no_knowledge_is_refused(here: Path, path: str, why: str) -> None:
    write(here / "a.md")
    with (here / "huge.md").open("wb") as huge:
        huge.truncate(100_000_000)
    os.mkfifo(here / "pipe")

    assert why in refusal(path)
    assert "\n" not in refusal(path)


def test_a_folder_of_data_is_read(here: Path) -> None:
    write(here / "data" / "a.csv", "name,age")
    write(here / "data" / "deep" / "b.log", "started")
    write(here / "data" / "README.md")

    assert names("data") == ["data/README.md", "data/a.csv", "data/deep/b.log"]


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


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"caf\xe9.md", r"caf\xe9.md"),
        (b"caf\\xe9.md", r"caf\\xe9.md"),
        (b"a\nSources: b.md", r"a\nSources: b.md"),
        (b"\x1b[31mred.md", r"\x1b[31mred.md"),
        ("\u0085\u202e.md".encode(), r"\u0085\u202e.md"),
        ("\u3000\u0645\u06cc\u200c\u062e.md".encode(), "\u3000\u0645\u06cc\u200c\u062e.md"),
    ],
)
def test_any_name_can_be_shown(here: Path, name: bytes, expected: str) -> None:
    write(here / "docs" / os.fsdecode(name))

    assert [shown_name(name) for name in names("docs")] == [f"docs/{expected}"]


def found_and_left_out(*paths: str | Path) -> tuple[list[str], int]:
    """The names of what is read, and how many others there are."""
    omissions = Omissions()
    found = find_files(paths, omissions)
    return [file.source for file in found], omissions.count


def test_what_has_no_format_is_read_by_the_first_link_that_gives_it_one(here: Path) -> None:
    write(here / "docs" / "v2")
    (here / "docs" / "latest.md").symlink_to("v2")
    (here / "docs" / "newest.md").symlink_to(here / "docs" / "v2")
    omissions = Omissions()

    (found,) = find_files(["docs"], omissions)

    assert (found.source, found.below) == ("docs/latest.md", "latest.md")
    assert found.path == here / "docs" / "v2"
    assert line(omissions) == "Left out: 2 repeated links"


@pytest.mark.parametrize("named", [("docs",), ("docs", "docs/v2"), ("docs/v2", "docs")])
def test_what_is_left_out_by_its_name_and_read_by_a_link_is_counted_once_for_each(
    here: Path, named: tuple[str, ...]
) -> None:
    write(here / "docs" / "v2")
    (here / "docs" / "latest.md").symlink_to("v2")

    found, left_out = found_and_left_out(*named)

    assert (len(found), left_out) == (1, 1)


def test_a_folder_that_is_left_out_and_named_besides_is_not_counted(here: Path) -> None:
    write(here / "docs" / "a.md")
    write(here / "docs" / ".notes" / "b.md")

    assert found_and_left_out("docs", "docs/.notes") == (["docs/a.md", "docs/.notes/b.md"], 0)


def test_what_is_not_found_without_a_link_is_not_found_with_it(here: Path) -> None:
    write(here / "docs" / "node_modules" / "a.md")
    write(here / "docs" / "env" / "pyvenv.cfg")
    write(here / "docs" / "env" / "lib" / "b.md")
    write(here / "docs" / ".secret" / "deep" / "c.md")
    write(here / "docs" / ".env")
    for name, target in {
        "deps": "node_modules",
        "lib": "env/lib",
        "b.md": "env/lib/b.md",
        "deep": ".secret/deep",
        "k.md": ".secret/deep/c.md",
        "env.txt": ".env",
    }.items():
        (here / "docs" / name).symlink_to(target)
    omissions = Omissions()

    assert find_files(["docs"], omissions) == []
    assert line(omissions) == (
        "Left out: 6 hidden links, 2 tool folders, 1 hidden file, 1 hidden folder"
    )


@pytest.mark.parametrize("name", ["env.txt", "deps"])
def test_a_link_to_something_hidden_is_followed_where_it_is_named(here: Path, name: str) -> None:
    write(here / "docs" / ".env")
    write(here / "docs" / "node_modules" / "a.md")
    (here / "docs" / "env.txt").symlink_to(".env")
    (here / "docs" / "deps").symlink_to("node_modules")

    assert len(names(f"docs/{name}")) == 1


def test_a_mounted_config_map_is_read(here: Path) -> None:
    write(here / "config" / "..2024_05_01" / "app.md")
    write(here / "config" / "..2024_05_01" / "limits.yaml")
    (here / "config" / "..data").symlink_to("..2024_05_01")
    (here / "config" / "app.md").symlink_to("..data/app.md")
    (here / "config" / "limits.yaml").symlink_to("..data/limits.yaml")
    write(here / "config" / "..2024_05_01" / "deep" / "a.md")
    (here / "config" / "deep").symlink_to("..data/deep")
    write(here / "config" / "..2024_05_01" / ".secret" / "b.md")
    (here / "config" / "b.md").symlink_to("..data/.secret/b.md")

    assert found_and_left_out("config") == (
        ["config/app.md", "config/deep/a.md", "config/limits.yaml"],
        3,
    )


def test_a_link_that_leads_nowhere_or_elsewhere_is_left_out(here: Path) -> None:
    write(here / "outside" / "secret.md")
    write(here / "docs" / "a.md")
    (here / "docs" / "file.md").symlink_to(here / "outside" / "secret.md")
    (here / "docs" / "folder").symlink_to(here / "outside")
    (here / "docs" / "prefix").symlink_to(write(here / "docs-too" / "b.md").parent)
    (here / "docs" / "gone.md").symlink_to("nowhere.md")
    (here / "docs" / "self.md").symlink_to("self.md")
    omissions = Omissions()

    assert [file.source for file in find_files(["docs"], omissions)] == ["docs/a.md"]
    assert line(omissions) == "Left out: 3 outside links, 2 broken links"


def test_loops_of_links_end(here: Path) -> None:
    write(here / "docs" / "a" / "x.md")
    write(here / "docs" / "b" / "y.md")
    (here / "docs" / "a" / "up").symlink_to("..")
    (here / "docs" / "a" / "over").symlink_to("../b")
    (here / "docs" / "b" / "over").symlink_to("../a")

    assert found_and_left_out("docs") == (["docs/a/x.md", "docs/b/y.md"], 3)


def test_links_among_mounted_folders_are_followed_once(here: Path) -> None:
    write(here / "docs" / "..a" / "x.md")
    (here / "docs" / "..a" / "again").symlink_to("../..a")
    for name in ("first", "second"):
        (here / "docs" / name).symlink_to("..a")

    assert found_and_left_out("docs") == (["docs/first/x.md"], 3)


def test_a_link_to_a_special_file_or_a_folder_of_tools_is_left_out(here: Path) -> None:
    os.mkfifo(here / "pipe")
    write(here / "docs" / "a.md")
    os.mkfifo(here / "docs" / "pipe")
    (here / "docs" / "pipe.md").symlink_to("pipe")
    write(here / "docs" / ".venv" / "pyvenv.cfg")
    (here / "docs" / "env").symlink_to(".venv")

    assert found_and_left_out("docs") == (["docs/a.md"], 4)


def test_what_two_paths_lead_to_is_counted_once(here: Path) -> None:
    write(here / "docs" / "a.md")
    write(here / "docs" / "sub" / "data.json", "{}")
    write(here / "docs" / "sub" / "b.md")

    assert found_and_left_out("docs", "docs/sub")[1] == 1
    assert found_and_left_out("docs/sub/data.json", "docs")[1] == 0
    assert found_and_left_out("docs", "docs/sub/data.json")[1] == 0


def test_found_and_left_out_add_up_to_what_is_there(here: Path) -> None:
    for at, name in enumerate(("a.md", "b.png", "c.json", "d", ".e", "f.tar.gz", "g.md")):
        write(here / "docs" / str(at % 3) / name)
    os.mkfifo(here / "docs" / "pipe")
    (here / "docs" / "link.md").symlink_to("0/a.md")

    found, left_out = found_and_left_out("docs")

    assert len(found) + left_out == 9


def test_a_pipe_of_a_shell_is_read_by_the_path_it_is_given_by(here: Path) -> None:
    reading, writing = os.pipe()
    path = f"/dev/fd/{reading}"

    (file,) = find_files([path], Omissions())

    assert (str(file.path), file.source, file.is_named) == (path, path, True)
    assert stream_descriptor(path) == stream_descriptor(f"/proc/self/fd/{reading}") == reading
    os.close(reading)
    os.close(writing)
    assert stream_descriptor(path) is None
    assert "doesn't exist" in refusal(path)


def test_a_file_behind_a_descriptor_is_a_stream_only_where_it_has_no_name(here: Path) -> None:
    path = write(here / "here-document")

    with path.open("rb") as file:
        assert stream_descriptor(f"/dev/fd/{file.fileno()}") is None
        path.unlink()
        assert stream_descriptor(f"/dev/fd/{file.fileno()}") == file.fileno()
    assert stream_descriptor("/dev/fd/x") is stream_descriptor("a.md") is None
