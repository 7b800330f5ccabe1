"""Every misbehaviour of a model endpoint while a report is made: answered, said so, or failed.

Real agents with all policies of a real model, over HTTP. What always holds is checked by
`tests.support.report_faults`: one end, before the deadline; nothing mixed, nothing cut short, no
request too many.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.model_server import model_server
from benchmarks.workloads import passage_text
from cluster.kernel.events import ProgramRan
from tests.support.agents import AgentCluster
from tests.support.report_faults import GOAL, ROLES, built, report

pytestmark = pytest.mark.integration

PLACES = ("plan", "r1", "answer")
PATIENCE_S = 10.0
STALL_S = 0.3
CONNECT_S = 0.25
CONNECTIONS_QUEUED = 4
"""More than the kernel queues for a socket that listens with a backlog of 0."""

ASKED_AGAIN = {
    "500": "failed (500: scripted to answer 500)",
    "502": "failed (502: scripted to answer 502)",
    "empty": "ended its stream without an answer",
    "error-first": "reported an error instead of going on (the model crashed)",
    "huge-json": "ended its stream without an answer",
    "no-choice": "ended its stream without an answer",
    "odd-json": "ended its stream without an answer",
}
"""By fault that may pass, before any words: what is said of the endpoint where it doesn't."""
WAITED_FOR = {
    "429": "wants fewer requests (429: scripted to answer 429)",
    "429-after-0.01": "wants fewer requests (429: scripted to answer 429)",
    "503": "is not ready yet (503: scripted to answer 503)",
}
"""By fault that is waited for as long as there is time, but for where another model is left."""
GIVEN_UP = {
    "429-after-3600": "it asks to wait 3600 s and ",
    "bad-json": "sent what is no event stream of chat chunks",
    "deep-json": "sent what is no event stream of chat chunks",
    "endless": "sent more than 4 MB for one event",
    "garbage": "sent text/html instead of an event stream",
    "tool-args": "ended its answer without any text (finish reason 'tool_calls')",
}
"""By fault that another request would meet again."""
BROKEN_OFF = {
    "cut": "broke the connection off",
    "cut-clean": "cut its stream off before the end of the answer",
    "error-event": "reported an error instead of going on (the model ran out of memory)",
    "stall": f"stopped in the middle of its answer and was silent for {STALL_S:g} s",
}
"""By fault that comes after half of the words."""
SILENT = ("hang", "drip")
"""Faults that only a deadline ends."""
LATE = re.compile(r"the model\b.* had not (answered|finished) when the ")
"""Said by whichever of those that wait for the endpoint is first to be late."""
GIVEN_UP_FOR_ANOTHER = re.compile(r"\[model\] had said nothing after ")
HARMLESS = ("nan-usage", "no-mark")
WINDOWS = ("window-openai", "window-vllm", "window-llama")
"""Endpoints that say each in its own way what does not fit."""
LONG_PAGE = "\n\n".join(
    f"## Find out about the market, chapter {number}\n\n" + f"{passage_text()}\n" * 6
    for number in range(12)
)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.models.endpoint.openai_compatible.STALL_S", STALL_S)
    for module in ("http_client", "unreached"):
        monkeypatch.setattr(f"agents.models.endpoint.{module}.CONNECT_TIMEOUT_S", CONNECT_S)


@pytest.fixture
def closed_url() -> Iterator[str]:
    """The URL of an endpoint that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


@pytest.fixture
def full_url() -> Iterator[str]:
    """The URL of an endpoint that takes no connection, as of a machine that drops packets."""
    with socket.socket() as full, ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(CONNECTIONS_QUEUED):
            one = waiting.enter_context(socket.socket())
            one.settimeout(0.0)
            one.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}/v1"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "fault", [*(f"{name}x1" for name in (*ASKED_AGAIN, *WAITED_FOR, *SILENT)), *HARMLESS]
)
async def test_a_fault_that_passes_or_does_no_harm_leaves_no_trace(
    fault: str, place: str, tmp_path: Path
) -> None:
    reported = await report(fault, place, tmp_path)

    assert reported.said == ""
    assert not reported.outcome.has_failed


async def check_it_is_said(fault: str, place: str, sentence: str, folder: Path) -> None:
    """Expect a task to fail with its plan, and to be answered without what else is missing."""
    reported = await report(fault, place, folder)

    assert reported.outcome.has_failed == (place == "plan")
    assert f"the model endpoint {reported.url} " in reported.said
    assert sentence in reported.said


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", ASKED_AGAIN)
async def test_a_fault_that_lasts_is_said(fault: str, place: str, tmp_path: Path) -> None:
    await check_it_is_said(fault, place, ASKED_AGAIN[fault], tmp_path)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", WAITED_FOR)
async def test_an_endpoint_without_room_is_waited_for_and_that_is_said(
    fault: str, place: str, tmp_path: Path
) -> None:
    reported = await report(f"{fault}x5", place, tmp_path, waited=5)

    assert not reported.outcome.has_failed
    assert f"{WAITED_FOR[fault]}: it was waited for" in reported.said


@pytest.mark.parametrize("times", ["", "x1"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", GIVEN_UP)
async def test_a_fault_that_is_not_asked_about_again_is_said(
    fault: str, place: str, times: str, tmp_path: Path
) -> None:
    await check_it_is_said(fault + times, place, GIVEN_UP[fault], tmp_path)


@pytest.mark.parametrize(
    ("fault", "place", "left_out"),
    [
        *((fault, "r1", "passages") for fault in WINDOWS),
        *((fault, "answer", "quotes") for fault in WINDOWS if fault != "window-llama"),
    ],
)
async def test_what_does_not_fit_into_a_small_window_is_left_out_and_that_is_said(
    fault: str, place: str, left_out: str, tmp_path: Path
) -> None:
    reported = await report(fault, place, tmp_path, text=LONG_PAGE)

    where = "The answer" if place == "answer" else f"Step {place}"
    said = [line for line in reported.said.splitlines() if "left out of the prompt" in line]
    assert [line.partition(": ")[0] for line in said] == [where]
    assert left_out in said[0]
    assert said[0].endswith("; the model takes in 2,048 tokens at once.")
    refused = [entry for entry in reported.server.log if entry.ended == "fault"]
    assert [entry.step for entry in refused] == [place]


@pytest.mark.parametrize("fault", ["window-openai", "window-vllm"])
async def test_a_plan_for_which_a_small_window_has_too_little_room_is_written_shorter(
    fault: str, tmp_path: Path
) -> None:
    reported = await report(fault, "plan", tmp_path)

    refused, asked = (each for each in reported.server.log if each.step == "plan")
    assert reported.said == ""
    assert refused.ended == "fault"
    assert asked.prompt == refused.prompt
    assert asked.options["max_tokens"] < refused.options["max_tokens"]


@pytest.mark.parametrize("place", PLACES)
async def test_an_endpoint_that_is_not_there_is_said(
    closed_url: str, full_url: str, place: str, tmp_path: Path
) -> None:
    await check_it_is_said(closed_url, place, "refuses connections, 3 times", tmp_path)
    await check_it_is_said(full_url, place, f"took no connection within {CONNECT_S:g} s", tmp_path)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", BROKEN_OFF)
async def test_an_answer_that_breaks_off_again_and_again_is_left_out_and_that_is_said(
    fault: str, place: str, tmp_path: Path
) -> None:
    reported = await report(fault, place, tmp_path)

    assert not reported.outcome.has_failed
    assert BROKEN_OFF[fault] in reported.said


@pytest.mark.parametrize("place", ["r1", "answer"])
@pytest.mark.parametrize("fault", BROKEN_OFF)
async def test_what_takes_the_place_of_an_answer_that_breaks_off_is_said(
    fault: str, place: str, tmp_path: Path
) -> None:
    reported = await report(f"{fault}x1", place, tmp_path)

    assert BROKEN_OFF[fault] in reported.said


@pytest.mark.parametrize("fault", BROKEN_OFF)
async def test_the_rest_of_a_plan_that_breaks_off_is_asked_for(fault: str, tmp_path: Path) -> None:
    reported = await report(f"{fault}x1", "plan", tmp_path)

    assert reported.said == ""
    assert {"r1", "r2", "r3", "c1"} <= {entry.step for entry in reported.server.log}


@pytest.mark.parametrize("place", ["r1", "answer"])
async def test_a_text_that_its_model_cannot_end_is_used_as_far_as_it_goes_and_that_is_said(
    place: str, tmp_path: Path
) -> None:
    reported = await report("length", place, tmp_path)

    assert re.search(rf"{place}: the model ran out of its length \(\d+ tokens\)", reported.said)


async def test_a_program_that_its_model_cannot_end_is_not_run(tmp_path: Path) -> None:
    reported = await report("length", "c1", tmp_path)

    assert not reported.outcome.answer.programs
    assert not [event for event in reported.outcome.events if isinstance(event.detail, ProgramRan)]
    assert "the model ran out of its length" in reported.said


async def test_of_a_plan_that_its_model_cannot_end_the_rest_is_asked_for(tmp_path: Path) -> None:
    once = await report("lengthx1", "plan", tmp_path)
    always = await report("length", "plan", tmp_path)

    assert once.said == ""
    assert "The plan breaks off;" in always.said
    assert "(the model ran out of its length (" in always.said


@pytest.mark.parametrize("place", ["r1", "answer"])
async def test_a_text_without_an_end_is_no_text(place: str, tmp_path: Path) -> None:
    reported = await report("babble", place, tmp_path)

    assert "characters and come to no end" in reported.said
    assert "words without end" not in reported.outcome.answer.text


@pytest.mark.parametrize("place", PLACES)
async def test_an_answer_without_words_is_made_up_for(place: str, tmp_path: Path) -> None:
    reported = await report("empty-choice", place, tmp_path)

    assert not reported.outcome.has_failed
    assert reported.said


@pytest.mark.parametrize("beside", ["", "small"])
async def test_an_endpoint_that_says_nothing_is_given_up_before_the_deadline(
    tmp_path: Path, beside: str
) -> None:
    scenes = [(fault, place) for fault in SILENT for place in (*PLACES, "")]
    silence = GIVEN_UP_FOR_ANOTHER if beside else LATE
    reports = await asyncio.gather(
        *(report(*s, tmp_path, beside=beside, timeout_s=PATIENCE_S) for s in scenes)
    )

    for reported, (fault, place) in zip(reports, scenes, strict=True):
        assert reported.outcome.has_failed == (not place and not beside), (fault, place)
        assert silence.search(reported.said), (fault, place)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", [*ASKED_AGAIN, *WAITED_FOR, *GIVEN_UP])
async def test_another_model_answers_in_place_of_one_that_fails(
    fault: str, place: str, tmp_path: Path
) -> None:
    reported = await report(fault, place, tmp_path, beside="small")

    assert f"{place}: small answers in place of [model]: the model endpoint" in reported.said
    assert {**ASKED_AGAIN, **WAITED_FOR, **GIVEN_UP}[fault] in reported.said
    assert {entry.step for entry in reported.other.log} == {place}


@pytest.mark.parametrize("fault", BROKEN_OFF)
async def test_another_model_begins_anew_what_breaks_off(fault: str, tmp_path: Path) -> None:
    reported = await report(fault, "r1", tmp_path, beside="small")

    assert "Step r1: small answers in place of [model]: the model endpoint" in reported.said
    assert {entry.step for entry in reported.other.log} == {"r1"}


@pytest.mark.parametrize("fault", [*ASKED_AGAIN, *WAITED_FOR, *GIVEN_UP, *BROKEN_OFF])
async def test_another_replica_is_asked_at_once_where_one_fails(fault: str, tmp_path: Path) -> None:
    reported = await report(fault, "r1", tmp_path, beside="replica")

    assert {**ASKED_AGAIN, **WAITED_FOR, **GIVEN_UP, **BROKEN_OFF}[fault] in reported.said
    assert "Step r1 " not in reported.said  # it has not failed
    assert " times; " not in reported.said
    assert {entry.step for entry in reported.other.log} == {"r1"}


async def test_a_report_is_made_by_the_other_model_where_the_endpoint_is_down(
    closed_url: str, tmp_path: Path
) -> None:
    reported = await report(closed_url, "", tmp_path, beside="small")

    for step in ("The plan", "Step r1", "Step r2", "Step r3", "Step c1", "The answer"):
        assert f"{step}: small answers in place of [model]: " in reported.said
    assert {entry.step for entry in reported.other.log} == {
        "plan",
        "r1",
        "r2",
        "r3",
        "c1",
        "answer",
    }


async def test_an_endpoint_that_has_failed_five_times_is_left_alone() -> None:
    async with model_server() as server, AgentCluster() as cluster:
        model = built(server.fault_url("500"))
        for role in ROLES:
            await cluster.add_real(role, model)
        outcomes = [await cluster.outcome(GOAL) for _ in range(6)]

        assert len(server.log) == 5 * 3
    said = outcomes[-1].failure.message
    assert said.startswith("the model's endpoint has failed 5 calls in a row since ")
    assert "failed (500: scripted to answer 500)" in said
