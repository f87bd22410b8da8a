"""A socket before the Docker daemon's, to be closed: for its clients the daemon has stopped."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path


class SocketProxy:
    """Hands bytes on between ``path`` and the daemon's socket, until it is stopped.

    Args:
        path: Where clients connect to.
        target: The daemon's socket.
    """

    def __init__(self, path: Path, target: str) -> None:
        self.path = path
        self._target = target
        self._open: list[socket.socket] = []
        self._server: socket.socket | None = None

    @property
    def host(self) -> str:
        """For ``DOCKER_HOST``."""
        return f"unix://{self.path}"

    def start(self) -> None:
        """Begin to accept."""
        self._server = server = socket.socket(socket.AF_UNIX)
        server.bind(str(self.path))
        server.listen()
        threading.Thread(target=self._accept, args=(server,), daemon=True).start()

    def stop(self) -> None:
        """Cut all connections and accept no more."""
        assert self._server is not None
        self.path.unlink()
        for each in [self._server, *self._open]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            daemon = socket.socket(socket.AF_UNIX)
            daemon.connect(self._target)
            self._open += [client, daemon]
            for source, sink in ((client, daemon), (daemon, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65_536):
                sink.sendall(chunk)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
