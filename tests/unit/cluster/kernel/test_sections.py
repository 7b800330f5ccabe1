"""What the sections that the agents read keep to themselves."""

from __future__ import annotations

from cluster.kernel.sections import ModelSettings

SECRET = "s3cret-0123456789"


def test_a_key_in_the_query_of_a_base_url_is_not_shown() -> None:
    model = ModelSettings("openai:m", f"https://models.example/v1?key={SECRET}")

    assert model.shown_base_url == "https://models.example/v1"
    assert SECRET not in repr(model)
