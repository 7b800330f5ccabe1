"""What a look-up in the knowledge returns, and how far it can be relied on.

Made by `cluster.memory.cache.knowledge_cache`; agents get it through their port.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cluster.kernel.vocabulary import Passage


class Tier(StrEnum):
    """Which of its tiers a look-up was answered from."""

    MEMO = "memo"
    LOCAL = "local"
    CENTRAL = "central"
    """It had to wait for the central store."""


@dataclass(slots=True)
class Lookup:
    """What was found in a namespace of the knowledge, and how far it can be relied on.

    Nobody changes one; frozen it would take a quarter of a look-up in the memo to make.
    """

    passages: tuple[Passage, ...] = ()
    """Best first."""
    tier: Tier = Tier.LOCAL
    version: int = 0
    """Of the namespace that it was found in."""
    seconds: float = 0.0
    """How long it took."""
    stale_s: float = 0.0
    """Since when the central store hasn't said whether that is its latest; 0 where it has."""
    namespace: str = ""
    """Its name; empty where nothing was searched."""
