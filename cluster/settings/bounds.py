"""Checks of what a task may take, and of how it goes: seconds, tokens, money, shares, coherence.

Each takes the value and its origin (a flag, an argument, a key of a file), and returns nothing.
"""

from __future__ import annotations

import math

from cluster.kernel.errors import UsageError
from cluster.kernel.vocabulary import Coherence

REPLICAS_MAX = 1_000
TOKENS_MAX = 1 << 53
"""What every number of JSON and of our messages can hold exactly."""


def check_deadline(value: object, origin: str) -> None:
    """Raise UsageError unless it is a positive, finite number of seconds."""
    seconds = value if isinstance(value, int | float) else math.nan
    if isinstance(value, bool) or not 0.0 < seconds < math.inf:
        raise UsageError(f"{origin}: {value!r} is no number of seconds above 0")


def check_tokens(value: object, origin: str) -> None:
    """Raise UsageError unless it is a positive number of tokens that a message can say."""
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise UsageError(f"{origin}: {value!r} is no number of tokens above 0")
    if value > TOKENS_MAX:
        raise UsageError(f"{origin}: {value} is too many, {TOKENS_MAX:,} are the most")


def check_cost(value: object, origin: str) -> None:
    """Raise UsageError unless it is a positive, finite sum."""
    cost = value if isinstance(value, int | float) else math.nan
    if isinstance(value, bool) or not 0.0 < cost < math.inf:
        raise UsageError(f"{origin}: {value!r} is no sum above 0")


def check_port(value: object, origin: str) -> None:
    """Raise UsageError unless it is the number of a TCP port."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 16:
        raise UsageError(f"{origin}: {value!r} is no port from 1 to 65535")


def check_replicas(value: object, origin: str) -> None:
    """Raise UsageError unless it is a number of processes that a machine may have."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= REPLICAS_MAX:
        raise UsageError(f"{origin}: {value!r} is no number of replicas from 1 to {REPLICAS_MAX}")


def check_share(value: object, origin: str) -> None:
    """Refuse what isn't a share, from 0 to 1."""
    try:
        is_share = 0.0 <= float(str(value)) <= 1.0
    except ValueError:
        is_share = False
    if not is_share:
        raise UsageError(f"{origin}: {value!r} is no share from 0 to 1")


def check_coherence(value: object, origin: str) -> None:
    """Raise UsageError unless it says when steps begin."""
    if value not in list(Coherence):
        raise UsageError(f"{origin}: {value!r} is not {' or '.join(Coherence)}")
