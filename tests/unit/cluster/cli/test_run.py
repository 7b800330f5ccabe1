"""``fleetmind run`` against a scripted cluster: what goes where, and how it exits."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from cluster.cli.console import FRAME_PREFIX, Console
from cluster.cli.entry import execute
from cluster.cli.options import Options
from cluster.cli.run import read_goal, run
from cluster.kernel.errors import ClusterError, PlacementError, StoreUnavailable, UsageError
from cluster.kernel.events import (
    Answered,
    Corrected,
    Failed,
    Spent,
    Submitted,
    Thought,
    WasCancelled,
)
from cluster.kernel.feed import Gap
from cluster.kernel.vocabulary import (
    Answer,
    Citation,
    Claim,
    Coherence,
    Failure,
    Program,
    Run,
    StepProgram,
    Support,
)
from cluster.memory.knowledge.omissions import LeftOut, Omission
from tests.support.scripted_link import ANSWERED, TASK, ScriptedLink, event


class Ran:
    """How a command line ended and what it wrote."""

    def __init__(self, link: ScriptedLink, *arguments: str, stdin: str = "") -> None:
        out, err = io.StringIO(), io.StringIO()
        console = Console(out, err, is_framed="--framed" in arguments)
        self.exit_code = execute(
            ["run", *arguments],
            console,
            lambda options, console: run(
                options, console, join=link.join, stdin=io.StringIO(stdin)
            ),
        )
        self.out, self.err = out.getvalue(), err.getvalue()


def failing(kind: str, message: str = "it went wrong") -> ScriptedLink:
    return ScriptedLink((event(0.1, Failed(Failure(kind, message))),))


def test_the_answer_is_on_stdout_and_nothing_else() -> None:
    link = ScriptedLink((event(0.0, Submitted("why?")), event(0.1, Thought("hm")), *ANSWERED))

    for name in ("a", "b"):
        Path(name).write_text("text", encoding="utf-8")

    ran = Ran(link, "why?", "--knowledge", "a", "--knowledge", "b")

    assert (ran.exit_code, ran.out) == (0, "It is 42.\n")
    assert link.learned == ["a", "b"]
    assert not link.is_open


def test_what_is_left_out_of_the_knowledge_is_one_line_on_stderr_and_an_object_of_the_json() -> (
    None
):
    left_out = (
        LeftOut("images", Omission.KIND, 12),
        LeftOut("PDFs", Omission.BROKEN, 1, ("a.pdf",)),
    )
    Path("a").write_text("text", encoding="utf-8")

    ran = Ran(ScriptedLink(left_out=left_out), "why?", "--knowledge", "a", "--json")

    assert "fleetmind: Left out: 1 broken PDF (a.pdf), 12 images\n" in ran.err
    assert json.loads(ran.out)["knowledge"] == {
        "read": 1,
        "left_out": [
            {"kind": "images", "count": 12, "reason": "unsupported"},
            {"kind": "PDFs", "count": 1, "reason": "broken"},
        ],
    }


def test_progress_is_plain_lines_where_stderr_is_no_terminal() -> None:
    thoughts = [event(0.2, Thought(text), "plan") for text in ("{", "}")]

    ran = Ran(ScriptedLink((event(0.1, Submitted("why?")), *thoughts, *ANSWERED)), "why?")

    assert ran.err.splitlines() == [
        "fleetmind: starting a cluster",
        "   0.10s manager-0 planning",
        "   0.20s manager-0 [plan] thinking",
        "   0.50s manager-0 [plan] thought 2 characters",
        "   0.50s manager-0 [plan] answered",
    ]


def test_every_word_is_shown_where_that_is_asked_for() -> None:
    thoughts = [event(0.2, Thought(text), "plan") for text in ("{", "}")]

    ran = Ran(ScriptedLink((*thoughts, *ANSWERED)), "why?", "--thoughts", "all")

    assert "thought 2 characters: ...{}" in ran.err


def test_sources_programs_and_what_was_degraded_follow_the_text() -> None:
    program = Program("print(6 * 7)", Run(0, "42\n", ""))
    citations = (Citation("a.md", 3, 3, "x"), Citation("b.md", 1, 9, "y"))
    answer = Answer("So [1][2].", citations, (StepProgram(event(0, Thought("")).step, program),))
    degraded = Answer(answer.text, answer.citations, answer.programs, ("no\nmodel",))

    ran = Ran(ScriptedLink((event(0.5, Answered(degraded)),)), "why?")

    assert "- [1] a.md:3\n- [2] b.md:1-9" in ran.out
    assert "```python\nprint(6 * 7)\n```" in ran.out
    assert "Output:\n\n```\n42\n```" in ran.out
    assert ran.out.endswith("\n\nDegraded: no model\n")


def test_json_is_one_object_on_stdout() -> None:
    ran = Ran(ScriptedLink(), "why?", "--json")

    whole = json.loads(ran.out)
    assert (whole["status"], whole["answer"]) == ("answered", "It is 42.")


def test_events_are_written_as_lines_to_a_file_without_what_is_not_shown() -> None:
    link = ScriptedLink((event(0.0, Submitted("why?")), event(0.1, Spent("model", 1)), *ANSWERED))

    ran = Ran(link, "why?", "--events", "events.jsonl")

    lines = Path("events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["submitted", "answered"]
    assert ran.out == "It is 42.\n"


def test_events_on_stdout_leave_only_lines_of_json_there() -> None:
    ran = Ran(ScriptedLink(), "why?", "--events", "-", "--json")

    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert lines[0]["kind"] == "answered"
    assert lines[1]["status"] == "answered"


DOUBTED = Answer("It is [unverified].", claims=(Claim("It is.", Support.UNVERIFIED),))
UPGRADE = Corrected(0, "It is.", Support.PARAPHRASED, (Citation("a.md", 3, 3, "It is so."),))
LOOKED_AT = ScriptedLink((event(0.5, Answered(DOUBTED)), event(0.9, UPGRADE, "verify")))


def test_what_corrects_the_answer_follows_it_on_stderr() -> None:
    ran = Ran(LOOKED_AT, "why?")

    assert ran.out.startswith("It is [unverified].\n")
    assert ran.err.splitlines()[-1] == (
        'fleetmind: at a second look, a sentence is paraphrased by a.md:3: "It is."'
    )


def test_the_json_of_an_answer_has_its_corrections_in_it() -> None:
    ran = Ran(LOOKED_AT, "why?", "--json", "--events", "events.jsonl")

    whole = json.loads(ran.out)
    lines = Path("events.jsonl").read_text(encoding="utf-8").splitlines()
    assert whole["answer"] == "It is [1]."
    assert whole["claims"][0]["support"] == "paraphrased"
    assert [json.loads(line)["kind"] for line in lines] == ["answered", "corrected"]


@pytest.mark.usefixtures("signals_of_a_terminal")
def test_the_answer_is_printed_before_the_second_look_at_it_ends() -> None:
    link = ScriptedLink(
        (event(0.5, Answered(DOUBTED)),),
        keeps_looking=True,
        on_wait=lambda: os.kill(os.getpid(), signal.SIGINT),
    )

    ran = Ran(link, "why?")

    assert ran.out.startswith("It is [unverified].\n")


def test_an_endless_goal_is_not_read_to_its_end() -> None:
    class Endless(io.StringIO):
        def read(self, size: int | None = -1, /) -> str:
            assert size is not None
            assert size > 0
            return "y\n" * size

    with pytest.raises(UsageError, match="more than 100000 characters"):
        read_goal(Options("run", goal="-"), Endless())


def test_a_closed_stdin_is_an_empty_goal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(UsageError, match="the goal is empty"):
        read_goal(Options("run", goal="-"))


def test_a_goal_of_a_dash_is_read_from_stdin() -> None:
    link = ScriptedLink()

    Ran(link, "-", stdin="a longer\ngoal\n")

    assert link.goals == ["a longer\ngoal\n"]


def test_flags_reach_the_settings() -> None:
    link = ScriptedLink()

    Ran(link, "why?", "--model", "simulated:", "--deadline", "9", "--redis", "redis://h:1/0")

    settings = link.configurations[0].settings
    assert (settings.model.uri, settings.store.redis) == ("simulated:", "redis://h:1/0")
    assert link.timeouts_s == [9.0]


def test_the_command_line_says_when_steps_begin() -> None:
    link = ScriptedLink()

    Ran(link, "why?", "--coherence", "broadcast")

    assert link.coherences == [Coherence.BROADCAST]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["  "], "the goal is empty"),
        (["\udcff"], "the goal is not UTF-8 text"),
        (["x" * 100_001], "the goal has more than 100000 characters: put long texts into"),
        ([], "the following arguments are required: GOAL; see `fleetmind run --help`"),
        (["why?", "--deadline", "soon"], "argument --deadline: invalid float value: 'soon'"),
        (["why?", "--deadline", "-1"], "--deadline: -1.0 is no number of seconds above 0"),
        (["why?", "--thoughts", "some"], "argument --thoughts: invalid choice: 'some'"),
        (["why?", "--coherence", "both"], "argument --coherence: invalid choice: 'both'"),
        (["why?", "--model", "gpt"], "--model: 'gpt' is no model; allowed are"),
        (["why?", "--redis", "x"], "--redis: not a Redis URL"),
        (["why?", "--config", "none.toml"], "none.toml can't be read"),
        (["why?", "--events", "no/such/folder"], "--events: no/such/folder can't be written"),
        (["why?", "--knowledge", "nowhere"], "the knowledge path 'nowhere' doesn't exist"),
        (["why?", "--jsn"], "unrecognized arguments: --jsn; see `fleetmind run --help`"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_2(arguments: list[str], complaint: str) -> None:
    link = ScriptedLink()

    ran = Ran(link, *arguments)

    assert ran.exit_code == 2
    assert complaint in ran.err
    assert ran.err.startswith("fleetmind: ")
    assert ran.err.count("\n") == 1
    assert (ran.out, link.goals) == ("", [])


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [("model", 1), ("deadline", 124), ("usage", 2), ("store", 1), ("overloaded", 1)],
)
def test_a_failed_task_is_a_sentence_and_its_exit_code(kind: str, exit_code: int) -> None:
    ran = Ran(failing(kind), "why?")

    assert (ran.exit_code, ran.out) == (exit_code, "")
    assert ran.err.splitlines()[-1] == "fleetmind: it went wrong"


def test_a_failed_task_is_an_object_too() -> None:
    ran = Ran(failing("deadline"), "why?", "--json")

    whole = json.loads(ran.out)
    assert (whole["status"], whole["error"]["kind"]) == ("failed", "deadline")
    assert ran.exit_code == 124


def test_a_task_that_somebody_else_cancelled_has_failed() -> None:
    ran = Ran(ScriptedLink((event(0.1, WasCancelled("by hand")),)), "why?")

    assert (ran.exit_code, ran.err.splitlines()[-1]) == (1, "fleetmind: by hand")


@pytest.mark.parametrize(
    "refusal", [StoreUnavailable("redis is silent"), PlacementError("ray is silent")]
)
def test_a_cluster_that_can_not_be_reached_is_a_sentence_and_exit_1(refusal: ClusterError) -> None:
    plain = Ran(ScriptedLink(refusal=refusal), "why?")
    as_json = Ran(ScriptedLink(refusal=refusal), "why?", "--json")

    assert (plain.exit_code, plain.out, plain.err) == (1, "", f"fleetmind: {refusal}\n")
    assert as_json.exit_code == 1
    assert json.loads(as_json.out)["error"] == {"kind": refusal.kind, "message": str(refusal)}


@pytest.mark.parametrize("arguments", [["  "], ["why?", "--model", "gpt"]])
def test_with_json_wrong_usage_is_an_object_too(arguments: list[str]) -> None:
    ran = Ran(ScriptedLink(), *arguments, "--json")

    whole = json.loads(ran.out)
    assert (ran.exit_code, whole["status"], whole["error"]["kind"]) == (2, "failed", "usage")
    assert whole["error"]["message"] in ran.err


def test_with_json_what_nobody_foresaw_is_an_object_too() -> None:
    ran = Ran(ScriptedLink(refusal=ValueError("odd")), "why?", "--json")

    assert ran.exit_code == 1
    assert json.loads(ran.out)["error"] == {"kind": "internal", "message": "ValueError: odd"}


@pytest.mark.usefixtures("signals_of_a_terminal")
def test_with_json_an_interruption_of_the_start_is_an_object_too() -> None:
    link = ScriptedLink(on_join=lambda: os.kill(os.getpid(), signal.SIGINT))

    ran = Ran(link, "why?", "--json")

    whole = json.loads(ran.out)
    assert (ran.exit_code, whole["status"]) == (130, "cancelled")
    assert whole["error"] == {"kind": "cancelled", "message": "interrupted"}
    assert ran.err == "fleetmind: interrupted\n"


def test_trouble_after_the_answer_does_not_take_it_back() -> None:
    ran = Ran(ScriptedLink(leaving_error=PlacementError("ray would not stop")), "why?")

    assert (ran.exit_code, ran.out) == (0, "It is 42.\n")
    assert ran.err.splitlines()[-1] == "fleetmind: after the answer: ray would not stop"


@pytest.mark.parametrize(
    ("number", "exit_code", "how"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 130, "interrupted"),
    ],
)
@pytest.mark.usefixtures("signals_of_a_terminal")
def test_a_signal_cancels_the_task_and_ends_everything(
    number: signal.Signals, exit_code: int, how: str
) -> None:
    link = ScriptedLink((), on_wait=lambda: os.kill(os.getpid(), number))

    ran = Ran(link, "why?", "--json")

    assert ran.exit_code == exit_code
    assert ran.err.splitlines()[-1] == f"fleetmind: {how}"
    assert link.tasks[0].reasons == ["the driver is leaving"]
    assert json.loads(ran.out)["status"] == "cancelled"
    assert not link.is_open


def test_a_framed_run_ends_in_one_line_that_holds_its_stdout_and_exit_code() -> None:
    ran = Ran(ScriptedLink(), "why?", "--framed")

    last = ran.out.splitlines()[-1]
    assert last.startswith(FRAME_PREFIX)
    assert json.loads(last.removeprefix(FRAME_PREFIX)) == {
        "stdout": "It is 42.\n",
        "exit_code": 0,
    }


def test_a_framed_run_frames_its_errors_too() -> None:
    ran = Ran(failing("model"), "why?", "--framed")

    assert json.loads(ran.out.splitlines()[-1].removeprefix(FRAME_PREFIX))["exit_code"] == 1


def test_a_detached_task_is_an_id_on_stdout_and_goes_on() -> None:
    link = ScriptedLink((), is_resident=True)

    ran = Ran(link, "why?", "--detach")

    assert (ran.exit_code, ran.out) == (0, f"{TASK}\n")
    assert ran.err.splitlines()[-1] == (
        f"fleetmind: `fleetmind watch {TASK}` follows it, `fleetmind cancel {TASK}` ends it"
    )
    assert (link.goals, link.tasks[0].reasons) == (["why?"], [])


def test_a_detached_task_as_json_is_an_object_with_its_id() -> None:
    ran = Ran(ScriptedLink((), is_resident=True), "why?", "--detach", "--json")

    assert (ran.exit_code, json.loads(ran.out)) == (0, {"task": TASK, "status": "running"})


def test_a_task_is_not_detached_from_a_cluster_that_ends_with_the_run() -> None:
    link = ScriptedLink(is_resident=False)

    ran = Ran(link, "why?", "--detach")

    assert (ran.exit_code, ran.out, link.goals) == (2, "", [])
    assert "run `fleetmind up`" in ran.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("flag", "value"), [("--events", "events.jsonl"), ("--save-plan", "plan.toml")]
)
def test_who_does_not_follow_a_task_can_not_write_what_happens(flag: str, value: str) -> None:
    link = ScriptedLink(is_resident=True)

    ran = Ran(link, "why?", "--detach", flag, value)

    assert (ran.exit_code, link.goals) == (2, [])
    assert f"{flag} and --detach exclude each other" in ran.err


def test_a_part_that_is_no_longer_kept_is_told() -> None:
    link = ScriptedLink((event(0.0, Gap("1.2", "1.80")), *ANSWERED))

    ran = Ran(link, "why?")

    assert "a part of what happened is no longer kept: after 1.2, before 1.80" in ran.err
    assert ran.out == "It is 42.\n"
