"""Generates Python code and type stubs from protos/v1/*.proto, beside them.

The only way to generate: the generator's version is pinned in pyproject.toml. Runs protoc from the
repository root with ``-I .``, so that generated imports read ``from protos.v1 import ...``. There
are no stubs for services: the transport opens its one method by name and moves frames as bytes.
With ``--check`` nothing is written: it generates into a temporary folder and exits 1 if the
committed code differs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO_FOLDER = Path("protos/v1")
TIMEOUT_S = 120.0


def generate(out: Path) -> None:
    """Writes the code of all protos below ``out``; raises ``CalledProcessError`` if protoc does."""
    protos = sorted(path.relative_to(ROOT) for path in (ROOT / PROTO_FOLDER).glob("*.proto"))
    options = ["-I", ".", f"--python_out={out}", f"--pyi_out={out}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", *options, *map(str, protos)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=TIMEOUT_S)


def generated_in(folder: Path) -> dict[str, bytes]:
    """Returns the generated files of a folder by name."""
    return {path.name: path.read_bytes() for path in folder.glob("*_pb2*.py*")}


def check() -> list[str]:
    """Returns the names of generated files that differ from what the protos say today."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        fresh = generated_in(Path(scratch) / PROTO_FOLDER)
    committed = generated_in(ROOT / PROTO_FOLDER)
    names = sorted(fresh.keys() | committed.keys())
    return [name for name in names if fresh.get(name) != committed.get(name)]


def main() -> int:
    """Generates, or checks; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only, exit 1 on a difference")
    if not parser.parse_args().check:
        generate(ROOT)
        return 0
    different = check()
    if different:
        print(f"Not what the protos say: {', '.join(different)}. Run `make protos` and commit.")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
