"""Which policies are around which models."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing

import pytest

from agents.models.build import BuiltModel, EmbeddedModel, model_of, tier_of, tokens_max_of
from agents.models.endpoint.options import NO_HEADERS
from agents.models.port import (
    Deed,
    Delta,
    Finish,
    Message,
    Model,
    Note,
    PromptPart,
    Request,
    Restarted,
    StreamItem,
)
from cluster.kernel.errors import ModelError
from cluster.kernel.sections import NO_ENGINE, EngineSettings, ModelEntry, ModelSettings
from tests.support.scripted_model import Reply, ScriptedModel

DOWN = ModelError("it is down")
ASKED = Request((), timeout_s=5.0)


async def said(model: Model, request: Request = ASKED) -> list[StreamItem]:
    async with aclosing(model.stream(request)) as stream:
        return [item async for item in stream]


def build(
    main: ModelSettings, others: Mapping[str, ModelEntry] | None = None, **replies: Reply
) -> BuiltModel:
    """Build the models of URIs like ``openai:m`` with these replies."""

    def adapter(
        uri: str,
        *,
        base_url: str = "",
        api_key: str = "",
        engine: EngineSettings = NO_ENGINE,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Model:
        return ScriptedModel({"": replies[uri.partition(":")[2]]})

    return model_of(main, "", others or {}, {}, adapter)


async def test_a_call_costs_what_the_settings_say() -> None:
    built = build(ModelSettings("openai:m", price_prompt=2.0, price_completion=4.0), m="a")

    *_, finish = await said(built.model)

    assert isinstance(finish, Finish)
    assert finish.cost == (10 * 2.0 + 5 * 4.0) / 1_000_000


@pytest.mark.parametrize(
    ("settings", "is_cut"),
    [
        (ModelSettings("openai:m", context_tokens=600), True),
        (ModelSettings("openai:m", context_tokens=600, fit=False), False),
        (ModelSettings("openai:m"), False),
        (ModelSettings("llama:m"), True),
    ],
)
async def test_a_model_is_shown_what_its_window_holds_where_somebody_knows_it(
    settings: ModelSettings,
    is_cut: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    built = build(settings, m="a")
    part = PromptPart("A passage. " * 2_000, 1, "passages", may_be_cut=True)

    first, *_ = await said(built.model, Request((Message.of("user", [part]),), timeout_s=5.0))

    assert (isinstance(first, Note) and first.deed is Deed.FITTED) == is_cut


async def test_what_was_learned_of_the_prompts_is_part_of_what_is_known_of_the_endpoint() -> None:
    built = build(ModelSettings("openai:m", "http://one"), m="a")

    await said(built.model, Request((Message("user", "How many?"),), timeout_s=5.0))

    [speed] = built.speeds.values()
    assert speed.bytes_per_token.count == 1


async def test_an_endpoint_that_fails_again_and_again_is_left_alone() -> None:
    built = build(ModelSettings("openai:m"), m=DOWN)

    for _ in range(20):
        with pytest.raises(ModelError) as caught:
            await said(built.model)

    assert "isn't asked again before" in str(caught.value)
    assert "it is down" in str(caught.value)


async def test_without_the_breaker_it_is_asked_again() -> None:
    built = build(ModelSettings("openai:m", breaker=False), m=DOWN)

    for _ in range(20):
        with pytest.raises(ModelError, match=r"^it is down$"):
            await said(built.model)


async def test_a_replica_of_the_same_tier_answers_where_one_fails() -> None:
    built = build(
        ModelSettings("openai:m"), {"r": ModelEntry("openai:r", tier="deep")}, m=DOWN, r="b"
    )

    assert Delta("b") in await said(built.model)


async def test_a_plainer_model_answers_where_the_tier_fails() -> None:
    built = build(ModelSettings("openai:m"), {"small": ModelEntry("openai:s")}, m=DOWN, s="b")

    [note, *rest] = await said(built.model)

    assert isinstance(note, Note)
    assert note.reason == "small answers in place of [model]: it is down"
    assert rest[0] == Delta("b")


@pytest.mark.parametrize(
    ("main", "entry", "is_embedded"),
    [
        ("openai:m", ModelEntry("llama:smollm2-135m", tier="local"), True),
        ("openai:m", ModelEntry("llama:smollm2-135m", tier="deep"), True),
        ("openai:m", ModelEntry("llama:large.gguf", tier="local"), False),
        ("openai:m", ModelEntry("openai:s"), False),
        ("llama:m", ModelEntry("openai:s", tier="local"), False),
    ],
)
async def test_a_text_says_whether_the_embedded_model_wrote_it(
    main: str,
    entry: ModelEntry,
    is_embedded: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    name = entry.uri.partition(":")[2]
    replies: dict[str, Reply] = {main.partition(":")[2]: DOWN, name: "b"}

    items = await said(build(ModelSettings(main), {"other": entry}, **replies).model)

    assert [each for each in items if isinstance(each, Delta)] == [
        Delta("b", is_embedded=is_embedded)
    ]


async def test_what_the_embedded_model_streams_is_otherwise_as_it_was() -> None:
    thought, restarted, finish = Delta("Hm.", is_reasoning=True), Restarted("no"), Finish("stop", 7)
    inner = ScriptedModel({"": (thought, restarted, "So.", finish)})
    model = EmbeddedModel(inner)

    items = await said(model)
    await model.close()

    assert items == [
        Delta("Hm.", is_reasoning=True, is_embedded=True),
        restarted,
        Delta("So.", is_embedded=True),
        finish,
    ]
    assert inner.closed_streams == 1
    assert inner.is_closed


async def test_falling_back_can_be_switched_off() -> None:
    built = build(
        ModelSettings("openai:m", fallback=False), {"small": ModelEntry("openai:s")}, m=DOWN, s="b"
    )

    with pytest.raises(ModelError, match="it is down"):
        await said(built.model)


async def test_what_is_learned_is_told_by_endpoint_and_model() -> None:
    built = build(
        ModelSettings("openai:m", "http://one?key=s3cret"),
        {"small": ModelEntry("openai:s")},
        m="a",
        s="b",
    )

    await said(built.model)

    assert {name: speed.calls for name, speed in built.speeds.items()} == {
        "http://one openai:m": 1,
        " openai:s": 0,
    }


def test_each_of_several_models_is_built_with_its_own_key() -> None:
    keys: dict[str, str] = {}

    def adapter(
        uri: str,
        *,
        base_url: str = "",
        api_key: str = "",
        engine: EngineSettings = NO_ENGINE,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Model:
        keys[uri] = api_key
        return ScriptedModel({})

    entries = {"small": ModelEntry("openai:s"), "other": ModelEntry("openai:o")}
    model_of(ModelSettings("openai:m"), "one", entries, {"small": "two"}, adapter)

    assert keys == {"openai:m": "one", "openai:s": "two", "openai:o": ""}


def test_each_of_several_models_passes_on_what_is_its_own() -> None:
    passed: dict[str, tuple[EngineSettings, Mapping[str, str]]] = {}

    def adapter(
        uri: str,
        *,
        base_url: str = "",
        api_key: str = "",
        engine: EngineSettings = NO_ENGINE,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Model:
        passed[uri] = engine, headers
        return ScriptedModel({})

    mine, other = EngineSettings({"top_p": 0.9}), EngineSettings({"seed": 7})
    entries = {"other": ModelEntry("openai:o", engine=other)}
    main = ModelSettings("openai:m", engine=mine, headers={"api-key": "k"})
    model_of(main, "", entries, {}, adapter)

    assert passed == {"openai:m": (mine, {"api-key": "k"}), "openai:o": (other, {})}


@pytest.mark.parametrize(
    ("uri", "tier"), [("openai:m", "deep"), ("simulated:", "deep"), ("llama:m", "local")]
)
def test_the_main_model_is_for_hard_goals_unless_it_runs_here(uri: str, tier: str) -> None:
    assert tier_of(ModelSettings(uri)) == tier


def test_the_embedded_model_stops_early_also_where_it_stands_in_for_another_one() -> None:
    here = ModelEntry("llama:smollm2-135m", tier="local")

    assert tokens_max_of(here) == 120
    assert tokens_max_of(ModelEntry("llama:/models/large.gguf", tier="local")) is None
    assert tokens_max_of(ModelEntry("llama:smollm2-135m", tokens_max=400)) == 400
