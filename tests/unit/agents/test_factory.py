"""Agents by the names of their classes, and what is said of names that lead nowhere."""

from __future__ import annotations

from typing import Literal, get_args, get_type_hints

import pytest

import agents.models.uri
from agents import Agent, TopicView, Turn, subscribes
from agents.evidence.strictness import SupportMode
from agents.factory import build_agent, load_agent_class
from agents.models.policies.fallback import FallbackModel
from agents.researcher import Researcher
from cluster.kernel.errors import UsageError
from cluster.kernel.sections import AnswerSettings, ModelEntry, ModelSettings, SandboxSettings
from tests.support.fake_tools import FakeKnowledge
from tests.support.scripted_model import ScriptedModel

Mode = Literal["auto", "strict", "marked"]


class Idle(Agent):
    """Handles nothing."""


async def test_an_agent_is_built_with_its_parts() -> None:
    knowledge = FakeKnowledge()

    agent = build_agent(
        "agents.researcher:Researcher",
        model=ModelSettings("simulated:"),
        api_key="",
        knowledge=knowledge,
        sandbox=SandboxSettings(processes_max=3),
        answer=AnswerSettings("marked"),
    )

    assert isinstance(agent, Researcher)
    assert agent.parts.knowledge is knowledge
    await agent.close()


@pytest.mark.parametrize(
    ("uri", "mode", "expected"),
    [
        ("simulated:", "auto", (False, False)),
        ("simulated:", "strict", (True, False)),
        ("simulated:", "marked", (False, False)),
        ("llama:smollm2-135m", "auto", (True, True)),
        ("llama:smollm2-135m", "strict", (True, True)),
        ("llama:smollm2-135m", "marked", (False, True)),
    ],
)
async def test_an_agent_knows_what_a_sentence_needs(
    uri: str, mode: Mode, expected: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents.models.uri, "build_model", lambda *_, **__: ScriptedModel({}))
    agent = build_agent(
        "agents.researcher:Researcher",
        model=ModelSettings(uri),
        api_key="",
        knowledge=FakeKnowledge(),
        sandbox=SandboxSettings(enabled=False),
        answer=AnswerSettings(mode),
    )

    parts = agent.parts
    assert parts.support == mode
    assert (parts.is_strict, parts.is_embedded) == expected
    assert parts.author().is_embedded is parts.is_embedded
    await agent.close()


async def test_of_several_models_one_answers_where_another_cannot() -> None:
    agent = build_agent(
        "agents.researcher:Researcher",
        model=ModelSettings("simulated:"),
        api_key="",
        knowledge=FakeKnowledge(),
        sandbox=SandboxSettings(enabled=False),
        answer=AnswerSettings(),
        models={"small": ModelEntry("simulated:")},
    )

    assert isinstance(agent.parts.model, FallbackModel)
    await agent.close()


def test_the_settings_allow_what_agents_know() -> None:
    allowed = get_args(get_type_hints(AnswerSettings)["support"])

    assert allowed == tuple(each.value for each in SupportMode)


@pytest.mark.parametrize(
    ("class_path", "complaint"),
    [
        ("Researcher", "write it as module:Class"),
        (":Researcher", "write it as module:Class"),
        ("agents.researcher:", "write it as module:Class"),
        ("no.such.module:Agent", "'no.such.module' .* can't be imported"),
        ("agents.researcher:Nobody", "'agents.researcher' has no class 'Nobody'"),
        ("agents.researcher:TOKENS_MAX", "has no class 'TOKENS_MAX'"),
        ("cluster.kernel.vocabulary:Program", "is no agent"),
        (f"{__name__}:Idle", "handles nothing"),
    ],
)
def test_a_wrong_class_is_named(class_path: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        load_agent_class(class_path)


class Listener(Agent):
    """Is woken by a topic, and does no steps."""

    @subscribes("prices")
    async def look(self, topic: TopicView, turn: Turn) -> None:
        """Look at prices."""


def test_an_agent_may_only_subscribe() -> None:
    assert load_agent_class(f"{__name__}:Listener") is Listener


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(UsageError, match="nonsense"):
        build_agent(
            "agents.coder:Coder",
            model=ModelSettings("nonsense"),
            api_key="",
            knowledge=FakeKnowledge(),
            sandbox=SandboxSettings(),
            answer=AnswerSettings(),
        )
