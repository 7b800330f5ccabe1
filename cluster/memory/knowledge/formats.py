"""Which files are read, and as what, told by their names.

Called by `cluster.memory.knowledge.sources`. Data such as JSON, CSV or lock files is left out
inside folders: it drowns the text around it. A file that the user names is read whatever it is
called.
"""

from __future__ import annotations

import re

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
}
_BY_NAME = {
    "text": "readme license licence copying changes changelog history news authors contributing"
    " notice install todo faq",
    "source": "makefile dockerfile justfile rakefile gemfile vagrantfile jenkinsfile",
}
_FORMAT_OF_EXTENSION = {
    f".{extension}": name
    for name, extensions in _BY_EXTENSION.items()
    for extension in re.findall(r"\S+", extensions)
}
_FORMAT_OF_NAME = {
    known: name for name, names in _BY_NAME.items() for known in re.findall(r"\S+", names)
}


def format_of(file_name: str) -> str:
    """Return the format to read a file in, empty for one that no text is expected in."""
    lower = file_name.lower()
    stem, dot, extension = lower.rpartition(".")
    if dot and stem:
        return _FORMAT_OF_EXTENSION.get(f".{extension}", "")
    return _FORMAT_OF_NAME.get(lower, "")
