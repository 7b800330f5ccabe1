"""How a request is worded after refusals, and what is kept of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from agents.models.endpoint.trouble import Refused
from agents.models.endpoint.wording import _KNOWN_MAX, Manners, Wording, manners_of
from agents.models.port import AttemptTally, Message, Request
from cluster.kernel.sections import NO_ENGINE, EngineSettings

ASKED = Request(
    (Message("system", "Be brief."), Message("user", "Why?")),
    wants_json=True,
    tokens_max=900,
    temperature=0.2,
)


def refused(message: str, status: int = 400) -> Refused:
    return Refused(status, json.dumps({"error": {"message": message}}), {})


def wording(manners: Manners, request: Request = ASKED, **options: object) -> Wording:
    return Wording(request, "m", manners, EngineSettings(dict(options)))


def test_what_is_refused_is_left_out_and_kept_once_the_rest_is_accepted() -> None:
    manners = Manners()
    first = wording(manners)

    assert first.reword(refused("unknown field response_format"))
    assert "response_format" not in first.content()
    assert manners.refused == frozenset()

    first.remember()
    assert "response_format" not in wording(manners).content()


def test_several_refusals_are_answered_one_after_another() -> None:
    asked = wording(Manners())
    complaints = ("the role system is unknown", "no temperature", "max_tokens: use another one")

    assert all(asked.reword(refused(each)) for each in complaints)

    content = asked.content()
    assert content["messages"] == [{"role": "user", "content": "Be brief.\n\nWhy?"}]
    assert content["max_completion_tokens"] == 900
    assert not content.keys() & {"max_tokens", "temperature"}


def test_neighbours_of_one_role_become_one_message() -> None:
    talk = (
        *(Message("system", "A."), Message("user", "B."), Message("system", "C.")),
        *(Message("assistant", "D."), Message("user", "E."), Message("user", "F.")),
    )
    asked = wording(Manners(), Request(talk))

    asked.reword(refused("roles must alternate"))

    assert asked.content()["messages"] == [
        {"role": "user", "content": "A.\n\nC.\n\nB."},
        {"role": "assistant", "content": "D."},
        {"role": "user", "content": "E.\n\nF."},
    ]


def test_without_a_system_message_no_role_can_be_at_fault() -> None:
    asked = wording(Manners(), Request((Message("user", "Why?"),)))
    asked.reword(refused("stream_options"))

    assert not asked.reword(refused("roles must alternate"))


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("no such role", 401),
        ("no such role", 404),
        ("no such role", 503),
        ("unknown response_format", 500),
        ("the maximum context length is 4096 tokens, of the system too", 400),
    ],
)
def test_what_is_no_matter_of_wording_is_not_reworded(message: str, status: int) -> None:
    assert not wording(Manners()).reword(refused(message, status))


def test_the_lowest_bound_is_kept_and_a_higher_one_is_no_news() -> None:
    manners = Manners()
    for told in (500, 100):
        asked = wording(manners)
        assert asked.reword(refused(f"max_tokens must be at most {told}"))
        asked.remember()

    assert wording(manners).content()["max_tokens"] == 100
    # It is what the endpoint calls itself that is wrong then, and the other name is tried.
    again = wording(manners)
    assert again.reword(refused("max_tokens must be at most 700"))
    assert again.content()["max_completion_tokens"] == 100


def test_an_endpoint_that_names_a_lower_bound_each_time_is_not_followed_without_end() -> None:
    asked, sent = wording(Manners()), 1

    while asked.reword(refused(f"max_tokens must be at most {900 - sent}")):
        sent += 1

    assert asked.content()["max_completion_tokens"] == 898
    assert sent <= 6


def test_failures_without_a_word_are_counted_for_each_call_by_itself() -> None:
    manners, page = Manners(), Refused(500, "Internal Server Error", {})
    one, other = replace(ASKED, tally=AttemptTally()), replace(ASKED, tally=AttemptTally())

    assert not wording(manners, one).reword(page)
    assert not wording(manners, other).reword(page)
    assert wording(manners, one).reword(page)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("System error, please try again later", 500),
        ("The system is overloaded", 500),
        ("developer mode", 501),
        ("alternate backend down", 500),
        ("failed to render: jinja template", 500),
        ("The system is busy", 400),
        ("Your account role lacks permission", 400),
    ],
)
def test_a_passing_failure_that_names_a_system_or_a_role_refuses_none(
    message: str, status: int
) -> None:
    asked = wording(Manners())

    asked.reword(refused(message, status))

    assert asked.content()["messages"] == wording(Manners()).content()["messages"]


def test_what_the_settings_say_stays() -> None:
    asked = wording(Manners(), temperature=1)

    assert asked.reword(refused("no temperature please, nor response_format"))
    assert asked.content()["temperature"] == 1
    assert "response_format" not in asked.content()


def test_manners_are_those_of_a_model_at_a_url_whoever_asks() -> None:
    known = manners_of("http://a.example/v1", "m")

    assert manners_of("http://a.example/v1/", "m") is known
    assert manners_of("http://a.example/v1", "other") is not known
    assert manners_of("http://b.example/v1", "m") is not known


def test_manners_of_no_more_models_are_kept_than_a_process_has() -> None:
    known = manners_of("http://first.example/v1", "m")
    for number in range(_KNOWN_MAX):
        manners_of(f"http://{number}.example/v1", "m")

    assert manners_of("http://first.example/v1", "m") is not known


def test_without_an_engine_a_request_is_as_it_was() -> None:
    content = Wording(Request((Message("user", "Why?"),)), "m", Manners(), NO_ENGINE).content()

    assert content == {
        "model": "m",
        "messages": [{"role": "user", "content": "Why?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
