"""The environments LocalStack, the handlers and third-party tools run in.

None of them is the command line's own: each is made once from a locked, hashed list
(``streamdev/engine/locks``, written by ``make lock``) and kept in the per-user cache, under a
name that changes with the list.
"""

from __future__ import annotations

import os
import platform as this_platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from streamdev.engine.base import Progress
from streamdev.engine.cache import lock_hash, make_once
from streamdev.engine.installer import Target, create_environment, install_flat, lock_file
from streamdev.errors import EngineStartError, NotFoundError
from streamdev.paths import user_cache

# LocalStack by Python: 4.8.0 and later don't start on 3.11 and 3.12, whatever their metadata
# says (they use 3.13's syntax for type parameters).
LOCALSTACK_VERSIONS = {"3.11": "4.7.0", "3.12": "4.7.0", "3.13": "4.14.0"}

_CONTAINER_PLATFORMS = {
    "x86_64": "x86_64-manylinux_2_28",
    "amd64": "x86_64-manylinux_2_28",
    "aarch64": "aarch64-manylinux_2_28",
    "arm64": "aarch64-manylinux_2_28",
}


@dataclass(frozen=True)
class EngineEnvironment:
    """A virtual environment that holds LocalStack.

    Attributes:
        python: Its interpreter.
        localstack_version: LocalStack's version, e.g. ``4.14.0``.
        python_version: Its Python's minor version, e.g. ``3.13``.
        root: Its folder; ``root / "bin" / "localstack"`` is LocalStack's own command line.
        base_python: The interpreter it was made from, by absolute path (handlers run on it).
    """

    python: Path
    localstack_version: str
    python_version: str
    root: Path
    base_python: Path


def engine_environment(progress: Progress) -> EngineEnvironment:
    """LocalStack's environment for the interpreter that runs this, made if it is missing.

    LocalStack 4.14.0 on Python 3.13, 4.7.0 on 3.11 and 3.12.

    Raises:
        EngineStartError: It can't be made: offline, disk full, a wrong hash, no such Python.
    """
    minor = _minor()
    if minor not in LOCALSTACK_VERSIONS:
        raise EngineStartError(
            f"LocalStack does not run on Python {minor}.",
            hint="Use one of " + ", ".join(LOCALSTACK_VERSIONS) + ": STREAMDEV_PYTHON=3.13 make up",
        )
    version = LOCALSTACK_VERSIONS[minor]
    root = _environment(
        f"localstack-{version}",
        f"engine-{version}-py{minor}",
        f"LocalStack {version} for Python {minor}",
        progress,
    )
    python = root / "bin" / "python"
    return EngineEnvironment(python, version, minor, root, base_python=python.resolve())


def engine_is_prepared(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether LocalStack's environment for this interpreter is there already."""
    minor = _minor()
    version = LOCALSTACK_VERSIONS.get(minor)
    return version is not None and _has_python(
        _folder(f"localstack-{version}", f"engine-{version}-py{minor}", environ)
    )


def handler_runtime(
    progress: Progress, *, python_version: str | None = None, platform: str | None = None
) -> Path:
    """A flat folder with what AWS's Python runtime gives a handler: boto3, awslambdaric...

    Args:
        progress: Told what goes on.
        python_version: Minor version of the Python that will import it; default: this one's.
        platform: uv's name of the platform that will (see ``container_platform``); default:
            this machine.

    Raises:
        EngineStartError: It can't be made.
    """
    what = f"The handlers' runtime for Python {python_version or _minor()}"
    return _flat_folder("runtime", what, progress, python_version, platform)


def debugger_folder(
    progress: Progress, *, python_version: str | None = None, platform: str | None = None
) -> Path:
    """A flat folder with ``debugpy``; arguments and errors as of `handler_runtime`."""
    return _flat_folder("debugpy", "The debugger debugpy", progress, python_version, platform)


def _flat_folder(
    name: str,
    what: str,
    progress: Progress,
    python_version: str | None,
    platform: str | None,
) -> Path:
    minor = python_version or _minor()
    target = None
    if platform is not None or minor != _minor():
        here = container_platform(this_platform.machine())
        target = Target(minor, platform or here)
    lock = lock_file(name)
    where = target.platform if target else f"{sys.platform}-{this_platform.machine()}"

    def build(folder: Path) -> None:
        progress.step("Installing " + what[0].lower() + what[1:])
        install_flat(folder, lock, python=_base_python(), target=target, what=what)

    folder = user_cache() / f"{name}-py{minor}-{where}-{lock_hash(lock)}"
    return make_once(folder, build, what=what, progress=progress)


def tool_environment(name: str, progress: Progress) -> Path:
    """The folder of a virtual environment that holds the tool ``name`` (``awslocal``).

    Its commands are in ``bin``.

    Raises:
        EngineStartError: It can't be made.
        NotFoundError: There is no lock for ``name``.
    """
    if not lock_file(name).is_file():
        raise NotFoundError(f"streamdev knows no tool named {name!r}.")
    return _environment(name, f"{name}-py{_minor()}", name, progress)


def container_platform(machine: str) -> str:
    """How uv names the platform of a Linux container, for ``handler_runtime``.

    Args:
        machine: As ``docker info`` or ``uname -m`` names it: ``x86_64``, ``arm64``...

    Raises:
        EngineStartError: AWS's runtime client has no build for it.
    """
    try:
        return _CONTAINER_PLATFORMS[machine.lower()]
    except KeyError:
        raise EngineStartError(
            f"AWS's Lambda runtime client has no build for {machine}.",
            hint="x86_64 and arm64 are what AWS offers.",
        ) from None


def _environment(lock_name: str, prefix: str, what: str, progress: Progress) -> Path:
    lock = lock_file(lock_name)

    def build(root: Path) -> None:
        progress.step(f"Installing {what} (once)")
        create_environment(root, lock, python=_base_python(), what=what)

    root = _folder(lock_name, prefix)
    return make_once(root, build, what=what, progress=progress, is_good=_has_python)


def _folder(lock_name: str, prefix: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the environment of a lock is; it changes with the lock."""
    return user_cache(environ) / f"{prefix}-{lock_hash(lock_file(lock_name), lock_file('build'))}"


def _has_python(root: Path) -> bool:
    """Whether the environment's interpreter is there; one it links to may have been removed."""
    return (root / "bin" / "python").exists()


def _minor() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _base_python() -> Path:
    """The interpreter that this environment was made from."""
    return Path(getattr(sys, "_base_executable", sys.executable)).absolute()
