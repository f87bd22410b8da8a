"""What a handler's process prints: its one pipe for stdout and stderr, read in order.

Each process has a thread that reads the pipe whenever something comes, so that the process never
blocks on it, also between invocations. The thread that invokes reads it too at the borders of an
invocation: what the runtime wrote before it answered is in the pipe by then, so it comes
before END, and whoever holds the lock reads next.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterator

from streamdev.plugins.executor.function import WriteOutput

_CHUNK = 64 * 1024
_MAX_PARTIAL = 64 * 1024
# More than a pipe can hold: what was in it when the reading began.
_MAX_DRAIN = 2 * 1024 * 1024
_KEPT_BYTES = 128 * 1024
_KEPT_LINES = 4_000


class Capture:
    """The output of one invocation for CloudWatch Logs: its beginning and its end.

    CloudWatch Logs takes 10,000 lines and 1 MB at once; what is kept here stays below.

    Args:
        size: Bytes that the beginning, and the end, may have.
        lines: Lines that the beginning, and the end, may have.
    """

    def __init__(self, size: int = _KEPT_BYTES, lines: int = _KEPT_LINES) -> None:
        self._size = size
        self._lines = lines
        self._head = bytearray()
        self._head_lines = 0
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._left_out = 0

    def add(self, data: bytes) -> None:
        """Take more output, whole lines where possible."""
        if not self._tail:
            count = data.count(b"\n")
            if (
                len(self._head) + len(data) <= self._size
                and self._head_lines + count <= self._lines
            ):
                self._head += data
                self._head_lines += count
                return
        self._tail.append(data)
        self._tail_size += len(data)
        while self._tail_size - len(self._tail[0]) >= self._size:
            dropped = self._tail.popleft()
            self._tail_size -= len(dropped)
            self._left_out += len(dropped)

    def text(self) -> str:
        """All that is kept, with a line where output is left out; invalid UTF-8 replaced."""
        whole_tail = b"".join(self._tail)
        kept = whole_tail[-self._size :]
        if len(kept) < len(whole_tail):
            # Begin with a whole line, where there is one.
            kept = kept[kept.find(b"\n", 0, -1) + 1 :]
        kept = b"".join(kept.splitlines(keepends=True)[-self._lines :])
        left_out = self._left_out + len(whole_tail) - len(kept)
        note = ""
        if left_out:
            note = f"... {left_out} bytes of output left out; the engine's log has them ...\n"
        return f"{self._head.decode('utf-8', 'replace')}{note}{kept.decode('utf-8', 'replace')}"


class _Pipe:
    """One process's pipe, read under the lock of the output it belongs to."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._fd, self.write_end = os.pipe()
        os.set_blocking(self._fd, False)
        self._partial = b""
        self._open = True

    def close_write_end(self) -> None:
        os.close(self.write_end)

    def close_unused(self) -> None:
        os.close(self.write_end)
        os.close(self._fd)
        self._open = False

    def read_all(self, on_end: Callable[[], object]) -> None:
        """Read until all writers are gone (the body of the reading thread)."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        more = True
        while more:
            poll.poll()
            with self._output.lock:
                more = self._read() is not None
        with self._output.lock:
            self.flush()
            self._open = False
            os.close(self._fd)
        on_end()

    def drain(self) -> None:
        """Read what is there now."""
        left = _MAX_DRAIN
        while self._open and left > 0:
            size = self._read()
            if not size:
                return
            left -= size

    def flush(self) -> None:
        """Pass on a line that has no end yet."""
        if self._partial:
            self._output.pass_on(self._partial + b"\n")
            self._partial = b""

    def _read(self) -> int | None:
        """Read a chunk; its size, 0 if there is nothing now, ``None`` at the end."""
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return 0
        if not data:
            return None
        whole, newline, rest = data.rpartition(b"\n")
        if newline:
            self._output.pass_on(self._partial + whole + newline)
            self._partial = rest
        else:
            self._partial += data
        if len(self._partial) > _MAX_PARTIAL:
            self._output.pass_on(self._partial)
            self._partial = b""
        return len(data)


class Output:
    """What the processes of one environment print, one process after the other.

    Args:
        function: Name of the function, for the log.
        write: Takes all output as it comes, in whole lines.
    """

    def __init__(self, function: str, write: WriteOutput) -> None:
        self.lock = threading.Lock()
        self._function = function
        self._write = write
        self._request_id: str | None = None
        self._capture = Capture()
        self._pipe: _Pipe | None = None

    @contextlib.contextmanager
    def pipe(self, on_end: Callable[[], object]) -> Iterator[int]:
        """A new pipe; the context's value is its end for a process to be started in it.

        Args:
            on_end: Called from the reading thread once all writers have closed the pipe.
        """
        pipe = _Pipe(self)
        try:
            yield pipe.write_end
        except BaseException:
            pipe.close_unused()
            raise
        pipe.close_write_end()
        with self.lock:
            self._pipe = pipe
        threading.Thread(
            target=pipe.read_all, args=(on_end,), name=f"output-{self._function}", daemon=True
        ).start()

    def begin(self, request_id: str) -> None:
        """What comes from now on belongs to this invocation.

        Output since the last invocation (of init, of threads) stays with what was before in
        the engine's log, and goes to CloudWatch Logs together with this invocation's.
        """
        with self.lock:
            self._catch_up()
            self._request_id = request_id

    def tell(self, *lines: str) -> None:
        """Write lines of our own, after all that the process has printed so far."""
        with self.lock:
            self._catch_up()
            self.pass_on("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))

    def take(self) -> str:
        """What was captured since the last call, as text."""
        with self.lock:
            captured, self._capture = self._capture, Capture()
        return captured.text()

    def pass_on(self, data: bytes) -> None:
        """Write and capture output; the lock is held."""
        self._capture.add(data)
        with contextlib.suppress(OSError):
            # A log that can't be written must not end handlers.
            self._write(self._function, self._request_id, data)

    def _catch_up(self) -> None:
        if self._pipe is not None:
            self._pipe.drain()
            self._pipe.flush()
