"""The exported files: written, or compared with what is there."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streamdev.errors import InvalidInputError

_MARK = "by streamdev's command export"

State = Literal["missing", "differs", "current"]


@dataclass(frozen=True)
class Export:
    """What is to be written.

    Attributes:
        files: Each file's text by its name.
        notes: What the person who deploys it should know.
    """

    files: dict[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class FileState:
    """How a file stands to what would be exported.

    Attributes:
        difference: A unified diff from the file to the export; empty unless it differs.
    """

    path: Path
    state: State
    difference: str = ""


def made_from(config: str, form: str) -> str:
    """What stands at the top of a file; the first line tells `is_export` whose it is."""
    return (
        f"Made from {config} {_MARK}: edit that file and export again\n"
        f"(export {form} --force); export --check tells whether both still agree."
    )


def is_export(path: Path) -> bool:
    """Whether the file was exported, whatever has become of the rest of it."""
    try:
        with path.open(encoding="utf-8") as file:
            return _MARK in file.readline()
    except (OSError, UnicodeDecodeError):
        return False


def compare(folder: Path, files: Mapping[str, str]) -> list[FileState]:
    """Each of ``files`` (name → text) and what is in ``folder``.

    Raises:
        InvalidInputError: A file can't be read.
    """
    return [_compare(folder / name, text) for name, text in files.items()]


def _compare(path: Path, text: str) -> FileState:
    try:
        there = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return FileState(path, "missing")
    except UnicodeDecodeError:
        return FileState(path, "differs", f"{path} is no UTF-8 text.\n")
    except OSError as error:
        raise InvalidInputError(f"{path} can't be read: {error.strerror}.") from error
    if there == text:
        return FileState(path, "current")
    lines = difflib.unified_diff(
        there.splitlines(keepends=True),
        text.splitlines(keepends=True),
        str(path),
        "as exported now",
    )
    return FileState(path, "differs", "".join(lines))


def write(folder: Path, files: Mapping[str, str], *, force: bool) -> list[FileState]:
    """Write ``files`` into ``folder``, all or none; return how each stood before.

    Raises:
        InvalidInputError: A file is there with something else in it and ``force`` was not
            given, or can't be written.
    """
    before = compare(folder, files)
    others = [str(one.path) for one in before if one.state == "differs"]
    if others and not force:
        raise InvalidInputError(
            f"There is already {', '.join(others)}, with something else in it; "
            "nothing was written.",
            hint="See what differs: --check; write over it: --force; or elsewhere: -o FOLDER",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(
            f"{error.filename or folder} can't be written: {error.strerror}."
        ) from error
    return before
