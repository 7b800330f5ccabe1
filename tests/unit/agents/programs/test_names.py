"""What a program imports, and what it uses."""

from __future__ import annotations

from agents.programs.names import imported_names, used_names


def test_importing_a_name_is_not_using_it() -> None:
    source = (
        "import heapq as h, json\nfrom collections import Counter, deque\n"
        "def shown(x): return Counter(x)\nh.nlargest(1, [])\n"
    )

    assert imported_names(source) == {
        "heapq",
        "json",
        "collections",
        "Counter",
        "deque",
        "nlargest",
    }
    assert used_names(source) >= {"heapq", "collections", "Counter", "nlargest", "shown"}
    assert used_names(source).isdisjoint({"json", "deque"})
    assert imported_names("not ( python") == used_names("not ( python") == frozenset()
