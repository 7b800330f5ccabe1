"""The store tells all paths apart and keeps their names; people see them on one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.memory.knowledge.path_names import (
    known_names,
    shown,
    shown_name,
    stored_name,
    unshown,
)

BYTES = st.sampled_from([b"a", b".", b"\\", b"xe9", b"\xe9", b"\xc3\xa9", b"\n", b"\xe2\x80\x8b"])
PARTS = st.lists(BYTES, min_size=1, max_size=4).map(b"".join)
NORMAL = PARTS.filter(lambda part: part not in {b".", b".."})
"""Parts of normal paths; alike enough to be taken for each other's escapes."""
PATHS = st.lists(NORMAL, min_size=1, max_size=3).map(lambda parts: os.fsdecode(b"/".join(parts)))
OLD_NAMES = ["a\\b.md", "so\u00adft.md", "\u200fheb.md", "a\nSources: b.md", "caf\u00e9.md"]


@pytest.mark.parametrize("name", OLD_NAMES)
def test_what_is_utf8_is_called_as_it_always_was(name: str) -> None:
    assert known_names(f"/docs/{name}") == (f"/docs/{name}",)


@given(PATHS, PATHS)
def test_other_paths_have_other_names_of_unicode(first: str, second: str) -> None:
    names = {stored_name(first).encode(), stored_name(second).encode()}

    assert len(names) == len({first, second})


@given(PATHS, PATHS)
def test_only_what_is_below_a_folder_has_a_name_below_the_folders(path: str, folder: str) -> None:
    is_below = stored_name(path).startswith(f"{stored_name(folder)}/")

    assert is_below == path.startswith(f"{folder}/")
    assert stored_name(f"{folder}/{path}").startswith(f"{stored_name(folder)}/")


@given(PATHS)
def test_a_path_is_shown_on_one_line_and_can_be_given_back(path: str) -> None:
    line = shown(path)

    assert line.encode().decode().isprintable()
    assert (shown_name(stored_name(path)), unshown(line)) == (line, path)


@pytest.mark.parametrize("text", ["a\\b", "\\", "\\x00", "\\udc80", "\\ud800", "\\x61", "\u00e9"])
def test_what_no_path_is_shown_as_stands_for_itself(text: str) -> None:
    assert unshown(text) == text


def test_bytes_that_earlier_versions_did_not_tell_apart_are_known_by_their_name_too(
    tmp_path: Path,
) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.md")
    former = tmp_path / "caf\ufffd.md"

    names = known_names(path)
    former.touch()

    assert names == (f"{tmp_path}/./caf\\xe9.md", str(former))
    assert known_names(path) == names[:1]  # the other one is a file of its own
