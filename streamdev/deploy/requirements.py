"""Packages that a handler's requirements.txt names, fetched by uv for where they will run."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uv

from streamdev.errors import DeployError

NAME = "requirements.txt"
TIMEOUT_S = 600

#: What uv leaves in the folder and differs from run to run, or names this machine.
_LEFTOVERS = ("bin", "Scripts", ".lock", "uv_cache.json", "direct_url.json", "RECORD")

_INCLUDE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[\s=]+(?P<file>\S+)")
_LOCAL = re.compile(r"^\s*(?:-e\b|--editable\b|\.{0,2}/|file:|.*@\s*file:)")


@dataclass(frozen=True)
class Target:
    """Where a function will run.

    Attributes:
        python: Version of the interpreter, ``3.13``.
        platform: uv's name of the platform, or ``None`` for this machine.
    """

    python: str
    platform: str | None = None

    @classmethod
    def of_this_process(cls) -> Target:
        """The interpreter and machine of the command line."""
        return cls(f"{sys.version_info.major}.{sys.version_info.minor}")

    @property
    def newer_than_this_process(self) -> bool:
        """Whether its Python may know syntax that this one does not."""
        return tuple(int(part) for part in self.python.split(".")) > sys.version_info[:2]


def names_any(requirements: Path) -> bool:
    """Whether ``requirements`` is there and names a package."""
    return any(not line.startswith("-c") for line in _lines(requirements))


def vendor(requirements: Path, target: Target, cache: Path) -> Path | None:
    """A folder with what ``requirements`` names, ready to go into a zip.

    It is kept in ``cache`` under a hash of the requirements (with the files they include)
    and the target, and used again; where they name files of this machine, which may change
    unseen, it is made anew.

    Returns:
        The folder, or ``None`` where nothing is required.

    Raises:
        DeployError: uv could not resolve or fetch something; the message has its words.
    """
    if not names_any(requirements):
        return None
    lines = list(_lines(requirements))
    key = hashlib.sha256("\n".join([repr(target), *lines]).encode()).hexdigest()[:32]
    folder = cache / "vendored" / key
    local = any(_LOCAL.match(line) for line in lines)
    if folder.is_dir():
        if not local:
            return folder
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{key}-") as scratch:
        staged = Path(scratch) / "packages"
        _install(requirements, target, staged)
        _tidy(staged)
        try:
            staged.rename(folder)
        except OSError:
            # Another deploy was faster; what it made is equal.
            if not folder.is_dir():
                raise
    return folder


def _lines(requirements: Path, seen: frozenset[Path] = frozenset()) -> Iterator[str]:
    """The lines that count, those of included files after the line that includes them."""
    if requirements in seen or not requirements.is_file():
        return
    for line in requirements.read_text(encoding="utf-8", errors="replace").splitlines():
        text = re.sub(r"(^|\s)#.*$", "", line).strip()
        if not text:
            continue
        yield text
        if include := _INCLUDE.match(text):
            inner = (requirements.parent / include["file"]).resolve()
            yield from _lines(inner, seen | {requirements})


def _install(requirements: Path, target: Target, folder: Path) -> None:
    command = [
        uv.find_uv_bin(),
        "pip",
        "install",
        *("--target", str(folder)),
        *("--requirement", str(requirements)),
        *("--python", sys.executable),
        *("--python-version", target.python),
        *("--link-mode", "copy"),
        "--no-progress",
        "--quiet",
    ]
    if target.platform is not None:
        # What is built here would not run there.
        command += ["--python-platform", target.platform, "--only-binary", ":all:"]
    # Colours would end up in the error's message.
    environ = {**os.environ, "NO_COLOR": "1", "UV_COMPILE_BYTECODE": "0"}
    try:
        done = subprocess.run(
            command,
            cwd=requirements.parent,
            env=environ,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeployError(
            f"{requirements}: fetching took over {TIMEOUT_S} s: {shlex.join(command)}"
        ) from error
    if done.returncode != 0:
        where = f"Python {target.python}" + (f" on {target.platform}" if target.platform else "")
        raise DeployError(
            f"{requirements} can't be satisfied for {where}:\n{_words(done.stderr)}",
            hint="Correct the requirement, or see whether the package index can be reached.",
        )


def _words(stderr: str, lines: int = 8) -> str:
    """What uv says, without its drawing characters, at most ``lines`` lines."""
    text = [re.sub(r"^[\s×╰─▶│├]+", "", line).strip() for line in stderr.splitlines()]
    return "\n".join([line for line in text if line][:lines])


def _tidy(folder: Path) -> None:
    """Take out what differs from machine to machine, so that equal packages are equal bytes."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and path.name == "__pycache__":
            shutil.rmtree(path)
    for name in _LEFTOVERS:
        for path in (folder / name, *folder.glob(f"*.dist-info/{name}")):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
