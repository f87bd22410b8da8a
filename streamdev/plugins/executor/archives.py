"""Packages as Lambda was given them, kept until they are unpacked.

LocalStack stores a package in its own S3 and reads it back from there, through its gateway and
in small chunks, which would take longer than all else that an update does.
"""

from __future__ import annotations

import threading
from typing import IO, Any, Protocol

# A package is unpacked at once; one of a layer may be later, or never.
_KEPT = 4

_lock = threading.Lock()
_kept: dict[str, bytes] = {}


class Stored(Protocol):
    """LocalStack's ``S3Code``, as far as it is used here."""

    id: str


def store(fn: Any, archive_file: bytes, *args: Any, **kwargs: Any) -> Any:
    """Stand in for ``store_lambda_archive``, which is ``fn``: have it stored, and keep it."""
    code = fn(archive_file, *args, **kwargs)
    with _lock:
        _kept[code.id] = archive_file
        while len(_kept) > _KEPT:
            del _kept[next(iter(_kept))]
    return code


def download(fn: Any, code: Stored, target_file: IO[bytes]) -> None:
    """Stand in for ``S3Code._download_archive_to_file``, which is ``fn``."""
    with _lock:
        kept = _kept.get(code.id)
    if kept is None:
        fn(code, target_file)
    else:
        target_file.write(kept)
        target_file.flush()


def forget(code: Stored) -> None:
    """What was kept is unpacked now."""
    with _lock:
        _kept.pop(code.id, None)
