"""Finding the Python that the environment is made from."""

import glob
import os
import re
import shutil
import subprocess
import sys
from typing import Dict, Iterator, List, NamedTuple, Optional

from .common import SetupError, Version, dotted

SUPPORTED = ((3, 13), (3, 12), (3, 11))

Interpreter = NamedTuple("Interpreter", [("path", str), ("version", Version)])

PROBE = """
import sys, sysconfig
usable = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
print(".".join(map(str, sys.version_info[:2])) if usable else "0")
print(getattr(sys, "_base_executable", sys.executable))
"""


def probe(command: str) -> Optional[Interpreter]:
    """The interpreter behind ``command`` (a version manager's stand-in, a virtual environment's
    Python), or None if it does not run or is no ordinary CPython.
    """
    try:
        output = subprocess.check_output(
            [command, "-I", "-S", "-c", PROBE], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    version, path = output.decode().strip().split("\n", 1)
    if version == "0" or not os.path.isabs(path):
        return None
    return Interpreter(path, tuple(int(part) for part in version.split(".")))


def commands_for(version: Version, environ: Dict[str, str], running: str) -> Iterator[str]:
    """Where an interpreter of ``version`` may be, the likeliest first."""
    yield running
    folders = [folder for folder in environ.get("PATH", "").split(os.pathsep) if folder]
    for name in ("python" + dotted(version), "python3", "python"):
        for folder in folders:
            command = os.path.join(folder, name)
            if os.access(command, os.X_OK):
                yield command
        if name != "python3":
            continue
        # uv does not look into pyenv's versions, and its stand-ins on PATH refuse those that
        # are not chosen.
        pyenv = environ.get("PYENV_ROOT") or os.path.join(environ.get("HOME", ""), ".pyenv")
        found = glob.glob(os.path.join(pyenv, "versions", dotted(version) + ".*", "bin", "python"))
        for command in sorted(found, key=patch_level, reverse=True):
            yield command


def patch_level(path: str) -> List[int]:
    """Sorts ``.../3.13.10/bin/python`` after ``.../3.13.9/bin/python``."""
    return [int(digits) for digits in re.findall(r"\d+", path.split("versions", 1)[-1])]


def wanted_versions(root: str, environ: Dict[str, str]) -> List[Version]:
    """The versions to look for, in order.

    Raises SetupError when STREAMDEV_PYTHON names one that is not supported.
    """
    chosen = environ.get("STREAMDEV_PYTHON", "")
    if chosen:
        version = tuple(int(part) for part in chosen.split(".")[:2])
        if version not in SUPPORTED:
            raise SetupError(unsupported("STREAMDEV_PYTHON=" + chosen))
        return [version]
    with open(os.path.join(root, ".python-version")) as file:
        first = tuple(int(part) for part in file.read().strip().split(".")[:2])
    return [first] + [version for version in SUPPORTED if version != first]


def unsupported(what: str) -> str:
    """The message for a Python that can't be used."""
    names = ", ".join(dotted(version) for version in reversed(SUPPORTED))
    return what + " can't be used: streamdev runs on Python " + names + "."


def choose_python(
    root: str, environ: Dict[str, str], running: str = sys.executable
) -> Optional[Interpreter]:
    """The interpreter to make the environment from; None where uv is to fetch one.

    ``running`` is the one that runs this; it is taken if its version is the one looked for.
    Raises SetupError when STREAMDEV_PYTHON names none that can be used.
    """
    chosen = environ.get("STREAMDEV_PYTHON", "")
    if chosen and not re.match(r"^3\.\d+(\.\d+)?$", chosen):
        command = shutil.which(chosen, path=environ.get("PATH"))
        found = probe(os.path.abspath(command)) if command else None
        if found is None or found.version not in SUPPORTED:
            raise SetupError(unsupported("STREAMDEV_PYTHON=" + chosen))
        return found
    known = {}  # type: Dict[str, Optional[Interpreter]]
    for version in wanted_versions(root, environ):
        for command in commands_for(version, environ, running):
            if command not in known:
                known[command] = probe(command)
            interpreter = known[command]
            if interpreter and interpreter.version == version:
                return interpreter
    return None
