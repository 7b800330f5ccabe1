"""The data of each version of the server, side by side in a slot, and what a newer one takes over.

A server reads what older ones wrote, and not the other way round. So each major version has a
folder of its own, and a newer one starts with a copy of what the last older one left; that stays as
it was. Used by `cluster.memory.store.slot`, which holds the slot's lock meanwhile, and asked by
`cluster.memory.store.users_store`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from cluster.kernel.errors import StoreUnavailable

_PREFIX = "redis-"
_DRAFT = ".redis-draft"
_KNOWN = "taken-over"
"""In a version's folder: when the data that it started with were last written, in Unix seconds."""


def data_folder(slot: Path, major: int) -> tuple[Path, str]:
    """Return a slot's folder for the data of a version, with those of an older one where it is new.

    Returns:
        The folder, and what a user should know of the data of other versions; empty for nothing.

    Raises:
        StoreUnavailable: the older data can't be copied.
        OSError: the folder can't be made.
    """
    found = data_times(slot)
    folder = _of(slot, major)
    # It may be a link to another disk, and pathlib's RuntimeError of a circle is no OSError.
    target = Path(os.path.realpath(folder))
    source = taken_over(found, major)
    if source is not None:
        _copy(_of(slot, source), target)
    target.mkdir(mode=0o700, exist_ok=True)
    if major not in found:
        _keep_known(target, 0.0 if source is None else found[source])
    hidden = left_aside(found, major, _known(target))
    return folder, "" if hidden is None else _note(slot, hidden, major)


def data_times(slot: Path) -> dict[int, float]:
    """Return when the data of each version that has some in a slot were last written.

    Returns:
        Unix seconds by major version; the slot needn't be there.
    """
    found: dict[int, float] = {}
    for folder in slot.glob(f"{_PREFIX}*"):
        number = folder.name.removeprefix(_PREFIX)
        told = [path.stat() for path in folder.rglob("*") if path.is_file() and path.name != _KNOWN]
        times = [each.st_mtime for each in told if each.st_size]
        if number.isascii() and number.isdigit() and times:
            found[int(number)] = max(times)
    return found


def taken_over(written_at: Mapping[int, float], major: int) -> int | None:
    """Return the version whose data a new one starts with; None where it has its own, or none are.

    Args:
        written_at: by major version, when data were last written, in Unix seconds.
        major: the version that is started.
    """
    if major in written_at:
        return None
    older = [version for version in written_at if version < major]
    return max(older, default=None, key=lambda version: written_at[version])


def left_aside(written_at: Mapping[int, float], major: int, known: float | None) -> int | None:
    """Return the version with the newest data that the one that is started hasn't got.

    Args:
        written_at: as for `taken_over`.
        major: the version that is started.
        known: when those data were last written that it started with once, in Unix seconds; None
            where that was not kept, and what is older than its own data is taken for known.
    """
    ours = major if major in written_at else taken_over(written_at, major)
    if known is None:
        known = 0.0 if ours is None else written_at[ours]
    unknown = [version for version, at_s in written_at.items() if version != major and at_s > known]
    return max(unknown, default=None, key=lambda version: written_at[version])


def _note(slot: Path, hidden: int, major: int) -> str:
    """Return what a user should know of data that are there and not used, in a sentence."""
    said = (
        f"the store was run by Redis {hidden} too, and what it learned then is not known to "
        f"Redis {major}"
    )
    without = f"or move {_of(slot, hidden)} away to go on without"
    if hidden > major:
        return f"{said}: put a redis-server of version {hidden} on PATH, {without}"
    return (
        f"{said}, which has data of its own: move {_of(slot, major)} away to go on with them, "
        f"{without}"
    )


def _keep_known(folder: Path, at_s: float) -> None:
    (folder / _KNOWN).write_text(str(at_s), encoding="ascii")


def _known(folder: Path) -> float | None:
    try:
        return float((folder / _KNOWN).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):  # of a release that didn't keep it; half written
        return None


def _of(slot: Path, major: int) -> Path:
    return slot / f"{_PREFIX}{major}"


def _copy(source: Path, target: Path) -> None:
    """Copy data so that the target is there whole, and on the disk, or not at all."""
    draft = target.with_name(_DRAFT)
    try:
        shutil.rmtree(draft, ignore_errors=True)  # of somebody who was killed
        shutil.copytree(source, draft)
        for path in (*draft.rglob("*"), draft):
            _sync(path)
        shutil.rmtree(target, ignore_errors=True)  # it holds nothing
        draft.rename(target)
        _sync(target.parent)
    except (OSError, shutil.Error) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise StoreUnavailable(
            f"what was learned with an older Redis ({source}) can't be copied for the one that is "
            f"here now: {error}"
        ) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
