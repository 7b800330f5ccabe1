"""Which of the models that endpoints list is asked where none was named."""

from __future__ import annotations

import pytest

from agents.models.endpoint.model_list import first_chat_model, listed_models

CHAT = (
    *("gpt-4o-mini", "gpt-4.1", "o4-mini", "gpt-3.5-turbo-0125", "chatgpt-4o-latest"),
    *("gpt-oss-20b", "deepseek-chat", "deepseek-reasoner", "qwen-plus", "qwen3-235b-a22b"),
    *("qwen2.5-vl-72b-instruct", "mistral-small-latest", "codestral-2501", "ministral-8b-2410"),
    *("open-mixtral-8x22b", "llama-3.3-70b-versatile", "llama3.2:1b", "gemma2-9b-it"),
    *("gemma3:4b", "phi4:latest", "smollm2:135m", "meta-llama/Llama-3.1-8B-Instruct"),
    *("Qwen/Qwen3-8B", "google/gemma-2-9b-it", "anthropic/claude-sonnet-4", "claude-3-5-haiku"),
    *("x-ai/grok-3", "moonshotai/kimi-k2", "tgi", "/models/qwen3-8b-q4_k_m.gguf", "local-model"),
    *("command-r-plus", "glm-4.5", "gemini-2.5-flash", "lmstudio-community/gemma-3-12b-it-GGUF"),
)
OTHERS = (
    *("text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002"),
    *("omni-moderation-latest", "text-moderation-stable", "whisper-1", "tts-1", "tts-1-hd"),
    *("gpt-4o-mini-tts", "gpt-4o-transcribe", "dall-e-2", "dall-e-3", "mistral-embed"),
    *("codestral-embed", "mistral-moderation-latest", "text-embedding-v3", "whisper-large-v3"),
    *("nomic-embed-text:latest", "mxbai-embed-large", "snowflake-arctic-embed2", "bge-m3"),
    *("all-minilm:22m", "text-embedding-nomic-embed-text-v1.5", "BAAI/bge-large-en-v1.5"),
    *("Qwen/Qwen3-Embedding-8B", "BAAI/bge-reranker-v2-m3", "jina-reranker-v2", "gte-rerank"),
    *("intfloat/e5-mistral-7b-instruct", "gemini-embedding-001", "models/text-embedding-004"),
)
"""Names from the lists of OpenAI, DeepSeek, DashScope, Mistral, Groq, Ollama, LM Studio, OpenRouter
and Gemini and of servers of one's own, by what they are."""


def listed(*names: str) -> dict[str, object]:
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}


@pytest.mark.parametrize("name", CHAT)
def test_a_model_that_chats_is_taken(name: str) -> None:
    assert first_chat_model(listed_models(listed(name, "another"))) == name


@pytest.mark.parametrize("name", OTHERS)
def test_a_model_for_something_else_is_skipped(name: str) -> None:
    assert first_chat_model(listed_models(listed(name, "llama3.2:1b"))) == "llama3.2:1b"


@pytest.mark.parametrize(
    "page",
    [
        pytest.param({"data": [{"id": "m"}]}, id="as OpenAI"),
        pytest.param([{"id": "m", "type": "chat"}], id="a bare array, as Together's"),
        pytest.param([{"name": "m"}], id="a bare array of names"),
        pytest.param(["m"], id="names alone"),
        pytest.param({"models": [{"name": "m", "model": "m"}]}, id="as Ollama's own"),
        pytest.param({"models": [{"model": "m"}], "data": [{"id": "m"}]}, id="as llama.cpp"),
        pytest.param([{"id": "a", "type": "embedding"}, {"id": "m"}], id="a kind that is told"),
        pytest.param(
            {"data": [{"id": "a", "type": "embeddings"}, {"id": "m", "type": "llm"}]},
            id="LM Studio",
        ),
        pytest.param(
            {
                "data": [
                    {"id": "a", "capabilities": {"completion_chat": False}},
                    {"id": "m", "capabilities": {"completion_chat": True}},
                ]
            },
            id="as Mistral",
        ),
        pytest.param({"data": [7, None, {}, {"id": ""}, {"id": 3}, {"id": "m"}]}, id="odd ones"),
    ],
)
def test_a_list_is_read_in_each_of_its_forms(page: object) -> None:
    assert first_chat_model(listed_models(page)) == "m"


@pytest.mark.parametrize("page", [None, 3, "m", {}, {"data": None}, {"data": {"id": "m"}}, []])
def test_what_is_no_list_has_no_models(page: object) -> None:
    assert not listed_models(page)
    assert first_chat_model(listed_models(page)) == ""
