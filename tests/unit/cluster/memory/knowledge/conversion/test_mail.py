"""A mail becomes its headers and its body; attachments are named."""

from __future__ import annotations

from base64 import b64encode
from email.message import EmailMessage

import pytest

from cluster.memory.knowledge.conversion.converted import Converted, Unconvertible
from cluster.memory.knowledge.conversion.mail import mail
from cluster.memory.knowledge.omissions import Omission


def mail_with(body: str, subtype: str = "plain") -> EmailMessage:
    made = EmailMessage()
    made["Subject"] = "Caf\u00e9 at noon"
    made["From"] = "Ada <ada@example.org>"
    made["X-Other"] = "unseen"
    made.set_content(body, subtype=subtype)
    return made


def test_a_plain_mail_is_its_headers_and_its_text() -> None:
    read = mail(mail_with("See you there.\n").as_bytes())

    head = "Subject: Caf\u00e9 at noon\nFrom: Ada <ada@example.org>"
    assert read == Converted("text", (f"{head}\n\nSee you there.\n",))


def test_the_plain_version_is_preferred() -> None:
    made = mail_with("plain")
    made.add_alternative("<p>rich</p>", subtype="html")

    assert mail(made.as_bytes()).parts[0].endswith("\n\nplain\n")


def test_a_mail_of_html_only_is_html_with_its_headers() -> None:
    read = mail(mail_with("<p>rich</p>", "html").as_bytes())

    assert read.format == "html"
    assert "<p>From: Ada &lt;ada@example.org&gt;</p>" in read.parts[0]
    assert "<p>rich</p>" in read.parts[0]


def test_attachments_are_named_and_not_read() -> None:
    made = mail_with("See the file.")
    made.add_attachment("hidden", filename="plan.txt")

    (text,) = mail(made.as_bytes()).parts
    assert "Attachments: plan.txt" in text
    assert "hidden" not in text


def test_letters_of_other_encodings_are_read() -> None:
    raw = b"Subject: x\nContent-Type: text/plain; charset=shift_jis\n\n" + "\u691c".encode("cp932")

    assert mail(raw).parts[0].endswith("\u691c")


def test_a_body_of_an_old_mac_keeps_its_lines_below_the_headers() -> None:
    raw = b"Subject: x\nContent-Transfer-Encoding: base64\n\n" + b64encode(b"one\rtwo\r")

    assert mail(raw).parts == ("Subject: x\n\none\ntwo\n",)


@pytest.mark.parametrize("charset", ["no-such-charset", "utf-8", "ascii", "hex"])
def test_a_charset_that_is_wrong_is_no_reason_to_read_nothing(charset: str) -> None:
    raw = f"Subject: x\nContent-Type: text/plain; charset={charset}\n\n".encode() + b"caf\xe9"

    assert mail(raw).parts[0].endswith("caf\u00e9")


def test_bytes_that_are_no_mail_are_broken() -> None:
    with pytest.raises(Unconvertible) as caught:
        mail(b"\nonly text, no header\n")

    assert caught.value.omission is Omission.BROKEN
