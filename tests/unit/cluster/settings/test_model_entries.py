"""Further models of `fleet.toml`: where they are, and whose key goes where."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.kernel.sections import ModelEntry, ModelSettings
from cluster.settings.model_entries import check_priced, with_header_values
from cluster.settings.sources import Configuration, load

MAIN = '[model]\nuri = "openai:big"\nbase_url = "http://one:1/v1"\n'
KEYED = {"OPENAI_API_KEY": "k"}


def loaded(folder: Path, text: str, environment: dict[str, str] | None = None) -> Configuration:
    (folder / "fleet.toml").write_text(text)
    return load(environment=environment or {}, folder=folder)


def test_a_further_model_is_at_the_endpoint_of_the_main_one_and_has_its_key(tmp_path: Path) -> None:
    made = loaded(tmp_path, MAIN + '[models.small]\nuri = "openai:small"\n', KEYED)

    assert made.settings.models["small"].base_url == "http://one:1/v1"
    assert made.secrets.model_keys == {"small": "k"}


def test_the_key_of_one_endpoint_goes_to_no_other(tmp_path: Path) -> None:
    other = '[models.other]\nuri = "openai:o"\nbase_url = "http://two:2/v1"\n'

    assert loaded(tmp_path, MAIN + other, KEYED).secrets.model_keys == {}


def test_a_key_of_its_own_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("own\n")
    other = '[models.other]\nuri = "openai:o"\nbase_url = "http://two:2/v1"\napi_key_path = "key"\n'

    assert loaded(tmp_path, MAIN + other, KEYED).secrets.model_keys == {"other": "own"}


HEADERS = 'headers = { api-key = "s3cret", X-Org = "${ORG}", authorization = "Bearer ${ORG}" }\n'
SENT = {"api-key": "s3cret", "X-Org": "ours", "authorization": "Bearer ours"}


def test_what_headers_hold_is_with_the_secrets_and_in_no_public_setting(tmp_path: Path) -> None:
    made = loaded(tmp_path, MAIN + HEADERS, {"ORG": "ours\n"})

    assert made.secrets.headers == {"": SENT}
    assert made.settings.model.headers == {
        "api-key": "",
        "X-Org": "${ORG}",
        "authorization": "Bearer ${ORG}",
    }
    assert "s3cret" not in repr(made) + made.settings.public_json()
    assert with_header_values(made.settings, made.secrets).model.headers == SENT


def test_the_headers_of_one_endpoint_go_to_no_other(tmp_path: Path) -> None:
    entries = """
    [models.same]
    uri = "openai:s"
    [models.own]
    uri = "openai:o"
    headers = { api-key = "own" }
    [models.other]
    uri = "openai:o"
    base_url = "http://two:2/v1"
    [models.here]
    uri = "llama:x.gguf"
    tier = "local"
    """

    made = loaded(tmp_path, MAIN + HEADERS + entries, {"ORG": "ours"})

    assert made.secrets.headers == {"": SENT, "same": SENT, "own": {"api-key": "own"}}
    asked = with_header_values(made.settings, made.secrets).models
    assert [asked[name].headers for name in ("other", "here")] == [{}, {}]


@pytest.mark.parametrize(
    ("headers", "complaint"),
    [
        ('{ api-key = "${NONE}" }', "model.headers.api-key: the variable NONE is not set"),
        ("{ api-key = 12345678 }", "model.headers.api-key must be texts, as in headers = "),
        ('"api-key: 12345678"', "model.headers must be texts, as in headers = "),
    ],
)
def test_headers_that_are_none_are_refused_without_what_they_hold(
    tmp_path: Path, headers: str, complaint: str
) -> None:
    with pytest.raises(UsageError) as refused:
        loaded(tmp_path, f"{MAIN}headers = {headers}\n")

    assert complaint in str(refused.value)
    assert "12345678" not in str(refused.value)


def test_a_local_model_is_at_no_endpoint_and_its_path_is_the_files(tmp_path: Path) -> None:
    made = loaded(tmp_path, MAIN + '[models.here]\nuri = "llama:x.gguf"\ntier = "local"\n')

    assert made.settings.models["here"].base_url == ""
    assert made.settings.models["here"].uri == f"llama:{tmp_path / 'x.gguf'}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[models.m]\ntier = "fast"\n', "models.m.uri is missing"),
        ('[models.m]\nuri = "gpt"\n', "models.m.uri: "),
        ('[models.m]\nuri = "openai:m"\nbase_url = "here"\n', "models.m.base_url: 'here'"),
        ('[models.m]\nuri = "openai:m"\ntier = "big"\n', "models.m.tier must be 'deep', 'fast'"),
        ('[models.m]\nuri = "openai:m"\nprice = 1.0\n', "models.m.price; allowed here: uri, "),
        ('[models.m]\nuri = "openai:m"\napi_key_path = "no"\n', "models.m.api_key_path: "),
        ('[models]\nuri = "openai:m"\n', "models.uri must be a section"),
    ],
)
def test_a_wrong_one_is_answered_with_its_key_and_what_is_allowed(
    text: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, text)

    assert complaint in str(caught.value)


def test_keys_survive_the_file_of_secrets_and_are_not_shown(tmp_path: Path) -> None:
    secrets = loaded(tmp_path, MAIN + '[models.small]\nuri = "openai:small"\n', KEYED).secrets

    secrets.write_secrets(tmp_path / "secrets")

    assert type(secrets).read_secrets(tmp_path / "secrets") == secrets
    assert "k" not in repr(secrets).removeprefix("Secrets")


@pytest.mark.parametrize(
    ("model", "entries"),
    [
        (ModelSettings("openai:large", price_prompt=2.5), {}),
        (ModelSettings("openai:own", price_completion=0.0), {}),
        (ModelSettings("llama:smollm2-135m"), {}),
        (ModelSettings("simulated:"), {"here": ModelEntry("llama:smollm2-135m")}),
    ],
)
def test_a_bound_of_cost_needs_the_price_of_each_endpoint_and_of_nothing_else(
    model: ModelSettings, entries: dict[str, ModelEntry]
) -> None:
    check_priced(model, entries)

    with pytest.raises(UsageError, match=r"what \[models.small\] costs isn't known"):
        check_priced(model, {**entries, "small": ModelEntry("openai:small")})
