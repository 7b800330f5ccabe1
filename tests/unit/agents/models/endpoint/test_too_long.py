"""What endpoints say of a prompt that is too long for them."""

from __future__ import annotations

import pytest

from agents.models.endpoint.too_long import (
    TooLong,
    answer_tokens_max,
    is_too_long,
    too_long,
)

OPENAI = {
    "message": "This model's maximum context length is 128000 tokens. However, your messages "
    "resulted in 204308 tokens. Please reduce the length of the messages.",
    "type": "invalid_request_error",
    "param": "messages",
    "code": "context_length_exceeded",
}
VLLM = {
    "object": "error",
    "message": "This model's maximum context length is 16384 tokens. However, you requested 122946 "
    "tokens (112946 in the messages, 10000 in the completion). Please reduce the length of the "
    "messages or completion.",
    "type": "BadRequestError",
    "param": None,
    "code": 400,
}
VLLM_ANSWER = {
    "message": "'max_tokens' or 'max_completion_tokens' is too large: 8000. This model's maximum "
    "context length is 4096 tokens and your request has 2778 input tokens (8000 > 4096 - 2778)."
}
VLLM_PROMPT = {
    "message": "This model's maximum context length is 1,536 tokens. However, your request has "
    "4,176 input tokens."
}
VLLM_AT_LEAST = {
    "message": "This model's maximum context length is 16384 tokens. However, you requested 4096 "
    "output tokens and your prompt contains at least 12289 input tokens, for a total of at least "
    "16385 tokens."
}
LLAMA = {
    "code": 400,
    "message": "request (4476 tokens) exceeds the available context size (4096 tokens)",
    "type": "exceed_context_size_error",
    "n_prompt_tokens": 4476,
    "n_ctx": 4096,
}
STUDIO = (
    "Trying to keep the first 10136 tokens when context the overflows. However, the model is "
    "loaded with context length of only 7866 tokens, which is not enough."
)
STUDIO_KEPT = (
    "The number of tokens to keep from the initial prompt is greater than the context length "
    "(n_keep: 5000>= n_ctx: 4096). Try to load the model with a larger context length."
)
SGLANG = (
    "Requested token count exceeds the model's maximum context length of 4096 tokens. You "
    "requested a total of 5000 tokens: 1000 tokens from the input messages and 4000 tokens for the "
    "completion."
)
SGLANG_PROMPT = "The input (5000 tokens) is longer than the model's context length (4096 tokens)."
TGI = (
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 1000 "
    "`inputs` tokens and 4000 `max_new_tokens`"
)
TGI_PROMPT = "Input validation error: `inputs` must have less than 1024 tokens. Given: 5000"
MISTRAL = (
    "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum "
    "context length"
)
OPENROUTER = (
    "This endpoint's maximum context length is 4096 tokens. However, you requested about 5000 "
    "tokens (1000 of text input, 4000 in the output)."
)
DASHSCOPE = "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]"


@pytest.mark.parametrize(
    ("body", "length"),
    [
        pytest.param(OPENAI, TooLong(128_000, 204_308), id="openai"),
        pytest.param(VLLM, TooLong(16_384, 112_946), id="vllm"),
        pytest.param(VLLM_ANSWER, TooLong(4_096, 2_778), id="vllm, the answer"),
        pytest.param(VLLM_PROMPT, TooLong(1_536, 4_176), id="vllm, the prompt"),
        pytest.param(VLLM_AT_LEAST, TooLong(16_384, 12_289), id="vllm, a lower bound"),
        pytest.param(LLAMA, TooLong(4_096, 4_476), id="llama.cpp"),
        pytest.param(STUDIO, TooLong(7_866), id="a sentence alone"),
        pytest.param({"message": STUDIO_KEPT}, TooLong(4_096, 5_000), id="LM Studio, newer"),
        pytest.param({"message": SGLANG}, TooLong(4_096, 1_000), id="SGLang"),
        pytest.param({"message": SGLANG_PROMPT}, TooLong(4_096, 5_000), id="SGLang, the prompt"),
        pytest.param({"error": TGI}, TooLong(4_096, 1_000), id="TGI"),
        pytest.param({"error": TGI_PROMPT}, TooLong(1_024, 5_000), id="TGI, the prompt"),
        pytest.param({"message": MISTRAL}, TooLong(32_768, 40_000), id="Mistral"),
        pytest.param({"message": OPENROUTER}, TooLong(4_096, 1_000), id="OpenRouter"),
        pytest.param({"message": DASHSCOPE}, TooLong(30_720), id="DashScope"),
    ],
)
def test_the_window_and_the_length_are_read_where_they_are_told(
    body: object, length: TooLong
) -> None:
    assert too_long(body) == length


@pytest.mark.parametrize(
    "body",
    [
        None,
        7,
        {},
        {"message": "'response_format' of type 'json_object' is not supported"},
        {"message": "Your input exceeds the context window of this model."},
        {"message": None, "code": "context_length_exceeded"},
        {"type": "exceed_context_size_error"},
        {"type": "exceed_context_size_error", "n_ctx": True},
        {"message": f"the context length is {10**12} tokens"},
        {"message": f"the context length is {'9' * 1000}"},
    ],
)
def test_without_a_number_that_counts_nothing_is_known(body: object) -> None:
    assert too_long(body) is None


@pytest.mark.parametrize(
    "body",
    [
        {"message": "Please reduce the length.", "code": "context_length_exceeded"},
        {"message": "too long", "type": "context_length_exceeded", "code": ["odd"]},
        OPENAI,
    ],
)
def test_a_code_says_that_a_prompt_is_too_long_whatever_the_words(body: object) -> None:
    assert is_too_long(body)
    assert not is_too_long({"message": "no", "code": 400})


@pytest.mark.parametrize("body", [VLLM, VLLM_ANSWER, {"error": TGI}, {"message": "no"}, None])
def test_a_bound_without_room_beside_the_prompt_is_none_of_the_models(body: object) -> None:
    assert answer_tokens_max(body) == 0


def test_the_largest_bound_of_a_model_is_read_where_it_is_told() -> None:
    assert (
        answer_tokens_max({"message": "max_tokens must be less than or equal to `8,192`"}) == 8_192
    )
    assert answer_tokens_max("max_completion_tokens must not exceed 512.") == 512
    assert answer_tokens_max("max_tokens must be at most 1, or less") == 1
    assert answer_tokens_max("'max_tokens' can't be greater than 512.") == 512


@pytest.mark.parametrize(
    "words",
    [
        "temperature must be <= 1. Received request: {'max_tokens': 900, 'temperature': 1.5}",
        "max_tokens is required when stop has at most 4 entries",
        "Invalid: temperature must be <= 2 ; max_tokens ok",
        "Unsupported parameter: 'max_tokens' with at most 1 tool; use max_completion_tokens",
        "temperature should not exceed 1, max_tokens was given",
        "n must be at most 8, and so must best_of; max_tokens is 900",
        "range of top_k should be [1, 40], and max_tokens may stay",
    ],
)
def test_a_number_of_another_part_is_no_bound_of_the_answer(words: str) -> None:
    assert answer_tokens_max({"message": words}) == 0
