"""Namespaces have names that users can give, those of paths have others, and versions are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.memory.knowledge.names import (
    LEARNED,
    OF_PATHS,
    KnowledgeVersion,
    check_namespace,
    cited_name,
    namespace_of,
    source_key,
)


@pytest.mark.parametrize("name", [LEARNED, "a", "0", "hand-book_2.1", "x" * 64])
def test_a_name_of_small_letters_digits_and_a_few_signs_is_taken(name: str) -> None:
    assert check_namespace(name) == name


@pytest.mark.parametrize("name", ["", "A", "-a", "a b", "a@1", f"{OF_PATHS}a", "x" * 65, "a\n"])
def test_other_names_are_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(UsageError, match="can't be called that: use up to 64 of a-z"):
        check_namespace(name)


@pytest.mark.parametrize("text", ["default@3", "paths:0a@12", "a@b@0"])
def test_a_version_survives_the_way_through_text(text: str) -> None:
    assert str(KnowledgeVersion.parse(text)) == text


@pytest.mark.parametrize("text", ["", "default", "@1", "a@", "a@-1", "a@1.0", "a@²"])
def test_other_texts_are_no_version(text: str) -> None:
    assert KnowledgeVersion.parse(text) is None


def test_the_same_paths_given_alike_have_one_namespace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    names = [namespace_of(paths) for paths in (["a/"], ["./a"], [tmp_path / "a"], ["a", "b"])]

    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert all(name.startswith(OF_PATHS) for name in names)


def test_the_key_of_a_source_does_not_give_its_name_away() -> None:
    assert source_key("/x/secret.md") == source_key("/x/secret.md") != source_key("/x/other.md")
    assert "secret" not in source_key("/x/secret.md")


def test_a_text_that_is_no_file_is_cited_as_its_owner_calls_it() -> None:
    assert cited_name("a\\b.md", "text:a\\b.md") == "a\\b.md"
    assert cited_name("a\\b.md", "/docs/a\\b.md") == "a\\\\b.md"
