"""Whoever asked for it is told of a task's end: once as a rule, and at least once in any case."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from cluster.kernel.errors import DeliveryError
from cluster.kernel.events import Answered
from cluster.kernel.ids import TaskId
from cluster.kernel.vocabulary import Answer
from cluster.memory.store.local import LocalStore
from cluster.memory.store.port import NO_FENCE, Fence
from cluster.serving.ports import TaskOrder
from cluster.serving.webhooks import (
    ATTEMPTS_MAX,
    CLAIM_S,
    Webhooks,
    key_of_secret,
    next_attempt,
    sending,
    signed,
)
from cluster.serving.wire import Webhook
from tests.support.clock import ManualClock
from tests.support.fake_desk import FakeDesk, Until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
URL = "https://example.org/hook"
TURNS_MAX = 2_000


class Receiver:
    """Keeps what it is told; answers as it is said to, and with 204 after that."""

    def __init__(self, clock: ManualClock) -> None:
        self.answers: list[int | Exception] = []
        self.told: list[tuple[str, dict[str, str], bytes]] = []
        self.at: list[float] = []
        self._clock = clock
        self._began = clock.wall()

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        self.told.append((url, dict(headers), body))
        self.at.append(self._clock.wall() - self._began)
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if self.answers else 204
        if isinstance(answer, Exception):
            raise answer
        return answer


class OthersAreFaster(LocalStore):
    """One where another replica tells between a look at a wish and the claim on it."""

    async def put_once(
        self,
        name: str,
        key: str,
        epoch: int,
        value: bytes,
        ttl_s: float,
        *,
        fence: Fence = NO_FENCE,
    ) -> bool:
        await self.delete([key.replace("webhook-claim/", "webhook/")])
        return await super().put_once(name, key, epoch, value, ttl_s, fence=fence)


class Cluster:
    """A store and a desk, with as many replicas of the ingress as a test wants."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = LocalStore(self.clock)
        self.end = asyncio.Event()
        self.desk = FakeDesk([Until(self.end), Answered(Answer("done"))])
        self.receiver = Receiver(self.clock)

    def replica(self) -> Webhooks:
        return Webhooks(self.store, self.desk, self.clock, self.receiver, self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    async def started(self, *keepers: Webhooks) -> TaskId:
        task = self.desk.new_task()
        for each in keepers:
            await each.keep(Webhook(task, URL, key_of_secret(SECRET)))
        await self.desk.start(TaskOrder("?", 60.0), task)
        for each in keepers:
            each.follow(task)
        return task

    async def wishes(self) -> list[str]:
        return sorted(await self.store.items("webhook"))


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    yield made
    await made.desk.aclose()


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(TURNS_MAX):
        if is_so():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come to that")


async def quiet() -> None:
    """Let everything happen that is about to."""
    for _ in range(200):
        await asyncio.sleep(0)


async def test_nobody_is_told_before_the_end_and_somebody_once_after(cluster: Cluster) -> None:
    replica = cluster.replica()
    async with sending(replica):
        task = await cluster.started(replica)
        await quiet()
        before = len(cluster.receiver.told)
        cluster.end.set()
        await quiet()

    [(url, headers, body)] = cluster.receiver.told
    told = json.loads(body)
    assert (before, url, headers["webhook-id"]) == (0, URL, task)
    assert (told["type"], told["data"]["id"]) == ("task.answered", task)
    assert told["data"]["result_url"] == f"/v1/tasks/{task}/result"
    assert await cluster.wishes() == []


async def test_a_wish_outlives_the_replica_that_took_it(cluster: Cluster) -> None:
    task = await cluster.started(cluster.replica())
    cluster.end.set()
    async with sending(cluster.replica()):
        await quiet()

    assert [headers["webhook-id"] for _, headers, _ in cluster.receiver.told] == [task]


class BreaksOnce(LocalStore):
    """One whose first look at the wishes fails as nobody has foreseen."""

    has_broken = False

    async def items(self, prefix: str) -> dict[str, bytes]:
        if not self.has_broken:
            self.has_broken = True
            raise KeyError("a detail")
        return await super().items(prefix)


async def test_what_crashes_begins_again_and_says_so(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    task = await cluster.started()
    cluster.store = BreaksOnce(cluster.clock)
    replica = cluster.replica()
    await replica.keep(Webhook(task, URL, key_of_secret(SECRET)))
    cluster.end.set()
    async with sending(replica):
        await quiet()

    assert [headers["webhook-id"] for _, headers, _ in cluster.receiver.told] == [task]
    assert "the webhooks begin again" in caplog.text


async def test_two_replicas_tell_once(cluster: Cluster) -> None:
    one, other = cluster.replica(), cluster.replica()
    async with sending(one), sending(other):
        await cluster.started(one, other)
        cluster.end.set()
        await quiet()

    assert len(cluster.receiver.told) == 1
    assert await cluster.wishes() == []


async def test_what_another_has_told_meanwhile_is_not_told_again(cluster: Cluster) -> None:
    cluster.store = OthersAreFaster(cluster.clock)
    replica = cluster.replica()
    cluster.end.set()
    async with sending(replica):
        await cluster.started(replica)
        await quiet()

    assert cluster.receiver.told == []
    assert await cluster.wishes() == []


async def test_what_a_dead_replica_had_claimed_is_told_when_its_claim_is_over(
    cluster: Cluster,
) -> None:
    replica = cluster.replica()
    task = await cluster.started(replica)
    claim = f"webhook-claim/{task}"
    await cluster.store.put_once("webhook-claim/", claim, 1, b"1", CLAIM_S)
    cluster.end.set()
    async with sending(replica):
        await until(lambda: len(cluster.receiver.told) == 1)

    assert cluster.receiver.at[0] >= CLAIM_S


async def test_it_is_tried_again_later_and_later(cluster: Cluster) -> None:
    replica = cluster.replica()
    cluster.receiver.answers = [500, DeliveryError("no answer"), 302]
    cluster.end.set()
    async with sending(replica):
        await cluster.started(replica)
        await until(lambda: len(cluster.receiver.told) == 4)
        await quiet()

    assert cluster.receiver.at == pytest.approx([0.0, 1.0, 6.0, 31.0], abs=0.5)
    assert len({body for _, _, body in cluster.receiver.told}) == 1
    assert await cluster.wishes() == []


async def test_it_is_given_up_at_last(cluster: Cluster) -> None:
    replica = cluster.replica()
    cluster.receiver.answers = [500] * 20
    cluster.end.set()
    async with sending(replica):
        await cluster.started(replica)
        await until(lambda: len(cluster.receiver.told) == ATTEMPTS_MAX)
        await quiet()

    assert len(cluster.receiver.told) == ATTEMPTS_MAX
    assert await cluster.wishes() == []


async def test_a_receiver_that_breaks_us_keeps_no_other_waiting(cluster: Cluster) -> None:
    replica = cluster.replica()
    cluster.receiver.answers = [ZeroDivisionError()]
    cluster.end.set()
    async with sending(replica):
        await cluster.started(replica)
        await quiet()
        await cluster.started(replica)
        await quiet()

    assert len(cluster.receiver.told) == 2


async def test_a_wish_that_is_dropped_is_none(cluster: Cluster) -> None:
    replica = cluster.replica()
    async with sending(replica):
        task = await cluster.started(replica)
        await quiet()
        await replica.drop(task)
        cluster.end.set()
        await quiet()

    assert cluster.receiver.told == []


async def test_a_task_that_was_never_begun_is_told_of_to_nobody(cluster: Cluster) -> None:
    replica = cluster.replica()
    await replica.keep(Webhook(TaskId("1" * 32), URL, b"k" * 32))
    async with sending(replica):
        await quiet()

    assert cluster.receiver.told == []
    assert len(await cluster.wishes()) == 1


def test_the_waits_grow_to_a_quarter_of_an_hour() -> None:
    webhook = Webhook(TaskId("1" * 32), URL, b"k" * 32)
    waits = []
    while (following := next_attempt(webhook, 1000.0)) is not None:
        webhook = following
        waits.append(webhook.not_before_wall_s - 1000.0)

    assert waits == [1.0, 5.0, 25.0, 125.0, 625.0, 900.0, 900.0]


def test_the_signature_is_that_of_the_published_example() -> None:
    webhook = Webhook(TaskId("msg_p5jXN8AQM9LWM0D4loKWxJek"), URL, key_of_secret(SECRET))

    headers = signed(webhook, b'{"test": 2432232314}', 1614265330)

    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_short", SECRET[6:], "whsec_!!!", SECRET * 9]
)
def test_what_is_no_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="random bytes in base64"):
        key_of_secret(secret)
