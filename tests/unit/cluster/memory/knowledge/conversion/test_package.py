"""Zips and their XML are read within bounds, whatever they claim to be."""

from __future__ import annotations

import zipfile

import pytest

from cluster.memory.knowledge.conversion import package
from cluster.memory.knowledge.conversion.converted import UNPACKED_BYTES_MAX, Unconvertible
from cluster.memory.knowledge.conversion.package import Attributes, Package, joined, parse_xml
from cluster.memory.knowledge.omissions import Omission
from tests.support.packed import zip_of

LAUGHS = b"""<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]><a>&y;</a>"""
OUTSIDE = b"""<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>"""


def refusal(data: bytes, member: str = "a") -> Omission:
    with pytest.raises(Unconvertible) as caught:
        Package(data).read(member)
    return caught.value.omission


def test_a_member_is_read() -> None:
    opened = Package(zip_of({"a": "text"}))

    assert (opened.has("a"), opened.has("b"), opened.read("a")) == (True, False, b"text")


def test_what_is_no_zip_or_lacks_the_member_is_broken() -> None:
    assert refusal(b"PK\x03\x04 and nothing else") is Omission.BROKEN
    assert refusal(zip_of({"b": "text"})) is Omission.BROKEN


def test_a_damaged_member_is_broken() -> None:
    whole = zip_of({"a": "text " * 100})

    assert refusal(whole.replace(whole[31:45], b"\0" * 14)) is Omission.BROKEN


def test_an_encrypted_member_or_office_file_is_encrypted() -> None:
    whole = bytearray(zip_of({"a": "text"}))
    whole[6] |= 1
    whole[whole.index(b"PK\x01\x02") + 8] |= 1
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le")

    assert refusal(bytes(whole)) is Omission.ENCRYPTED
    assert refusal(ole) is Omission.ENCRYPTED


def test_a_bomb_is_unpacked_up_to_the_limit_only() -> None:
    bomb = zip_of({"a": bytes(UNPACKED_BYTES_MAX + 1)})

    assert len(bomb) < 100_000
    assert refusal(bomb) is Omission.UNPACKS_TOO_LARGE


def test_the_limit_holds_for_all_members_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "UNPACKED_BYTES_MAX", 5)
    opened = Package(zip_of({"a": "text", "b": "text"}))
    opened.read("a")

    with pytest.raises(Unconvertible):
        opened.read("b")


def test_a_zip_of_too_many_members_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "MEMBERS_MAX", 1)

    assert refusal(zip_of({"a": "", "b": ""})) is Omission.UNPACKS_TOO_LARGE


@pytest.mark.parametrize("xml", [LAUGHS, OUTSIDE, b"<a>", b"", b"<a></b>", b"\0"])
def test_xml_that_is_damaged_or_defines_entities_is_broken(xml: bytes) -> None:
    with pytest.raises(Unconvertible) as caught:
        parse_xml(xml, Attributes({}))

    assert caught.value.omission is Omission.BROKEN


def test_elements_are_known_by_their_names_without_namespaces() -> None:
    heard: list[object] = []

    parse_xml(b'<w:a xmlns:w="urn:w" w:id="1"><b/></w:a>', Attributes({"a": heard.append}))

    assert heard == [{"id": "1"}]


def test_a_reference_never_leads_out_of_the_zip() -> None:
    assert joined("book", "text/a.html") == "book/text/a.html"
    assert joined("book", "../a.html") == "a.html"
    assert not zipfile.is_zipfile(joined("", "/etc/passwd"))
