"""DynamoDB Local's database files, one SQLite database per account and region.

Before it stores a stream record, DynamoDB Local looks for the stream's first one without an index:
it walks over all records of the last day for each write, so 20,000 records make a write ten times
slower than 1,000 do. An index mends that; SQLite uses it by itself.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

LOG = logging.getLogger(__name__)

# ``us`` holds the stream records; its rows' own order is that of SequenceNumber. Databases.java
# makes the same indexes, when DynamoDB Local opens a database: before its first call, and also in
# memory, where nobody else can. It can't be the only place: the DynamoDB Local of LocalStack's own
# image runs without that class. Nor can this be: it comes after the first call, and to files only.
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS streamdev_us_stream ON us(StreamID)",
    "CREATE INDEX IF NOT EXISTS streamdev_us_shard ON us(ShardID)",
)
_LOCK_TIMEOUT = 5.0


class UnreadableDatabaseError(Exception):
    """A file holds no database, or a damaged one."""


class DatabaseFiles:
    """Makes the indexes in each file, once.

    Args:
        folder: DynamoDB Local's ``-dbPath``; ``None`` when it works in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._done: set[str] = set()

    def prepare_all(self) -> None:
        """Prepare what an earlier run left; DynamoDB Local is not running.

        Raises:
            UnreadableDatabaseError: DynamoDB Local would answer no call either.
        """
        if self._folder is None:
            return
        for path in self._folder.glob("*.db"):
            error = self._prepare(path)
            if error and error.sqlite_errorcode in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise UnreadableDatabaseError(
                    f"{path} can't be read: {error}; put a copy in its place, or let down wipe it"
                )

    def prepare(self, namespace: str, region: str) -> None:
        """Prepare one account and region, whose first table was just made."""
        if self._folder is not None:
            self._prepare(self._folder / f"{namespace}_{region}.db")

    def _prepare(self, path: Path) -> sqlite3.Error | None:
        with self._lock:
            if path.name in self._done:
                return None
            try:
                # ``rw``: a file that is not there is not to be made.
                uri = f"{path.resolve().as_uri()}?mode=rw"
                with closing(sqlite3.connect(uri, uri=True, timeout=_LOCK_TIMEOUT)) as database:
                    for index in _INDEXES:
                        database.execute(index)
                    database.commit()
            except sqlite3.Error as error:
                # It works without, only slower.
                LOG.warning("no indexes in %s: %s", path, error)
                return error
            self._done.add(path.name)
            return None
