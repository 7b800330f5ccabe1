"""How long to wait before an endpoint is asked again: one rule, whoever asks.

Pure. Asked by `agents.models.endpoint.openai_compatible` for its endpoint, and by
`agents.models.policies.hedged` for each of several replicas that have no room.
"""

from __future__ import annotations

import random

PAUSE_MAX_S = 4.0
"""Without a word of the endpoint: one that has room again is asked no later."""
_BACKOFF_S = 1.0
"""Before the second request, and twice as long each time after it; a share of it is waited."""
_SHARES = (0.25, 0.5)
"""So that calls that were refused together don't come back together."""
_BACKOFF_MAX_S = PAUSE_MAX_S / _SHARES[1]
_DOUBLINGS_MAX = 8
_BELIEVED_MAX = 2
"""How often a pause may be as short as the endpoint says: who asks for none again and again would
be asked without end."""


def pause_s(times: int, asked_s: float | None, rng: random.Random) -> float:
    """Return how long to wait, in seconds, before an endpoint is asked again.

    Args:
        times: how often it has been asked in vain.
        asked_s: how long it asks to wait; None where it doesn't say.
        rng: draws what keeps calls apart.
    """
    if asked_s is not None and times <= _BELIEVED_MAX:
        return asked_s
    doublings = min(times - 1, _DOUBLINGS_MAX)
    backoff_s = min(_BACKOFF_S * (1 << doublings), _BACKOFF_MAX_S)
    return max(asked_s or 0.0, backoff_s * rng.uniform(*_SHARES))
