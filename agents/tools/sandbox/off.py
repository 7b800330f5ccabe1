"""The sandbox of a cluster whose settings forbid running programs."""

from __future__ import annotations

from cluster.kernel.errors import UsageError
from cluster.kernel.vocabulary import Run


class NoSandbox:
    """Runs nothing and says why."""

    @property
    def unavailable_because(self) -> str:
        """Why nothing is run, and how to change it."""
        return "running programs is switched off: set enabled = true in [sandbox] of fleet.toml"

    @property
    def libraries(self) -> tuple[str, ...]:
        """None."""
        return ()

    async def run(self, source: str, timeout_s: float) -> Run:  # noqa: ARG002 - the port
        """Refuse."""
        raise UsageError(self.unavailable_because)

    async def close(self) -> None:
        """Do nothing: nothing was started."""
