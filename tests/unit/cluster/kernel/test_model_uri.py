"""Model URIs: their parts, what they say of a model, and the sentence about those that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.kernel.model_uri import EMBEDDED, ModelUri


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("openai:gpt-x", ModelUri("openai", "gpt-x")),
        ("openai:meta/llama-3:free", ModelUri("openai", "meta/llama-3:free")),
        ("openai:", ModelUri("openai", "")),
        ("llama:~/m.gguf", ModelUri("llama", "~/m.gguf")),
        ("llama:hf:a/b/m.gguf", ModelUri("llama", "hf:a/b/m.gguf")),
        ("simulated:?ttft_s=1", ModelUri("simulated", "?ttft_s=1")),
    ],
)
def test_a_uri_has_a_scheme_and_a_name(text: str, expected: ModelUri) -> None:
    assert ModelUri.parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize("text", ["", "gpt-x", "claude:x", "OPENAI:x", ":x", " openai:x"])
def test_another_scheme_is_refused_with_those_allowed(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        ModelUri.parse(text)

    assert str(refused.value) == (
        f"{text!r} is no model; allowed are openai:NAME, llama:NAME-or-GGUF-path and simulated:"
    )


@pytest.mark.parametrize(
    ("uri", "is_local", "is_embedded", "is_endpoint"),
    [
        ("llama:smollm2-135m", True, True, False),
        ("llama:/models/large.gguf", True, False, False),
        ("llama:large.gguf", True, False, False),
        ("llama:hf:a/b/m.gguf", True, False, False),
        ("openai:smollm2-135m", False, False, True),
        ("simulated:", False, False, False),
    ],
)
def test_only_a_model_of_the_catalogue_is_the_embedded_one(
    uri: str, *, is_local: bool, is_embedded: bool, is_endpoint: bool
) -> None:
    parsed = ModelUri.parse(uri)

    found = parsed.is_local, parsed.is_embedded, parsed.is_endpoint
    assert found == (is_local, is_embedded, is_endpoint)


def test_a_local_model_without_a_name_is_the_embedded_one() -> None:
    assert ModelUri.parse("llama:") == EMBEDDED


def test_only_files_are_anchored() -> None:
    def anchored(uri: str) -> str:
        return str(ModelUri.parse(uri).anchored(Path("/at")))

    assert anchored("llama:x.gguf") == "llama:/at/x.gguf"
    assert anchored("llama:/elsewhere/x.gguf") == "llama:/elsewhere/x.gguf"
    assert anchored("simulated:lines.toml?ttft_s=1") == "simulated:/at/lines.toml?ttft_s=1"
    assert anchored("simulated:?ttft_s=1") == "simulated:?ttft_s=1"
    assert anchored("openai:org/x.gguf") == "openai:org/x.gguf"
    assert anchored("llama:hf:a/b/x.gguf") == "llama:hf:a/b/x.gguf"
