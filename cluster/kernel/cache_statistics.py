"""What a host holds of the knowledge, as the directory tells it and `fleetmind status` shows it.

Made by `cluster.memory.cache.knowledge_cache`, carried by `cluster.kernel.registration`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NamespaceStatistics:
    """What a host has of a namespace."""

    name: str
    version: int
    passages: int
    delta_passages: int
    """Those that are in no segment."""
    bytes: int
    builds: int
    """Segments that this host has built."""
    trouble: str
    """Why it has no segment, as a sentence's part; empty where nothing is wrong."""


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """What a host's cache holds, and has done."""

    namespaces: tuple[NamespaceStatistics, ...] = ()
    memo_lookups: int = 0
    """Look-ups by their tier."""
    local_lookups: int = 0
    central_lookups: int = 0
    evicted: int = 0
    """Namespaces that had to go for others."""
    stale_s: float = 0.0
    """Since when the store hasn't answered; 0 while it does."""
