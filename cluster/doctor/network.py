"""The way to what isn't on this machine: proxies, certificates, and the tokens that are sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cluster.doctor.diagnosis import Diagnosis


@dataclass(frozen=True, slots=True)
class ProxyFacts:
    """A proxy that the environment names."""

    variable: str
    shown: str
    """Its URL, without a password."""
    problem: str
    """Why it can't be connected to; empty where it can."""
    hosts: Sequence[str]
    """The hosts of the models' endpoints that are asked by way of it."""


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """Which tokens and keys there are; none of them is in here."""

    keyless: Sequence[str]
    """Names of the models whose endpoints are elsewhere and get no key."""
    unsendable: Sequence[str]
    """Names of the models whose key has what no HTTP header can carry."""
    keyed: Sequence[str]
    """Names of the models with a key."""
    ray: str
    """Where Ray's token was found; empty where it was not."""
    complaint: str
    """Why Ray's token can't be used though it has to be; empty otherwise."""
    open_file: str = ""
    """The file of Ray's token, where others than its user can read it; empty where they can't."""
    readers: str = ""
    """Who they are."""


def judge_proxies(proxies: Sequence[ProxyFacts], certificates: str) -> Diagnosis:
    """Say which proxies are used and what for.

    Args:
        proxies: those of the environment.
        certificates: what is wrong with the file that SSL_CERT_FILE names; empty where nothing is.
    """
    wrong = [certificates] if certificates else []
    warnings = []
    for each in filter(lambda proxy: proxy.problem, proxies):
        said = f"the proxy {each.shown} that {each.variable} names {each.problem}"
        if each.hosts:
            wrong.append(
                f"{said}, and {', '.join(each.hosts)} would be asked by way of it: start it, or "
                f"unset {each.variable}, or list the host in NO_PROXY"
            )
        else:
            warnings.append(f"{said}; no model is asked by way of it")
    used = [f"{each.shown} for {', '.join(each.hosts)}" for each in proxies if each.hosts]
    well = "none is used" if not used else f"used are {' and '.join(used)}"
    if proxies:
        well += "; what is on this machine is never asked by way of one"
    return Diagnosis.of("proxies", wrong, warnings, well)


def judge_tokens(facts: TokenFacts) -> Diagnosis:
    """Say which keys and tokens will be sent, and which can't be."""
    wrong = [
        f"the API key of {name} has characters that no HTTP header can carry: copy it anew"
        for name in facts.unsendable
    ]
    if facts.complaint:
        wrong.append(facts.complaint)
    warnings = []
    if facts.open_file:
        warnings.append(
            f"Ray's token in {facts.open_file} can be read by {facts.readers}, who could run what "
            f"they like as you while a cluster is up: `chmod 600 {facts.open_file}`"
        )
    parts = []
    if facts.keyed:
        parts.append(f"an API key for {', '.join(facts.keyed)}")
    if facts.keyless:
        parts.append(f"no API key for {', '.join(facts.keyless)}")
    parts.append(f"Ray's token is in {facts.ray}" if facts.ray else "no token of Ray's yet")
    return Diagnosis.of("tokens", wrong, warnings, ", ".join(parts))
