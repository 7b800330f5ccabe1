"""What endpoints say of a prompt that is too long for them."""

from __future__ import annotations

import pytest

from agents.models.endpoint.too_long import TooLong, too_long

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
