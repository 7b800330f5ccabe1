"""`fleetmind state` on a store: what is shared, what has changed, what a person does about it."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest

from cluster.cli.console import Console
from cluster.cli.options import parse
from cluster.cli.sharing import check_asked, chosen, looked_at, opened
from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import StateDeleted, UsageError
from cluster.kernel.ids import NO_TASK, StepId, TaskId
from cluster.kernel.state.edits import FieldEdit
from cluster.memory.state.entries import StepKey
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.local import LocalStateLog
from tests.support.state_logs import make_field

BOARD = "task/t1/Board"
NAMES = [BOARD, "task/t2/Board", "cluster/Board", "cluster/Board/old", "cluster/Ledger"]


class Shared:
    """A store of documents, and what the command says of them."""

    def __init__(self) -> None:
        self.log = LocalStateLog(SystemClock())

    async def edit(
        self,
        step: str,
        *,
        name: str = BOARD,
        at: int | None = None,
        again: bool = False,
        **fields: FieldEdit,
    ) -> None:
        """Let a step of an agent, run again perhaps, edit a document."""
        async with opened(self.log) as documents:
            author = f"researcher-{step}"
            attempt = await documents.begin(TaskId("t1"), StepId(step), author)
            if again:
                attempt = await documents.begin(TaskId("t1"), StepId(step), author)
            document = await documents.open(name)
            document.edit(attempt, fields, at=at)
            await documents.flush(attempt)

    async def told(self, *arguments: str) -> tuple[str, str]:
        """What the command writes to stdout and to stderr."""
        console = Console(out := io.StringIO(), err := io.StringIO())
        await looked_at(self.log, parse(["state", *arguments]), console)
        return out.getvalue(), err.getvalue()

    async def object(self, *arguments: str) -> Mapping[str, Any]:
        """What it writes as JSON."""
        out, _ = await self.told(*arguments, "--json")
        told: Mapping[str, Any] = json.loads(out)
        return told


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
async def disputed(shared: Shared) -> Shared:
    """A store with a board on whose verdict two steps differ."""
    await shared.edit("a", verdict=make_field("siblings", None, "yes"))
    await shared.edit("b", at=0, verdict=make_field("siblings", None, "no"))
    return shared


async def test_without_a_name_each_document_is_a_line(disputed: Shared) -> None:
    await disputed.edit("c", name="cluster/Ledger", spent=make_field("total", None, 120))

    out, _ = await disputed.told()

    lines = [line.rpartition(", changed ")[0] for line in out.splitlines()]
    assert lines == [
        "cluster/Ledger  version 1, 1 field, 0.0 kB",
        "task/t1/Board   version 2, 1 field, 1 conflict, 0.0 kB",
    ]


async def test_where_nothing_is_shared_it_says_so(shared: Shared) -> None:
    assert await shared.told() == ("no state is shared yet\n", "")
    assert await shared.object() == {"documents": []}


async def test_a_document_is_its_fields_and_its_conflicts_with_who_wants_what(
    disputed: Shared,
) -> None:
    out, _ = await disputed.told("Board")

    assert '{\n  "verdict": "yes"\n}' in out
    assert "conflict in verdict, to be decided:" in out
    assert "by researcher-a, step a of task t1, version 1 (shown meanwhile)" in out
    assert "by researcher-b, step b of task t1, version 2\n" in out
    assert "decide it: fleetmind state task/t1/Board --resolve 'verdict=#1'" in out


async def test_as_json_a_document_has_all_of_both_siblings(disputed: Shared) -> None:
    told = await disputed.object("Board")

    siblings = told["conflicts"][0]["siblings"]
    assert (told["name"], told["version"], told["fields"]) == (BOARD, 2, {"verdict": "yes"})
    assert [(each["value"], each["author"], each["step"]) for each in siblings] == [
        ("yes", "researcher-a", "a"),
        ("no", "researcher-b", "b"),
    ]


async def test_a_conflict_is_decided_by_a_value_that_is_there(disputed: Shared) -> None:
    _, err = await disputed.told("Board", "--resolve", "verdict=#2")

    told = await disputed.object("Board")
    assert err == "fleetmind: decided verdict of task/t1/Board\n"
    assert (told["fields"], told["conflicts"]) == ({"verdict": "no"}, [])


async def test_a_conflict_is_decided_by_another_value(disputed: Shared) -> None:
    await disputed.told("Board", "--resolve", 'verdict="yes and no"')

    assert (await disputed.object("Board"))["fields"] == {"verdict": "yes and no"}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("5", "a number"),
        ("true", "true or false"),
        ("null", "null"),
        ('["yes"]', "a list"),
        ('{"yes": 1}', "an object"),
    ],
)
async def test_a_value_of_a_kind_that_nobody_has_written_is_refused(
    disputed: Shared, value: str, kind: str
) -> None:
    with pytest.raises(UsageError) as refused:
        await disputed.told("Board", "--resolve", f"verdict={value}")

    assert str(refused.value) == (
        f"{value} is {kind}, and what was written to verdict is text: the program could not read it"
    )
    assert len((await disputed.object("Board"))["conflicts"]) == 1


async def test_of_values_of_two_kinds_either_may_decide(shared: Shared) -> None:
    await shared.edit("a", best=make_field("siblings", "?", None))
    await shared.edit("b", at=0, best=make_field("siblings", "?", 1.5))

    await shared.told("Board", "--resolve", "best=2")

    assert (await shared.object("Board"))["fields"] == {"best": 2}


async def test_a_removed_key_is_chosen_by_its_number(shared: Shared) -> None:
    await shared.edit("a", facts=make_field("by_key", {}, {"heaps [1]=": "sand"}))
    await shared.edit("b", facts=make_field("by_key", {"heaps [1]=": "sand"}, {}))
    await shared.edit(
        "c", at=1, facts=make_field("by_key", {"heaps [1]=": "sand"}, {"heaps [1]=": "sandy"})
    )

    out, _ = await shared.told("Board")
    await shared.told("Board", "--resolve", "facts[heaps [1]=]=#1")

    assert "#1 removed  " in out
    told = await shared.object("Board")
    assert (told["fields"], told["conflicts"]) == ({"facts": {}}, [])


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        ("verdict", "says no value: it is FIELD=VALUE or FIELD[KEY]=VALUE"),
        ("verdict=#3", "the conflict has no value #3: #1 to #2"),
        ("verdict=yes", "'yes' is neither a value's number, as #1, nor JSON"),
        ("verdict=NaN", "shared state can't hold nan"),
        ("facts[a]=1", "task/t1/Board has no conflict in 'facts[a]'; it has: verdict"),
    ],
)
async def test_what_decides_nothing_is_refused(disputed: Shared, decision: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        await disputed.told("Board", "--resolve", decision)

    assert said in str(refused.value)


async def test_the_history_says_who_has_changed_what(shared: Shared) -> None:
    await shared.edit("a", spent=make_field("total", 30, 150))
    await shared.edit("a", again=True, spent=make_field("total", None, 7))
    await shared.edit(
        "b",
        facts=make_field("by_key", {"a": 1, "b": 2}, {"a": 3, "c": 4}),
        tags=make_field("union", ["x"], ["y"]),
        log=make_field("append", ["x"], ["x", "y"]),
        draft=make_field("text", "one\ntwo\n", "one\nthree\n"),
        status=make_field("latest", "begun", "done"),
        title=make_field("siblings", "w" * 100, None),
    )

    out, _ = await shared.told("Board", "--history")

    lines = out.splitlines()
    assert "by researcher-a, step a of task t1  (withdrawn: its step was run again)" in lines[0]
    assert lines[1].strip() == "spent: 30 -> 150 (+120)"
    assert [line.strip() for line in lines if "step a of task t1 was run again" in line]
    told = [line.strip() for line in lines]
    assert told[told.index('draft: "wo" -> "hree"') :] == [
        'draft: "wo" -> "hree"',
        "facts[a]: 1 -> 3",
        "facts[b]: 2 -> removed",
        "facts[c]: 4",
        'log: + "y"',
        'status: "done"',
        'tags: + "y" - "x"',
        f'title: "{"w" * 56}... -> null',
    ]


async def test_a_version_is_reverted_and_what_came_after_it_stays(shared: Shared) -> None:
    await shared.edit("a", spent=make_field("total", None, 120))
    await shared.edit("b", spent=make_field("total", 120, 127))

    out, err = await shared.told("Board", "--revert", "1")
    history, _ = await shared.told("Board", "--history")

    assert err == "fleetmind: reverted version 1 of task/t1/Board\n"
    assert '{\n  "spent": 7\n}' in out
    assert "step a of task t1  (reverted)" in history
    assert "a person" in history
    assert "reverted version 1" in history


@pytest.mark.parametrize("version", ["9", "0", "-1"])
async def test_what_is_not_there_can_not_be_reverted(disputed: Shared, version: str) -> None:
    with pytest.raises(UsageError, match=f"^the log has no version {version}$"):
        await disputed.told("Board", "--revert", version)


async def test_what_is_reverted_already_is_not_reverted_again(disputed: Shared) -> None:
    await disputed.told("Board", "--revert", "1")

    with pytest.raises(UsageError, match=r"^version 1 is reverted already$"):
        await disputed.told("Board", "--revert", "1")

    assert (await disputed.object("Board"))["version"] == 3


async def test_what_was_reverted_by_mistake_comes_back(disputed: Shared) -> None:
    await disputed.told("Board", "--revert", "1")
    await disputed.told("Board", "--revert", "3")

    assert len((await disputed.object("Board"))["conflicts"]) == 1


async def test_the_history_of_a_decision_names_no_task(disputed: Shared) -> None:
    async with opened(disputed.log) as documents:
        document = await documents.open(BOARD)
        attempt = EditAttempt(StepKey(NO_TASK, StepId("merge/1")), "manager-0")
        document.resolve(attempt, document.conflicts[0], "no")
        await attempt.flushed()

    out, _ = await disputed.told("Board", "--history")

    assert "by manager-0, step merge/1\n" in out


async def test_the_history_marks_what_is_in_conflict(disputed: Shared) -> None:
    out, _ = await disputed.told("Board", "--history")
    told = await disputed.object("Board", "--history")

    assert out.count("(in conflict: verdict)") == 2
    entry = told["history"][0]
    assert (entry["version"], entry["fate"], entry["author"]) == (1, "counts", "researcher-a")
    assert entry["entry"]["fields"]["verdict"]["delta"] == {"base": None, "new": "yes"}


async def test_a_document_that_is_deleted_is_gone_for_everybody(disputed: Shared) -> None:
    _, err = await disputed.told("Board", "--delete")

    assert err == "fleetmind: deleted task/t1/Board\n"
    assert await disputed.object() == {"documents": []}
    with pytest.raises(StateDeleted):
        await disputed.edit("c", verdict=make_field("siblings", None, "yes"))


async def test_a_policy_that_only_the_program_knows_is_named(shared: Shared) -> None:
    for step, title in (("a", "a title"), ("b", "another title")):
        own = FieldEdit("boards:longer", {"base": None, "new": title})
        await shared.edit(step, at=0, title=own)

    out, _ = await shared.told("Board")
    history, _ = await shared.told("Board", "--history")

    assert out.endswith("shown without what only its program knows: boards:longer\n")
    assert 'title: null -> "a title"' in history
    assert "conflict" not in out, "the program may know how to merge these"
    assert "conflict" not in history


async def test_what_only_the_program_knows_how_to_merge_is_decided_there(shared: Shared) -> None:
    for step, title in (("a", "a title"), ("b", "another title")):
        own = FieldEdit("boards:longer", {"base": None, "new": title})
        await shared.edit(step, at=0, title=own)

    with pytest.raises(UsageError) as refused:
        await shared.told("Board", "--resolve", "title=#1")

    assert str(refused.value) == (
        "title of task/t1/Board merges by boards:longer, which only the program knows: "
        "decide it from there"
    )
    assert (await shared.object("Board"))["version"] == 2


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("cluster/Board", "cluster/Board"),
        ("t2/Board", "task/t2/Board"),
        ("t2", "task/t2/Board"),
        ("Ledger", "cluster/Ledger"),
        ("old", "cluster/Board/old"),
    ],
)
def test_a_part_of_a_name_is_enough_where_only_one_has_it(asked: str, name: str) -> None:
    assert chosen(NAMES, asked) == name


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("Boar", "no document is called 'Boar'"),
        ("Board", "'Board' may be task/t1/Board or task/t2/Board or cluster/Board or "),
    ],
)
def test_a_name_that_does_not_say_which_is_refused(asked: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        chosen(NAMES, asked)

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Board", "--history", "--revert", "1"], "give one of --history, --revert, --resolve"),
        (["--history"], "say which document: `fleetmind state` lists them"),
        (["Board", "--revert", "one"], "invalid int value: 'one'"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_asked(parse(["state", *arguments]))

    assert said in str(refused.value)
