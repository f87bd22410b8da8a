"""The files of a handler's folder, without the junk, and checks that need no running of them."""

from __future__ import annotations

import ast
import os
import re
import stat
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path, PurePosixPath

from streamdev.errors import DeployError

_JUNK_FOLDERS = frozenset(
    {
        "__pycache__",
        ".git",
        ".hg",
        ".svn",
        ".venv",
        "venv",
        "node_modules",
        ".idea",
        ".vscode",
        ".tox",
        ".nox",
        ".eggs",
        ".ipynb_checkpoints",
    }
)


def _one_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, patterns)))


_JUNK_FOLDER = _one_of(".*_cache", "*.egg-info")
_JUNK_FILE = _one_of(
    "*.pyc",
    "*.pyo",
    "*~",
    "*.sw[a-p]",
    "4913",  # Vim, to see whether it may write
    "*.tmp",
    "*.tmp.[0-9]*",
    ".goutputstream-*",
    "*.kate-swp",
    "*___jb_tmp___",
    "*___jb_old___",
    ".#*",
    "#*#",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    ".coverage",
    ".coverage.*",
    ".gitignore",
    ".gitattributes",
)


@dataclass(frozen=True, order=True)
class SourceFile:
    """A file of the package.

    Attributes:
        name: Its path in the zip, ``/`` between parts.
        path: Where it is now.
        executable: Whether its owner may execute it.
    """

    name: str
    path: Path
    executable: bool

    @classmethod
    def of(cls, path: Path, base: Path) -> SourceFile:
        """The file at ``path``, named by its place below ``base``."""
        mode = path.stat().st_mode
        return cls(path.relative_to(base).as_posix(), path, bool(mode & stat.S_IXUSR))


def is_junk(name: str, *, folder: bool) -> bool:
    """Whether a file or folder of that name has no place in a package."""
    if folder:
        return name in _JUNK_FOLDERS or bool(_JUNK_FOLDER.match(name))
    return bool(_JUNK_FILE.match(name))


def source_files(folder: Path) -> list[SourceFile]:
    """The files below ``folder``, sorted by name; symbolic links count as what they point at.

    Raises:
        DeployError: There is no such folder, nothing is in it, or a file's name is no UTF-8.
    """
    if not folder.is_dir():
        problem = "is no folder" if folder.exists() else "does not exist"
        raise DeployError(
            f"The handler's folder {folder} {problem}.",
            hint="Put the handler there, or correct function.source in pipelines.toml.",
        )
    files = sorted(_walk(folder))
    if not files:
        raise DeployError(f"The handler's folder {folder} is empty.")
    for file in files:
        try:
            file.name.encode("utf-8")
        except UnicodeEncodeError as error:
            raise DeployError(f"The name of {file.path!r} is not UTF-8.") from error
    return files


def module_names(files: Collection[SourceFile]) -> tuple[str, ...]:
    """The top-level names that can be imported of ``files``, sorted."""
    found = set()
    for file in files:
        top, below, _ = file.name.partition("/")
        if below or top.endswith((".py", ".so")):
            found.add(top if below else top.partition(".")[0])
    return tuple(sorted(found))


def _walk(base: Path) -> Iterator[SourceFile]:
    entered: set[str] = set()
    for current, folders, names in os.walk(base, followlinks=True):
        # A link may point at a folder above it: go into each real folder once.
        real = os.path.realpath(current)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not is_junk(name, folder=True))
        for name in names:
            path = Path(current) / name
            if not is_junk(name, folder=False) and path.is_file():
                yield SourceFile.of(path, base)


def check_syntax(files: Collection[SourceFile]) -> None:
    """Compile every Python file without running it.

    Raises:
        DeployError: One is not valid Python; the message has its file and line.
    """
    for file in files:
        if not file.name.endswith(".py"):
            continue
        try:
            with _no_warnings():
                compile(file.path.read_bytes(), str(file.path), "exec", dont_inherit=True)
        except SyntaxError as error:
            raise DeployError(
                f"{file.path}:{error.lineno or 1}: {type(error).__name__}: {error.msg}",
                hint=f"The line reads: {error.text.strip()}" if error.text else None,
            ) from error
        except ValueError as error:  # a null byte, before Python 3.12
            raise DeployError(f"{file.path}:1: {error}") from error


def check_handler(handler: str, names: Collection[str], folder: Path) -> str | None:
    """Look for ``MODULE.FUNCTION`` in the package, by reading alone.

    Args:
        handler: As AWS takes it; folders may be separated by ``.`` or ``/``.
        names: The names of all files in the package.
        folder: The handler's own folder.

    Returns:
        A warning where the module is there but seems to have no such function, else ``None``.

    Raises:
        DeployError: The package has no such module.
    """
    module, _, function = handler.rpartition(".")
    base = PurePosixPath(module.replace(".", "/"))
    candidates = (f"{base}.py", f"{base}/__init__.py")
    found = next((name for name in candidates if name in names), None)
    if found is None:
        if any(name.startswith(f"{base}.") and name.endswith((".so", ".pyd")) for name in names):
            return None
        raise DeployError(
            f"The handler {handler!r} needs {candidates[0]} in {folder}, which is not there.",
            hint="Correct function.handler in pipelines.toml: MODULE.FUNCTION.",
        )
    path = folder / found
    if not path.is_file():  # it is a requirement's
        return None
    with _no_warnings():
        tree = ast.parse(path.read_bytes())
    if function in set(_bound_names(tree)):
        return None
    return f"{path} seems to define no {function!r}: the handler will fail if so."


@contextmanager
def _no_warnings() -> Iterator[None]:
    """The compiler's warnings (dubious escapes) are the handler's author's, not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _bound_names(tree: ast.Module) -> Iterator[str]:
    """Names that the code binds anywhere: enough to warn where one is bound nowhere."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.alias(name=name, asname=asname):
                yield asname or name.partition(".")[0]
