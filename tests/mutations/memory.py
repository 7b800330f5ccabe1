"""What memory a process holds, counted so that it stays the same where nothing is kept.

The resident memory of a process says little of that: of 100,000 mutated streams it went from 45 to
65 MiB and back, with the largest of the last cases, since malloc keeps what was freed. Counted are
what is in use of malloc's memory, and Python's blocks (its small objects, which lie elsewhere),
without the names in the cache of types' attributes: up to 4,096, which came one by one with each
decoder of East Asian text and each visitor of a syntax tree.
"""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process holds, after a full collection of garbage."""

    in_use_kib: int
    """Of malloc's memory; 0 where the C library is not glibc, or one from before 2.33."""
    blocks: int
    """Of Python's small objects, of at most 512 bytes each."""
    resident_kib: int
    """After malloc has given back what it can; only told, since free memory stays between uses."""


class _MallocInfo(ctypes.Structure):
    """What glibc's ``mallinfo2`` returns (glibc 2.33 or later)."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


_LIBC = ctypes.CDLL(None)
IS_MALLOC_COUNTED = hasattr(_LIBC, "mallinfo2")
"""False with musl, and with a glibc from before 2.33."""


def held() -> Memory:
    """Return what this process holds."""
    sys._clear_type_cache()  # noqa: SLF001 - documented, under this name
    gc.collect()
    in_use_bytes = _malloc_in_use()
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return Memory(
        in_use_kib=in_use_bytes // 1024,
        blocks=sys.getallocatedblocks(),
        resident_kib=int(pages) * resource.getpagesize() // 1024,
    )


def _malloc_in_use() -> int:
    """Have malloc give back what it can, and return what is in use; 0 where the library can't."""
    if not IS_MALLOC_COUNTED:
        return 0
    _LIBC.mallinfo2.restype = _MallocInfo
    _LIBC.malloc_trim(0)
    info = _LIBC.mallinfo2()
    return int(info.uordblks + info.hblkhd)
