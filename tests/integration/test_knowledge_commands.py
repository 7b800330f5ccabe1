"""`learn`, `knowledge` and `forget` as processes on one store, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.cli.learn import pace
from cluster.kernel.ids import AgentId, TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.kernel.vocabulary import Answer, Citation
from cluster.memory.journal.redis import RedisJournal
from cluster.memory.knowledge.learning import LearningProgress
from cluster.memory.knowledge.texts import learn_text
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore
from cluster.wire.messages import MessageCodec
from tests.support.commands import Ended, Surroundings, surroundings
from tests.support.hashing_embedder import HashingEmbedder

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture
def url() -> Iterator[str]:
    with EmbeddedRedis(is_temporary=True) as server:
        yield server.url


@pytest.fixture
def here(url: str) -> Iterator[Surroundings]:
    """A folder with two pages, where commands use a store of their own."""
    with surroundings() as made:
        made.environment["FLEETMIND_REDIS_URL"] = url
        (made.folder / "docs").mkdir()
        (made.folder / "docs" / "a.md").write_text("# Heaps\n\nA heap of sand.\n")
        (made.folder / "docs" / "b.md").write_text("# Trees\n\nA tree of twigs.\n")
        yield made


async def leave_journal(store: RedisStore, task: str, source: str) -> None:
    """Leave the journal of an ended task whose answer cites a source."""
    _, entry = MessageCodec().encode(Answer("It is so [1].", (Citation(source, 1, 2, "so"),)))
    journal = RedisJournal(store, "earlier")
    await journal.claim(TaskId(task), Owner(AgentId("manager-0"), 1))
    await journal.append(TaskId(task), 1, 1, [entry], is_final=True)


def first_line(ended: Ended) -> str:
    assert (ended.exit_code, ended.err.count("Traceback")) == (0, 0), ended.err
    return ended.out.splitlines()[0]


async def test_what_was_learned_is_listed_and_forgotten(here: Surroundings) -> None:
    learned = await here.fleetmind("learn", "docs")
    await here.fleetmind("learn", "docs/a.md", "--namespace", "heaps")
    listed = await here.fleetmind("knowledge")
    forgotten = await here.fleetmind("forget", "docs/a.md")
    left = await here.fleetmind("knowledge")

    assert first_line(learned).startswith("learned 2 files, knew 0 already; in all 2 files with 2 ")
    assert [line.split(", ")[:4] for line in listed.out.splitlines()] == [
        ["default  2 files", "2 documents", "2 passages", "version 2"],
        ["heaps    1 file", "1 document", "1 passage", "version 1"],
    ]
    assert listed.out.splitlines()[0].endswith(f", {here.folder}/docs")
    assert first_line(forgotten) == "forgot 1 file in default, heaps"
    assert first_line(left).startswith("default  1 file, 1 document, 1 passage, version 3, ")
    assert len(left.out.splitlines()) == 1


async def test_learning_again_reads_only_what_has_changed(here: Surroundings) -> None:
    await here.fleetmind("learn", "docs")
    (here.folder / "docs" / "b.md").write_text("# Trees\n\nA tree of boughs.\n")
    (here.folder / "docs" / "a.md").unlink()

    again = await here.fleetmind("learn", "docs")

    assert first_line(again) == (
        "learned 1 file, knew 0 already, forgot 1 gone; in all 1 file with 1 passage"
    )


async def test_everything_can_be_forgotten_with_the_journals_that_quote_it(
    here: Surroundings,
) -> None:
    await here.fleetmind("learn", "docs")

    forgotten = await here.fleetmind("forget", "--all", "--purge")
    again = await here.fleetmind("forget", "docs/a.md", "--purge")
    left = await here.fleetmind("knowledge")

    assert forgotten.out.splitlines() == [
        "forgot 2 files in default",
        "removed the journals of 0 tasks that quoted them",
    ]
    assert first_line(again) == "nothing was known"
    assert first_line(left) == "nothing was learned yet; `fleetmind learn PATH` does it"


async def test_a_name_is_forgotten_as_answers_show_it_with_the_journals_that_quote_it(
    here: Surroundings, url: str
) -> None:
    (here.folder / "docs" / "a\\b.md").write_text("# Dunes\n\nA dune of sand.\n")
    store = await RedisStore.connect(url)
    await leave_journal(store, "before", f"{here.folder}/docs/a\\b.md")
    await leave_journal(store, "now", f"{here.folder}/docs/a\\\\b.md")
    await leave_journal(store, "other", f"{here.folder}/docs/b.md")
    await store.close()
    await here.fleetmind("learn", "docs")

    forgotten = await here.fleetmind("forget", "docs/a\\\\b.md", "--purge")
    listed = await here.fleetmind("knowledge")

    assert forgotten.out.splitlines() == [
        "forgot 1 file in default",
        "removed the journals of 2 tasks that quoted them",
    ]
    assert listed.out.startswith("default  2 files, ")


async def test_a_text_of_http_is_shown_beside_files_and_forgotten_by_its_name(
    here: Surroundings, url: str
) -> None:
    await here.fleetmind("learn", "docs")
    store = await RedisStore.connect(url)
    namespaces = RedisNamespaces(store)
    await learn_text(namespaces, "default", "a.md", "A dune.", embedder=HashingEmbedder())
    await store.close()

    listed = await here.fleetmind("knowledge")
    forgotten = await here.fleetmind("forget", "text:a.md", "--namespace", "default")
    left = await here.fleetmind("knowledge")

    assert first_line(listed).endswith(f", {here.folder}/docs and text:a.md")
    assert first_line(forgotten) == "forgot 1 file in default"
    assert first_line(left).startswith("default  2 files, ")


REFUSED = {
    "an unknown namespace": (
        ["run", "why?", "--model", "simulated:", "--namespace", "none"],
        "the namespace 'none' is not known, there are default: `fleetmind learn PATH --namespace",
    ),
    "a namespace that can't be": (
        ["learn", "docs", "--namespace", "Our Docs"],
        "the namespace 'Our Docs' can't be called that: use up to 64 of a-z",
    ),
    "paths beside a namespace": (
        ["run", "why?", "--namespace", "a", "--knowledge", "docs"],
        "--knowledge and --namespace exclude each other",
    ),
    "a path that was never learned": (
        ["forget", "/never"],
        "nothing was learned from '/never': `fleetmind knowledge` shows what was",
    ),
    "a text that was never learned": (
        ["forget", "text:never.md"],
        "nothing was learned from 'text:never.md': `fleetmind knowledge` shows what was",
    ),
    "a namespace to forget that is not there": (
        ["forget", "--all", "--namespace", "none"],
        "the namespace 'none' is not known, there are default",
    ),
    "nothing to forget": (["forget"], "say what to forget: paths that were learned, or --all"),
    "both to forget": (["forget", "docs", "--all"], "paths that were learned, or --all"),
    "an empty path to forget": (["forget", ""], "a path is empty: name a file or a folder"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_wrong_usage_is_a_sentence(here: Surroundings, name: str) -> None:
    arguments, sentence = REFUSED[name]
    await here.fleetmind("learn", "docs")

    ended = await here.fleetmind(*arguments)

    assert ended.exit_code == 2
    assert sentence in ended.lines[-1]
    assert (ended.out, ended.err.count("Traceback")) == ("", 0)


@pytest.mark.parametrize(
    ("done", "elapsed_s", "line"),
    [
        (LearningProgress(256, 10_000, 2_000_000, 42_000_000), 4.0, "0.5 MB/s, 80 s left"),
        (LearningProgress(256, 10_000, 1_000_000, 61_000_000), 4.0, "0.2 MB/s, 4 min left"),
        (LearningProgress(1, 1, 9, 9), 0.5, "1 of 1 files, 0.0 MB/s, 0 s left"),
        (LearningProgress(1, 1, 0, 0), 0.5, "1 of 1 files"),
    ],
)
def test_progress_says_how_fast_it_is_and_how_long_it_takes(
    done: LearningProgress, elapsed_s: float, line: str
) -> None:
    assert pace(done, elapsed_s).endswith(line)
