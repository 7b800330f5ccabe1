"""The process in which files that are more than text are read: one after the other, within bounds.

Started by `cluster.memory.knowledge.conversion.converter`, ``python -m`` with the id of the process
that started it. On standard input come requests, a line of JSON and the bytes of a file; on
standard output goes one line for each. What takes more than the bounds ends with the process, which
is replaced; it ends by itself when its starter is gone.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from typing import BinaryIO

from cluster.memory.child_process import end_with_starter
from cluster.memory.knowledge.conversion.converted import (
    TEXT_CHARS_MAX,
    Converted,
    Unconvertible,
    to_line,
)
from cluster.memory.knowledge.conversion.docx import docx
from cluster.memory.knowledge.conversion.epub import epub
from cluster.memory.knowledge.conversion.mail import mail
from cluster.memory.knowledge.conversion.notebook import notebook
from cluster.memory.knowledge.conversion.pdf import pdf
from cluster.memory.knowledge.omissions import Omission

MEMORY_BYTES_MAX = 1_500_000_000
"""Of its address space, in which Python and PDFium have 0.2 GB."""
CPU_S_MAX = 30
"""For one file; 1,000 full pages take 1.2 s."""
_READERS: dict[str, Callable[[bytes], Converted]] = {
    "docx": docx,
    "epub": epub,
    "mail": mail,
    "notebook": notebook,
    "pdf": pdf,
}


def main() -> None:
    """Answer requests until there are no more."""
    end_with_starter()
    _limit(resource.RLIMIT_AS, MEMORY_BYTES_MAX)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    while line := requests.readline():
        replies.write(_reply(json.loads(line), requests))
        replies.flush()


def _reply(request: dict[str, object], requests: BinaryIO) -> bytes:
    """Read one file and return its line."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + CPU_S_MAX + 1)
    try:
        data = requests.read(int(str(request["size"])))
        read = _READERS[str(request["format"])](data)
        is_fit = sum(map(len, read.parts)) <= TEXT_CHARS_MAX
        return to_line(read if is_fit else Omission.UNPACKS_TOO_LARGE)
    except Unconvertible as error:
        return to_line(error.omission)
    except MemoryError:
        return to_line(Omission.UNPACKS_TOO_LARGE)


def _limit(what: int, most: int) -> None:
    """Set a limit, as far as the hard one lets it be."""
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    main()
