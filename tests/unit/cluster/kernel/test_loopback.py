"""Which hosts only this machine can reach, and that no proxy is asked for them."""

from __future__ import annotations

from urllib.request import ProxyHandler

import pytest

from cluster.kernel.loopback import except_from_proxies, is_loopback, opener_for, reached_at


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "a.localhost", "::ffff:127.0.0.1"),
        *("127.1", "127.0.1", "LocalHost.", "localhost.localdomain", "ip6-loopback"),
    ],
)
def test_these_are_reached_from_here_only(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["::", "10.0.0.1", "example.org", "localhost.org", "", "127", "127.a", "127.0.0.1.org"]
)
def test_these_may_be_reached_from_elsewhere(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("url", "is_direct"),
    [
        ("http://localhost:8000/v1", True),
        ("http://[::1]:1", True),
        ("http://0.0.0.0:8000/v1", True),
        ("https://example.org/v1", False),
        ("http://10.0.0.1/v1", False),
    ],
)
def test_only_other_machines_are_asked_by_way_of_a_proxy(
    url: str,
    is_direct: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")

    # The types of the standard library leave both attributes out.
    found = opener_for(url).handlers  # type: ignore[attr-defined]
    proxies = [each.proxies for each in found if isinstance(each, ProxyHandler)]  # type: ignore[attr-defined]

    assert any(proxies) is not is_direct


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, "127.0.0.1"),
        ({"NO_PROXY": "a.example"}, "a.example,127.0.0.1"),
        ({"no_proxy": "b.example", "NO_PROXY": "a.example"}, "b.example,127.0.0.1"),
    ],
)
def test_this_machine_joins_the_exceptions_from_proxies(before: dict[str, str], after: str) -> None:
    except_from_proxies("http://127.0.0.1:8265", before)

    assert before == {"no_proxy": after, "NO_PROXY": after}


@pytest.mark.parametrize("url", ["http://ray.example:8265", "http://10.0.0.1:8265"])
def test_another_machine_does_not(url: str) -> None:
    environment: dict[str, str] = {}

    except_from_proxies(url, environment)

    assert environment == {}


def test_exceptions_for_all_stay_as_they_are() -> None:
    environment = {"NO_PROXY": "*"}

    except_from_proxies("http://127.0.0.1:8265", environment)

    assert environment == {"NO_PROXY": "*"}


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104 - nothing listens
        ("::", "::1"),
        ("[::]", "::1"),
        ("[::1]", "::1"),
        ("10.0.0.1", "10.0.0.1"),
        ("box.example", "box.example"),
    ],
)
def test_what_listens_everywhere_is_reached_by_loopback(host: str, reached: str) -> None:
    assert reached_at(host) == reached
