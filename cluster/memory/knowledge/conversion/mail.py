"""The text of a mail: who wrote to whom, when, about what, and its body; attachments by name.

Called in the child process, which bounds what a mail of a million nested parts takes.
"""

from __future__ import annotations

import html
from email import message_from_bytes, policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message

from cluster.memory.knowledge.conversion.converted import Converted, Unconvertible
from cluster.memory.knowledge.decoding import UTF_8, encoding_of, text_of, with_lf_ends
from cluster.memory.knowledge.omissions import Omission

_HEADERS = ("Subject", "From", "To", "Cc", "Date")
_HEADER_CHARS_MAX = 2_000
_NAMES_MAX = 50


def mail(data: bytes) -> Converted:
    """Return the text of a mail: plain where it has a plain version, else HTML.

    Raises:
        Unconvertible: it is none.
    """
    try:
        message = message_from_bytes(data, policy=policy.compat32)
        head = [f"{name}: {said}" for name in _HEADERS if (said := _header(message, name))]
        return _with_body(message, head)
    except (MessageError, ValueError, LookupError, RecursionError) as error:
        raise Unconvertible(Omission.BROKEN) from error


def _with_body(message: Message, head: list[str]) -> Converted:
    plain, rich, names = [], [], []
    for part in message.walk():
        if part.is_multipart():
            continue
        if (name := part.get_filename()) or part.get_content_disposition() == "attachment":
            names.append(_one_line(name or part.get_content_type()))
        elif part.get_content_type() == "text/plain":
            plain.append(_decoded(part))
        elif part.get_content_type() == "text/html":
            rich.append(_decoded(part))
    if not head and not message.keys():
        raise Unconvertible(Omission.BROKEN)
    if names:
        head.append(f"Attachments: {', '.join(names[:_NAMES_MAX])}")
    if any(text.strip() for text in plain) or not rich:
        return Converted("text", ("\n".join(head) + "\n\n" + "\n\n".join(plain),))
    shown = "".join(f"<p>{html.escape(line)}</p>\n" for line in head)
    return Converted("html", (shown + "\n".join(rich),))


def _header(message: Message, name: str) -> str:
    """Return a header as a reader sees it."""
    raw = str(message.get(name, ""))[:_HEADER_CHARS_MAX]
    try:
        return _one_line(str(make_header(decode_header(raw))))
    except (ValueError, LookupError, MessageError):
        return _one_line(raw)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _decoded(part: Message) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    try:
        return with_lf_ends(data.decode(part.get_content_charset("utf-8"), "strict"))
    except (LookupError, ValueError):
        told = encoding_of(data)
        return text_of(data, told.name if told else UTF_8)
