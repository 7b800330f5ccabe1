"""Proxies and tokens: who is asked by way of what, and what can't be sent."""

from __future__ import annotations

from dataclasses import replace

from cluster.doctor.diagnosis import Severity
from cluster.doctor.network import ProxyFacts, TokenFacts, judge_proxies, judge_tokens

PROXY = ProxyFacts("HTTPS_PROXY", "http://proxy:3128", "", ["models.example"])
TOKENS = TokenFacts(keyless=[], unsendable=[], keyed=["model"], ray="", complaint="")


def test_without_a_proxy_none_is_used() -> None:
    found = judge_proxies([], "")

    assert (found.severity, found.says) == (Severity.OK, "none is used")


def test_a_proxy_is_told_with_who_is_asked_by_way_of_it() -> None:
    found = judge_proxies([PROXY], "")

    assert found.severity is Severity.OK
    assert found.says == (
        "used are http://proxy:3128 for models.example; what is on this machine is never asked by "
        "way of one"
    )


def test_a_dead_proxy_is_wrong_where_a_model_is_asked_by_way_of_it() -> None:
    found = judge_proxies([replace(PROXY, problem="can't be reached (connection refused)")], "")

    assert found.severity is Severity.WRONG
    assert found.says == (
        "the proxy http://proxy:3128 that HTTPS_PROXY names can't be reached (connection refused), "
        "and models.example would be asked by way of it: start it, or unset HTTPS_PROXY, or list "
        "the host in NO_PROXY"
    )


def test_a_dead_proxy_that_nobody_needs_is_a_warning() -> None:
    dead = replace(PROXY, problem="can't be reached (timed out)", hosts=[])

    assert judge_proxies([dead], "").severity is Severity.WARNING


def test_certificates_that_can_not_be_read_are_wrong() -> None:
    assert judge_proxies([], "SSL_CERT_FILE names /x").says == "SSL_CERT_FILE names /x"


def test_which_keys_are_sent_is_told() -> None:
    found = judge_tokens(replace(TOKENS, keyless=["models.small"], ray="~/.ray/auth_token"))

    assert (found.severity, found.says) == (
        Severity.OK,
        "an API key for model, no API key for models.small, Ray's token is in ~/.ray/auth_token",
    )


def test_a_key_that_no_header_can_carry_is_wrong() -> None:
    found = judge_tokens(replace(TOKENS, keyed=[], unsendable=["model"]))

    assert found.severity is Severity.WRONG
    assert "the API key of model has characters that no HTTP header can carry" in found.says


def test_a_token_of_rays_that_has_to_be_there_is_missed() -> None:
    found = judge_tokens(replace(TOKENS, complaint="RAY_AUTH_MODE is `token` and there is none"))

    assert found.severity is Severity.WRONG


def test_a_token_of_rays_that_others_can_read_is_a_warning() -> None:
    found = judge_tokens(replace(TOKENS, open_file="/x/.ray/auth_token", readers="other users"))

    assert found.severity is Severity.WARNING
    assert "can be read by other users" in found.says
    assert found.says.endswith("`chmod 600 /x/.ray/auth_token`")
