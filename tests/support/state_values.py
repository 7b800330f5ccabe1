"""Plain values of shared state and what each policy is for, for properties."""

from __future__ import annotations

from hypothesis import strategies as st

from cluster.kernel.state.values import Value

SCALARS: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 9),
    st.sampled_from([0.0, -0.0, 1.0, 0.1, 0.7, 2.5e300, -2.5e300]),
    st.sampled_from(["", "a", "b", "a b", 'q"', "\u00e4"]),
)
VALUES: st.SearchStrategy[Value] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=5,
)
DICTS: st.SearchStrategy[Value] = st.dictionaries(st.sampled_from("abcd"), SCALARS)
LISTS: st.SearchStrategy[Value] = st.lists(SCALARS, max_size=5)
TEXTS: st.SearchStrategy[Value] = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=7).map(
    "\n".join
)
NUMBERS: st.SearchStrategy[Value] = st.one_of(
    st.integers(-99, 99), st.floats(-1e3, 1e3, allow_nan=False)
)

KINDS: dict[str, st.SearchStrategy[Value]] = {
    "by_key": DICTS,
    "union": LISTS,
    "append": LISTS,
    "text": TEXTS,
    "total": NUMBERS,
    "maximum": NUMBERS,
    "latest": VALUES,
    "siblings": VALUES,
}
"""The values that each policy is for."""
