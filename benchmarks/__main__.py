"""`make bench`: runs the groups of benchmarks, prints a table, writes `build/bench.json`.

`ONLY=messaging` runs one group, `QUICK=1` the short form. The groups that take minutes and are no
comparison with anything run only where they are named.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.harness import Figure, summary

GROUPS = {
    "floors": "benchmarks.bench_floors",
    "messaging": "benchmarks.bench_messaging",
    "peers": "benchmarks.bench_peers",
    "journal": "benchmarks.bench_journal",
    "report": "benchmarks.bench_report",
    "json": "benchmarks.bench_json",
    "engine": "benchmarks.bench_engine",
    "dispatch": "benchmarks.bench_dispatch",
    "attach": "benchmarks.bench_attach",
    "search": "benchmarks.bench_search",
    "learning": "benchmarks.bench_learning",
    "state": "benchmarks.bench_state",
    "evidence": "benchmarks.bench_evidence",
    "hedging": "benchmarks.bench_hedging",
    "router": "benchmarks.bench_router",
}
LONG_GROUPS = {
    "schedule": "benchmarks.bench_schedule",
    "knowledge": "benchmarks.bench_knowledge",
    "uneven": "benchmarks.bench_uneven",
    "ablations": "benchmarks.bench_ablations",
    "overload": "benchmarks.bench_overload",
    "cancel": "benchmarks.bench_cancel",
    "tail": "benchmarks.bench_tail",
    "speculation": "benchmarks.bench_speculation",
    "serving": "benchmarks.bench_serving",
}
OUTPUT = Path("build/bench.json")
VERSIONS_OF = ("ray", "grpcio", "protobuf", "redis", "uvloop", "numpy", "faiss-cpu", "openai")


def describe_machine() -> dict[str, object]:
    """Return what a reader needs to judge the figures."""
    return {
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "versions": {name: version(name) for name in VERSIONS_OF},
        "commit": _commit(),
        "at": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
    }


def _commit() -> str:
    """Return the commit that is checked out, empty outside of a checkout."""
    command = ["git", "rev-parse", "--short", "HEAD"]  # found on the user's own path
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=10
        ).stdout.strip()
    except OSError:
        return ""


def table_row(figure: Figure) -> str:
    """Return a figure as one line of the table."""
    value = "not run" if figure.value is None else f"{figure.value:,.4g} {figure.unit}"
    interval = f"[{figure.ci95[0]:.4g}, {figure.ci95[1]:.4g}]" if figure.ci95 is not None else ""
    p99 = "" if figure.p99 is None else f"p99 {figure.p99:,.4g}"
    return (
        f"{figure.name:<38} {value:>18} {figure.goal:>8}  {interval:<20} {p99:<14}"
        f" n={figure.n:<6} {figure.note}"
    )


def write(figures: list[Figure], machine: dict[str, object], *, is_all: bool) -> None:
    """Write the figures; a run of one group replaces those of the same names and keeps the rest."""
    OUTPUT.parent.mkdir(exist_ok=True)
    kept: list[dict[str, object]] = []
    if OUTPUT.exists() and not is_all:
        names = {figure.name for figure in figures}
        kept = [old for old in json.loads(OUTPUT.read_text()) if old["name"] not in names]
    OUTPUT.write_text(json.dumps(kept + [figure.to_json() for figure in figures], indent=1))
    OUTPUT.with_name("bench-machine.json").write_text(json.dumps(machine, indent=1))


def _measured(group: str, module: str, arguments: argparse.Namespace) -> list[Figure]:
    options: dict[str, object] = {}
    if group == "evidence":
        files = {"claims": arguments.claims, "replay": arguments.replay}
        options = {name: path for name, path in files.items() if path is not None}
        options["is_verbose"] = arguments.verbose
    elif group == "router":
        options = {"intents": arguments.intents, "is_verbose": arguments.verbose}
    figures: list[Figure] = importlib.import_module(module).run(is_quick=arguments.quick, **options)
    return figures


def main() -> int:
    """Run the chosen groups; exit status 0 even where a goal is missed: the table says so."""
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # else gRPC comments on each process we start
    known = GROUPS | LONG_GROUPS
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[*known, ""], default="", help="run one group")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for CI")
    parser.add_argument("--claims", type=Path, help="evidence: another file of WiCE's format")
    parser.add_argument("--replay", type=Path, help="evidence: other recorded tasks")
    parser.add_argument("--intents", type=Path, help="router: a JSON list of [text, intent]")
    parser.add_argument("--verbose", action="store_true", help="evidence, router: tell what failed")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    machine = describe_machine()
    print(json.dumps(machine))
    for group in [arguments.only] if arguments.only else list(GROUPS):
        print(f"{group} ...", file=sys.stderr, flush=True)
        measured = _measured(group, known[group], arguments)
        for figure in measured:
            print(table_row(figure), flush=True)
        figures += measured
        write(figures, machine, is_all=not arguments.only)
    print(summary(figures))
    if not arguments.only:
        print("left out, each to be named with ONLY=:", ", ".join(LONG_GROUPS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
