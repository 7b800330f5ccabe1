"""What a user can get wrong at the command line: one sentence, a FIXED exit code, nothing left.

Wrong usage (2) is found before anything is started, what doesn't answer (1) before Ray is.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import grpc
import pytest

from cluster.joining import check_can_listen
from cluster.kernel.errors import UsageError
from tests.support.commands import ROOT, Ended, Surroundings, surroundings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

SIMULATED = ("--model", "simulated:")
NOTES = ("starting the store", "connecting to the store", "joining the Ray cluster at ")
NOBODY = 65_534
SPARSE_BYTES = 100_000_000


@pytest.fixture
def here() -> Iterator[Surroundings]:
    with surroundings() as made:
        yield made


async def check(here: Surroundings, ended: Ended, exit_code: int, sentence: str) -> None:
    """Expect one sentence, after notes on what was being done where something was."""
    *notes, last = ended.lines
    assert last.startswith("fleetmind: ")
    assert sentence in last
    assert all(note.removeprefix("fleetmind: ").startswith(NOTES) for note in notes)
    assert not (notes and exit_code == 2)
    assert ended.exit_code == exit_code
    assert "Traceback" not in ended.err
    assert ended.out == ""
    await here.nothing_is_left()


WRONG_USAGE = {
    "an empty goal": (["run", " "], "the goal is empty: say what you want"),
    "an empty stdin": (["run", "-"], "the goal is empty: say what you want"),
    "no goal": (["run"], "the following arguments are required: GOAL"),
    "an unknown flag": (["run", "why?", "--knowlege", "docs"], "unrecognized arguments: --know"),
    "an unknown command": (["rum", "why?"], "invalid choice: 'rum'"),
    "a deadline of words": (["run", "why?", "--deadline", "soon"], "invalid float value: 'soon'"),
    "a deadline in the past": (["run", "why?", "--deadline", "-3"], "-3.0 is no number of seconds"),
    "an endless deadline": (["run", "why?", "--deadline", "inf"], "inf is no number of seconds"),
    "an unknown model": (["run", "why?", "--model", "gpt"], "--model: 'gpt' is no model; allowed"),
    "an unknown local model": (["run", "why?", "--model", "llama:x"], "no local model 'x'; known"),
    "an unknown option of a model": (
        ["run", "why?", "--model", "simulated:?speed=9"],
        "simulated: knows no speed; allowed are ttft_s and tokens_per_s",
    ),
    "a model without its key": (
        ["run", "why?", "--model", "openai:gpt"],
        "needs a key; set OPENAI_API_KEY, or set OPENAI_BASE_URL",
    ),
    "no Redis URL": (["run", "why?", "--redis", "http://x"], "--redis: not a Redis URL; allowed"),
    "no Ray address": (
        ["run", "why?", *SIMULATED, "--address", "http://h:8265"],
        "'http://h:8265' is no address of a Ray cluster; give HOST:PORT",
    ),
    "a host of another machine": (
        ["up", *SIMULATED, "--host", "192.0.2.7"],
        "the host '192.0.2.7' can't be listened on (Cannot assign requested address): network.host",
    ),
    "a host that nothing has": (
        ["up", *SIMULATED, "--host", "no such host"],
        "the host 'no such host' can't be listened on (nothing has that name): network.host",
    ),
    "an IPv6 address without brackets": (
        ["up", *SIMULATED, "--host", "::1"],
        "the host '::1' can't be listened on: write it as [::1]",
    ),
    "events that can't be written": (
        ["run", "why?", "--events", "no/such/file"],
        "--events: no/such/file can't be written: No such file",
    ),
    "a model nobody can pull": (["models", "pull", "x"], "no local model 'x'; known are"),
}


@pytest.mark.parametrize("name", WRONG_USAGE)
async def test_wrong_usage_is_a_sentence(here: Surroundings, name: str) -> None:
    arguments, sentence = WRONG_USAGE[name]

    ended = await here.fleetmind(*arguments)

    await check(here, ended, 2, sentence)


async def test_an_environment_for_programs_that_is_none_is_named(here: Surroundings) -> None:
    (here.folder / "fleet.toml").write_text('[sandbox]\npython = "nowhere"\n', encoding="utf-8")

    ended = await here.fleetmind("run", "why?", *SIMULATED)

    await check(here, ended, 2, "nowhere is no Python; name an interpreter such as")


KNOWLEDGE = {
    "missing": "'missing' doesn't exist",
    "empty.md": "'empty.md' is empty",
    "bare": "'bare' holds no text that can be read: name Markdown",
    "binary.md": "'binary.md' is binary, and of no format that knowledge is read from",
    "sparse.md": "'sparse.md' has 100.0 MB, more than the 20 MB",
    "pipe.md": "'pipe.md' is neither a file nor a folder",
    "": "the knowledge path is empty: name a file or a folder",
}


def make_knowledge(folder: Path) -> None:
    (folder / "good.md").write_text("The sky is teal.\n", encoding="utf-8")
    (folder / "bare").mkdir()
    (folder / "bare" / "empty.md").touch()
    (folder / "empty.md").touch()
    (folder / "binary.md").write_bytes(bytes(range(256)) * 16)
    with (folder / "sparse.md").open("wb") as sparse:
        sparse.truncate(SPARSE_BYTES)
    os.mkfifo(folder / "pipe.md")


@pytest.mark.parametrize("path", KNOWLEDGE)
async def test_knowledge_that_cannot_be_read_is_named(here: Surroundings, path: str) -> None:
    make_knowledge(here.folder)
    paths = ("--knowledge", "good.md", "--knowledge", path)

    ended = await here.fleetmind("run", "why?", *SIMULATED, *paths)

    await check(here, ended, 2, KNOWLEDGE[path])


@pytest.mark.parametrize("command", ["learn", "submit"])
async def test_every_command_looks_at_the_knowledge_first(here: Surroundings, command: str) -> None:
    make_knowledge(here.folder)
    arguments = ["empty.md"] if command == "learn" else ["why?", "--knowledge", "empty.md"]

    ended = await here.fleetmind(command, *arguments)

    await check(here, ended, 2, "'empty.md' is empty")


@pytest.mark.parametrize(
    ("private", "named", "sentence"),
    [
        ("secret.md", "secret.md", "'secret.md' can't be read (Permission denied)"),
        ("secrets/", "secrets", "'secrets' can't be read (Permission denied)"),
        ("docs/secrets/", "docs", "'docs' holds no text that can be read: name Markdown"),
    ],
)
async def test_knowledge_without_permission_is_named(
    here: Surroundings, private: str, named: str, sentence: str
) -> None:
    path = here.folder / private
    path.mkdir(parents=True) if private.endswith("/") else path.write_text("A secret.\n")
    path.chmod(0)
    prefix = as_nobody(here) if os.geteuid() == 0 else []

    process = await here.start(*("run", "why?", *SIMULATED, "--knowledge", named), prefix=prefix)
    ended = await here.ended(process)

    await check(here, ended, 2, sentence)


def as_nobody(here: Surroundings) -> list[str]:
    """Return what runs a command as a user who may read nothing private; skips where none can."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("the tests run as root, who may read everything, and there is no setpriv")
    ids = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    for folder in (here.folder, here.temp, here.folder / "home"):
        os.chown(folder, NOBODY, NOBODY)
    prefix = [setpriv, *ids]
    imports = [*prefix, *here.python, "-c", "import cluster.cli"]
    tried = subprocess.run(imports, cwd=here.folder, env=here.environment, check=False)
    if tried.returncode != 0:
        pytest.skip(f"the tests run as root, and other users can't read {ROOT} or its Python")
    return prefix


CONFIGURATIONS = {
    "an unknown key": (
        "[model]\nurl = 'openai:gpt'\n",
        "unknown key model.url, did you mean uri? allowed here: uri, base_url",
    ),
    "an unknown section": (
        "[modell]\nuri = 'simulated:'\n",
        "unknown key modell, did you mean model?",
    ),
    "a wrong type": (
        "[task]\ndeadline_s = 'soon'\n",
        'task.deadline_s must be a valid number, not "soon"',
    ),
    "a number out of range": (
        "[agents.coder]\nreplicas = 0\n",
        "agents.coder.replicas must be above 0, not 0",
    ),
    "no TOML": ("model: openai\n", "is not TOML: Expected '=' after a key"),
    "a wrong model": ("[model]\nuri = 'gpt'\n", "model.uri: 'gpt' is no model; allowed are"),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
async def test_a_wrong_configuration_names_file_and_key(here: Surroundings, name: str) -> None:
    text, sentence = CONFIGURATIONS[name]
    path = here.folder / "fleet.toml"
    path.write_text(text, encoding="utf-8")

    ended = await here.fleetmind("run", "why?")

    await check(here, ended, 2, sentence)
    assert str(path) in ended.err


@contextmanager
def closed_port() -> Iterator[str]:
    """Yield an address that refuses connections: taken, but not listened at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def silent_port() -> Iterator[str]:
    """Yield an address that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"127.0.0.1:{silent.getsockname()[1]}"


async def test_a_redis_that_refuses_is_named(here: Surroundings) -> None:
    with closed_port() as address:
        ended = await here.fleetmind("run", "why?", *SIMULATED, "--redis", f"redis://{address}/0")

    await check(here, ended, 1, f"the store at redis://{address}/0 can't be reached")


async def test_a_ray_address_that_refuses_is_named(here: Surroundings) -> None:
    with closed_port() as address:
        ended = await here.fleetmind("run", "why?", *SIMULATED, "--address", address)

    await check(here, ended, 1, f"no Ray cluster answers at {address}: connection refused")


async def test_a_dashboard_that_refuses_is_named(here: Surroundings) -> None:
    with closed_port() as address:
        url = f"http://{address}"
        ended = await here.fleetmind("submit", "why?", *SIMULATED, "--address", url)

    await check(here, ended, 1, f"no Ray dashboard answers at {url}")


async def test_servers_that_never_answer_are_given_up(here: Surroundings) -> None:
    with silent_port() as address:
        redis, ray = await asyncio.gather(
            here.fleetmind("run", "why?", *SIMULATED, "--redis", f"redis://{address}/0"),
            here.fleetmind("run", "why?", *SIMULATED, "--address", address),
        )

    await check(here, redis, 1, f"the store at redis://{address}/0 did not answer within")
    await check(here, ray, 1, f"no Ray cluster answers at {address} within")


class Guard(grpc.GenericRpcHandler):
    """Refuses every call as a Ray cluster with another token does."""

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes]:
        def refuse(_request: bytes, context: grpc.ServicerContext) -> NoReturn:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")

        return grpc.unary_unary_rpc_method_handler(refuse)


@pytest.mark.parametrize(("token", "sentence"), [("", "asks for a token"), ("t" * 32, "refuses")])
async def test_a_ray_cluster_that_refuses_the_token_is_named(
    here: Surroundings, token: str, sentence: str
) -> None:
    if token:
        (here.folder / "home" / ".ray").mkdir()
        (here.folder / "home" / ".ray" / "auth_token").write_text(token, encoding="ascii")
    server = grpc.server(ThreadPoolExecutor(1), handlers=[Guard()])
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()

    ended = await here.fleetmind("run", "why?", *SIMULATED, "--address", address)

    server.stop(None).wait()
    await check(here, ended, 1, f"the Ray cluster at {address} {sentence}")
    assert "~/.ray/auth_token" in ended.err


async def test_with_json_a_failure_to_start_is_an_object_as_well(here: Surroundings) -> None:
    with closed_port() as address:
        redis = ("--redis", f"redis://{address}/0")
        ended = await here.fleetmind("run", "why?", *SIMULATED, *redis, "--json")

    whole = json.loads(ended.out)
    assert (whole["status"], whole["error"]["kind"], ended.exit_code) == ("failed", "store", 1)
    assert whole["error"]["message"] in ended.lines[-1]
    await here.nothing_is_left()


@pytest.mark.parametrize(
    ("host", "remedy"),
    [
        ("127.0.0.1", "bring its loopback interface up"),
        ("0.0.0.0", "bring its loopback interface up"),  # noqa: S104 - refused
        ("192.0.2.7", "give an address that it reaches"),
    ],
)
def test_a_machine_that_does_not_reach_itself_is_said_to_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, host: str, remedy: str
) -> None:
    def connect(*_: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("socket.socket.bind", lambda *_: None)
    monkeypatch.setattr("socket.socket.getsockname", lambda _: (host, 1))
    monkeypatch.setattr("socket.socket.connect", connect)

    with pytest.raises(UsageError, match=f"'{host}' is not reached .*Network is unreach.*{remedy}"):
        check_can_listen(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])  # noqa: S104
def test_a_host_of_this_machine_can_be_listened_on(host: str) -> None:
    check_can_listen(host)
