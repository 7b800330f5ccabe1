"""What Word files and EPUBs are made of: a zip of XML, both read within bounds.

Nothing is written to a disk. Called by `docx` and `epub`, in the child process.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol
from xml.parsers import expat

from cluster.memory.knowledge.conversion.converted import UNPACKED_BYTES_MAX, Unconvertible
from cluster.memory.knowledge.omissions import Omission

MEMBERS_MAX = 10_000
_ENCRYPTED_FLAG = 0x1
_OLE_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
"""What Office calls the part of an old-style file that holds a new-style one, encrypted."""


class Package:
    """An opened zip, which gives its members up to a limit of bytes in all."""

    def __init__(self, data: bytes) -> None:
        """Open it.

        Raises:
            Unconvertible: it is no zip, or has too many members.
        """
        if data.startswith(_OLE_MARK) and _ENCRYPTED_STREAM in data:
            raise Unconvertible(Omission.ENCRYPTED)
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
            raise Unconvertible(Omission.BROKEN) from error
        if len(self._archive.filelist) > MEMBERS_MAX:
            raise Unconvertible(Omission.UNPACKS_TOO_LARGE)
        self._left = UNPACKED_BYTES_MAX
        """Bytes that may still be unpacked; what the zip says of sizes is not believed."""

    def has(self, name: str) -> bool:
        """Say whether there is such a member."""
        return name in self._archive.NameToInfo

    def read(self, name: str) -> bytes:
        """Return a member.

        Raises:
            Unconvertible: there is none, or it is damaged, encrypted or too large.
        """
        info = self._archive.NameToInfo.get(name)
        if info is None:
            raise Unconvertible(Omission.BROKEN)
        if info.flag_bits & _ENCRYPTED_FLAG:
            raise Unconvertible(Omission.ENCRYPTED)
        try:
            with self._archive.open(info) as member:
                data = member.read(self._left + 1)
        except (
            zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError,
        ) as error:  # fmt: skip
            raise Unconvertible(Omission.BROKEN) from error
        if len(data) > self._left:
            raise Unconvertible(Omission.UNPACKS_TOO_LARGE)
        self._left -= len(data)
        return data


def joined(folder: str, reference: str) -> str:
    """Return the name of the member that a relative reference leads to."""
    return posixpath.normpath(posixpath.join(folder, reference)).lstrip("/")


class Elements(Protocol):
    """Hears the elements of an XML file in their order, by their names without namespaces."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Hear that an element begins."""

    def end(self, name: str) -> None:
        """Hear that an element ends."""

    def text(self, data: str) -> None:
        """Hear text within the current element."""


def parse_xml(data: bytes, elements: Elements) -> None:
    """Read XML; nothing is loaded for it, and it may define no entities.

    Raises:
        Unconvertible: it is damaged, or defines entities: a few lines of them make gigabytes.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: elements.start(
        _local(name), {_local(key): value for key, value in attributes.items()}
    )
    parser.EndElementHandler = lambda name: elements.end(_local(name))
    parser.CharacterDataHandler = elements.text
    parser.EntityDeclHandler = _refused
    try:
        parser.Parse(data, True)  # noqa: FBT003 - expat has no keywords
    except expat.ExpatError as error:
        raise Unconvertible(Omission.BROKEN) from error


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _refused(*_: object) -> None:
    raise Unconvertible(Omission.BROKEN)


class Attributes:
    """Passes the attributes of some elements on; hears nothing else."""

    def __init__(self, heard: Mapping[str, Callable[[Mapping[str, str]], None]]) -> None:
        self._heard = heard

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Pass them on."""
        if name in self._heard:
            self._heard[name](attributes)

    def end(self, name: str) -> None:
        """Pass nothing on."""

    def text(self, data: str) -> None:
        """Pass nothing on."""
