"""The text of an EPUB, as HTML: its chapters in the order in which they are read.

Called in the child process.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from urllib.parse import unquote

from cluster.memory.knowledge.conversion.converted import TEXT_CHARS_MAX, Converted, Unconvertible
from cluster.memory.knowledge.conversion.package import Attributes, Package, joined, parse_xml
from cluster.memory.knowledge.decoding import UTF_8, encoding_of, text_of
from cluster.memory.knowledge.omissions import Omission

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"


def epub(data: bytes) -> Converted:
    """Return the text of an EPUB.

    Raises:
        Unconvertible: it is none, its chapters are encrypted, or it is too large when unpacked.
    """
    package = Package(data)
    locked = _locked(package)
    chapters: list[str] = []
    for name in _chapters(package, _root_file(package)):
        if name in locked:
            raise Unconvertible(Omission.ENCRYPTED)
        if package.has(name):
            chapters.append(_decoded(package.read(name)))
    text = "\n".join(chapters)
    if len(text) > TEXT_CHARS_MAX:
        raise Unconvertible(Omission.UNPACKS_TOO_LARGE)
    return Converted("html", (text,))


def _root_file(package: Package) -> str:
    """Return the name of the file that lists the others."""
    found: list[str] = []
    parse_xml(
        package.read(_CONTAINER),
        Attributes({"rootfile": lambda attributes: found.append(attributes.get("full-path", ""))}),
    )
    if not found:
        raise Unconvertible(Omission.BROKEN)
    return found[0]


def _chapters(package: Package, root: str) -> list[str]:
    """Return the names of the chapters, each once, in their order."""
    folder = posixpath.dirname(root)
    files: dict[str, str] = {}
    order: list[str] = []

    def item(attributes: Mapping[str, str]) -> None:
        if "html" in attributes.get("media-type", ""):
            reference = unquote(attributes.get("href", ""))
            files[attributes.get("id", "")] = joined(folder, reference)

    def place(attributes: Mapping[str, str]) -> None:
        order.append(attributes.get("idref", ""))

    parse_xml(package.read(root), Attributes({"item": item, "itemref": place}))
    return list(dict.fromkeys(files[each] for each in order if each in files))


def _locked(package: Package) -> frozenset[str]:
    """Return the names of the encrypted members; often these are only fonts."""
    locked: list[str] = []
    if package.has(_ENCRYPTION):
        parse_xml(
            package.read(_ENCRYPTION),
            Attributes({
                "CipherReference": lambda attributes: locked.append(
                    joined("", unquote(attributes.get("URI", "")))
                )
            }),
        )  # fmt: skip
    return frozenset(locked)


def _decoded(chapter: bytes) -> str:
    told = encoding_of(chapter)
    return text_of(chapter, told.name if told else UTF_8)
