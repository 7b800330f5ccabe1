"""Live progress: what agents do, folded from events, as plain lines and as a table."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console as RichConsole

from cluster.cli.board import TAIL_CHARS_MAX, Board, Thoughts, describe
from cluster.cli.console import Console
from cluster.cli.progress import LiveDisplay, PlainDisplay, newest, open_display
from cluster.kernel.events import (
    Answered,
    Clarified,
    ConflictSide,
    Corrected,
    Detail,
    Event,
    Failed,
    FellBack,
    FindingReady,
    Hedged,
    PlanReady,
    ProgramRan,
    ProgramWritten,
    Routed,
    Spent,
    StateConflicted,
    StateMerged,
    StepFinished,
    StepPlanned,
    StepStale,
    StepStarted,
    Submitted,
    Thought,
    WasCancelled,
)
from cluster.kernel.ids import StepId
from cluster.kernel.reads import DocumentChange
from cluster.kernel.vocabulary import (
    Answer,
    Basis,
    Citation,
    Claim,
    Failure,
    Finding,
    Plan,
    Run,
    Step,
    Support,
)
from tests.support.clock import ManualClock
from tests.support.scripted_link import event

FACTS = DocumentChange("cluster/Board", ("facts",), 3, 4)
MERGED = "facts of cluster/Board (version 3 to 4)"
PLAN = Plan(
    (
        Step(StepId("r1"), "researcher", "look"),
        Step(StepId("c1"), "coder", "write", (StepId("r1"),)),
    )
)


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        (Submitted("why?"), "planning"),
        (PlanReady(PLAN), "planned r1 researcher; c1 coder after r1"),
        (StepStarted(), "started"),
        (StepStarted(2, "it died"), "started again (attempt 2): it died"),
        (FindingReady(Finding("x", (Citation("a", 1, 1, "q"),))), "found 1 citation"),
        (ProgramWritten("a\nb", 2), "program 2 of 2 lines by the model"),
        (ProgramWritten("a", 1, "guide.md"), "program 1 of 1 line by guide.md"),
        (ProgramRan(Run(0, "", "", 0.25)), "ran it: exit code 0 after 0.2 s"),
        (PlanReady(Plan(())), "no step is needed"),
        (FellBack("plan", "no JSON"), "fell back, plan: no JSON"),
        (Hedged("model", 1.25), "asked a second time, model, after 1.2 s"),
        (Hedged("model", 1.25, "silent"), "asked a second time, model, after 1.2 s: silent"),
        (Routed("refund", "refund"), "refund answers, without a plan"),
        (Routed("research", "team"), ""),
        (StepFinished("finished"), "finished"),
        (StepFinished("failed", 1, Failure("model", "refused")), "failed: refused"),
        (StepStale((FACTS,)), "stale: facts of cluster/Board (version 3 to 4)"),
        (StepStale((replace(FACTS, is_gone=True),)), "stale: facts of cluster/Board is gone"),
        (StepStale((), 1, (StepId("a"),)), "stale: the result of a came later"),
        (StateMerged((FACTS, FACTS)), f"merged: {MERGED}; {MERGED}"),
        (
            StateConflicted(
                "cluster/Board", "facts", "x", (ConflictSide("1", "ann"), ConflictSide("", "r-0"))
            ),
            "conflict in facts[x] of cluster/Board: 1 (ann) or removed (r-0)",
        ),
        (Answered(Answer("x")), "answered"),
        (Corrected(2, "So.", Support.QUOTED), "sentence 3 is quoted"),
        (Corrected(0, ""), "sentence 1 is contradicted"),
        (Failed(Failure("model", "refused")), "failed: refused"),
        (Clarified("Which?"), "asks: Which?"),
        (WasCancelled(), "cancelled"),
        (WasCancelled("by hand"), "cancelled: by hand"),
        (StepPlanned(PLAN.steps[0]), ""),
        (Spent("model", 1.0), ""),
    ],
)
def test_an_event_is_said_in_a_line(detail: Detail, said: str) -> None:
    assert describe(detail) == said


@pytest.mark.parametrize(
    ("supports", "said"),
    [
        ("qqqppu", "3 sentences quoted, 2 paraphrased, 1 unverified"),
        ("uqq", "2 sentences quoted, 1 unverified"),
        ("p", "1 sentence paraphrased"),
    ],
)
def test_a_finding_is_said_by_what_backs_its_sentences(supports: str, said: str) -> None:
    by_letter = {each[0]: each for each in Support}
    claims = tuple(Claim("x", by_letter[letter]) for letter in supports)

    assert describe(FindingReady(Finding("x", claims=claims))) == said


@pytest.mark.parametrize(
    ("basis", "said"),
    [(Basis.NOTHING, "found nothing"), (Basis.MODEL, "wrote without documents")],
)
def test_a_finding_of_nothing_or_of_the_model_says_so(basis: Basis, said: str) -> None:
    assert describe(FindingReady(Finding("x", basis=basis))) == said


def test_a_row_has_the_end_of_the_newest_thought_on_one_printable_line() -> None:
    board = Board(Thoughts.ALL)
    board.observe(event(0.1, StepStarted(), "r1", "researcher-0"))
    for text in ("x" * TAIL_CHARS_MAX, "\nthe end\x1b[2J"):
        row = board.observe(event(0.2, Thought(text), "r1", "researcher-0"))

    assert row is not None
    assert (row.agent, row.step, row.doing) == ("researcher-0", "r1", "thinking")
    assert row.thought.endswith("x the end [2J")
    assert len(row.thought) == TAIL_CHARS_MAX
    assert row.thought_chars == TAIL_CHARS_MAX + len("\nthe end\x1b[2J")


def test_the_next_step_of_an_agent_starts_with_an_empty_head() -> None:
    board = Board(Thoughts.ALL)
    board.observe(event(0.1, Thought("old"), "plan"))

    row = board.observe(event(0.2, Thought("new"), "answer"))

    assert row is not None
    assert (row.step, row.thought) == ("answer", "new")
    assert board.rows() == [row]


def test_a_summary_tells_how_much_is_written_and_no_word_of_it() -> None:
    board = Board()
    board.observe(event(0.1, Thought("Hmm, is it? ", is_reasoning=True), "r1", "researcher-0"))
    [row] = board.rows()
    assert (row.doing, row.thought) == ("thinking", "")

    board.observe(event(0.2, Thought("x" * 1_188), "r1", "researcher-0"))

    assert (row.doing, row.thought) == ("writing, 1,200 characters", "")


def test_a_summary_tells_the_sentences_that_stand_in_the_answer() -> None:
    board = Board()
    board.observe(event(0.1, Thought("It holds 512. Perh"), "answer"))

    row = board.observe(event(0.2, Thought("It holds 512 [1].", is_final=True), "answer"))

    assert row is not None
    assert (row.doing, row.thought) == ("writing, 18 characters", "It holds 512 [1].")


def test_no_thought_is_told_where_none_is_wanted() -> None:
    board = Board(Thoughts.NONE)

    assert board.observe(event(0.1, Thought("hmm"), "answer")) is None
    assert board.observe(event(0.2, Thought("So.", is_final=True), "answer")) is None


def plain(*events: Event, thoughts: Thoughts = Thoughts.ALL) -> list[str]:
    err = io.StringIO()
    display = PlainDisplay(Console(io.StringIO(), err), thoughts)
    for item in events:
        display.observe(item)
    display.close()
    return err.getvalue().splitlines()


def test_a_stretch_of_thoughts_is_one_line_and_its_end_another() -> None:
    thoughts = [event(0.2, Thought("hmm "), "r1", "researcher-0") for _ in range(50)]

    lines = plain(
        event(0.1, StepStarted(), "r1", "researcher-0"),
        *thoughts,
        event(9.0, StepFinished("finished"), "r1", "researcher-0"),
    )

    assert lines == [
        "   0.10s researcher-0 [r1] started",
        "   0.20s researcher-0 [r1] thinking",
        f"   9.00s researcher-0 [r1] thought 200 characters: ...{'hmm ' * 25}",
        "   9.00s researcher-0 [r1] finished",
    ]


@pytest.mark.parametrize("thoughts", [Thoughts.SUMMARY, Thoughts.ALL])
def test_a_sentence_that_is_certain_is_a_line_by_itself(thoughts: Thoughts) -> None:
    lines = plain(
        event(0.1, Thought("It holds 512. "), "answer"),
        event(0.2, Thought("\n\nIt holds 512 [1].", is_final=True), "answer"),
        event(0.3, Thought("And"), "answer"),
        thoughts=thoughts,
    )

    assert lines == [
        "   0.10s manager-0 [answer] thinking",
        "   0.20s manager-0 [answer] says: It holds 512 [1].",
    ]


def test_what_is_worth_no_line_gets_none() -> None:
    assert plain(event(0.1, Spent("model", 1.0), "plan")) == []


def test_no_terminal_gets_plain_lines() -> None:
    assert isinstance(open_display(Console(io.StringIO(), io.StringIO())), PlainDisplay)


async def test_a_terminal_gets_one_line_an_agent_that_fits_its_width() -> None:
    screen = io.StringIO()
    terminal = RichConsole(file=screen, force_terminal=True, width=60, height=10, color_system=None)
    display = LiveDisplay(terminal, Thoughts.ALL)
    display.note("starting a cluster")
    display.observe(event(0.1, StepStarted(), "r1", "researcher-0"))
    display.observe(event(0.2, Thought("word " * 99 + "newest"), "r1", "researcher-0"))
    display.observe(event(0.2, Thought("def main():"), "c1", "coder-0"))
    display.draw()

    lines = screen.getvalue().rpartition("\x1b[2K")[2].splitlines()
    display.close()

    assert [line.split()[:3] for line in lines[:2]] == [
        ["researcher-0", "r1", "thinking"],
        ["coder-0", "c1", "thinking"],
    ]
    assert lines[0].rstrip().endswith("word newest")
    assert lines[1].rstrip().endswith("def main():")
    assert lines[2].rstrip().endswith("s"), "what was noted before the agents began is over"
    assert max(map(len, lines)) <= 60


async def test_a_terminal_shows_what_is_done_before_the_agents_begin() -> None:
    screen = io.StringIO()
    terminal = RichConsole(file=screen, force_terminal=True, width=60, height=10, color_system=None)
    display = LiveDisplay(terminal)
    display.note("starting a cluster")
    display.draw()

    shown = screen.getvalue()
    display.close()

    assert "starting a cluster" in shown


async def test_a_silent_agent_is_said_to_be_waited_for() -> None:
    screen, clock = io.StringIO(), ManualClock()
    terminal = RichConsole(file=screen, force_terminal=True, width=80, height=10, color_system=None)
    display = LiveDisplay(terminal, now=clock.now)
    display.observe(event(0.1, Thought("hm", is_reasoning=True), "r1", "researcher-0"))

    clock.advance(4.0)
    display.draw()
    lines = screen.getvalue().rpartition("\x1b[2K")[2].splitlines()
    display.close()

    assert lines[0].rstrip() == "researcher-0 r1 waiting for the model, 4 s"


async def test_what_is_to_be_kept_stays_on_the_terminal() -> None:
    screen = io.StringIO()
    display = LiveDisplay(RichConsole(file=screen, force_terminal=True, width=60))

    display.keep("Left out: 12 [bold]images\x1b[2J")
    display.close()

    assert "Left out: 12 [bold]images [2J\n" in screen.getvalue()


async def test_closing_a_display_twice_changes_nothing() -> None:
    screen = io.StringIO()
    display = LiveDisplay(RichConsole(file=screen, force_terminal=True, width=60))
    display.close()
    shown = screen.getvalue()

    display.close()

    assert screen.getvalue() == shown


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [("abc def", 3, "def"), ("abc", 9, "abc"), ("abc", 0, ""), ("\u6f22\u5b57", 2, "\u5b57")],
)
def test_the_newest_part_of_a_thought_is_what_fits(text: str, columns: int, shown: str) -> None:
    assert newest(text, columns) == shown
