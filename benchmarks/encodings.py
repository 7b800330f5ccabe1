"""How well encodings are told: labelled texts, made of the translated messages of programs.

`python -m benchmarks.encodings` prints the table of docs/memory.md. A text is told rightly where it
is decoded to what it was made of. Only every second catalogue is read: the others are those that
the thresholds of `cluster.memory.knowledge.decoding` were chosen on.
"""

from __future__ import annotations

import argparse
import gettext
import random
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.memory.knowledge.decoding import encoding_of, text_of
from cluster.memory.knowledge.omissions import Omissions
from cluster.memory.knowledge.reading import FileReader
from cluster.memory.knowledge.sources import find_files

CATALOGS = Path("/usr/share/locale")
ENCODINGS = {
    "cs": ("iso8859-2", "cp1250"),
    "de": ("cp1252",),
    "en_GB": ("cp1252",),
    "el": ("iso8859-7",),
    "es": ("cp1252",),
    "fr": ("cp1252",),
    "ja": ("cp932", "euc_jp", "iso2022_jp"),
    "ko": ("euc_kr",),
    "pl": ("iso8859-2", "cp1250"),
    "ru": ("koi8-r", "cp1251"),
    "sv": ("cp1252",),
    "tr": ("cp1254",),
    "uk": ("koi8-u", "cp1251"),
    "zh_CN": ("gbk",),
    "zh_TW": ("big5",),
}
WIDE = ("utf-16-le", "utf-16-be", "utf-32-le")
DAMAGED = "utf-8, a byte broken"
LENGTHS = (40, 200, 2_000)
"""In characters."""
FILES = 20
"""Of each language, encoding and length."""
MESSAGE_CHARS_MIN = 20
ASCII_CHARS = 70_000
"""Before a text, more than a sample has."""
AMONG = " and so on, as it is written in the manual of this program;" * 5
"""Between any two words of a text."""
ZEROS = (1, 2, 5)
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text in an encoding."""

    language: str
    encoding: str
    length: int
    text: str
    data: bytes


def labelled_texts(catalogs: Path, seed: int = 0) -> list[Labelled]:
    """Return texts of all languages, encodings and lengths."""
    source = random.Random(seed)
    made: list[Labelled] = []
    for language, encodings in ENCODINGS.items():
        messages = _messages(catalogs / language / "LC_MESSAGES")
        for encoding in (*encodings, *WIDE, DAMAGED):
            for length in LENGTHS:
                made += [
                    _labelled(language, encoding, length, messages, source) for _ in range(FILES)
                ]
    return made


def _messages(folder: Path) -> list[str]:
    """Return the messages of every second catalogue that are translated and not ASCII."""
    found: list[str] = []
    for path in sorted(folder.glob("*.mo"))[1::2]:
        with path.open("rb") as file:
            catalog = gettext.GNUTranslations(file)
        translated = vars(catalog)["_catalog"]
        texts = [_SPACE.sub(" ", str(text)).strip() for key, text in translated.items() if key]
        found += [text for text in texts if len(text) >= MESSAGE_CHARS_MIN and not text.isascii()]
    return found


def _labelled(
    language: str, encoding: str, length: int, messages: Sequence[str], source: random.Random
) -> Labelled:
    """Return lines of neighbouring messages, cut to a length, with two letters beyond ASCII."""
    codec = "utf-8" if encoding == DAMAGED else encoding
    while True:
        at = source.randrange(len(messages))
        text = "\n".join(messages[at : at + 1 + length // MESSAGE_CHARS_MIN])[:length]
        text = text.encode(codec, "ignore").decode(codec)
        if sum(not char.isascii() for char in text) > 1:
            break
    data = text.encode(codec)
    if encoding == DAMAGED:
        at = source.randrange(len(text) + 1)
        before = text[:at].encode()
        data = before + b"\xff" + data[len(before) :]
        text = f"{text[:at]}\ufffd{text[at:]}"
    return Labelled(language, encoding, length, text, data)


def _told_alone(each: Labelled) -> tuple[str, bool]:
    """Return what a text is told to be by itself: its encoding if rightly, and whether surely."""
    told = encoding_of(each.data)
    if told is None:
        return "none", True
    is_right = text_of(each.data, told.name) == each.text
    return (each.encoding if is_right else told.name), told.is_sure


def _is_right(text: str, data: bytes) -> bool:
    told = encoding_of(data)
    return told is not None and text_of(data, told.name) == text


def _print_others(texts: Sequence[Labelled], source: random.Random) -> None:
    """Print how encodings of before Unicode are told in large lines, and with zeros in them."""
    legacy = [each for each in texts if each.encoding not in (*WIDE, DAMAGED, "iso2022_jp")]
    long = [each for each in legacy if each.length == max(LENGTHS)]
    behind = among = 0
    for each in long:
        line = "x" * ASCII_CHARS + each.text.replace("\n", " ")
        behind += _is_right(line, line.encode(each.encoding))
        line = f"{AMONG} ".join(each.text.split())
        among += _is_right(line, line.encode(each.encoding))
    print(f"in one line, of {len(long)}: {behind} behind much ASCII, {among} with it between words")
    for length in LENGTHS:
        some = [each.data for each in legacy if each.length == length]
        taken = [sum(_is_taken(data, zeros, source) for data in some) for zeros in ZEROS]
        print(f"{length:,} characters, of {len(some)} with {ZEROS} zeros taken for text: {taken}")


def _is_taken(data: bytes, zeros: int, source: random.Random) -> bool:
    with_zeros = bytearray(data)
    for _ in range(zeros):
        with_zeros.insert(source.randrange(len(with_zeros) + 1), 0)
    return encoding_of(bytes(with_zeros)) is not None


def _right_in_folders(texts: Sequence[Labelled]) -> Iterator[tuple[Labelled, bool]]:
    """Yield whether texts are read rightly that lie with those of their language and encoding."""
    with tempfile.TemporaryDirectory() as root:
        names: dict[str, Labelled] = {}
        for number, each in enumerate(texts):
            path = Path(root, f"{each.language} {each.encoding}", f"{number}.txt")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(each.data)
            names[path.stem] = each
        reader, omissions = FileReader(), Omissions()
        files = find_files([root], omissions)
        reader.meet(files)
        for file in files:
            content = reader.read(file, omissions)
            each = names[file.path.stem]
            yield each, content is not None and content.text == each.text


def main() -> None:
    """Print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalogs", type=Path, default=CATALOGS, help="of gettext")
    texts = labelled_texts(parser.parse_args().catalogs)
    told = {id(each): _told_alone(each) for each in texts}
    folders = Counter(each.encoding for each, is_right in _right_in_folders(texts) if is_right)
    claims = Counter(name for name, _ in told.values())
    print(
        f"| encoding | {' | '.join(f'{length:,}' for length in LENGTHS)} | precision | in folder |"
    )
    for encoding in dict.fromkeys(each.encoding for each in texts):
        right = [each for each in texts if told[id(each)][0] == encoding == each.encoding]
        number = sum(each.encoding == encoding for each in texts) // len(LENGTHS)
        cells = [f"{sum(each.length == length for each in right)}/{number}" for length in LENGTHS]
        precision = f"{len(right) / claims[encoding]:.3f}" if claims[encoding] else "-"
        shared = f"{folders[encoding]}/{number * len(LENGTHS)}"
        print(f"| {encoding} | {' | '.join(cells)} | {precision} | {shared} |")
    sure = [each for each in texts if told[id(each)][1]]
    wrong = [each for each in texts if told[id(each)][0] != each.encoding]
    print(
        f"{len(texts):,} texts, {len(wrong)} wrong alone, {len(texts) - folders.total()} in"
        f" folders; {len(sure):,} told surely, {sum(each in wrong for each in sure)} of them wrong"
    )
    _print_others(texts, random.Random(1))


if __name__ == "__main__":
    main()
