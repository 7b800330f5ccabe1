"""The book of tokens: what it keeps, and what it refuses."""

from __future__ import annotations

import pytest

from cluster.kernel.errors import UsageError
from cluster.memory.store.local import LocalStore
from cluster.serving.tokens import TokenBook, is_token_of, name_in
from tests.support.clock import ManualClock


@pytest.fixture
def store() -> LocalStore:
    return LocalStore(ManualClock())


@pytest.fixture
def book(store: LocalStore) -> TokenBook:
    return TokenBook(store, ManualClock())


async def test_a_token_is_its_owners_and_only_that_one(book: TokenBook) -> None:
    alice, bob = await book.add("alice"), await book.add("bob")

    entry = await book.entry(name_in(alice))

    assert entry is not None
    assert entry.name == "alice"
    assert is_token_of(entry, alice)
    assert not is_token_of(entry, bob)
    assert not is_token_of(entry, alice[:-1] + ("0" if alice[-1] != "0" else "1"))
    assert not is_token_of(None, alice)


async def test_the_store_never_has_the_token(book: TokenBook, store: LocalStore) -> None:
    token = await book.add("alice", scopes=("ask", "learn"), namespaces=("handbook",))

    kept = b"".join([key.encode() + value for key, value in (await store.items("")).items()])

    assert token.rpartition("-")[2].encode() not in kept
    assert b"alice" in kept


async def test_a_name_is_taken_until_it_is_revoked(book: TokenBook) -> None:
    first = await book.add("alice", tasks_max=2)
    with pytest.raises(UsageError, match="there is a token 'alice'"):
        await book.add("alice")
    await book.revoke("alice")
    second = await book.add("alice")

    entry = await book.entry("alice")

    assert entry is not None
    assert entry.tasks_max == 0
    assert is_token_of(entry, second)
    assert not is_token_of(entry, first)


async def test_a_name_that_nobody_has_can_not_be_revoked(book: TokenBook) -> None:
    with pytest.raises(UsageError, match="there is no token 'alice'"):
        await book.revoke("alice")


async def test_revoking_the_last_one_does_not_open_the_door(book: TokenBook) -> None:
    before = await book.has_any()
    await book.add("alice")
    await book.revoke("alice")

    assert (before, await book.has_any()) == (False, True)
    assert await book.entries() == []


async def test_the_scope_admin_holds_the_others(book: TokenBook) -> None:
    await book.add("root", scopes=("admin",))
    await book.add("reader", scopes=("ask", "ask"))

    assert [each.scopes for each in await book.entries()] == [("ask",), ("ask", "learn", "admin")]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Alice", {}, "can't be called 'Alice'"),
        ("", {}, "can't be called"),
        ("a" * 65, {}, "can't be called"),
        ("../alice", {}, "can't be called"),
        ("alice\n", {}, "can't be called"),
        ("alice", {"scopes": ("root",)}, "no scope 'root'"),
        ("alice", {"scopes": ()}, "needs a scope"),
        ("alice", {"namespaces": ("No Such",)}, "namespace 'No Such'"),
        ("alice", {"tasks_max": -1}, "--tasks-max is a number from 1"),
        (
            "alice",
            {"tasks_max": 0},
            "--tasks-max is a number from 1 to .* leave it away for no limit",
        ),
        ("alice", {"tokens_a_day_max": 10**16}, "--tokens-a-day is a number from 1"),
        ("alice", {"tokens_a_day_max": 0}, "--tokens-a-day is a number from 1"),
    ],
)
async def test_what_can_not_be_added_is_said_and_nothing_is_kept(
    book: TokenBook, store: LocalStore, name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        await book.add(name, **options)  # type: ignore[arg-type] # by the parameter's name

    assert await store.items("") == {}


@pytest.mark.parametrize(
    "token",
    ["", "alice", "fm-alice", "fm-alice-", f"fm--{'0' * 64}", f"fm-\xe9-{'0' * 64}", "fm-a-\n"],
)
def test_what_is_no_token_has_no_name(token: str) -> None:
    assert name_in(token) == ""


def test_a_name_may_have_the_characters_that_part_a_token() -> None:
    assert name_in(f"fm-ci.bot-2_x-{'0a' * 32}") == "ci.bot-2_x"
