"""Installing locked, hashed lists of Python packages with uv."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from streamdev.engine import subprocesses
from streamdev.errors import EngineStartError

LOCKS = Path(__file__).parent / "locks"

# What uv prints, and what that means; the first that is found counts.
_CAUSES = (
    (
        ("No space left on device", "Disk quota exceeded"),
        "the disk is full",
        "Make room, or set STREAMDEV_CACHE (and UV_CACHE_DIR) to a folder on another disk.",
    ),
    (
        ("Hash mismatch",),
        "what the package registry sent is not what was locked",
        "Try again (uv cache clean drops what was sent); is there a proxy or mirror between?",
    ),
    (
        (
            "dns error", "client error (Connect)", "error sending request", "operation timed out",
            "the network was disabled", "tunnel error", "invalid peer certificate",
        ),
        "the package registry can't be reached",
        "Check the network. Behind a proxy set HTTPS_PROXY, for a mirror UV_DEFAULT_INDEX, for "
        "a certificate authority of your own SSL_CERT_FILE.",
    ),
    (
        ("no wheels with a matching", "no wheel", "has no usable wheels"),
        "a package has no build for this platform",
        "Use an engine that needs none: ./dev.py --engine compose up",
    ),
)  # fmt: skip


def lock_file(name: str) -> Path:
    """The locked list ``name`` (it may not exist)."""
    return LOCKS / f"{name}.txt"


def create_environment(root: Path, lock: Path, *, python: Path, what: str) -> None:
    """Make a virtual environment at ``root`` with the packages of ``lock``.

    It can be renamed afterwards (its scripts find their interpreter beside them), and it
    holds bytecode, so that the first start is no slower than the next.

    Args:
        root: A path that does not exist yet.
        lock: The locked list.
        python: The interpreter to make it from.
        what: What it is, for messages.

    Raises:
        EngineStartError: It can't be made.
    """
    _uv("venv", "--quiet", "--relocatable", "--python", str(python), str(root), what=what)
    _uv(
        *("pip", "sync", "--python", str(root / "bin" / "python"), "--compile-bytecode"),
        *_hashed(lock),
        what=what,
    )


@dataclass(frozen=True)
class Target:
    """A Python elsewhere that packages are installed for.

    Attributes:
        python_version: Its minor version, e.g. ``3.13``.
        platform: uv's name of its platform, e.g. ``aarch64-manylinux_2_28``.
    """

    python_version: str
    platform: str


def install_flat(
    folder: Path, lock: Path, *, python: Path, target: Target | None, what: str
) -> None:
    """Put the packages of ``lock`` into ``folder``, to be named in ``sys.path``.

    Args:
        folder: A path that does not exist yet.
        lock: The locked list.
        python: An interpreter of this machine.
        target: What will import the packages, where it is not ``python``.
        what: What it is, for messages.

    Raises:
        EngineStartError: It can't be made.
    """
    if target is None:
        mode = ["--compile-bytecode"]
    else:
        mode = ["--python-version", target.python_version, "--python-platform", target.platform]
        mode += ["--only-binary", ":all:"]
        if target.python_version == f"{sys.version_info.major}.{sys.version_info.minor}":
            # Bytecode depends on Python's version alone, and its folder is mounted read-only.
            mode.append("--compile-bytecode")
    _uv(
        *("pip", "install", "--no-deps", "--python", str(python), "--target", str(folder)),
        *mode,
        "--requirements",
        *_hashed(lock),
        what=what,
    )


def _hashed(lock: Path) -> tuple[str, ...]:
    return (str(lock), "--require-hashes", "--build-constraints", str(lock_file("build")))


def _uv(*arguments: str, what: str) -> None:
    try:
        uv = find_uv_bin()
    except FileNotFoundError:
        found = shutil.which("uv")
        if found is None:
            raise EngineStartError(
                f"{what} can't be installed: uv is missing.", hint="Run: make up"
            ) from None
        uv = found
    # Never an interpreter of uv's own choice; nothing of an environment that is active.
    environ = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    environ.pop("VIRTUAL_ENV", None)
    try:
        # From a folder without a project, so that no project's settings are taken over.
        subprocesses.run([uv, *arguments], environ=environ, cwd=Path(tempfile.gettempdir()))
    except subprocesses.CommandFailedError as error:
        raise _explain(error, what) from error


def _explain(error: subprocesses.CommandFailedError, what: str) -> EngineStartError:
    for marks, cause, hint in _CAUSES:
        if any(mark in error.output for mark in marks):
            return EngineStartError(f"{what} could not be installed: {cause}.", hint=hint)
    return EngineStartError(
        f"{what} could not be installed: {error.message}",
        hint="The last lines above are uv's; --debug shows the whole command.",
    )
