"""The roles that every cluster has; a user's own are named in the settings."""

from __future__ import annotations

from typing import Final

MANAGER: Final = "manager"
RESEARCHER: Final = "researcher"
CODER: Final = "coder"
