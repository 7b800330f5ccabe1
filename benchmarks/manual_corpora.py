"""Debian's reference manual in six languages, as passages and what is asked of them.

`apt-get download` brings the packages `debian-reference-*` (2 MB each), which the machine's own
Debian pins; the user's cache keeps them. A passage is the text of a section without its heading.
Nobody has written questions to it, so two known-item proxies stand for them: the heading, and the
first sentence, which is then not part of the passage (the inverse cloze task, Lee et al. 2019).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from benchmarks.knowledge_corpus import cache_folder

LANGUAGES = ("en", "de", "fr", "es", "ja", "zh-cn")
SENTENCE_CHARS_MIN = 12
PASSAGE_CHARS_MIN = 60
PASSAGE_CHARS_MAX = 1_200
_TIMEOUT_S = 120.0
_HEADING = re.compile(r"h[1-6]")
_NUMBER = re.compile(r"^\s*(?:\d+|[A-Z])(?:\.\d+)*\.\s+")
_SENTENCE_END = re.compile(r"(?<=[.!?:])\s+|(?<=[。!?:])")


@dataclass(frozen=True, slots=True)
class Section:
    """What stands below a heading, up to the next one."""

    heading: str
    first: str
    """Its first sentence."""
    rest: str


@dataclass(frozen=True, slots=True)
class Manual:
    """The sections of one manual."""

    language: str
    version: str
    sections: list[Section]


def manual(language: str) -> Manual:
    """Return the manual in a language, fetching it where it isn't in the cache yet.

    Raises:
        OSError, SubprocessError: there is no apt-get or dpkg-deb here, or it fails.
    """
    package = _downloaded(language)
    folder = package.parent / "unpacked"
    if not folder.exists():
        subprocess.run(
            [_program("dpkg-deb"), "-x", package, folder],
            check=True,
            capture_output=True,
            timeout=_TIMEOUT_S,
        )
    sections = [
        section
        for path in sorted(folder.glob(f"usr/share/debian-reference/*.{language}.html"))
        for section in sections_of(path.read_text(encoding="utf-8"))
    ]
    asked = Counter(section.heading for section in sections)
    once = [section for section in sections if asked[section.heading] == 1]
    return Manual(language, package.name.split("_")[1], once)


def _downloaded(language: str) -> Path:
    folder = cache_folder().with_name("manual-corpora") / language
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob("*.deb")):
        subprocess.run(
            [_program("apt-get"), "download", f"debian-reference-{language}"],
            check=True,
            capture_output=True,
            cwd=folder,
            timeout=_TIMEOUT_S,
        )
    return max(folder.glob("*.deb"))


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"there is no {name} here")
    return found


def sections_of(page: str) -> Iterator[Section]:
    """Return the sections of a page whose text is long enough to be found."""
    reader = _Paragraphs()
    reader.feed(page)
    for heading, paragraphs in reader.sections:
        text = " ".join(paragraphs)[:PASSAGE_CHARS_MAX]
        first, *rest = [each for each in _SENTENCE_END.split(text, maxsplit=1) if each] or [""]
        following = " ".join(rest)
        if len(first) >= SENTENCE_CHARS_MIN and len(following) >= PASSAGE_CHARS_MIN:
            yield Section(_NUMBER.sub("", heading), first, following)


class _Paragraphs(HTMLParser):
    """Collects the paragraphs below each heading."""

    def __init__(self) -> None:
        super().__init__()
        self.sections: list[tuple[str, list[str]]] = []
        self._inside = ""
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if _HEADING.fullmatch(tag) or (tag == "p" and ("class", "title") not in attrs):
            self._inside, self._text = tag, []

    def handle_data(self, data: str) -> None:
        if self._inside:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag != self._inside:
            return
        text = " ".join("".join(self._text).split())
        if tag != "p":
            self.sections.append((text, []))
        elif self.sections and text:
            self.sections[-1][1].append(text)
        self._inside = ""
