"""A function's new code on disk, made from the code before: most of it is the same.

Unpacking a package and compiling its libraries takes longer than most of what an update does.
streamdev's packages carry the SHA-256 of each file beside it, as the comment of its entry.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from streamdev.plugins.executor.bytecode import carry_over

_SHA256_SIZE = 32
_MODE = 0o755


class Code(Protocol):
    """LocalStack's ``S3Code``, as far as it is used."""

    _disk_lock: threading.RLock

    def get_unzipped_code_location(self) -> Path:
        """Where it is to be unpacked."""

    def prepare_for_execution(self) -> None:
        """Unpack it."""

    def _download_archive_to_file(self, target_file: IO[bytes]) -> None: ...


def prepare(code: Code, before: Path | None) -> None:
    """Do what ``S3Code.prepare_for_execution`` does, quicker where there was code before.

    Args:
        code: What to unpack.
        before: The folder of the version before; it may vanish meanwhile.
    """
    target = code.get_unzipped_code_location()
    same: frozenset[str] = frozenset()
    if before is not None:
        with code._disk_lock, tempfile.TemporaryFile() as archive:
            if not target.exists():
                code._download_archive_to_file(archive)
                same = unpack(archive, target, before)
    code.prepare_for_execution()
    if before is not None:
        carry_over(before, target, same)


def unpack(archive: IO[bytes], target: Path, before: Path) -> frozenset[str]:
    """Unpack a package of streamdev's; other zips are left alone.

    Args:
        archive: The zip.
        target: Where to; it is there when all is done, or not at all.
        before: Where files that are the same are taken from.

    Returns:
        The names of those files.
    """
    scratch = target.with_name(f"{target.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            if not all(_is_own(entry) for entry in entries):
                return frozenset()
            for folder in {(scratch / entry.filename).parent for entry in entries}:
                folder.mkdir(parents=True, exist_ok=True)
            same = {entry.filename for entry in entries if _take(packed, entry, scratch, before)}
        scratch.rename(target)
    except (OSError, zipfile.BadZipFile):
        # LocalStack tries in its own way, and says what is wrong.
        return frozenset()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return frozenset(same)


def _is_own(entry: zipfile.ZipInfo) -> bool:
    """Whether it is as streamdev's packages have it: a file within the package, and its hash."""
    parts = entry.filename.split("/")
    return len(entry.comment) == _SHA256_SIZE and all(part not in ("", "..") for part in parts)


def _take(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, before: Path) -> bool:
    """Write the entry's file below ``target``; whether it is the one that was there before."""
    content = b""
    with suppress(OSError), (before / entry.filename).open("rb") as old:
        if os.fstat(old.fileno()).st_size == entry.file_size:
            content = old.read()
    same = hashlib.sha256(content).digest() == entry.comment
    with (target / entry.filename).open("wb") as new:
        new.write(content if same else packed.read(entry))
        os.fchmod(new.fileno(), _MODE)
    return same
