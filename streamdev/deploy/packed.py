"""Files of a package with the hashes of what is in them."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from streamdev.deploy.sources import SourceFile, source_files


@dataclass(frozen=True)
class Packed:
    """A file of the package, and the SHA-256 of its content."""

    file: SourceFile
    sha256: bytes

    @property
    def name(self) -> str:
        """Its path in the zip."""
        return self.file.name

    @classmethod
    def of(cls, file: SourceFile) -> Packed:
        """The file as it is now."""
        return cls(file, hashlib.sha256(file.path.read_bytes()).digest())


def vendored_files(folder: Path) -> tuple[Packed, ...]:
    """The files of a folder that `requirements.vendor` made.

    Nobody changes it, so it is read once: beside it is kept what was in it.
    """
    state = folder.stat()
    return _vendored_files(folder, f"{state.st_ino} {state.st_mtime_ns}")


@lru_cache(maxsize=64)
def _vendored_files(folder: Path, state: str) -> tuple[Packed, ...]:
    listing = folder.with_name(f"{folder.name}.json")
    with suppress(OSError, ValueError, KeyError, TypeError):
        listed = json.loads(listing.read_text(encoding="utf-8"))
        if listed["state"] == state:
            return tuple(
                Packed(SourceFile(name, folder / name, executable), bytes.fromhex(sha256))
                for name, executable, sha256 in listed["files"]
            )
    files = tuple(map(Packed.of, source_files(folder)))
    rows = [(one.name, one.file.executable, one.sha256.hex()) for one in files]
    with suppress(OSError), written_whole(listing) as stream:
        stream.write(json.dumps({"state": state, "files": rows}).encode())
    return files


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file at ``path`` when the block ends without an error.

    Others see the file that was there, or the new one whole.
    """
    descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
        Path(scratch).replace(path)
    finally:
        Path(scratch).unlink(missing_ok=True)
