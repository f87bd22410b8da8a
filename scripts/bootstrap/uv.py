"""Finding uv, or bringing it from PyPI."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from typing import Dict, Optional

from .common import ONLINE_HINT, SetupError, Version, dotted, run, say, succeeds
from .pythons import Interpreter

OLDEST_UV = (0, 7)
OLDEST_FOR_UV = (3, 8)  # the oldest Python that can install it


def user_cache(environ: Dict[str, str]) -> str:
    """The user's cache folder, as streamdev/paths.py says."""
    if environ.get("STREAMDEV_CACHE"):
        return environ["STREAMDEV_CACHE"]
    home = environ.get("HOME") or os.path.expanduser("~")
    usual = ("Library", "Caches") if sys.platform == "darwin" else (".cache",)
    base = environ.get("XDG_CACHE_HOME") or os.path.join(home, *usual)
    return os.path.join(base, "streamdev")


def find_uv(root: str, python: Optional[Interpreter], environ: Dict[str, str]) -> str:
    """The path of uv: PATH's if it is new enough, else the cache's, put there first if need be.

    Raises SetupError when it is nowhere and can't be brought.
    """
    on_path = shutil.which("uv", path=environ.get("PATH"))
    if on_path and uv_version(on_path) >= OLDEST_UV:
        return on_path
    with open(os.path.join(root, "requirements.lock")) as file:
        match = re.search(r"^uv==(\S+).*\n(?:    --hash=.*\n?)+", file.read(), re.MULTILINE)
    if not match:
        raise SetupError("requirements.lock does not list uv. Run: git checkout requirements.lock")
    private = os.path.join(user_cache(environ), "uv-" + match.group(1), "uv")
    if not os.access(private, os.X_OK):
        install_uv(private, match.group(0), python)
    return private


def uv_version(uv: str) -> Version:
    """The version of ``uv``; empty if it does not run."""
    try:
        output = subprocess.check_output([uv, "--version"], stderr=subprocess.DEVNULL).decode()
    except (OSError, subprocess.CalledProcessError):
        return ()
    return tuple(int(digits) for digits in re.findall(r"\d+", output)[:2])


def install_uv(
    target: str,
    requirement: str,
    python: Optional[Interpreter],
    running: Version = sys.version_info[:2],
) -> None:
    """Bring uv from PyPI, its hash checked, to ``target``.

    pip does it, in a virtual environment, else (Debian has those in a package apart) beside.
    Raises SetupError when neither is there, or the network is not.
    """
    if python is None and running < OLDEST_FOR_UV:
        raise SetupError(
            "Python " + dotted(running) + " is too old, and no newer one was found.\n"
            "Install Python 3.11, 3.12 or 3.13 (Debian: apt-get install python3 python3-venv)."
        )
    base = python.path if python else sys.executable
    say("Fetching uv, which installs the rest")
    folder = os.path.dirname(target)
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    work = tempfile.mkdtemp(prefix="uv-", dir=os.path.dirname(folder))
    try:
        wish = os.path.join(work, "uv.txt")
        with open(wish, "w") as file:
            file.write(requirement)
        install = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", wish]
        if succeeds([base, "-m", "venv", os.path.join(work, "venv")]):
            run([os.path.join(work, "venv", "bin", "python")] + install, "uv", ONLINE_HINT)
            made = os.path.join(work, "venv", "bin", "uv")
        elif succeeds([base, "-m", "pip", "--version"]):
            run([base] + install + ["--target", os.path.join(work, "flat")], "uv", ONLINE_HINT)
            made = os.path.join(work, "flat", "bin", "uv")
        else:
            raise SetupError(
                base + " has neither venv nor pip, and there is no uv on PATH.\n"
                "Install them (Debian, Ubuntu: apt-get install python3-venv python3-pip), or uv."
            )
        os.makedirs(folder, exist_ok=True)
        os.rename(made, target)  # a program of its own: it needs nothing of what is around it
    finally:
        shutil.rmtree(work, ignore_errors=True)
