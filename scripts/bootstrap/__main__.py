"""Bringing .venv up to date.

It is built beside the old one and takes its place when it is whole; the stamp in it says what it
was made from, so that nothing is done when nothing changed.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import shutil
import sys
from typing import Dict, Iterator, Optional

from .common import ONLINE_HINT, SetupError, Version, dotted, run, say
from .pythons import Interpreter, choose_python, probe, wanted_versions
from .uv import find_uv

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STAMP = "streamdev-stamp"
BUILD_LOCK = os.path.join("streamdev", "engine", "locks", "build.txt")


def fingerprint(root: str, environ: Dict[str, str]) -> str:
    """Changes when the environment has to be made anew."""
    digest = hashlib.sha256((root + "\0" + environ.get("STREAMDEV_PYTHON", "")).encode())
    names = ["requirements.lock", ".python-version", BUILD_LOCK]
    scripts = sorted(glob.glob(os.path.join(root, "scripts", "bootstrap", "*.py")))
    for path in [os.path.join(root, name) for name in names] + scripts:
        with open(path, "rb") as file:
            digest.update(file.read())
    with open(os.path.join(root, "pyproject.toml"), "rb") as file:
        # What the project is; the settings of its tools come after that.
        digest.update(file.read().split(b"\n[tool.", 1)[0])
    return digest.hexdigest()


def is_current(venv: str, wanted: str) -> bool:
    """Whether ``venv`` is whole, was made from what is ``wanted`` and still has its Python."""
    try:
        with open(os.path.join(venv, STAMP)) as file:
            found = file.read().strip()
    except OSError:
        return False
    return found == wanted and os.access(os.path.join(venv, "bin", "python"), os.X_OK)


def build(root: str, venv: str, uv: str, python: Optional[Interpreter], version: Version) -> None:
    """Make the environment at ``venv``, which is empty or missing."""
    environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    source = python.path if python else dotted(version)
    hint = "Install Python 3.11, 3.12 or 3.13 (Debian 12, Ubuntu 24.04: apt-get install python3)."
    make = [uv, "venv", "--quiet", "--relocatable", "--python", source, venv]
    run(make, "A Python for streamdev", ONLINE_HINT if python else hint, environ)
    own = ["--quiet", "--python", os.path.join(venv, "bin", "python")]
    lock = os.path.join(root, "requirements.lock")
    locked = ["--require-hashes", "--build-constraints", os.path.join(root, BUILD_LOCK)]
    sync = [uv, "pip", "sync"] + own + locked + ["--compile-bytecode", lock]
    run(sync, "What streamdev needs", ONLINE_HINT, environ)
    # The project itself, as it lies here; what builds it is in the lock as well.
    offline = ["--no-deps", "--no-build-isolation", "--offline", "--editable", root]
    run(
        [uv, "pip", "install"] + own + offline,
        "streamdev itself",
        "Is the checkout whole?",
        environ,
    )


@contextlib.contextmanager
def only_one(state: str) -> Iterator[None]:
    """Wait until no other set-up works on this checkout."""
    os.makedirs(state, exist_ok=True)
    with open(os.path.join(state, "bootstrap.lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another set-up of this checkout is running; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def set_up(root: str, environ: Dict[str, str]) -> None:
    """Bring .venv up to date; raise SetupError when that can't be."""
    venv, state = os.path.join(root, ".venv"), os.path.join(root, ".streamdev")
    wanted = fingerprint(root, environ)
    if is_current(venv, wanted):
        return
    with only_one(state):
        if is_current(venv, wanted):
            return
        python = choose_python(root, environ)
        version = python.version if python else wanted_versions(root, environ)[0]
        uv = find_uv(root, python, environ)
        place = python.path if python else "fetched by uv"
        say("Setting up .venv with Python " + dotted(version) + " (" + place + ")")
        fresh, old = os.path.join(state, "venv.new"), os.path.join(state, "venv.old")
        for folder in (fresh, old):
            shutil.rmtree(folder, ignore_errors=True)
        try:
            build(root, fresh, uv, python, version)
            with open(os.path.join(fresh, STAMP), "w") as file:
                file.write(wanted + "\n")
            if os.path.isdir(venv):
                os.rename(venv, old)
            os.rename(fresh, venv)
        finally:
            for folder in (fresh, old):
                shutil.rmtree(folder, ignore_errors=True)
    stand_in = shutil.which("python3", path=environ.get("PATH"))
    if not (stand_in and probe(stand_in)):  # a pyenv that lacks .python-version's
        say("Here python3 does not run, so ./dev.py can't: use .venv/bin/streamdev in its place")


def main() -> int:
    """Set up; return the exit code."""
    if sys.version_info < (3, 6):
        say("Python " + dotted(sys.version_info[:2]) + " is too old. Use Python 3.11 or newer.")
        return 1
    try:
        set_up(ROOT, dict(os.environ))
    except SetupError as error:
        say(str(error))
        return 1
    except OSError as error:
        say("The environment could not be made: " + str(error))
        return 1
    except KeyboardInterrupt:
        say("Interrupted; what was there before is untouched.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
