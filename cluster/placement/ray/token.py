"""Whether Ray's token is sent, and where from: Ray's own places and rules, applied to clients too.

Ray switches token authentication on by itself for clusters it starts, but a client that is given
an address sends its token only where RAY_AUTH_MODE says so. Here a token that is there is sent.
"""

from __future__ import annotations

import grp
import os
import secrets
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cluster.kernel.errors import PlacementError

HOW_TO_GIVE = (
    "give it in ~/.ray/auth_token, or name its file in RAY_AUTH_TOKEN_PATH"
    " (`ray get-auth-token` prints it on a machine of the cluster)"
)

_FILE = "auth_token"
_TOKEN_BYTES = 32
_NO_GROUP = -1
_GROUP_TO_OTHERS = 3  # bits of a mode


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
    try:
        return not _is_empty(_place())
    except (OSError, UnicodeDecodeError, RuntimeError):  # the last where no home folder is known
        return False


def open_to_others() -> tuple[str, str]:
    """Return the file of the token that is sent, and who else can read it; empty for nobody."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return "", ""
    try:
        path = _place()
        files = [each.stat() for each in (path, *path.parents)]
    except (OSError, RuntimeError):
        return "", ""
    if _is_open(files, _NO_GROUP):
        return str(path), "other users"
    group = next((each.st_gid for each in files if _is_open(files, each.st_gid)), _NO_GROUP)
    return ("", "") if group == _NO_GROUP else (str(path), f"the group {_name_of(group)}")


def _is_open(files: Sequence[os.stat_result], group: int) -> bool:
    """Say whether a user of no group but this one can read the first file, all else its folders.

    The bits of one class hold for each, as the kernel has it: who is in a file's group has not
    what others may do.
    """
    wanted = (stat.S_IRGRP, *[stat.S_IXGRP] * (len(files) - 1))
    return all(
        each.st_mode & (bit if each.st_gid == group else bit >> _GROUP_TO_OTHERS)
        for each, bit in zip(files, wanted, strict=True)
    )


def _name_of(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)


def keep_token(folder: Path) -> None:
    """Make a token where there is none, for this process and what it starts.

    In the home folder, as a Ray that is started would; but Ray's own can be read by every user.
    In a folder of ours where it can't be kept there, which not every user has or can write to, or
    where one is that this user can't read: it is somebody's, and stays.

    Raises:
        OSError: neither can be written to.
    """
    is_wanted = os.environ.get("RAY_AUTH_MODE", "token").lower() == "token"
    if not is_wanted or has_token() or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    try:
        path = _place()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(path)
    except (OSError, UnicodeDecodeError, RuntimeError):
        folder.mkdir(mode=0o700, exist_ok=True)
        _make(folder / _FILE)
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(folder / _FILE)


def _place() -> Path:
    """Return the file where Ray looks; RuntimeError where no home folder is known."""
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    return Path(named) if named else Path.home() / ".ray" / _FILE


def _is_empty(path: Path) -> bool:
    """Say whether a file has no token; OSError or UnicodeDecodeError where it can't be read."""
    return not path.read_text(encoding="utf-8").strip()


def _make(path: Path) -> None:
    """Write a token for its user only, whole from the first moment; one that came first stays.

    Two clusters may be started at once, and have to have the same.
    """
    handle, draft = tempfile.mkstemp(prefix=f".{_FILE}.", dir=path.parent)  # for its user only
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_TOKEN_BYTES))
        try:
            os.link(draft, path)
        except OSError:  # it is there already, or the file system has no hard links
            if not path.exists() or _is_empty(path):
                Path(draft).replace(path)
    finally:
        Path(draft).unlink(missing_ok=True)
