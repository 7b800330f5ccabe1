"""What is forgotten is gone wherever it was, and its text with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.memory.knowledge.forgetting import (
    UNUSED_KEPT_S,
    Forgotten,
    forget,
    forget_unused,
    known_namespace,
    known_tops,
    summaries,
)
from cluster.memory.knowledge.learning import learn
from cluster.memory.knowledge.names import LEARNED
from cluster.memory.knowledge.texts import learn_text
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.namespaces.port import UNNAMED_KEPT_S, document_key
from cluster.memory.store.local import LocalStore
from tests.support.clock import ManualClock
from tests.support.hashing_embedder import HashingEmbedder


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> LocalStore:
    return LocalStore(clock)


@pytest.fixture
async def namespaces(
    store: LocalStore, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> LocalNamespaces:
    """Two files in the default namespace, one of them also in another, and as `--knowledge`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.md").write_text("A heap of sand.")
    (tmp_path / "b.md").write_text("A tree.")
    made = LocalNamespaces(store, clock)
    for paths, name in ((["a.md", "b.md"], LEARNED), (["a.md"], "other"), (["a.md"], "")):
        await learn(made, paths, embedder=HashingEmbedder(), name=name)
    return made


async def counts(namespaces: LocalNamespaces) -> list[tuple[str, int]]:
    return [(each.name.partition(":")[0], each.sources) for each in await summaries(namespaces)]


async def test_a_file_is_forgotten_in_all_namespaces(
    namespaces: LocalNamespaces, store: LocalStore, clock: ManualClock, tmp_path: Path
) -> None:
    forgotten = await forget(namespaces, [str(tmp_path / "a.md")])

    assert (forgotten.sources, forgotten.paths) == (("a.md",), (str(tmp_path / "a.md"),))
    assert [each.partition(":")[0] for each in forgotten.namespaces] == [LEARNED, "other", "paths"]
    assert await counts(namespaces) == [(LEARNED, 1)]
    clock.advance(UNNAMED_KEPT_S)
    assert len(await store.items(document_key(""))) == 1


async def test_a_file_may_be_forgotten_in_one_namespace_only(
    namespaces: LocalNamespaces, store: LocalStore, clock: ManualClock
) -> None:
    forgotten = await forget(namespaces, None, name="other")

    assert (forgotten.sources, forgotten.namespaces) == (("a.md",), ("other",))
    assert await counts(namespaces) == [(LEARNED, 2), ("paths", 1)]
    clock.advance(UNNAMED_KEPT_S)
    assert len(await store.items(document_key(""))) == 2


async def test_all_is_everything_everywhere_and_takes_the_text_at_once_where_that_is_wanted(
    namespaces: LocalNamespaces, store: LocalStore, clock: ManualClock
) -> None:
    await forget(namespaces, None, kept_s=0.001)
    clock.advance(0.001)

    assert (await counts(namespaces), await store.items(document_key(""))) == ([], {})
    assert await forget(namespaces, None) == Forgotten((), (), ())


async def test_a_path_that_was_never_learned_is_named_and_nothing_is_forgotten(
    namespaces: LocalNamespaces, tmp_path: Path
) -> None:
    known, never = str(tmp_path), "/never"

    with pytest.raises(UsageError, match=r"nothing was learned from '/never': `fleetmind know"):
        await forget(namespaces, [known, never])
    with pytest.raises(UsageError, match="from '/never' in the namespace other"):
        await forget(namespaces, [never], name="other")
    assert (LEARNED, 2) in await counts(namespaces)
    assert await forget(namespaces, [never], may_be_unknown=True) == Forgotten((), (), ())


async def test_a_namespace_that_is_not_there_is_told_with_those_that_are(
    namespaces: LocalNamespaces,
) -> None:
    assert await known_namespace(namespaces, "other") == "other"
    with pytest.raises(UsageError, match="'none' is not known, there are default, other: "):
        await known_namespace(namespaces, "none")
    await forget(namespaces, None)
    with pytest.raises(UsageError, match="there are none yet"):
        await forget(namespaces, None, name="other")


async def test_what_was_named_as_knowledge_is_forgotten_when_nobody_names_it_any_more(
    namespaces: LocalNamespaces, clock: ManualClock
) -> None:
    clock.advance(UNUSED_KEPT_S)
    await forget_unused(namespaces, clock.wall())
    kept = await counts(namespaces)
    await learn(namespaces, ["a.md"], embedder=HashingEmbedder())
    clock.advance(1.0)
    await forget_unused(namespaces, clock.wall())
    used = await counts(namespaces)

    clock.advance(UNUSED_KEPT_S)
    await forget_unused(namespaces, clock.wall())

    assert kept == used == [(LEARNED, 2), ("other", 1), ("paths", 1)]
    assert await counts(namespaces) == [(LEARNED, 2), ("other", 1)]


async def test_a_text_is_forgotten_by_its_name_and_the_files_stay(
    namespaces: LocalNamespaces,
) -> None:
    await learn_text(namespaces, "other", "a.md", "No sand.", embedder=HashingEmbedder())

    forgotten = await forget(namespaces, ["text:a.md"], name="other")

    assert (forgotten.sources, forgotten.paths) == (("a.md",), ("text:a.md",))
    assert await counts(namespaces) == [(LEARNED, 2), ("other", 1), ("paths", 1)]


async def test_a_summary_says_where_files_are_and_what_texts_are_called(
    namespaces: LocalNamespaces, tmp_path: Path
) -> None:
    for name, source in (("other", "a.md"), ("texts", "a.md"), ("texts", "b.md")):
        await learn_text(namespaces, name, source, "No sand.", embedder=HashingEmbedder())

    places = {each.name: each.place for each in await summaries(namespaces)}

    assert places["other"] == f"{tmp_path}/a.md and text:a.md"
    assert places["texts"] == "text:"


async def test_a_summary_counts_what_a_namespace_has(
    namespaces: LocalNamespaces, tmp_path: Path
) -> None:
    (tmp_path / "c.md").write_text("A tree.")
    await learn(namespaces, ["c.md"], embedder=HashingEmbedder(), name=LEARNED)

    summary, *_ = await summaries(namespaces)

    assert (summary.name, summary.version) == (LEARNED, 3)
    assert (summary.sources, summary.documents, summary.passages) == (3, 2, 3)
    assert summary.stored_bytes > 100
    assert summary.place == str(tmp_path)


async def test_a_path_is_read_first_as_it_is_and_else_as_answers_show_it(
    namespaces: LocalNamespaces, tmp_path: Path
) -> None:
    one, two = str(tmp_path / "a.md"), str(tmp_path / "b.md")

    assert await known_tops(namespaces, [[[one], [two]], [["/never"], [two]]]) == [one, two]
    assert await known_tops(namespaces, [[[one, "/never"]], [["/no", "/none"]]]) == [one, "/no"]
    assert await known_tops(namespaces, [[[two], [one]]], name="other") == [one]
