"""Which files are read, and as what: told by their names, sizes, and by what was named.

Called by `cluster.memory.knowledge.sources`, which lists what there is; `choose` decides on all of
it in one place. Data (tables, JSON, logs) drowns the text around it: it is read where it is named,
or is most of what a folder has. A file that the user names is read whatever it is called. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cluster.memory.knowledge.folders import EntryType, FolderEntry
from cluster.memory.knowledge.omissions import Omission

_BY_EXTENSION = {
    "markdown": "md markdown mdown mkd mdx",
    "rst": "rst rest",
    "html": "html htm xhtml",
    "python": "py pyi pyw",
    "text": "txt text adoc asciidoc org tex textile",
    "source": """
        asm bash bat c cc cfg cjs clj cljs cmake conf cpp cs css cu cxx dart elm erl ex exs f90 fs
        go gradle graphql groovy h hh hpp hs hxx ini java jl js jsx kt kts less lisp lua m mjs ml
        mm nim nix pas php pl pm proto ps1 r rb rs s sass scala scm scss sh sol sql svelte swift
        tcl tf toml ts tsx v vb vhd vim vue wat yaml yml zig zsh
    """,
    "pdf": "pdf",
    "docx": "docx docm",
    "epub": "epub",
    "notebook": "ipynb",
    "mail": "eml",
}
_DATA_BY_EXTENSION = {"table": "csv tsv", "source": "json jsonl ndjson geojson log"}
_BY_NAME = {
    "text": "readme license licence copyright copying changes changelog history news authors"
    " contributing notice install todo faq",
    "source": "makefile dockerfile justfile rakefile gemfile vagrantfile jenkinsfile",
}
_KIND_BY_EXTENSION = {
    "images": "apng avif bmp eps gif heic ico jpeg jpg png psd svg tif tiff webp xcf",
    "archives": "7z bz2 deb gz iso jar rar rpm tar tbz2 tgz txz war whl xz zip zst",
    "sound files": "aac aiff flac m4a mid mp3 ogg opus wav wma",
    "videos": "avi flv m4v mkv mov mp4 mpeg mpg webm wmv",
    "Office files": "doc dot odg odp ods odt pages key numbers ppt pptx rtf xls xlsm xlsx",
    "fonts": "eot otf ttf woff woff2",
    "databases": "db mdb parquet feather arrow h5 hdf5 npy npz pkl sqlite sqlite3",
    "programs": "a bin class dll dylib exe lib o obj pyc pyd so wasm",
    "logs": "log",
    "data files": "csv tsv json jsonl ndjson geojson xml",
}
"""What is said of files that are not read; a data file may be."""


def _by_word(words_by_name: dict[str, str]) -> dict[str, str]:
    """Return the name that each word stands below."""
    return {
        word: name for name, words in words_by_name.items() for word in re.findall(r"\S+", words)
    }


_FORMATS = _by_word(_BY_EXTENSION)
_DATA = _by_word(_DATA_BY_EXTENSION)
_FORMATS_OF_NAMES = _by_word(_BY_NAME)
_KINDS = _by_word(_KIND_BY_EXTENSION)
_KINDS_OF_FORMATS = {
    "pdf": "PDFs",
    "docx": "Word files",
    "epub": "EPUBs",
    "notebook": "notebooks",
    "mail": "mails",
}
PACKED = frozenset(_KINDS_OF_FORMATS)
"""Formats whose text has to be taken out of the file by `cluster.memory.knowledge.conversion`."""
_PDF_MARK = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,16}%PDF-")
_KINDS_BY_MARK = {
    b"%!PS": "PostScript files",
    b"{\\rtf": "Office files",
}
"""Files that are mostly ASCII, and not for reading; what else isn't is binary."""
_EXTENSION_CHARS_MAX = 8


REPEATED_LINKS = f"{EntryType.REPEATED_LINK.value}s"


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of an entry: it is read in a format, or left out as one of a kind."""

    format: str
    kind: str
    omission: Omission | None = None

    @property
    def is_read(self) -> bool:
        """Say whether it is read."""
        return self.omission is None


def choose(entries: Sequence[FolderEntry], bytes_max: int, *, is_named: bool) -> list[Choice]:
    """Return what becomes of each entry, in their order.

    Args:
        entries: what one named path leads to, everything below it included.
        bytes_max: of one file.
        is_named: the user named this very file, not a folder above it.
    """
    if is_named:
        return [_named(entry, bytes_max) for entry in entries]
    choices = [_found(entry, bytes_max, reads_data=True) for entry in entries]
    read = [entry for entry, each in zip(entries, choices, strict=True) if each.is_read]
    if 2 * sum(_extension(entry.name) in _DATA for entry in read) > len(read):
        return choices
    return [_found(entry, bytes_max, reads_data=False) for entry in entries]


def _named(entry: FolderEntry, bytes_max: int) -> Choice:
    file_format = format_of(entry.name) or _DATA.get(_extension(entry.name), "text")
    return _sized(Choice(file_format, kind_of_format(file_format)), entry.size, bytes_max)


def _found(entry: FolderEntry, bytes_max: int, *, reads_data: bool) -> Choice:
    if entry.type is not EntryType.FILE:
        return _no_file(entry)
    if entry.name.startswith("."):
        return Choice("", "hidden files", Omission.KIND)
    name = entry.name if format_of(entry.name) else entry.target or entry.name
    file_format = format_of(name)
    if reads_data and not file_format:
        file_format = _DATA.get(_extension(name), "")
    if not file_format:
        return Choice("", _kind_of_name(name), Omission.KIND)
    return _sized(Choice(file_format, kind_of_format(file_format)), entry.size, bytes_max)


def _no_file(entry: FolderEntry) -> Choice:
    """Return as what an entry is left out that is no file, or can't be told to be one."""
    is_hidden = entry.name.startswith(".")
    match entry.type:
        case EntryType.CLOSED_FILE:
            return Choice("", "files", Omission.UNREADABLE)
        case EntryType.CLOSED_FOLDER:
            return Choice("", "folders", Omission.UNREADABLE)
        case EntryType.FOLDER:
            return Choice("", "hidden folders" if is_hidden else "tool folders", Omission.KIND)
        case EntryType.LINK:
            return Choice("", "hidden files", Omission.KIND)
        case EntryType.OTHER:
            return Choice("", "special files", Omission.KIND)
        case link:
            return Choice("", f"{link.value}s", Omission.KIND)


def _sized(choice: Choice, size: int, bytes_max: int) -> Choice:
    if size <= bytes_max:
        return choice
    return Choice(choice.format, choice.kind, Omission.TOO_LARGE)


def format_of(file_name: str) -> str:
    """Return the format to read a file in, empty for data and for what no text is expected in.

    ``README.Debian`` and ``Makefile.am`` are what their first words say.
    """
    extension = _extension(file_name)
    if extension in _FORMATS:
        return _FORMATS[extension]
    if extension in _DATA or extension in _KINDS:
        return ""
    return _FORMATS_OF_NAMES.get(file_name.lower().partition(".")[0], "")


def format_of_content(data: bytes, file_format: str) -> str:
    """Return the format that the first bytes of a file tell, else the one that its name tells.

    A PDF may be mostly text, so it isn't told by being binary.
    """
    return "pdf" if _PDF_MARK.match(data) else file_format


def kind_of_content(data: bytes) -> str:
    """Return as one of which kind a file is left out for its first bytes; empty where it isn't."""
    return next((kind for mark, kind in _KINDS_BY_MARK.items() if data.startswith(mark)), "")


def kind_of_format(file_format: str) -> str:
    """Return what files of a format are called, in the plural."""
    return _KINDS_OF_FORMATS.get(file_format, "files")


def _kind_of_name(file_name: str) -> str:
    extension = _extension(file_name)
    if not extension.isalnum() or len(extension) > _EXTENSION_CHARS_MAX:
        return "unknown files"
    return _KINDS.get(extension, f".{extension} files")


def _extension(file_name: str) -> str:
    """Return what follows the last dot of a name, in small letters; empty without one."""
    stem, dot, extension = file_name.lower().rpartition(".")
    return extension if dot and stem else ""
