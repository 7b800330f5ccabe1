"""Whether Ray's token is sent, and where from: Ray's own places and rules, applied to clients too.

Ray switches token authentication on by itself for clusters it starts, but a client that is given
an address sends its token only where RAY_AUTH_MODE says so. Here a token that is there is sent.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cluster.kernel.errors import PlacementError

HOW_TO_GIVE = (
    "give it in ~/.ray/auth_token, or name its file in RAY_AUTH_TOKEN_PATH"
    " (`ray get-auth-token` prints it on a machine of the cluster)"
)

_TOKEN_BYTES = 32


def send_token() -> bool:
    """Have this process send Ray's token, if there is one; return whether it will.

    RAY_AUTH_MODE is respected where it is set.

    Raises:
        PlacementError: RAY_AUTH_MODE asks for a token and none is found, on which Ray aborts.
    """
    mode = os.environ.get("RAY_AUTH_MODE", "").lower()
    if mode == "token" and not has_token():
        raise PlacementError(f"RAY_AUTH_MODE is `token` and there is no token: {HOW_TO_GIVE}")
    if mode or not has_token():
        return mode == "token"
    # Not just the variable: a Ray that is imported already has read it.
    from ray._private.authentication import authentication_token_setup as setup

    return bool(setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False))


def has_token() -> bool:
    """Say whether a token is in one of the places where Ray looks, in its order."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return True
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    try:
        path = Path(named) if named else Path.home() / ".ray" / "auth_token"
        return bool(path.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError, RuntimeError):  # the last where no home folder is known
        return False


def keep_token_in(folder: Path) -> None:
    """Make a token in a folder, for this process and what it starts, where Ray itself can't.

    A Ray that is started makes one in the home folder where there is none, which not every user
    has or can write to.

    Raises:
        OSError: the folder can't be written to.
    """
    if has_token() or os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        return
    try:
        home = Path.home() / ".ray"
        home.mkdir(parents=True, exist_ok=True)
        is_rays = os.access(home, os.W_OK | os.X_OK)
    except (OSError, RuntimeError):
        is_rays = False
    if not is_rays:
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / "auth_token"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(secrets.token_hex(_TOKEN_BYTES))
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(path)
