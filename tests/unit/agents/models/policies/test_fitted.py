"""A fitted model: what it is shown, what is told of the rest, and what a refusal teaches."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from agents.models.context import size_of
from agents.models.policies.fitted import BYTES_PER_TOKEN, FittedModel
from agents.models.policies.hedged import HedgedModel
from agents.models.port import (
    ATTEMPTS_MAX,
    Deed,
    Delta,
    Finish,
    Message,
    Note,
    PromptPart,
    Request,
    StreamItem,
)
from agents.prompts import research_prompt
from cluster.kernel.errors import ModelError
from cluster.kernel.tail.endpoint_speed import EndpointSpeed
from cluster.kernel.vocabulary import Passage
from tests.conformance.model_contract import ANSWER, Script, ScriptedModel

QUESTION = "Which load does the crane lift?"
PASSAGES = [Passage(f"{at}.md", 1, 9, f"passage {at} " * 60) for at in range(1, 9)]
PROMPT = (
    Message("system", "You are the Researcher."),
    research_prompt(QUESTION, QUESTION, PASSAGES),
)
REQUEST = Request(PROMPT, timeout_s=60.0, tokens_max=300)
SIZE = size_of(PROMPT)


def refusal(context_tokens: int, prompt_tokens: int = 0) -> ModelError:
    error = ModelError("the model has too small a context for the prompt")
    error.is_askers_fault = True
    error.context_tokens, error.prompt_tokens = context_tokens, prompt_tokens
    return error


async def said(model: FittedModel, request: Request = REQUEST) -> list[StreamItem]:
    async with aclosing(model.stream(request)) as stream:
        return [item async for item in stream]


def known(tokens_per_s: float, bytes_per_token: float = 4.0) -> EndpointSpeed:
    """An endpoint of which it is known how fast it reads."""
    speed = EndpointSpeed()
    for tokens in range(200, 3_400, 400):
        speed.reading.read(tokens, 0.5 + tokens / tokens_per_s)
        speed.bytes_per_token.add(bytes_per_token)
    return speed


async def test_a_prompt_that_fits_is_sent_as_it_is_and_nothing_is_said() -> None:
    inner = ScriptedModel([ANSWER])

    items = await said(FittedModel(inner, window=100_000))

    assert items == list(ANSWER)
    assert inner.calls == [REQUEST]


async def test_without_a_window_all_of_it_is_sent() -> None:
    inner = ScriptedModel([ANSWER])

    await said(FittedModel(inner))

    assert inner.calls == [REQUEST]


async def test_what_does_not_fit_into_the_window_is_left_out_and_said_before_the_first_word() -> (
    None
):
    inner = ScriptedModel([ANSWER])

    note, *items = await said(FittedModel(inner, window=1_300))

    assert items == list(ANSWER)
    assert isinstance(note, Note)
    assert note.deed is Deed.FITTED
    assert note.reason == (
        "left out of the prompt: 4 of 8 passages; the model takes in 1,300 tokens at once"
    )
    sent = inner.calls[0].messages
    assert size_of(sent) <= (1_300 - 300) * BYTES_PER_TOKEN
    assert sent[1].text.endswith(f"Question: {QUESTION}")


async def test_the_answer_gets_what_the_prompt_leaves_of_the_window() -> None:
    inner = ScriptedModel([ANSWER])
    must_stay = Request((Message("user", "x" * round(800 * BYTES_PER_TOKEN)),), tokens_max=900)

    await said(FittedModel(inner, window=1_000), must_stay)

    assert inner.calls[0].tokens_max == 200


async def test_a_prompt_that_has_to_stay_and_does_not_fit_is_for_the_endpoint_to_refuse() -> None:
    inner = ScriptedModel([[refusal(1_000, 1_100)]])
    must_stay = Request((Message("user", "x" * 4_000),), tokens_max=900)

    with pytest.raises(ModelError, match="too small a context"):
        await said(FittedModel(inner, window=1_000), must_stay)

    assert inner.calls == [must_stay]


async def test_a_refusal_for_the_length_is_fitted_again_and_the_window_is_remembered() -> None:
    inner = ScriptedModel([[refusal(1_300, SIZE // 4)], ANSWER])
    model = FittedModel(inner)

    note, *items = await said(model)
    await said(model)

    whole, again, next_one = inner.calls
    assert isinstance(note, Note)
    assert "the model takes in 1,300 tokens at once" in note.reason
    assert items == list(ANSWER)
    assert whole.messages == PROMPT
    assert size_of(again.messages) <= (1_300 - 300) * 4
    assert size_of(next_one.messages) < SIZE
    assert again.timeout_s <= whole.timeout_s


async def test_a_second_refusal_is_the_call_s_end() -> None:
    inner = ScriptedModel([[refusal(1_300)], [refusal(1_200)], ANSWER])

    with pytest.raises(ModelError, match="too small a context"):
        await said(FittedModel(inner))

    assert len(inner.calls) == 2


async def test_the_count_of_the_endpoint_itself_goes_before_what_was_learned() -> None:
    inner = ScriptedModel([[refusal(1_300, SIZE // 2)], ANSWER])

    await said(FittedModel(inner, known(1e9)))

    assert size_of(inner.calls[1].messages) <= (1_300 - 300) * 2


async def test_an_endpoint_that_counts_no_further_than_its_window_is_not_believed() -> None:
    speed = EndpointSpeed()
    inner = ScriptedModel([[refusal(1_300, 1_001)], ANSWER])

    await said(FittedModel(inner, speed), Request(PROMPT * 9, timeout_s=60.0, tokens_max=300))

    assert size_of(inner.calls[1].messages) < SIZE * 9
    assert speed.bytes_per_token.count == 1  # of the prompt that was answered


async def test_few_prompts_teach_nothing_that_lets_denser_ones_be_too_long() -> None:
    speed = EndpointSpeed()
    speed.bytes_per_token.add(4.6)
    inner = ScriptedModel([ANSWER])

    await said(FittedModel(inner, speed, window=1_300))

    assert size_of(inner.calls[0].messages) <= (1_300 - 300) * BYTES_PER_TOKEN


async def test_no_request_is_made_where_the_call_has_made_all_it_may() -> None:
    inner = ScriptedModel([[refusal(1_300)], [refusal(1_300)], ANSWER])
    spent = Request(PROMPT, tokens_max=300)
    for _ in range(ATTEMPTS_MAX):
        spent.tally.count()
    once = Request(PROMPT, tokens_max=300, attempts_max=1)
    once.tally.count()

    for request in (spent, once):
        with pytest.raises(ModelError):
            await said(FittedModel(inner), request)

    assert len(inner.calls) == 2


async def test_a_prompt_is_fitted_where_another_replica_is_left_to_ask() -> None:
    inner, other = ScriptedModel([[refusal(1_300)], ANSWER]), ScriptedModel([ANSWER])
    replicas = HedgedModel([FittedModel(other), FittedModel(inner)])  # the second has its turn

    request = Request(PROMPT, tokens_max=300)
    request.tally.count()  # as the adapter does

    async with aclosing(replicas.stream(request)) as stream:
        items = [item async for item in stream]

    assert items[-1] == ANSWER[-1]
    assert (len(inner.calls), len(other.calls)) == (2, 0)


async def test_an_answer_that_has_begun_is_never_joined_to_another_one() -> None:
    script: Script = [Delta("Three "), refusal(1_300)]
    inner = ScriptedModel([script, ANSWER])

    with pytest.raises(ModelError):
        await said(FittedModel(inner))

    assert len(inner.calls) == 1


async def test_another_failure_is_passed_on() -> None:
    inner = ScriptedModel([[ModelError("it is down")], ANSWER])

    with pytest.raises(ModelError, match="it is down"):
        await said(FittedModel(inner))

    assert len(inner.calls) == 1


async def test_a_slow_reader_is_shown_what_it_reads_in_half_of_the_time() -> None:
    inner = ScriptedModel([ANSWER])

    note, *_ = await said(FittedModel(inner, known(25.0)))

    assert isinstance(note, Note)
    assert "the model reads 737 tokens in the 30 s that there are for it" in note.reason
    assert size_of(inner.calls[0].messages) <= 738 * 4.1


async def test_a_fast_reader_is_shown_all() -> None:
    inner = ScriptedModel([ANSWER])

    await said(FittedModel(inner, known(2_000.0)))

    assert inner.calls == [REQUEST]


async def test_what_has_to_stay_is_asked_whole_where_even_that_takes_too_long() -> None:
    inner = ScriptedModel([ANSWER])

    await said(FittedModel(inner, known(0.5)))

    assert inner.calls == [REQUEST]


async def test_what_the_endpoint_has_read_before_takes_no_time() -> None:
    cached: Script = [Delta("Three ports."), Finish("stop", SIZE // 4, 2, cached_tokens=100)]
    inner = ScriptedModel([cached])
    model = FittedModel(inner, known(25.0))
    await said(model)
    first = inner.calls[0].messages
    longer = Message.of("user", (*first[1].parts, PromptPart("It failed. " * 20)))

    await said(model, Request((first[0], longer), timeout_s=60.0))

    assert inner.calls[1].messages[1].text == longer.text


async def test_a_call_teaches_how_many_bytes_a_token_has_and_how_it_is_read() -> None:
    speed = EndpointSpeed()
    finish = Finish("stop", SIZE // 4, 2, cached_tokens=100, first_s=2.0)
    model = FittedModel(ScriptedModel([[Delta("Three ports."), finish]]), speed)

    await said(model)

    assert speed.bytes_per_token.quantile(0.5) == pytest.approx(4.0, rel=0.021)
    assert speed.reading.to_list()[:3] == [1.0, SIZE // 4 - 100, 2.0]


async def test_an_endpoint_that_tells_no_usage_teaches_nothing() -> None:
    speed = EndpointSpeed()

    await said(FittedModel(ScriptedModel([[Delta("Three"), Finish("stop")]]), speed))

    assert speed.bytes_per_token.count == 0
