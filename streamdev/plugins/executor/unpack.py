"""A function's new code on disk, made from the code before: most of it is the same.

Writing a package's files, and compiling its libraries at the next cold start, takes longer than
most of what an update does. So the new folder gets links to the files of the version before,
with the bytecode the interpreter left there, and only what differs is written. A process of its
own makes the links: each call to the system would have to wait for the other threads here.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import tempfile
import threading
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from streamdev.plugins.executor import archives

_MODE = 0o755
_CACHE = "__pycache__"
#: Beside the code: a fingerprint of each file, by name. It is younger than they are.
_RECORD = "files.json"
# Makes $2 of links to what is in $1, and names what is there and, after a zero, what is younger
# than $3; a zero ends each name.
_LINK = """cp -al "$1" "$2" && find "$2" -type f -print0 &&
    printf '\\0' && find "$2" -newer "$3" -print0"""
_LINK_TIMEOUT_S = 60


class Code(Protocol):
    """LocalStack's ``S3Code``, as far as it is used."""

    id: str
    _disk_lock: threading.RLock

    def is_hot_reloading(self) -> bool:
        """Whether it is no package but a folder of the user's."""

    def get_unzipped_code_location(self) -> Path:
        """Where it is to be unpacked."""

    def prepare_for_execution(self) -> None:
        """Unpack it."""

    def _download_archive_to_file(self, target_file: IO[bytes]) -> None: ...


_latest: dict[str, Path] = {}


def prepare(code: Code, function: str) -> None:
    """Do what ``S3Code.prepare_for_execution`` does, quicker.

    Args:
        code: What to unpack.
        function: The function's ARN; its last version is where most is taken from.
    """
    if code.is_hot_reloading():
        code.prepare_for_execution()
        return
    target = code.get_unzipped_code_location()
    with code._disk_lock, tempfile.TemporaryFile() as archive:
        if not target.exists():
            code._download_archive_to_file(archive)
            unpack(archive, target, _latest.get(function))
    code.prepare_for_execution()
    archives.forget(code)
    _latest[function] = target


def unpack(archive: IO[bytes], target: Path, before: Path | None) -> None:
    """Unpack a zip of plain files and folders; others are left alone.

    Args:
        archive: The zip.
        target: Where to; it is there when all is done, or not at all.
        before: Where files that are the same are taken from; it may vanish meanwhile.
    """
    scratch = target.with_name(f"{target.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            if not all(map(_is_plain, entries)):
                return
            there = {} if before is None else _link(before, scratch)
            record = _complete(packed, entries, scratch, there)
        target.with_name(_RECORD).write_text(json.dumps(record))
        scratch.rename(target)
    except Exception:
        # LocalStack tries in its own way, and says what is wrong.
        return
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _is_plain(entry: zipfile.ZipInfo) -> bool:
    """Whether it is a file or a folder within the package."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    parts = entry.filename.removesuffix("/").split("/")
    return kind in (0, stat.S_IFREG, stat.S_IFDIR) and all(one not in ("", "..") for one in parts)


def _fingerprint(entry: zipfile.ZipInfo) -> str:
    """What tells the file's content: streamdev's packages have its SHA-256 as a comment."""
    return f"{entry.file_size} {entry.CRC} {entry.comment.hex()}"


def _link(before: Path, scratch: Path) -> Mapping[str, str]:
    """Link the version before; return the fingerprints of its files, none if there are no links.

    As on AWS, where ``/var/task`` is read-only, a handler has no business writing to its package.
    Where one did so, nothing is taken over, nor from a folder that is being removed.
    """
    try:
        record: dict[str, str] = json.loads(before.with_name(_RECORD).read_text())
        scratch.parent.mkdir(parents=True, exist_ok=True)
        linked = subprocess.run(
            ["sh", "-c", _LINK, "sh", before, scratch, before.with_name(_RECORD)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_LINK_TIMEOUT_S,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        is_whole = False
    else:
        there, _, younger = linked.stdout.partition(b"\0\0")
        folders = _folders(record)
        is_whole = record.keys() <= _names(there, scratch) and not any(
            name not in folders and _CACHE not in name.split("/")
            for name in _names(younger, scratch)
        )
    if not is_whole:
        shutil.rmtree(scratch, ignore_errors=True)
        return {}
    return record


def _names(paths: bytes, folder: Path) -> set[str]:
    """The names below the folder of paths that each end with a zero."""
    start = len(str(folder)) + 1
    return {os.fsdecode(path)[start:] or "." for path in paths.split(b"\0") if path}


def _folders(names: Collection[str]) -> set[str]:
    """The folders that the files of these names are in, and the one they are all in, ``.``."""
    return {str(folder) for name in names for folder in PurePosixPath(name).parents}


def _complete(
    packed: zipfile.ZipFile,
    entries: Collection[zipfile.ZipInfo],
    folder: Path,
    there: Mapping[str, str],
) -> dict[str, str]:
    """Write what differs from what is ``there`` in the folder, and remove what should not be.

    Returns:
        The fingerprints of its files.
    """
    files = {entry.filename: entry for entry in entries if not entry.is_dir()}
    record = {name: _fingerprint(entry) for name, entry in files.items()}
    for name, fingerprint in there.items():
        if record.get(name) != fingerprint:
            _remove(folder / name)
    wanted = _folders(files) | {one.filename.removesuffix("/") for one in entries if one.is_dir()}
    for left in _folders(there) - wanted:
        # An empty one could still be imported.
        shutil.rmtree(folder / left, ignore_errors=True)
    for one in wanted:
        (folder / one).mkdir(parents=True, exist_ok=True)
    for name, entry in files.items():
        if there.get(name) != record[name]:
            with (folder / name).open("xb") as new:
                new.write(packed.read(entry))
                os.fchmod(new.fileno(), _MODE)
    return record


def _remove(path: Path) -> None:
    """Remove a file and its bytecode, which might be taken for that of the next one."""
    path.unlink(missing_ok=True)
    for compiled in (path.parent / _CACHE).glob(f"{path.stem}.*.pyc"):
        compiled.unlink()
