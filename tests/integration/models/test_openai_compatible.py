"""The adapter of OpenAI-compatible endpoints against a real server on loopback that misbehaves."""

from __future__ import annotations

import asyncio
import random
import re
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from agents.models.endpoint.openai_compatible import OpenAIModel
from agents.models.port import Asker, Delta, Finish, Message, Request, Restarted
from agents.models.simulated.model import Timing
from agents.models.simulated.script import Line
from benchmarks.model_faults import CHARACTERS_PER_TOKEN, WINDOW
from benchmarks.model_server import ModelServer, model_server
from cluster.kernel.errors import ModelError
from cluster.kernel.sections import NO_ENGINE, EngineSettings

pytestmark = pytest.mark.integration

KEY = "sk-very-secret-0123456789"
TEXT = "Nine bean rows will I have there, a hive for the honey bee."
LINES = {"researcher": {"*": Line(TEXT)}}
ASKER = Asker("task-1", "researcher", "r1", "00-" + "a" * 32 + "-" + "b" * 16 + "-01")
CONNECTIONS_QUEUED = 4
"""More than the kernel queues for a socket that listens with a backlog of 0."""
MESSAGES = (Message("system", "You are the Researcher."), Message("user", "What grows there?"))


def a_request(**options: Any) -> Request:
    return replace(Request(MESSAGES, ASKER), **options)


class Pauses:
    """Stands in for sleep: keeps what was asked for and takes no time."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with model_server(lines=LINES) as running:
        yield running


@asynccontextmanager
async def a_model(
    base_url: str,
    name: str = "simulated",
    pauses: Pauses | None = None,
    engine: EngineSettings = NO_ENGINE,
) -> AsyncIterator[OpenAIModel]:
    sleep, rng = pauses or Pauses(), random.Random(1)
    model = OpenAIModel(name, base_url, KEY, engine=engine, sleep=sleep, rng=rng)
    try:
        yield model
    finally:
        await model.close()


async def all_of(model: OpenAIModel, request: Request) -> tuple[str, Finish]:
    text = ""
    async for item in model.stream(request):
        if isinstance(item, Finish):
            return text, item
        if isinstance(item, Restarted):
            text = ""
        elif isinstance(item, Delta):
            text += item.text
    raise AssertionError("no finish")


async def failure(base_url: str, request: Request | None = None) -> str:
    """The sentence with which a request fails."""
    async with a_model(base_url) as model:
        with pytest.raises(ModelError) as failed:
            await all_of(model, request or a_request())
    await let_generators_end()
    sentence = str(failed.value)
    assert KEY not in sentence
    assert "\n" not in sentence
    assert failed.value.__cause__ is None
    return sentence


async def let_generators_end() -> None:
    """Give the loop turns: the client leaves it to close its generators where reading failed."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_an_answer_is_streamed_with_its_usage_and_says_who_asks(server: ModelServer) -> None:
    async with a_model(server.base_url) as model:
        text, finish = await all_of(model, a_request(wants_json=True, tokens_max=50))

    assert text == TEXT
    assert finish == Finish("stop", prompt_tokens=7, completion_tokens=13)
    (entry,) = server.log
    assert entry.headers == {
        "X-Fleetmind-Task": "task-1",
        "X-Fleetmind-Agent": "researcher",
        "X-Fleetmind-Step": "r1",
        "traceparent": ASKER.traceparent,
    }
    assert entry.options == {
        "stream": True,
        "stream_options": {"include_usage": True},
        "response_format": {"type": "json_object"},
        "max_tokens": 50,
    }


async def test_a_trace_begins_and_odd_step_ids_stay_in_their_header(server: ModelServer) -> None:
    request = Request(MESSAGES, Asker("t", "coder", "c1\r\nX-Evil: 1 é"))
    async with a_model(server.base_url) as model:
        await all_of(model, request)

    (entry,) = server.log
    assert entry.step == "c1%0D%0AX-Evil: 1 %C3%A9"
    assert [len(part) for part in entry.headers["traceparent"].split("-")] == [2, 32, 16, 2]


async def test_an_answer_cut_at_the_token_limit_finishes_with_length(server: ModelServer) -> None:
    async with a_model(server.base_url) as model:
        text, finish = await all_of(model, a_request(tokens_max=2))

    assert (text, finish.reason) == ("Nine bean", "length")


async def test_reasoning_comes_as_such(server: ModelServer) -> None:
    async with a_model(server.fault_url("reasoning")) as model:
        deltas = [item async for item in model.stream(a_request()) if isinstance(item, Delta)]

    reasoning = "".join(delta.text for delta in deltas if delta.is_reasoning)
    answer = "".join(delta.text for delta in deltas if not delta.is_reasoning)
    assert reasoning + answer == TEXT
    assert reasoning
    assert answer


async def test_without_a_name_the_endpoints_first_model_is_asked(server: ModelServer) -> None:
    async with a_model(server.base_url, name="") as model:
        await all_of(model, a_request())
        await all_of(model, a_request())

    assert [entry.model for entry in server.log] == ["simulated", "simulated"]


async def test_an_endpoint_without_usage_is_counted_by_its_deltas(server: ModelServer) -> None:
    async with a_model(server.fault_url("no-usage")) as model:
        _, finish = await all_of(model, a_request())

    assert finish == Finish("stop", prompt_tokens=0, completion_tokens=13)


@pytest.mark.parametrize(
    ("fault", "dropped"),
    [
        ("no-json", {"response_format"}),
        ("no-prediction", {"prediction"}),
        ("no-options", {"prediction", "response_format", "stream_options"}),
    ],
)
async def test_what_an_endpoint_refuses_is_dropped_and_remembered(
    server: ModelServer, fault: str, dropped: set[str]
) -> None:
    asked = a_request(wants_json=True, prediction=TEXT)
    engine = EngineSettings(predicted_outputs=True)
    async with a_model(server.fault_url(fault), engine=engine) as model:
        await all_of(model, asked)
        tries = len(server.log)
        text, _ = await all_of(model, asked)

    assert text == TEXT
    assert tries == 1 + len(dropped)
    assert len(server.log) == tries + 1
    assert not dropped & server.log[-1].options.keys()


async def test_options_are_part_of_each_request_and_go_before_our_own(server: ModelServer) -> None:
    options = {"top_p": 0.9, "temperature": 0, "chat_template_kwargs": {"enable_thinking": False}}
    async with a_model(server.base_url, engine=EngineSettings(options)) as model:
        await all_of(model, a_request(temperature=0.2, tokens_max=50))

    ours = {"stream": True, "stream_options": {"include_usage": True}, "max_tokens": 50}
    assert server.log[-1].options == {**ours, **options}


async def test_another_400_is_reported_and_nothing_is_unlearned(server: ModelServer) -> None:
    url = server.fault_url("400x3")
    async with a_model(url) as model:
        with pytest.raises(ModelError, match=r"did not accept the request \(400: scripted") as said:
            await all_of(model, a_request(wants_json=True))
        assert said.value.is_askers_fault
        await all_of(model, a_request(wants_json=True))

    assert "response_format" in server.log[-1].options


@pytest.mark.parametrize("fault", ["window-openai", "window-vllm", "window-llama"])
async def test_a_refusal_for_the_length_says_what_would_fit_and_is_no_matter_of_options(
    server: ModelServer, fault: str
) -> None:
    request = a_request(messages=(Message("user", "word " * 3_000),), tokens_max=100)

    async with a_model(server.fault_url(fault)) as model:
        with pytest.raises(ModelError, match="too small a context for the prompt") as said:
            await all_of(model, replace(request, wants_json=True))

    error = said.value
    assert error.is_askers_fault
    assert (error.context_tokens, error.prompt_tokens) == (WINDOW, 15_000 // CHARACTERS_PER_TOKEN)
    assert len(server.log) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_a_passing_failure_is_tried_again_after_a_growing_pause(
    server: ModelServer, status: int
) -> None:
    pauses = Pauses()
    async with a_model(server.fault_url(f"{status}x2"), pauses=pauses) as model:
        text, finish = await all_of(model, a_request())

    assert text == TEXT
    assert finish.first_s > 0.0
    first, second = pauses.taken
    assert 0.25 <= first <= 0.5 <= second <= 1.0


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("500", "failed (500: scripted to answer 500), 3 times; try again later"),
        ("502", "failed (502: scripted to answer 502), 3 times; try again later"),
        ("error-first", "reported an error instead of going on (the model crashed), 3 times; look"),
        ("empty", "ended its stream without an answer, 3 times; look at the endpoint's log"),
        ("done-only", "ended its stream without an answer, 3 times; look at the endpoint's log"),
        ("cut", "broke the connection off, 3 times; look at the endpoint's log"),
        ("cut-clean", "cut its stream off before the end of the answer, 3 times; look at the"),
        ("half-line", "cut its stream off before the end of the answer, 3 times; look at the"),
        ("error-event", "reported an error instead of going on (the model ran out of memory), 3"),
    ],
)
async def test_a_lasting_failure_is_reported_after_three_attempts(
    server: ModelServer, fault: str, sentence: str
) -> None:
    url = server.fault_url(fault)

    assert (await failure(url)).startswith(f"the model endpoint {url} {sentence}")
    assert len(server.log) == 3


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("401", "refused the API key (401: Incorrect API key provided: [key]); set OPENAI_API_KEY"),
        ("403", "refused the API key (403: scripted to answer 403); set OPENAI_API_KEY"),
        ("404", "knows no model 'simulated', or is no such API (404: scripted to answer 404);"),
        ("content-filter", "stopped its answer by its content filter; rephrase the goal"),
        ("garbage", "sent text/html instead of an event stream; check that the base URL is"),
        ("bad-json", 'sent what is no event stream of chat chunks ({"choices": [); check that'),
        ("deep-json", "sent what is no event stream of chat chunks ([[[[[[[[[[[[[[[[[[[[[[[[[[["),
        ("endless", "sent more than 4 MB for one event; check that the base URL is that"),
    ],
)
async def test_what_another_attempt_would_not_mend_is_reported_at_once(
    server: ModelServer, fault: str, sentence: str
) -> None:
    url = server.fault_url(fault)

    assert (await failure(url)).startswith(f"the model endpoint {url} {sentence}")
    assert len(server.log) == 1


async def test_chunks_of_an_odd_form_are_no_answer(server: ModelServer) -> None:
    assert "ended its stream without an answer" in await failure(server.fault_url("odd-json"))


async def test_a_retry_after_that_fits_is_kept_to(server: ModelServer) -> None:
    pauses = Pauses()
    async with a_model(server.fault_url("429-after-7x1"), pauses=pauses) as model:
        await all_of(model, a_request(timeout_s=20.0))

    assert pauses.taken == [7.0]


async def test_a_retry_after_beyond_the_time_left_fails_at_once(server: ModelServer) -> None:
    said = await failure(server.fault_url("429-after-90"), a_request(timeout_s=20.0))

    assert re.search(r"; it asks to wait 90 s and [\d.]+ s are left, so try again later", said)
    assert len(server.log) == 1


async def test_how_long_an_endpoint_asks_to_wait_is_told_to_whoever_asked(
    server: ModelServer,
) -> None:
    async with a_model(server.fault_url("429-after-90")) as model:
        with pytest.raises(ModelError) as failed:
            await all_of(model, a_request(timeout_s=20.0))

    assert failed.value.retry_after_s == 90.0


async def test_a_call_makes_no_more_requests_than_it_may_wherever_they_go(
    server: ModelServer,
) -> None:
    request = a_request()
    for attempts_max in (1, 3):
        async with a_model(server.fault_url("500")) as model:
            with pytest.raises(ModelError):
                await all_of(model, replace(request, attempts_max=attempts_max))

    assert request.tally.made == len(server.log) == 3


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("cutx1", "broke the connection off"),
        ("cut-cleanx2", "cut its stream off before the end of the answer"),
        ("error-eventx1", "reported an error instead of going on (the model ran out of memory)"),
    ],
)
async def test_an_answer_that_breaks_off_is_begun_anew_and_nothing_of_it_is_kept(
    server: ModelServer, fault: str, why: str
) -> None:
    async with a_model(server.fault_url(fault)) as model:
        items = [item async for item in model.stream(a_request())]

    voids = [at for at, item in enumerate(items) if isinstance(item, Restarted)]
    assert len(voids) == len(server.log) - 1
    for at in voids:
        void = items[at]
        assert isinstance(void, Restarted)
        assert f"{why}, and was asked again from the beginning" in void.reason
    said = [item.text for item in items[voids[-1] + 1 :] if isinstance(item, Delta)]
    assert "".join(said) == TEXT
    assert "".join(item.text for item in items[: voids[0]] if isinstance(item, Delta)) == TEXT[:33]
    assert isinstance(items[-1], Finish)


async def test_an_answer_that_is_in_use_is_not_begun_anew(server: ModelServer) -> None:
    request = a_request()
    async with a_model(server.fault_url("cut-cleanx1")) as model:
        items = model.stream(request)
        said = [await anext(items) for _ in range(7)]
        request.commitment.make()
        with pytest.raises(ModelError, match="cut its stream off"):
            await anext(items)

    assert "".join(item.text for item in said if isinstance(item, Delta)) == TEXT[:33]
    assert len(server.log) == 1


async def test_an_answer_that_breaks_off_at_the_end_of_its_time_is_not_begun_anew(
    server: ModelServer,
) -> None:
    pauses = Pauses()
    async with a_model(server.fault_url("cut-clean"), pauses=pauses) as model:
        with pytest.raises(ModelError, match="cut its stream off before the end of the answer; "):
            await all_of(model, a_request(timeout_s=0.25))

    assert len(server.log) == 1
    assert pauses.taken == []


async def test_a_whole_completion_in_place_of_a_stream_is_an_answer(server: ModelServer) -> None:
    async with a_model(server.fault_url("whole-json")) as model:
        text, finish = await all_of(model, a_request())

    assert (text, finish) == ("Nine", replace(Finish("stop", 0, 1), first_s=finish.first_s))


async def test_the_end_mark_ends_an_answer_without_a_finish_reason(server: ModelServer) -> None:
    async with a_model(server.fault_url("no-reason")) as model:
        text, finish = await all_of(model, a_request())

    assert (text, finish.reason) == (TEXT, "stop")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("hang", "had not answered when the 1 s for it were over; allow more time"),
        ("stall", "was still answering when the 1 s for it were over; allow more time"),
        ("slow", "was still answering when the 1 s for it were over; allow more time"),
        ("drip", "had not answered when the 1 s for it were over; allow more time"),
    ],
)
async def test_an_endpoint_that_does_not_finish_is_given_up_in_time(
    server: ModelServer, fault: str, sentence: str
) -> None:
    assert sentence in await failure(server.fault_url(fault), a_request(timeout_s=1.0))


async def test_a_finish_reason_ends_an_answer_whose_end_mark_is_missing(
    server: ModelServer,
) -> None:
    async with a_model(server.fault_url("no-done")) as model:
        text, finish = await all_of(model, a_request())

    assert (text, finish.reason) == ("Nine", "stop")


async def test_an_endpoint_that_takes_no_connection_is_tried_three_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As of a machine that drops packets: a queue of connections that is full and never emptied."""
    monkeypatch.setattr("agents.models.endpoint.http_client.CONNECT_TIMEOUT_S", 0.1)
    monkeypatch.setattr("agents.models.endpoint.unreached.CONNECT_TIMEOUT_S", 0.1)
    with socket.socket() as full, ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(CONNECTIONS_QUEUED):
            one = waiting.enter_context(socket.socket())
            one.settimeout(0.0)
            one.connect_ex(full.getsockname())

        said = await failure(f"http://127.0.0.1:{full.getsockname()[1]}/v1")

    assert "took no connection within 0.1 s, 3 times; start it, or check" in said


async def test_a_stall_is_noticed_before_the_time_is_over(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.models.endpoint.openai_compatible.STALL_S", 0.5)

    said = await failure(server.fault_url("stall"), a_request(timeout_s=60.0))

    assert "stopped in the middle of its answer and was silent for 0.5 s" in said


async def test_a_refused_connection_is_told_from_an_unknown_host() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    refused = await failure(f"http://127.0.0.1:{port}/v1")
    unknown = await failure("http://user:pass@nowhere.invalid:9/v1?key=1")

    assert refused.startswith(f"the model endpoint http://127.0.0.1:{port}/v1 refuses connections")
    assert unknown.startswith("the model endpoint http://nowhere.invalid:9/v1 has a host name that")


async def test_tls_towards_a_server_without_it_is_said() -> None:
    async with model_server() as server:
        said = await failure(server.base_url.replace("http:", "https:"))

    assert "speaks no TLS there" in said
    assert said.endswith("check whether its base URL begins with http:// or https://")


async def test_closing_the_stream_stops_the_server() -> None:
    async with (
        model_server(Timing(tokens_per_s=1.0), LINES) as server,
        a_model(server.base_url) as model,
    ):
        async with aclosing(model.stream(a_request())) as items:
            await anext(items)
        await server.until(lambda: server.log[0].ended_at is not None)

    assert server.log[0].ended == "cancelled"
    assert server.log[0].tokens < 13


async def test_cancelling_the_caller_stops_the_server() -> None:
    async with (
        model_server(Timing(ttft_s=30.0), LINES) as server,
        a_model(server.base_url) as model,
    ):
        asking = asyncio.create_task(all_of(model, a_request()))
        await server.until(lambda: len(server.log) == 1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await server.until(lambda: server.log[0].ended_at is not None)

    assert asking.cancelled()
    assert (server.log[0].ended, server.log[0].tokens) == ("cancelled", 0)
