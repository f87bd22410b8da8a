"""The one way into the engine's log, for everything that writes in LocalStack's process.

Handler output, events and LocalStack's own logging go through one writer, which keeps their
lines apart (``streamdev.semantics.log`` tells how) and rotates the log's file.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from streamdev.plugins.settings import PluginSettings
from streamdev.semantics import log as lines

ROTATE_AT = 64 * 1024 * 1024
KEEP = 3

_RESERVED = (lines.PREFIX.encode(), lines.LOCALSTACK_PREFIX.encode())


class LogWriter:
    """Writes whole chunks to a file descriptor, one thread at a time.

    Args:
        fd: Where the log goes; also the descriptor that is replaced at a rotation.
        also: Further descriptors that follow the log to its next file (standard error).
        path: The file ``fd`` writes to, or ``None`` to leave rotation to others.
        rotate_at: Size in bytes at which a new file is begun; the old ones are kept as
            ``PATH.1`` (the newest) to ``PATH.3``.
    """

    def __init__(
        self,
        fd: int = 1,
        also: tuple[int, ...] = (),
        path: Path | None = None,
        rotate_at: int = ROTATE_AT,
    ) -> None:
        self._fd = fd
        self._also = also
        self._path = path
        self._rotate_at = rotate_at
        self._lock = threading.Lock()
        self._written = os.fstat(fd).st_size if path else 0
        self._source: tuple[str, str | None] | None = None
        self._at_line_start = True
        self._lost = 0
        self.redaction: lines.Redaction = {}

    def redact(self, tables: lines.Redaction) -> None:
        """Mask these attributes of these tables from now on, and no others of theirs."""
        named = {table: frozenset(names) for table, names in tables.items()}
        self.redaction = {**self.redaction, **named}

    def emit(self, event: str, fields: dict[str, Any]) -> None:
        """Write one event."""
        text = "\n".join(lines.render(event, fields, self.redaction)) + "\n"
        self._write_lines(text.encode("utf-8", "backslashreplace"))

    def localstack(self, text: str) -> None:
        """Write what LocalStack logs: whole lines, each of which gets LocalStack's prefix."""
        prefixed = "".join(
            f"{lines.LOCALSTACK_PREFIX}{line}\n" for line in text.rstrip("\n").split("\n")
        )
        self._write_lines(prefixed.encode("utf-8", "backslashreplace"))

    def output(self, function: str, request_id: str | None, data: bytes) -> None:
        """Write what a handler printed, as it is; begin with a marker if the source changed."""
        if not data:
            return
        source = (function, request_id)
        with self._lock:
            if source != self._source:
                fields = {"request_id": request_id, "function": function}
                marker = lines.render("output", fields)[0]
                data = b"".join(
                    (b"" if self._at_line_start else b"\n", marker.encode(), b"\n", _safe(data))
                )
                self._source = source
            else:
                data = _safe(data) if self._at_line_start else data
            self._write(data)
            self._at_line_start = data.endswith(b"\n")

    def _write_lines(self, data: bytes) -> None:
        with self._lock:
            if not self._at_line_start:
                data = b"\n" + data
                self._at_line_start = True
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._lost:
            note = f"{lines.LOCALSTACK_PREFIX}streamdev: {self._lost} bytes of this log were lost"
            data = b"\n" + note.encode() + b"\n" + data
        size = len(data)
        try:
            while data:
                written = os.write(self._fd, data)
                data = data[written:]
        except OSError:
            # The disk is full: what runs goes on, and the log says so once it can.
            self._lost += len(data)
            self._source = None
            return
        self._lost = 0
        self._written += size
        if self._path is not None and self._written >= self._rotate_at:
            self._rotate(self._path)

    def _rotate(self, path: Path) -> None:
        self._written = 0
        try:
            for number in range(KEEP - 1, 0, -1):
                older = path.with_name(f"{path.name}.{number}")
                if older.exists():
                    older.replace(path.with_name(f"{path.name}.{number + 1}"))
            if path.exists():
                path.replace(path.with_name(f"{path.name}.1"))
            new = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            # The folder is gone or full: the old file goes on until the next try.
            note = f"{lines.LOCALSTACK_PREFIX}streamdev: the log can't be rotated: {error}\n"
            with contextlib.suppress(OSError):
                os.write(self._fd, note.encode())
            return
        for fd in (self._fd, *self._also):
            os.dup2(new, fd)
        os.close(new)
        # Whoever reads the new file alone must know whose lines follow.
        self._source = None


def _safe(data: bytes) -> bytes:
    """Handler output in which no line begins like one of the log's own."""
    for prefix in _RESERVED:
        if prefix in data:
            data = data.replace(b"\n" + prefix, b"\n " + prefix)
            if data.startswith(prefix):
                data = b" " + data
    return data


class _PrefixedStream(io.TextIOBase):
    """Stands in for LocalStack's standard output and error: whole lines, with the prefix."""

    encoding = "utf-8"

    def __init__(self, writer: LogWriter, original: TextIO) -> None:
        super().__init__()
        self._writer = writer
        self._original = original
        self._pending = ""
        self._lock = threading.Lock()

    @property
    def buffer(self) -> Any:
        """The stream's bytes, for what writes them itself."""
        return self._original.buffer

    def fileno(self) -> int:
        """The descriptor below, as libraries ask for it."""
        return self._original.fileno()

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str) -> int:
        """Take ``text``; its whole lines are written at once."""
        with self._lock:
            whole, newline, self._pending = (self._pending + text).rpartition("\n")
            if newline and whole.strip():
                self._writer.localstack(whole)
        return len(text)

    def flush(self) -> None:
        """Nothing waits but a line that is not whole yet."""


_writer: LogWriter | None = None
_writer_lock = threading.Lock()


def _get_writer() -> LogWriter:
    global _writer
    if _writer is None:
        with _writer_lock:
            if _writer is None:
                settings = PluginSettings.from_environ()
                _writer = LogWriter(also=(2,), path=settings.log_file)
    return _writer


def install() -> None:
    """Send LocalStack's logging, standard output and standard error through the writer."""
    writer = _get_writer()
    originals = (sys.stdout, sys.stderr)
    if any(isinstance(stream, _PrefixedStream) for stream in originals):
        return
    for stream in originals:
        stream.flush()
    sys.stdout = _PrefixedStream(writer, originals[0])
    sys.stderr = _PrefixedStream(writer, originals[1])
    loggers = [logging.getLogger()]
    loggers += [
        logger for logger in logging.root.manager.loggerDict.values()
        if isinstance(logger, logging.Logger)
    ]  # fmt: skip
    for logger in loggers:
        for handler in logger.handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream in originals:
                handler.setStream(sys.stderr)


def emit(event: str, **fields: Any) -> None:
    """Write one ``[streamdev]`` event; ``at`` is added. Thread-safe."""
    _get_writer().emit(event, fields)


def output(function: str, request_id: str | None, data: bytes) -> None:
    """Write bytes that a handler printed, with a marker where the source changes."""
    _get_writer().output(function, request_id, data)


def set_redaction(tables: lines.Redaction) -> None:
    """Mask these attributes (names, by table) in all events from now on; other tables' stay."""
    _get_writer().redact(tables)
