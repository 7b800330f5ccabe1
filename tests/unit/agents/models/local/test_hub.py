"""Files of the hub: fetched whole, gone on with, compared, and refused in a sentence otherwise."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from agents.models.local import catalog
from agents.models.local.hub import HubFile, pull_from_hub
from cluster.kernel.errors import ModelError, UsageError
from tests.support.hub import COMMIT, Hub, served_hub

GGUF = b"GGUF" + bytes(range(256)) * 40
BLOCK = 1000
PAGE = b"\n<!doctype html><html><title>Sign in</title></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0f\nsize 10244\n"
FILE = HubFile("owner/name", "tiny.gguf")
NAME = "hf:owner/name/tiny.gguf"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "0")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "localhost")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10**7)
    monkeypatch.setattr("agents.models.local.hub.PIECE_BYTES", BLOCK)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _s: None)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with served_hub(Hub(GGUF)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


class Seen(NamedTuple):
    done: int
    total: int


class Progress:
    """Hears how far a fetch is; a number of bytes after which somebody presses Ctrl-C."""

    def __init__(self, interrupted_at: int | None = None) -> None:
        self.seen: list[Seen] = []
        self._interrupted_at = interrupted_at

    def __call__(self, done: int, total: int) -> None:
        self.seen.append(Seen(done, total))
        if self._interrupted_at is not None and done >= self._interrupted_at:
            raise KeyboardInterrupt


def left() -> list[str]:
    """What lies in the folder of the file."""
    return sorted(path.name for path in FILE.path.parent.iterdir())


def refusal() -> str:
    with pytest.raises(ModelError) as refused:
        pull_from_hub(FILE, print)
    return str(refused.value)


def test_a_file_is_fetched_whole_and_is_then_a_model_of_that_name(hub: Hub) -> None:
    progress = Progress()

    path = catalog.pull(NAME, progress)

    assert path.read_bytes() == GGUF
    assert left() == ["tiny.gguf"]
    assert progress.seen[0] == (0, len(GGUF))
    assert progress.seen[-1] == (len(GGUF), len(GGUF))
    assert catalog.find(NAME) == path
    assert [model.name for model in catalog.local_models()][1:] == [NAME]
    assert [(each.method, each.path) for each in hub.asked] == [
        ("HEAD", "/owner/name/resolve/main/tiny.gguf"),
        ("GET", f"/owner/name/resolve/{COMMIT}/tiny.gguf"),
    ]


def test_what_is_here_whole_is_not_fetched_again(hub: Hub) -> None:
    pull_from_hub(FILE, print)

    pull_from_hub(FILE, print)

    assert hub.sent_ranges == [""]


def test_a_file_that_the_hub_has_another_version_of_is_replaced(hub: Hub) -> None:
    pull_from_hub(FILE, print)
    hub.content = GGUF + b"newer"

    assert pull_from_hub(FILE, print).read_bytes() == GGUF + b"newer"
    assert left() == ["tiny.gguf"]


def test_a_fetch_that_was_interrupted_goes_on_where_it_was(hub: Hub) -> None:
    with pytest.raises(KeyboardInterrupt):
        pull_from_hub(FILE, Progress(interrupted_at=3 * BLOCK))
    assert not FILE.is_here
    progress = Progress()

    path = pull_from_hub(FILE, progress)

    assert path.read_bytes() == GGUF
    assert left() == ["tiny.gguf"]
    assert progress.seen[0].done > 0
    assert hub.sent_ranges == ["", f"bytes={progress.seen[0].done}-"]


def test_a_connection_that_breaks_is_gone_on_with_in_the_same_fetch(hub: Hub) -> None:
    hub.cuts = [5 * BLOCK, BLOCK]

    assert pull_from_hub(FILE, print).read_bytes() == GGUF
    assert len(hub.sent_ranges) == 3


def test_a_server_that_sends_the_whole_again_spoils_nothing(hub: Hub) -> None:
    with pytest.raises(KeyboardInterrupt):
        pull_from_hub(FILE, Progress(interrupted_at=3 * BLOCK))
    hub.takes_ranges = False

    assert pull_from_hub(FILE, print).read_bytes() == GGUF


def test_what_has_come_of_another_version_is_not_gone_on_with(hub: Hub) -> None:
    with pytest.raises(KeyboardInterrupt):
        pull_from_hub(FILE, Progress(interrupted_at=3 * BLOCK))
    hub.content = b"GGUF" + bytes(9 * BLOCK)

    assert pull_from_hub(FILE, print).read_bytes() == hub.content
    assert left() == ["tiny.gguf"]
    assert hub.sent_ranges == ["", ""]


def test_bytes_that_are_others_than_the_hub_says_are_not_kept(hub: Hub) -> None:
    hub.sent = GGUF[:-1] + b"!"

    said = refusal()

    assert "came as 10,244 bytes with the SHA-256" in said
    assert f"{hub.url} says 10,244 and {hub.etag[:12]}...; it was not kept" in said
    assert left() == []


@pytest.mark.parametrize(
    ("sent", "came"),
    [
        (PAGE, "an HTML page"),
        (POINTER, "a pointer of git-lfs"),
        (b"oops", "4 bytes, and {hub} says 10,244"),
        (b"", "0 bytes, and {hub} says 10,244"),
        (GGUF[:-1], "10,243 bytes, and {hub} says 10,244"),
        (GGUF + bytes(100 * BLOCK), "110,244 bytes, and {hub} says 10,244"),
    ],
)
def test_something_else_in_the_place_of_the_file_is_named_and_nothing_of_it_kept(
    hub: Hub, sent: bytes, came: str
) -> None:
    hub.sent = sent

    assert refusal() == (
        f"{NAME} did not come: in its place came {came.format(hub=hub.url)}; nothing of it was "
        "kept, look at what stands between you and the hub"
    )
    assert left() == []
    assert len(hub.sent_ranges) == 1


def test_a_page_without_a_length_is_named_too(hub: Hub) -> None:
    hub.sent, hub.tells_length = PAGE, False

    assert "in its place came an HTML page; nothing of it was kept" in refusal()
    assert left() == []


def test_a_page_in_the_place_of_the_rest_leaves_what_has_come(hub: Hub) -> None:
    with pytest.raises(KeyboardInterrupt):
        pull_from_hub(FILE, Progress(interrupted_at=3 * BLOCK))
    hub.sent, hub.takes_ranges = PAGE, False
    assert "in its place came an HTML page" in refusal()
    hub.sent, hub.takes_ranges = None, True
    progress = Progress()

    assert pull_from_hub(FILE, progress).read_bytes() == GGUF
    assert progress.seen[0].done > 0


def test_a_page_after_a_connection_broke_leaves_what_has_come(hub: Hub) -> None:
    hub.cuts = [5 * BLOCK]

    def sign_out(done: int, _total: int) -> None:
        if done == 5 * BLOCK:
            hub.sent, hub.takes_ranges = PAGE, False

    with pytest.raises(ModelError, match="in its place came an HTML page"):
        pull_from_hub(FILE, sign_out)

    assert [path.stat().st_size for path in FILE.path.parent.iterdir()] == [5 * BLOCK]


def test_a_rest_of_another_length_leaves_what_has_come(hub: Hub) -> None:
    with pytest.raises(KeyboardInterrupt):
        pull_from_hub(FILE, Progress(interrupted_at=3 * BLOCK))
    hub.sent = GGUF + b"newer"

    assert "came 10,249 bytes, and" in refusal()
    assert [path.stat().st_size for path in FILE.path.parent.iterdir()] == [2 * BLOCK]


def test_a_line_that_breaks_before_the_clients_own_piece_is_whole_gets_on(hub: Hub) -> None:
    hub.cuts = [BLOCK] * 8

    assert pull_from_hub(FILE, print).read_bytes() == GGUF
    assert hub.sent_ranges == ["", *(f"bytes={done * BLOCK}-" for done in range(1, 9))]


def test_fewer_bytes_than_the_hub_says_are_no_file(hub: Hub) -> None:
    hub.sent, hub.tells_length = GGUF[:-1], False

    assert refusal() == (
        f"{NAME} did not come whole from {hub.url}; try again: it goes on where it was"
    )
    assert not FILE.is_here


def test_more_bytes_than_the_hub_says_are_not_waited_for(hub: Hub) -> None:
    hub.sent, hub.tells_length = GGUF + bytes(100 * BLOCK), False
    progress = Progress()

    with pytest.raises(ModelError) as refused:
        pull_from_hub(FILE, progress)

    assert str(refused.value) == (
        f"{NAME} comes as more than the 10,244 bytes that {hub.url} says; it was not kept, look at "
        "what stands between you and the hub"
    )
    assert progress.seen[-1].done <= len(GGUF)
    assert left() == []


def test_a_file_that_is_too_large_for_the_hubs_plain_http_is_told_at_once(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.MAX_HTTP_DOWNLOAD_SIZE", BLOCK)

    assert "the hub gives no file of more than" in refusal()
    assert hub.sent_ranges == []


def test_without_a_hash_nothing_is_fetched(hub: Hub) -> None:
    hub.sha256 = "none"

    assert "tells no SHA-256 of hf:owner/name/tiny.gguf" in refusal()
    assert hub.sent_ranges == []


def test_what_is_no_gguf_file_is_not_kept(hub: Hub) -> None:
    hub.content = b"PK" + bytes(9 * BLOCK)
    progress = Progress()

    with pytest.raises(ModelError) as refused:
        pull_from_hub(FILE, progress)

    assert str(refused.value) == (f"{NAME} is no GGUF file, whatever its name: choose another one")
    assert progress.seen == [(0, 9 * BLOCK + 2)]
    assert left() == []


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (404, "EntryNotFound", "is not in the repository owner/name; see which files"),
        (404, "RepoNotFound", "has no repository owner/name, or doesn't show it; check the name"),
        (401, "RepoNotFound", "or set HF_TOKEN where it is private"),
        (403, "GatedRepo", "is given to those only who were granted access; ask for it"),
        (403, "-", "(403); set HF_TOKEN to a token that may read it"),
        (404, "-", "is not there: {hub} answers 404; check the name and HF_ENDPOINT"),
        (503, "-", "(503); try again later"),
    ],
)
def test_a_refusal_is_one_sentence(hub: Hub, status: int, code: str, said: str) -> None:
    hub.status, hub.code = status, code

    sentence = refusal()

    assert said.format(hub=hub.url) in sentence
    assert "\n" not in sentence


def test_a_hub_that_can_not_be_reached_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://me:secret@127.0.0.1:1")

    sentence = refusal()

    assert "could not be fetched from http://127.0.0.1:1 (ConnectError: " in sentence
    assert "check the network, its proxy and HF_ENDPOINT" in sentence
    assert "secret" not in sentence


def test_offline_is_offline(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    assert refusal() == f"{NAME} can't be fetched offline; unset HF_HUB_OFFLINE"
    assert hub.asked == []


def test_a_token_is_sent_to_the_hub_and_not_to_where_it_keeps_its_files(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with served_hub(Hub(GGUF)) as store:
        hub.moved_to = store.url.replace("127.0.0.1", "localhost")

        assert pull_from_hub(FILE, print).read_bytes() == GGUF

    assert {each.headers.get("authorization") for each in hub.asked} == {"Bearer hf_secret"}
    assert [each.headers.get("authorization") for each in store.asked] == [None]


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=BLOCK)
    monkeypatch.setattr("agents.models.local.hub.shutil.disk_usage", lambda _path: usage)

    assert "needs 0 MB in" in refusal()
    assert hub.sent_ranges == []


def test_two_do_not_fetch_the_same_file(hub: Hub) -> None:
    def meanwhile(_done: int, _total: int) -> None:
        assert refusal() == f"{NAME} is being fetched by another process: wait"

    pull_from_hub(FILE, meanwhile)

    assert FILE.is_here


def test_a_version_that_another_process_is_fetching_is_left_to_it(hub: Hub) -> None:
    newer = GGUF + b"newer"

    def meanwhile(_done: int, _total: int) -> None:
        if not FILE.is_here:
            hub.content, hub.sent = newer, newer
            pull_from_hub(FILE, print)
            hub.sent = GGUF

    hub.sent = GGUF
    pull_from_hub(FILE, meanwhile)

    assert FILE.path.read_bytes() == GGUF
    assert left() == ["tiny.gguf"]


def test_a_folder_that_can_not_be_written_is_named(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")

    assert f"can't be kept in {FILE.path.parent} (Not a directory)" in refusal()


@pytest.mark.parametrize(
    "name",
    [
        "hf:",
        "hf:owner/name",
        "hf:owner/tiny.gguf",
        "hf:owner/name/../../x.gguf",
        "hf:owner/name//x.gguf",
        "hf:../name/x.gguf",
        "hf:owner/name/x\n.gguf",
        "hf:owner/name/x?.gguf",
    ],
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"it is hf:OWNER/NAME/FILE\.gguf"):
        catalog.pull(name)


def test_names_that_the_client_refuses_are_refused(hub: Hub) -> None:
    with pytest.raises(UsageError, match="the hub has no such names"):
        catalog.pull("hf:owner/a--b/x.gguf")


def test_a_part_of_a_model_is_no_model() -> None:
    with pytest.raises(UsageError, match="is one of the 3 parts of a model"):
        catalog.pull("hf:owner/name/large-00001-of-00003.gguf")


def test_only_gguf_files_can_be_fetched() -> None:
    with pytest.raises(UsageError, match="names no GGUF file"):
        catalog.pull("hf:owner/name/model.safetensors")


def test_a_model_that_was_not_fetched_is_said_to_be_missing_with_how_to_fetch_it() -> None:
    with pytest.raises(UsageError) as refused:
        catalog.find(NAME)

    assert str(refused.value) == (
        f"the model {NAME} is not on this machine; fetch it with `fleetmind models pull {NAME}`"
    )
