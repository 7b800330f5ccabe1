"""Endpoints that take a request only in their own way, or not yet: each is asked in its way."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from agents.models.endpoint.openai_compatible import OpenAIModel
from agents.models.policies.breaking import BreakerModel
from agents.models.policies.fitted import FittedModel
from agents.models.port import Asker, Deed, Delta, Finish, Message, Model, Note, Repeats, Request
from cluster.kernel.errors import ModelError
from tests.support.stand_in import SAID, Answer, Asked, StandIn, refusal, stand_in

pytestmark = pytest.mark.integration

MESSAGES = (Message("system", "You are the Researcher."), Message("user", "What grows there?"))
ASKER = Asker("task-1", "researcher", "r1")
FOLDED = {"role": "user", "content": "You are the Researcher.\n\nWhat grows there?"}
LOADING = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
FULL = {"error": {"message": "one request at a time", "type": "rate_limit_error"}}


def a_request(**options: Any) -> Request:
    return Request(options.pop("messages", MESSAGES), ASKER, **options)


class Pauses:
    """Stands in for sleep: adds up what was asked for and takes no time."""

    def __init__(self) -> None:
        self.total_s = 0.0

    async def __call__(self, seconds: float) -> None:
        self.total_s += seconds


@asynccontextmanager
async def a_model(
    server: StandIn, name: str = "m", sleep: Pauses | None = None
) -> AsyncIterator[OpenAIModel]:
    model = OpenAIModel(name, server.base_url, sleep=sleep or Pauses(), rng=random.Random(1))
    try:
        yield model
    finally:
        await model.close()


async def heard(model: Model, request: Request) -> tuple[str, list[Note]]:
    """All the text of a call, and what was noted of it."""
    items = [item async for item in model.stream(request)]
    assert isinstance(items[-1], Finish)
    text = "".join(item.text for item in items if isinstance(item, Delta))
    return text, [item for item in items if isinstance(item, Note)]


async def failure(model: Model, request: Request) -> ModelError:
    with pytest.raises(ModelError) as failed:
        await heard(model, request)
    return failed.value


SYSTEM_REFUSED = {
    "vLLM": (400, {"object": "error", "message": "System role not supported", "code": 400}),
    "llama.cpp": (
        500,
        {
            "error": {
                "code": 500,
                "message": "Jinja Exception: Conversation roles must alternate "
                "user/assistant/user/assistant/...",
                "type": "server_error",
            }
        },
    ),
    "TGI": (
        422,
        {
            "error": "Template error: invalid operation: System role not supported (in <string>:1)",
            "error_type": "template_error",
        },
    ),
    "LM Studio": (
        400,
        {
            "error": 'Error rendering prompt with jinja template: "Error: Only user and assistant '
            'roles are supported!"'
        },
    ),
    "OpenAI": (
        400,
        {
            "error": {
                "message": "Unsupported value: 'messages[0].role' does not support 'system' with "
                "this model.",
                "type": "invalid_request_error",
                "param": "messages[0].role",
                "code": "unsupported_value",
            }
        },
    ),
    "Gemini": (
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "Developer instruction is not enabled for models/gemma-3-12b-it",
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
    ),
    "FastAPI": (
        422,
        {
            "detail": [
                {
                    "type": "literal_error",
                    "loc": ["body", "messages", 0, "role"],
                    "msg": "Input should be 'user' or 'assistant'",
                    "input": {"response_format": {"type": "json_object"}, "temperature": 0.2},
                }
            ]
        },
    ),
    "the first one": (400, {"error": {"message": "the first message has to be from the user"}}),
}


def takes_no_system(status: int, error: object) -> Callable[[Asked], Answer]:
    return lambda asked: refusal(status, error) if "system" in asked.roles else None


@pytest.mark.parametrize("provider", SYSTEM_REFUSED)
async def test_a_system_message_that_is_refused_begins_the_users_and_is_not_sent_again(
    provider: str,
) -> None:
    asked = a_request(wants_json=True, temperature=0.2)
    async with (
        stand_in(takes_no_system(*SYSTEM_REFUSED[provider])) as server,
        a_model(server) as model,
    ):
        first, _ = await heard(model, asked)
        requests = len(server.asked)
        await heard(model, asked)

    assert first == SAID
    assert requests == 2
    assert len(server.asked) == 3
    assert server.asked[-1].body["messages"] == [FOLDED]
    assert server.asked[-1].body["response_format"] == {"type": "json_object"}


async def test_what_one_client_has_learnt_all_of_the_process_know_of_that_model() -> None:
    async with stand_in(takes_no_system(*SYSTEM_REFUSED["vLLM"])) as server:
        for _ in range(2):
            async with a_model(server) as model:
                await heard(model, a_request())
        async with a_model(server, "another") as model:
            await heard(model, a_request())

    assert [asked.roles for asked in server.asked] == [
        *(["system", "user"], ["user"]),
        ["user"],
        *(["system", "user"], ["user"]),
    ]


@pytest.mark.parametrize("page", ["", "Internal Server Error"])
async def test_an_endpoint_that_fails_without_a_word_is_asked_without_a_system_message_too(
    page: str,
) -> None:
    def answer(asked: Asked) -> Answer:
        return web.Response(status=500, text=page) if "system" in asked.roles else None

    async with stand_in(answer) as server, a_model(server) as model:
        text, _ = await heard(model, a_request())
        await heard(model, a_request())

    assert text == SAID
    plain, folded = ["system", "user"], ["user"]
    assert [asked.roles for asked in server.asked] == [plain, plain, folded, folded]


async def test_what_has_failed_once_without_a_word_is_asked_as_it_was() -> None:
    answers: list[Answer] = [web.Response(status=500), None, web.Response(status=500), None]

    async with stand_in(lambda _: answers.pop(0)) as server, a_model(server) as model:
        await heard(model, a_request())
        await heard(model, a_request())

    assert [asked.roles for asked in server.asked] == [["system", "user"]] * 4


async def test_a_failure_that_speaks_of_its_system_is_a_failure() -> None:
    broken = {"error": {"message": "the system is out of memory"}}
    async with stand_in(lambda _: refusal(500, broken)) as server, a_model(server) as model:
        error = await failure(model, a_request())

    assert "failed (500: the system is out of memory), 3 times; try again later" in str(error)
    assert not error.is_askers_fault


TOO_LARGE = {
    "OpenAI": {
        "error": {
            "message": "max_tokens is too large: 9000. This model supports at most 4096 completion "
            "tokens, whereas you provided 9000.",
            "param": "max_tokens",
        }
    },
    "DeepSeek": {
        "error": {"message": "Invalid max_tokens value, the valid range of max_tokens is [1, 4096]"}
    },
    "DashScope": {
        "error": {
            "message": "<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be "
            "[1, 4096]"
        }
    },
    "Groq": {
        "error": {
            "message": "`max_tokens` must be less than or equal to `4096`, the maximum value for "
            "`max_tokens` is less than the `context_window` for this model"
        }
    },
    "Anthropic": {
        "error": {
            "message": "max_tokens: 9000 > 4096, which is the maximum allowed number of output "
            "tokens for this model"
        }
    },
    "TGI": {"error": "Input validation error: `max_new_tokens` must be <= 4096. Given: 9000"},
}


@pytest.mark.parametrize("provider", TOO_LARGE)
async def test_a_bound_that_is_too_large_is_lowered_and_remembered(provider: str) -> None:
    def answer(asked: Asked) -> Answer:
        return refusal(400, TOO_LARGE[provider]) if asked.body["max_tokens"] > 4096 else None

    async with stand_in(answer) as server, a_model(server) as model:
        await heard(model, a_request(tokens_max=9_000))
        await heard(model, a_request(tokens_max=9_000))
        await heard(model, a_request(tokens_max=50))

    assert [asked.body["max_tokens"] for asked in server.asked] == [9_000, 4_096, 4_096, 50]


WINDOW = 2_000
WINDOWS = {
    "vLLM": "This model's maximum context length is {window} tokens. However, you requested "
    "{asked} tokens ({prompt} in the messages, {answer} in the completion). Please reduce it.",
    "vLLM, newer": "'max_tokens' or 'max_completion_tokens' is too large: {answer}. This model's "
    "maximum context length is {window} tokens and your request has {prompt} input tokens "
    "({answer} > {window} - {prompt}).",
    "SGLang": "Requested token count exceeds the model's maximum context length of {window} "
    "tokens. You requested a total of {asked} tokens: {prompt} tokens from the input messages and "
    "{answer} tokens for the completion.",
    "OpenRouter": "This endpoint's maximum context length is {window} tokens. However, you "
    "requested about {asked} tokens ({prompt} of text input, {answer} in the output).",
    "TGI": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= {window}. Given: "
    "{prompt} `inputs` tokens and {answer} `max_new_tokens`",
    "no numbers but the window": "the maximum context length is {window}",
}


def has_a_window(words: str, status: int = 400) -> Callable[[Asked], Answer]:
    """An endpoint that counts a token for every four characters, and the answer too."""

    def answer(asked: Asked) -> Answer:
        prompt = sum(len(each["content"]) for each in asked.body["messages"]) // 4
        bound = asked.body.get("max_tokens", 0)
        if prompt + bound <= WINDOW:
            return None
        said = words.format(window=WINDOW, prompt=prompt, answer=bound, asked=prompt + bound)
        return refusal(status, {"error": {"message": said, "type": "BadRequestError"}})

    return answer


@pytest.mark.parametrize("provider", WINDOWS)
async def test_a_bound_for_which_the_window_has_no_room_is_lowered_to_what_is_left(
    provider: str,
) -> None:
    async with stand_in(has_a_window(WINDOWS[provider])) as server, a_model(server) as model:
        text, notes = await heard(FittedModel(model), a_request(tokens_max=4_000))

    assert (text, notes) == (SAID, [])
    assert [each["content"] for each in server.asked[-1].body["messages"]] == [
        message.text for message in MESSAGES
    ]
    assert WINDOW // 2 <= server.asked[-1].body["max_tokens"] < WINDOW


async def test_a_window_that_is_told_with_a_failure_is_heard_too() -> None:
    answer = has_a_window(WINDOWS["SGLang"], status=500)
    async with stand_in(answer) as server, a_model(server) as model:
        text, _ = await heard(FittedModel(model), a_request(tokens_max=4_000))

    assert text == SAID
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("status", "error"), [(503, LOADING), (429, FULL), (498, FULL), (529, FULL)]
)
async def test_an_endpoint_that_is_not_ready_is_waited_for_and_said_to_be(
    status: int, error: object
) -> None:
    pauses = Pauses()

    def answer(_: Asked) -> Answer:
        return refusal(status, error) if pauses.total_s < 15.0 else None

    async with stand_in(answer) as server, a_model(server, sleep=pauses) as model:
        request = a_request()
        text, notes = await heard(model, request)

    assert text == SAID
    [note] = notes
    assert note.deed is Deed.WAITED
    assert f"({status}: " in note.reason
    assert server.base_url in note.reason
    assert request.tally.made == 1


async def test_an_endpoint_that_asks_for_no_pause_is_not_asked_without_end() -> None:
    pauses = Pauses()

    def answer(_: Asked) -> Answer:
        return refusal(429, FULL, Retry_After="0") if pauses.total_s < 15.0 else None

    async with stand_in(answer) as server, a_model(server, sleep=pauses) as model:
        await heard(model, a_request())

    assert len(server.asked) < 12


async def test_an_endpoint_is_not_waited_for_where_a_tier_is_left_to_ask() -> None:
    async with stand_in(lambda _: refusal(503, LOADING)) as server, a_model(server) as model:
        error = await failure(model, a_request(repeats=Repeats.BOUNDED))

    assert len(server.asked) == 3
    assert "is not ready yet (503: Loading model), 3 times; try again later" in str(error)


@pytest.mark.parametrize("repeats", [Repeats.NEVER, Repeats.FAILURES])
async def test_an_endpoint_without_room_is_asked_once_where_whoever_called_waits_for_it(
    repeats: Repeats,
) -> None:
    async with stand_in(lambda _: refusal(503, LOADING)) as server, a_model(server) as model:
        error = await failure(model, a_request(repeats=repeats))

    assert (len(server.asked), error.is_busy) == (1, True)


async def test_an_endpoint_that_asks_for_more_time_than_there_is_is_not_waited_for() -> None:
    async with (
        stand_in(lambda _: refusal(429, FULL, Retry_After="90")) as server,
        a_model(server) as model,
    ):
        error = await failure(model, a_request(timeout_s=20.0))

    assert "it asks to wait 90 s" in str(error)
    assert error.is_busy


async def test_an_endpoint_without_room_does_not_count_as_one_that_fails() -> None:
    answers = [refusal(503, LOADING, Retry_After="90") for _ in range(9)]

    def answer(_: Asked) -> Answer:
        return answers.pop() if answers else None

    async with stand_in(answer) as server, a_model(server) as model:
        guarded = BreakerModel(model)
        for _ in range(9):
            await failure(guarded, a_request())
        text, _ = await heard(guarded, a_request())

    assert text == SAID
    assert len(server.asked) == 10


@pytest.mark.parametrize(
    ("status", "named"),
    [
        (402, {"code": "invalid_request_error"}),
        (429, {"code": "insufficient_quota"}),
        (429, {"type": "insufficient_quota", "code": None}),
    ],
)
async def test_an_account_without_means_is_not_waited_for(
    status: int, named: dict[str, str | None]
) -> None:
    spent = {"error": {"message": "Insufficient Balance", **named}}
    async with stand_in(lambda _: refusal(status, spent)) as server, a_model(server) as model:
        error = await failure(model, a_request())

    assert f"quota is used up ({status}: Insufficient Balance); see to the acc" in str(error)
    assert len(server.asked) == 1


@pytest.mark.parametrize("page", ["object", "array"])
async def test_of_the_models_that_are_listed_the_first_that_chats_is_asked(page: str) -> None:
    listed = [{"id": "nomic-embed-text"}, {"id": "llama3.2:1b"}, {"id": "another"}]

    def answer(asked: Asked) -> Answer:
        if asked.path != "/v1/models":
            return None
        return refusal(200, {"data": listed} if page == "object" else listed)

    async with stand_in(answer) as server, a_model(server, name="") as model:
        await heard(model, a_request())

    assert server.asked[-1].body["model"] == "llama3.2:1b"


async def test_where_no_model_chats_that_is_said() -> None:
    async with (
        stand_in(
            lambda _: refusal(200, {"data": [{"id": "bge-m3"}, {"id": "whisper-1"}]})
        ) as server,
        a_model(server, name="") as model,
    ):
        error = await failure(model, a_request())

    assert "none of its 2 models answers a chat; load one there, or name one" in str(error)
