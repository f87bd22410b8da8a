"""What the figures were measured on: the machine, how busy it was, and all versions."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import psutil

import streamdev
from streamdev.engine.base import Progress
from streamdev.engine.dynamodb_local import BUILD, find_java
from streamdev.engine.environment import LOCALSTACK_VERSIONS
from streamdev.engine.installer import lock_file

_ROOT = Path(__file__).resolve().parents[2]
# A load above this, by core, before anything is measured spoils the figures.
QUIET = 0.25


def describe(progress: Progress) -> dict[str, str]:
    """Name → value, in the order to show; a machine that is busy already is told of."""
    busy = load()
    if busy > QUIET * (os.cpu_count() or 1):
        progress.note(f"The machine is busy (load {busy:.2f}): single figures say little now.")
    python = platform.python_version()
    java = find_java(progress)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": f"{os.cpu_count()} cores, {_processor()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": _system(),
        "load before the run": f"{busy:.2f} of {os.cpu_count()} cores",
        "streamdev": f"{streamdev.__version__}{_commit()}",
        "Python": python,
        "LocalStack": LOCALSTACK_VERSIONS.get(python.rpartition(".")[0], "none for this Python"),
        "DynamoDB Local": f"build of {BUILD}",
        "Java": _java_version(java) if java else "the system's",
        "MiniStack": ministack_version(),
    }


def load() -> float:
    """How many processes ran at once, on average, over the last minute."""
    return os.getloadavg()[0]


def ministack_version() -> str:
    """The version that is locked."""
    lines = lock_file("ministack").read_text().splitlines()
    line = next(line for line in lines if line.startswith("ministack=="))
    return line.split()[0].removeprefix("ministack==")


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _system() -> str:
    with contextlib.suppress(OSError):
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    return platform.platform(terse=True)


def _java_version(home: Path) -> str:
    with contextlib.suppress(OSError):
        for line in (home / "release").read_text().splitlines():
            if line.startswith("JAVA_VERSION="):
                return line.partition("=")[2].strip('"')
    return "unknown"


def _commit() -> str:
    def git(*words: str) -> str:
        ended = subprocess.run(
            ["git", *words], cwd=_ROOT, capture_output=True, text=True, check=True
        )
        return ended.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")
        return f", commit {git('rev-parse', '--short', 'HEAD')}{' with changes' if changed else ''}"
    except (OSError, subprocess.CalledProcessError):
        return ""
