"""Batches that were given up, whole, each in a file that only its owner can read.

The file is written before the mapping goes on, so nothing is lost when the failure destination
does not answer; what was not delivered is found again after a restart.
"""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOG = logging.getLogger(__name__)

_FILE_NAME = re.compile(r"[0-9A-Za-z-]+\.json")


class FailedBatches:
    """The files.

    Args:
        folder: Where; ``None`` keeps nothing (no state folder was given).
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def save(self, name: str, batch: Mapping[str, Any]) -> str | None:
        """Store a batch under ``name``; return the file's name, or ``None`` if it can't be.

        The batch holds ``mapping``, ``function``, ``condition``, ``message`` (AWS's body),
        ``payload`` (the event), ``error``, ``destination`` and ``delivered``.
        """
        if self._folder is None:
            return None
        file_name = f"{name}.json"
        try:
            self._write(self._folder / file_name, batch)
        except OSError as error:
            LOG.warning("a failed batch can't be stored in %s: %s", self._folder, error)
            return None
        return file_name

    def load(self, file_name: str) -> dict[str, Any] | None:
        """A stored batch; ``None`` when the file is gone or spoilt."""
        if self._folder is None:
            return None
        try:
            batch = json.loads((self._folder / file_name).read_bytes())
        except (OSError, ValueError) as error:
            LOG.warning("%s can't be read: %s", file_name, error)
            return None
        return batch if isinstance(batch, dict) else None

    def find(self, file_name: str) -> dict[str, Any] | None:
        """A stored batch that someone names, or ``None``."""
        if self._folder is None or not _FILE_NAME.fullmatch(file_name):
            return None
        return self.load(file_name) if (self._folder / file_name).is_file() else None

    def restore(self, file_name: str, batch: Any) -> bool:
        """Store a batch that `find` gave once, under its old name; tell whether it is."""
        if not _FILE_NAME.fullmatch(file_name) or not isinstance(batch, dict):
            return False
        return self.save(file_name.removesuffix(".json"), batch) is not None

    def all(self) -> dict[str, dict[str, Any]]:
        """Every stored batch by its file's name, oldest first."""
        if self._folder is None or not self._folder.is_dir():
            return {}
        loaded = {path.name: self.find(path.name) for path in sorted(self._folder.glob("*.json"))}
        return {name: batch for name, batch in loaded.items() if batch is not None}

    def delete(self, file_name: str) -> None:
        """Remove a stored batch; nothing happens where there is none."""
        if self._folder is not None and _FILE_NAME.fullmatch(file_name):
            with self._lock:
                (self._folder / file_name).unlink(missing_ok=True)

    def mark_delivered(self, file_name: str) -> None:
        """The destination has it; the batch itself stays for whoever wants to replay it."""
        with self._lock:
            batch = self.load(file_name)
            if batch is not None:
                self.save(file_name.removesuffix(".json"), {**batch, "delivered": True})

    def forget_deliveries(self) -> None:
        """The destinations are empty again, so every batch still stored has to be told anew."""
        for name, batch in self.all().items():
            if batch.get("delivered"):
                self.save(name.removesuffix(".json"), {**batch, "delivered": False})

    def undelivered(self) -> list[str]:
        """Names of the files whose destination has not got its message, oldest first."""
        if self._folder is None or not self._folder.is_dir():
            return []
        found = []
        files = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in files:
            batch = self.load(path.name)
            if batch and batch.get("destination") and not batch.get("delivered"):
                found.append(path.name)
        return found

    def _write(self, path: Path, batch: Mapping[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # mkstemp makes files that only their owner can read and write.
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as file:
                json.dump(batch, file, ensure_ascii=False)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
