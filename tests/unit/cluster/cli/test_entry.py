"""From a command line to an exit code: what any error becomes."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path

import pytest

from cluster.cli import main
from cluster.cli.console import Console
from cluster.cli.ending import Terminated
from cluster.cli.entry import execute
from cluster.cli.options import Options
from cluster.kernel.errors import ModelError

ROOT = Path(__file__).resolve().parents[4]


def ended(error: BaseException) -> tuple[int, str]:
    """The exit code of a command that ends in an error, and what it wrote."""

    def command(_options: Options, _console: Console) -> Coroutine[object, object, int]:
        async def fail() -> int:
            raise error

        return fail()

    console = Console(io.StringIO(), err := io.StringIO())
    return execute(["status"], console, command), err.getvalue()


def test_an_error_of_ours_is_its_sentence() -> None:
    assert ended(ModelError("the model\nrefused")) == (1, "fleetmind: the model refused\n")


def test_any_other_error_is_a_sentence_and_a_log_without_a_traceback(tmp_path: Path) -> None:
    exit_code, said = ended(ValueError("odd"))

    log = tmp_path / "state" / "fleetmind" / "last-error.log"
    assert exit_code == 1
    assert said == f"fleetmind: ValueError: odd; this was not foreseen, the details are in {log}\n"
    assert "Traceback" in log.read_text(encoding="utf-8")


def test_what_the_machine_refuses_is_said_with_what_to_raise() -> None:
    exit_code, said = ended(OSError(24, "Too many open files"))

    assert exit_code == 1
    assert said.startswith("fleetmind: no more files may be opened: raise the ")


def test_developers_get_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETMIND_DEBUG", "1")

    assert "Traceback" in ended(ModelError("no"))[1]


def test_an_interruption_is_one_line_and_130() -> None:
    assert ended(KeyboardInterrupt()) == (130, "fleetmind: interrupted\n")


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["models", "--help"]])
def test_help_is_printed_and_exits_0(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == 0
    assert "examples:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "the following arguments are required: COMMAND; see `fleetmind --help`"),
        (["rn"], "invalid choice: 'rn'"),
        (["models", "push"], "invalid choice: 'push'"),
        (["learn"], "the following arguments are required: PATH; see `fleetmind learn --help`"),
    ],
)
def test_a_command_line_that_is_none_of_ours_exits_2(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["run", "--json"], ["run", "why?", "--jsn", "--json"]])
def test_with_json_a_command_line_that_is_none_of_ours_is_an_object_as_well(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = main(arguments)

    told = capsys.readouterr()
    whole = json.loads(told.out)
    assert (exit_code, whole["status"], whole["error"]["kind"]) == (2, "failed", "usage")
    assert f"fleetmind: {whole['error']['message']}\n" == told.err


def test_a_reader_that_leaves_early_is_met_without_a_traceback() -> None:
    program = (
        "import sys\n"
        "from cluster.cli.entry import execute\n"
        "async def command(options, console):\n"
        "    for _ in range(10_000):\n"
        "        console.write('a line of text\\n')\n"
        "    return 0\n"
        "sys.exit(execute(['status'], None, command))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 1


def test_as_a_process_it_exits_with_the_code_and_all_it_wrote() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cluster", "run", " "],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fleetmind: the goal is empty: say what you want to know or have done\n"


@pytest.mark.parametrize(
    ("signalled", "exit_code"), [(Terminated(), 143), (KeyboardInterrupt(), 130)]
)
def test_a_signal_while_a_module_makes_a_class_ends_the_command_as_at_any_other_moment(
    signalled: KeyboardInterrupt, exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Named:
        def __set_name__(self, *_: object) -> None:
            raise signalled

    def execute(_: object) -> int:
        type("Made", (), {"name": Named()})
        return 0

    monkeypatch.setattr("cluster.cli.entry.execute", execute)

    assert main([]) == exit_code


SIGNALLED_AS_IT_IMPORTS = """
import os, sys
from importlib.abc import MetaPathFinder
from cluster.cli import main

class Collected:
    def __del__(self):  # Python shows what is raised in here, and goes on
        for number in NUMBERS.split(","):
            os.kill(os.getpid(), int(number))

class Signalled(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == MODULE:
            Collected()

MODULE, NUMBERS = sys.argv.pop(), sys.argv.pop()
sys.meta_path.insert(0, Signalled())
main()
"""


@pytest.mark.parametrize("module", ["cluster.cli.entry", "cluster.cli.models"])
@pytest.mark.parametrize(
    ("numbers", "ended"),
    [
        ([signal.SIGINT], (130, "fleetmind: interrupted\n")),
        ([signal.SIGTERM], (143, "fleetmind: terminated\n")),
        ([signal.SIGINT, signal.SIGINT], (130, "fleetmind: interrupted\n")),
    ],
)
def test_a_signal_that_comes_while_modules_are_imported_is_neither_lost_nor_shown(
    module: str, numbers: list[int], ended: tuple[int, str]
) -> None:
    arguments = ["models", ",".join(str(int(number)) for number in numbers), module]

    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED_AS_IT_IMPORTS, *arguments],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr, done.stdout) == (*ended, "")
