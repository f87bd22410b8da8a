"""The file of a snapshot: a zip archive of JSON lines, written and read as a stream.

Its members:

* ``snapshot.json``: what is in it (`Manifest.document`), written last.
* ``tables/NAME.jsonl``: a table's items, one a line, in DynamoDB JSON.
* ``queues/NAME.jsonl``: a queue's messages, one a line (``aws.queues.StoredMessage``).
* ``batches.jsonl``: the batches that mappings gave up, as the engine stores them.

The archive's checksums, its list of members (at the end) and the counts in ``snapshot.json`` show
whether a file is whole.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamdev.errors import InvalidInputError
from streamdev.semantics.items import KeySchema, check_item
from streamdev.semantics.values import ValueRefusedError
from streamdev.snapshot.manifest import VERSION, Manifest, SavedTable, manifest_of

SUFFIX = ".snapshot.zip"
_MANIFEST = "snapshot.json"
_BATCHES = "batches.jsonl"
# What reading a damaged archive may raise.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RecursionError,
    RuntimeError,
    ValueError,
    KeyError,
)


class Writer:
    """Writes a snapshot, member by member; `new` makes one."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._tables: dict[str, SavedTable] = {}
        self._queues: dict[str, int] = {}
        self._batches = 0

    def table(
        self, name: str, keys: Iterable[tuple[str, str]], items: Iterable[Mapping[str, Any]]
    ) -> None:
        """Write a table's items (DynamoDB JSON, binary as base64 text)."""
        count = self._lines(f"tables/{name}.jsonl", items)
        self._tables[name] = SavedTable(tuple(keys), count)

    def queue(self, name: str, messages: Iterable[Mapping[str, Any]]) -> None:
        """Write a queue's messages."""
        self._queues[name] = self._lines(f"queues/{name}.jsonl", messages)

    def batches(self, batches: Iterable[Mapping[str, Any]]) -> None:
        """Write batches that were given up."""
        self._batches = self._lines(_BATCHES, batches)

    def end(self) -> Manifest:
        """Write what is in it."""
        now = datetime.now(UTC).replace(microsecond=0)
        manifest = Manifest(now, self._tables, self._queues, self._batches)
        text = json.dumps(manifest.document(), ensure_ascii=False, indent=2)
        self._archive.writestr(_MANIFEST, text + "\n")
        return manifest

    def _lines(self, member: str, documents: Iterable[Mapping[str, Any]]) -> int:
        count = 0
        info = zipfile.ZipInfo(member, time.localtime()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        with self._archive.open(info, "w", force_zip64=True) as file:
            for document in documents:
                text = json.dumps(document, ensure_ascii=False) + "\n"
                # A lone surrogate becomes its escape, which is the same in JSON.
                file.write(text.encode("utf-8", "backslashreplace"))
                count += 1
        return count


@contextmanager
def new(path: Path) -> Iterator[Writer]:
    """A block that writes a snapshot: at its end the file is there, whole, or as it was before.

    Only its owner can read it, as it may hold secrets.

    Raises:
        InvalidInputError: The folder or the file can't be written.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # mkstemp makes files that only their owner can read and write.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                yield Writer(archive)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise InvalidInputError(
            f"The snapshot {path} can't be written: {error.strerror}.",
            hint="Nothing is left of it. Save it elsewhere: ./dev.py snapshot save FILE",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


class Snapshot:
    """A snapshot's file, open to be read; `opened` opens one.

    Attributes:
        path: The file.
        manifest: What is in it.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self._archive = archive

    def items(self, table: str) -> Iterator[tuple[dict[str, Any], int]]:
        """A table's items, each with the bytes it takes.

        Raises:
            InvalidInputError: The file is damaged.
        """
        return self._lines(f"tables/{table}.jsonl", self.manifest.tables[table].items)

    def messages(self, queue: str) -> Iterator[dict[str, Any]]:
        """A queue's messages.

        Raises:
            InvalidInputError: The file is damaged.
        """
        lines = self._lines(f"queues/{queue}.jsonl", self.manifest.queues[queue])
        return (message for message, _ in lines)

    def batches(self) -> Iterator[dict[str, Any]]:
        """The batches that were given up.

        Raises:
            InvalidInputError: The file is damaged.
        """
        if not self.manifest.batches:
            return iter(())
        return (batch for batch, _ in self._lines(_BATCHES, self.manifest.batches))

    def check(self) -> None:
        """Read all of it.

        Raises:
            InvalidInputError: It is damaged, or not what it says.
        """
        for name, table in self.manifest.tables.items():
            schema = KeySchema(table.keys)
            for number, (item, _) in enumerate(self.items(name), 1):
                try:
                    check_item(item, schema)
                except ValueRefusedError as error:
                    raise self._damaged(f"tables/{name}.jsonl, line {number}: {error}") from error
        for name in self.manifest.queues:
            for number, message in enumerate(self.messages(name), 1):
                if not isinstance(message.get("body"), str):
                    raise self._damaged(f"queues/{name}.jsonl, line {number}: no body")
        for _ in self.batches():
            pass

    def _lines(self, member: str, count: int) -> Iterator[tuple[dict[str, Any], int]]:
        number = 0
        try:
            with self._archive.open(member) as file:
                for number, line in enumerate(file, 1):
                    document = json.loads(line)
                    if not isinstance(document, dict):
                        raise self._damaged(f"{member}, line {number}: no JSON object")
                    yield document, len(line)
        except _DAMAGED as error:
            raise self._damaged(f"{member}, line {number}: {error}") from error
        except OSError as error:
            raise InvalidInputError(f"{self.path} can't be read: {error.strerror}.") from error
        if number != count:
            raise self._damaged(f"{member} has {number} lines, not {count}")

    def _damaged(self, what: str) -> InvalidInputError:
        return InvalidInputError(f"The snapshot {self.path} is damaged: {what}.")


@contextmanager
def opened(path: Path) -> Iterator[Snapshot]:
    """A block that reads the snapshot ``path``.

    Raises:
        InvalidInputError: It can't be read, is none, or is one of another version.
    """
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise InvalidInputError(f"{path} can't be read: {error.strerror}.") from error
    except zipfile.BadZipFile as error:
        raise _no_snapshot(path) from error
    with archive:
        try:
            document = json.loads(archive.read(_MANIFEST))
            version = document["version"]
        except (*_DAMAGED, TypeError) as error:
            raise _no_snapshot(path) from error
        if version != VERSION:
            raise InvalidInputError(
                f"{path} is a snapshot of version {version}; this streamdev reads version "
                f"{VERSION}.",
                hint="Load it with the streamdev that saved it.",
            )
        try:
            manifest = manifest_of(document)
        except (*_DAMAGED, TypeError, AttributeError) as error:
            raise _no_snapshot(path) from error
        yield Snapshot(path, archive, manifest)


def _no_snapshot(path: Path) -> InvalidInputError:
    return InvalidInputError(
        f"{path} is no snapshot, or only a part of one.",
        hint="Save one: ./dev.py snapshot save",
    )
