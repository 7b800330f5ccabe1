"""The embedded server: it starts, keeps what it acknowledged, and never outlives its owner."""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore
from cluster.memory.store.slot import take_slot
from cluster.memory.store.users_store import (
    end_orphan,
    is_run_beside,
    tried_store,
    users_store,
)
from tests.support.redis import kept_alive, until_it_answers

pytestmark = pytest.mark.integration

OWNER = """
import sys, time
from pathlib import Path
from redis import Redis
from cluster.memory.store.embedded import EmbeddedRedis
url = EmbeddedRedis(data_root=Path(sys.argv[1])).start()
with Redis.from_url(url) as client:
    client.set("acknowledged", "yes")
    print(url, client.info("server")["process_id"], flush=True)
time.sleep(600)
"""


def socket_of(url: str) -> Path:
    return Path(urlsplit(url).path)


def server_pid(url: str) -> int:
    with Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def wait_for_end(watch: int) -> None:
    """Wait until the process behind the file descriptor has ended, and close it."""
    ended, _, _ = select.select([watch], [], [], 60.0)
    os.close(watch)
    assert ended


def put(url: str, key: str, value: str) -> None:
    with Redis.from_url(url) as client:
        client.set(key, value)


def get(url: str, key: str) -> object:
    with Redis.from_url(url) as client:
        return client.get(key)


def spoil_file(data_root: Path) -> None:
    written = max(data_root.rglob("*.aof"), key=lambda path: path.stat().st_size)
    written.write_bytes(b"spoilt\r\n" * 100)


def fake_server(folder: Path, body: str) -> str:
    """Return a PATH with a redis-server that is a shell script."""
    folder.mkdir()
    server = folder / "redis-server"
    version = 'if [ "$1" = --version ]; then echo "Redis server v=7.0.0 sha=0"; exit; fi'
    server.write_text(f"#!/bin/sh\n{version}\n{body}\n", encoding="utf-8")
    server.chmod(0o700)
    return f"{folder}:{os.environ['PATH']}"


def test_it_answers_durably_on_a_private_socket_only(tmp_path: Path) -> None:
    with EmbeddedRedis(data_root=tmp_path) as server:
        with Redis.from_url(server.url, decode_responses=True) as client:
            config = client.config_get("*")
            assert client.info("persistence")["aof_enabled"] == 1
        socket = socket_of(server.url)
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (socket, socket.parent)]
    assert modes == [0o700, 0o700]
    expected = {"port": "0", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": ""}
    assert {name: config[name] for name in expected} == expected
    assert not socket.parent.exists()


def test_what_was_put_is_there_in_the_next_run(tmp_path: Path) -> None:
    async def learn(url: str) -> None:
        store = await RedisStore.connect(url)
        await store.put_many({"a": b"learned"})
        assert await store.next_epoch("name") == 1
        await store.close()

    async def recall(url: str) -> None:
        store = await RedisStore.connect(url)
        assert await store.get_many(["a"]) == [b"learned"]
        assert await store.next_epoch("name") == 2
        await store.close()

    server = EmbeddedRedis(data_root=tmp_path)
    for work in (learn, recall):
        asyncio.run(work(server.start()))
        server.stop()


def test_what_was_put_is_there_with_the_next_version_of_the_server(tmp_path: Path) -> None:
    with EmbeddedRedis(data_root=tmp_path / "data") as server:
        put(server.url, "a", "learned")
        with Redis.from_url(server.url) as client:
            own = client.info("server")["executable"]
    path = fake_server(tmp_path / "bin", f'exec "{own}" "$@"')
    script = tmp_path / "bin" / "redis-server"
    script.write_text(script.read_text().replace("v=7", "v=99"), encoding="utf-8")

    with EmbeddedRedis(data_root=tmp_path / "data", path=path) as newer:
        assert get(newer.url, "a") == b"learned"
        put(newer.url, "a", "more")
        assert newer.note == ""
    with EmbeddedRedis(data_root=tmp_path / "data") as server:
        assert get(server.url, "a") == b"learned"
        assert "the store was run by Redis 99 too" in server.note


def test_two_clusters_at_once_have_their_own_data(tmp_path: Path) -> None:
    with EmbeddedRedis(data_root=tmp_path) as one, EmbeddedRedis(data_root=tmp_path) as other:
        put(one.url, "a", "first")
        assert get(other.url, "a") is None
        assert one.note == ""
        assert str(tmp_path / "store-1") in other.note
    with EmbeddedRedis(data_root=tmp_path) as again:
        assert get(again.url, "a") == b"first"


def test_who_comes_beside_a_cluster_uses_its_store(tmp_path: Path) -> None:
    with EmbeddedRedis(data_root=tmp_path) as server:
        put(server.url, "a", "first")
        with users_store(tmp_path) as (url, is_others):
            assert (url, is_others, get(url, "a")) == (server.url, True, b"first")
        assert is_run_beside(tmp_path)


def test_who_comes_alone_has_the_store_of_earlier_ones(tmp_path: Path) -> None:
    with EmbeddedRedis(data_root=tmp_path) as server:
        put(server.url, "a", "first")
    assert not is_run_beside(tmp_path)
    with users_store(tmp_path) as (url, is_others):
        assert (is_others, get(url, "a")) == (False, b"first")


def test_to_try_it_no_data_are_made(tmp_path: Path) -> None:
    with tried_store(tmp_path / "data") as (url, is_others):
        assert (is_others, get(url, "a")) == (False, None)

    assert list(tmp_path.iterdir()) == []


def test_to_try_it_where_none_can_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreUnavailable, match="set HOME"), tried_store(tmp_path / "file" / "data"):
        pass


def test_to_try_it_no_older_data_are_taken_over_but_they_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "store-0" / "redis-5"
    folder.mkdir(parents=True)
    (folder / "dump.rdb").write_bytes(b"of a Redis that is older")
    told: list[int] = []

    with tried_store(tmp_path, will_take_over=told.append) as (url, _):
        assert get(url, "a") is None

    assert told == [5]
    assert list((tmp_path / "store-0").iterdir()) == [folder]


def test_to_try_it_the_data_that_are_there_are_used(tmp_path: Path) -> None:
    with EmbeddedRedis(data_root=tmp_path) as server:
        put(server.url, "a", "first")
        with tried_store(tmp_path) as (url, is_others):
            assert (url, is_others) == (server.url, True)

    with tried_store(tmp_path) as (url, is_others):
        assert (is_others, get(url, "a")) == (False, b"first")


def test_a_holder_of_the_data_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    holder = take_slot(tmp_path, is_temporary=False, major=6)
    with (
        pytest.raises(StoreUnavailable, match="has the embedded store and does not answer"),
        users_store(tmp_path, wait_s=0.0),
    ):
        pass
    holder.give_back()


def test_a_store_that_has_outlived_its_cluster_is_ended_and_no_other_one(tmp_path: Path) -> None:
    with EmbeddedRedis(data_root=tmp_path) as server:
        put(server.url, "a", "first")
        end_orphan(tmp_path / "of another cluster", tmp_path)
        assert is_run_beside(tmp_path)
        end_orphan(socket_of(server.url).parent, tmp_path)
        assert not is_run_beside(tmp_path)
    with EmbeddedRedis(data_root=tmp_path) as again:
        assert get(again.url, "a") == b"first"


def test_temporary_data_leave_nothing_behind(tmp_path: Path) -> None:
    with EmbeddedRedis(data_root=tmp_path, is_temporary=True) as server:
        put(server.url, "a", "1")
        run_dir = socket_of(server.url).parent
    assert not run_dir.exists()
    assert list(tmp_path.iterdir()) == []


def test_starting_and_stopping_twice_is_starting_and_stopping_once(tmp_path: Path) -> None:
    server = EmbeddedRedis(data_root=tmp_path)
    assert server.start() == server.start()
    watch = os.pidfd_open(server_pid(server.url))
    server.stop()
    server.stop()
    wait_for_end(watch)


def test_no_server_is_left_when_its_owner_is_killed_and_nothing_acknowledged_is_lost(
    tmp_path: Path,
) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    url, pid = owner.stdout.readline().decode().split()
    watch = os.pidfd_open(int(pid))
    owner.kill()
    owner.wait()
    owner.stdout.close()
    wait_for_end(watch)
    assert not socket_of(url).parent.exists()
    with (tmp_path / "store-0" / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # free as soon as nothing of the first run is left
    with EmbeddedRedis(data_root=tmp_path) as server:
        assert get(server.url, "acknowledged") == b"yes"


def test_it_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    server = EmbeddedRedis(data_root=tmp_path)
    starter = threading.Thread(target=server.start)
    starter.start()
    starter.join()
    put(server.url, "a", "1")
    assert get(server.url, "a") == b"1"
    server.stop()


def test_an_interrupt_from_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    with EmbeddedRedis(data_root=tmp_path) as server:
        assert os.getpgid(server_pid(server.url)) != os.getpgid(0)


def test_it_shares_the_session_of_those_it_shares_the_machine_with(tmp_path: Path) -> None:
    with EmbeddedRedis(data_root=tmp_path) as server:
        assert os.getsid(server_pid(server.url)) == os.getsid(0)


def test_its_socket_is_where_whoever_ends_all_of_it_looks(tmp_path: Path) -> None:
    run_root = Path(tempfile.mkdtemp(prefix="fm-"))
    with EmbeddedRedis(data_root=tmp_path, run_root=run_root) as server:
        assert socket_of(server.url).parent.parent == run_root
    assert not list(run_root.iterdir())
    run_root.rmdir()


def test_a_server_that_hangs_is_killed(tmp_path: Path) -> None:
    server = EmbeddedRedis(data_root=tmp_path)
    server.start()
    put(server.url, "a", "1")
    pid = server_pid(server.url)
    watch = os.pidfd_open(pid)
    os.kill(pid, signal.SIGSTOP)
    server.stop()
    wait_for_end(watch)
    with EmbeddedRedis(data_root=tmp_path) as again:
        assert get(again.url, "a") == b"1"


def test_a_server_that_was_killed_can_still_be_stopped_and_started(tmp_path: Path) -> None:
    server = EmbeddedRedis(data_root=tmp_path)
    server.start()
    pid = server_pid(server.url)
    watch = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    wait_for_end(watch)
    server.stop()
    server.start()
    put(server.url, "a", "1")
    assert get(server.url, "a") == b"1"
    assert server_pid(server.url) != pid
    server.stop()


def test_a_file_whose_end_was_cut_off_is_loaded_as_far_as_it_goes(tmp_path: Path) -> None:
    with EmbeddedRedis(data_root=tmp_path) as server:
        put(server.url, "a", "1")
        put(server.url, "b", "2")
    written = max(tmp_path.rglob("*.aof"), key=lambda path: path.stat().st_size)
    os.truncate(written, written.stat().st_size - 3)
    with EmbeddedRedis(data_root=tmp_path) as server:
        assert get(server.url, "a") == b"1"
        assert get(server.url, "b") is None


async def test_a_store_whose_server_came_back_answers_at_once(tmp_path: Path) -> None:
    async with kept_alive(tmp_path) as url:
        store = await RedisStore.connect(url, connections_max=8)
        await asyncio.gather(*(store.put_many({f"{number}": b"1"}) for number in range(32)))
        pid = await until_it_answers(url)
        os.kill(pid, signal.SIGKILL)
        await until_it_answers(url, pid)
        found = await asyncio.gather(*(store.get_many([f"{number}"]) for number in range(32)))
        await store.close()
    assert found == [[b"1"]] * 32


async def test_a_server_whose_guard_was_killed_is_left_alone_until_it_ends(tmp_path: Path) -> None:
    async with kept_alive(tmp_path) as url:
        pid = await until_it_answers(url)
        guard = parent_of(pid)
        watch = os.pidfd_open(guard)
        os.kill(guard, signal.SIGKILL)
        await asyncio.to_thread(wait_for_end, watch)
        put(url, "a", "1")
        await asyncio.sleep(0.3)
        assert server_pid(url) == pid
        os.kill(pid, signal.SIGKILL)
        again = await until_it_answers(url, pid)
        assert get(url, "a") == b"1"
        watch = os.pidfd_open(again)
    wait_for_end(watch)


def parent_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("PPid:")[2].split()[0])


def test_a_spoilt_file_is_reported_with_its_place_and_the_servers_words(tmp_path: Path) -> None:
    with EmbeddedRedis(data_root=tmp_path) as server:
        put(server.url, "a", "1")
    spoil_file(tmp_path)
    server = EmbeddedRedis(data_root=tmp_path)
    with pytest.raises(StoreUnavailable, match=r"ended with status 1; .*Bad file format") as caught:
        server.start()
    assert str(tmp_path / "store-0") in str(caught.value)
    with pytest.raises(StoreUnavailable, match="not running"):
        _ = server.url


async def test_a_server_that_ends_by_itself_again_and_again_is_given_up_with_its_last_words(
    tmp_path: Path,
) -> None:
    server = EmbeddedRedis(data_root=tmp_path)
    url = await asyncio.to_thread(server.start)
    put(url, "a", "1")
    spoil_file(tmp_path)
    os.kill(server_pid(url), signal.SIGKILL)

    with pytest.raises(StoreUnavailable, match=r"ended with status 1; .*Bad file format") as caught:
        await server.keep_alive(3)

    assert str(caught.value) == server.why_ended()
    await asyncio.to_thread(server.stop)


def test_a_server_that_never_answers_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    path = fake_server(tmp_path / "bin", "echo I am thinking; exec sleep 600")
    server = EmbeddedRedis(data_root=tmp_path, path=path, start_timeout_s=2.0)
    with pytest.raises(StoreUnavailable, match=r"did not answer within 2 s.*I am thinking"):
        server.start()


def test_a_server_on_the_path_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    path = fake_server(tmp_path / "bin", "exit 1")
    script = tmp_path / "bin" / "redis-server"
    script.write_text(script.read_text().replace("v=7", "v=5"), encoding="utf-8")
    with EmbeddedRedis(data_root=tmp_path / "data", path=path) as server:
        put(server.url, "a", "1")
        assert get(server.url, "a") == b"1"
