"""A command that goes on and tells what happens, one JSON document a line."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.project import COMMAND, Project

Document = dict[str, Any]


class Telling:
    """What a running command tells."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._told: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._errors: list[str] = []
        self.documents: list[Document] = []
        self._readers: list[threading.Thread] = []
        for stream, put in ((process.stdout, self._told.put), (process.stderr, self._add)):
            reader = threading.Thread(target=self._read, args=(stream, put), daemon=True)
            reader.start()
            self._readers.append(reader)

    def next(
        self,
        kind: str,
        condition: Callable[[Document], bool] = lambda _: True,
        timeout: float = 120,
    ) -> Document:
        """The next document of that kind that meets the condition; others are passed over."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = self._told.get(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                raise AssertionError(
                    f"no {kind} within {timeout} s; told: {self.documents}\n{self.errors}"
                ) from None
            document: Document = json.loads(line)
            self.documents.append(document)
            if document["kind"] == kind and condition(document):
                return document

    def find(self, kind: str, condition: Callable[[Document], bool]) -> Document:
        """Such a document, told already (also if passed over) or to come."""
        for document in self.documents:
            if document["kind"] == kind and condition(document):
                return document
        return self.next(kind, condition)

    @property
    def errors(self) -> str:
        """What it wrote for people."""
        return "".join(self._errors)

    def says(self, words: str, timeout: float = 120) -> None:
        """Wait until it has written ``words`` for people."""
        deadline = time.monotonic() + timeout
        while words not in self.errors:
            assert self.process.poll() is None, self.errors
            assert time.monotonic() < deadline, self.errors
            time.sleep(0.05)

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=60)
        assert "Traceback" not in self.errors
        return code

    def close(self) -> None:
        """Wait until all that it wrote is read."""
        for reader in self._readers:
            reader.join(30)

    def _add(self, line: str) -> None:
        self._errors.append(line)

    def _read(self, stream: Any, put: Callable[[str], None]) -> None:
        with stream:
            for line in stream:
                put(line)


@contextmanager
def telling(project: Project, *args: str) -> Iterator[Telling]:
    """Run a command with ``--json``; it is ended on the way out."""
    process = subprocess.Popen(
        [*COMMAND, *args, "--json"],
        cwd=project.root,
        env=project.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    told = Telling(process)
    try:
        yield told
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=60)
        told.close()
