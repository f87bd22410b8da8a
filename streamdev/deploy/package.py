"""A function's zip: equal source gives equal bytes, within AWS's limits."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamdev.config.models import Function
from streamdev.deploy.packed import Packed, vendored_files, written_whole
from streamdev.deploy.requirements import NAME as REQUIREMENTS
from streamdev.deploy.requirements import Target, vendor
from streamdev.deploy.sources import (
    SourceFile,
    check_handler,
    check_syntax,
    module_names,
    source_files,
)
from streamdev.deploy.zip_copy import copy_entry, opened
from streamdev.errors import DeployError

# AWS, "Lambda quotas": deployment package, direct upload and unzipped.
MAX_ZIPPED = 50 * 1024 * 1024
MAX_UNZIPPED = 250 * 1024 * 1024
BIGGEST_NAMED = 5

# How often a package is begun anew whose files are changed meanwhile.
_ATTEMPTS = 10

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can tell
_UNIX = 3
_REGULAR_FILE = 0o100000


@dataclass(frozen=True)
class Package:
    """A function's zip on disk.

    Attributes:
        sha256: As AWS shows it: base64 of the SHA-256 of the zip's bytes.
        size: Bytes, zipped.
        own: The top-level names of the function's own modules.
        required: A hash of all that is not the function's own.
        notes: What to tell the person who deploys it.
    """

    path: Path
    sha256: str
    size: int
    own: tuple[str, ...] = ()
    required: str = ""
    notes: tuple[str, ...] = ()

    @property
    def contents(self) -> dict[str, Any]:
        """What is in it, as the engine is told."""
        return {"sha256": self.sha256, "own": list(self.own), "required": self.required}

    def read(self) -> bytes:
        """The zip's bytes."""
        return self.path.read_bytes()


class _ChangedError(Exception):
    """A file was changed while it was packed."""


def build_package(function: Function, target: Target, packages: Path, cache: Path) -> Package:
    """Check the function's source and put it, with what it requires, into a zip.

    The zip is kept below ``packages`` under a hash of its contents and made only when they
    changed; older zips of the function are removed.

    Args:
        function: What to package.
        target: Where it will run.
        packages: The project's folder of zips.
        cache: The user's cache, for fetched requirements.

    Raises:
        DeployError: The folder is missing, a file is no valid Python, the handler's module
            is missing, a requirement can't be had, or the package is over AWS's limits.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _build(function, target, packages, cache)
        except _ChangedError as error:
            changed = error
    raise DeployError(f"{changed} is being changed all the time.", hint="Deploy when it is whole.")


def _build(function: Function, target: Target, packages: Path, cache: Path) -> Package:
    own = source_files(function.source)
    notes = _check_syntax(own, target)
    vendored = vendor(function.source / REQUIREMENTS, target, cache)
    files = _merge(map(Packed.of, own), () if vendored is None else vendored_files(vendored))
    names = {file.name for file in files}
    warning = check_handler(function.handler, names, function.source)
    path = packages / function.name / f"{_content_hash(files)}.zip"
    if not path.is_file():
        _check_unzipped(function.name, [file.file for file in files])
        others = list(path.parent.glob("*.zip"))
        _write(path, files, others)
        for other in others:
            other.unlink(missing_ok=True)
    data = path.read_bytes()
    if len(data) > MAX_ZIPPED:
        raise _too_big(
            function.name, "zipped", len(data), MAX_ZIPPED, [file.file for file in files]
        )
    tops = {_top(file.name) for file in own}
    return Package(
        path,
        sha256=base64.b64encode(hashlib.sha256(data).digest()).decode(),
        size=len(data),
        own=module_names(own),
        required=_content_hash([file for file in files if _top(file.name) not in tops]),
        notes=(*notes, *([warning] if warning else [])),
    )


def _top(name: str) -> str:
    return name.partition("/")[0]


def check_source(function: Function) -> tuple[str, ...]:
    """Check the function's own files as `build_package` does, without what it requires.

    Returns:
        What to tell the person who deploys it.

    Raises:
        DeployError: As of `build_package`.
    """
    files = source_files(function.source)
    python = function.runtime.removeprefix("python")
    notes = _check_syntax(files, Target(python, "linux"))
    _check_unzipped(function.name, files)
    names = {file.name for file in files}
    if REQUIREMENTS in names:  # the handler may be a requirement's
        return notes
    warning = check_handler(function.handler, names, function.source)
    return (*notes, *([warning] if warning else []))


def _check_syntax(files: Sequence[SourceFile], target: Target) -> tuple[str, ...]:
    """Refuse what is no valid Python; only note it where a newer Python will run it."""
    try:
        check_syntax(files)
    except DeployError as error:
        if not target.newer_than_this_process:
            raise
        return (f"{error.message} (for this Python; it will run on {target.python})",)
    return ()


def _merge(own: Iterable[Packed], vendored: Iterable[Packed]) -> list[Packed]:
    """All files by name; the handler's own win over a requirement's."""
    files = {file.name: file for file in vendored} | {file.name: file for file in own}
    return [files[name] for name in sorted(files)]


def _content_hash(files: Iterable[Packed]) -> str:
    """A hash over names, modes and contents."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file.file.executable:d}\0{file.sha256.hex()}\n".encode())
    return digest.hexdigest()[:32]


def _write(path: Path, files: Sequence[Packed], older: Sequence[Path]) -> None:
    """Write the zip whole or not at all.

    Compressing takes longest; what is equal in one of the ``older`` zips is taken from there.

    Raises:
        _ChangedError: A file is not what it was when it was looked at.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        written_whole(path) as stream,
        zipfile.ZipFile(stream, "w") as archive,
        opened(older) as before,
    ):
        for file in files:
            entry = _entry(file)
            if before is None or not copy_entry(before, archive, entry):
                content = file.file.path.read_bytes()
                if hashlib.sha256(content).digest() != file.sha256:
                    raise _ChangedError(file.file.path)
                archive.writestr(entry, content, compresslevel=6)


def _entry(file: Packed) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(file.name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = _UNIX
    entry.external_attr = (_REGULAR_FILE | (0o755 if file.file.executable else 0o644)) << 16
    # By this the next zip knows what it can take over.
    entry.comment = file.sha256
    return entry


def _check_unzipped(function: str, files: Sequence[SourceFile]) -> None:
    size = sum(file.path.stat().st_size for file in files)
    if size > MAX_UNZIPPED:
        raise _too_big(function, "unzipped", size, MAX_UNZIPPED, files)


def _too_big(
    function: str, how: str, size: int, limit: int, files: Sequence[SourceFile]
) -> DeployError:
    biggest = sorted(files, key=lambda file: file.path.stat().st_size, reverse=True)
    named = ", ".join(
        f"{file.name} ({_megabytes(file.path.stat().st_size)})" for file in biggest[:BIGGEST_NAMED]
    )
    return DeployError(
        f"The package of {function} has {_megabytes(size)} {how}; AWS takes {_megabytes(limit)}. "
        f"Biggest: {named}.",
        hint="Leave out what the handler does not need.",
    )


def _megabytes(size: int) -> str:
    return f"{size / (1024 * 1024):.1f} MB"
