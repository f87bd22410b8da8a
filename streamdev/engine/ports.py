"""Whether the engine's port is free, and who holds it if not."""

from __future__ import annotations

import shlex
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

from streamdev.engine.base import DEFAULT_PORT, HOST, MARK
from streamdev.errors import EngineStartError


@dataclass(frozen=True)
class PortHolder:
    """A process that listens on a port.

    Attributes:
        pid: Its number; ``None`` where the system doesn't tell (another user's process).
        command: Its command line, shortened; ``None`` as above.
        checkout: The folder of the streamdev checkout whose engine it is, if it is one.
    """

    pid: int | None
    command: str | None
    checkout: Path | None

    def __str__(self) -> str:
        if self.checkout:
            return f"the streamdev engine of {self.checkout} (pid {self.pid})"
        if self.pid is None:
            return "a process of another user"
        return f"pid {self.pid}: {self.command}"


# The ten ports for debuggers begin here where the engine is on port 4566.
FIRST_DEBUG_PORT = 4550
DEBUG_PORTS = 10


def debug_port(port: int) -> int:
    """The first of the ten ports for debuggers: moved as far as ``port`` is from 4566."""
    wanted = FIRST_DEBUG_PORT + port - DEFAULT_PORT
    return wanted if 1024 <= wanted <= 65_536 - DEBUG_PORTS else FIRST_DEBUG_PORT


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections that just closed don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that is free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def holder_of(port: int) -> PortHolder:
    """Who listens on ``port``, as far as the system tells."""
    unknown = PortHolder(None, None, None)
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:  # macOS, without root
        return unknown
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr:
            continue
        if connection.laddr.port == port and connection.pid is not None:
            return _describe(connection.pid)
    return unknown


def _describe(pid: int) -> PortHolder:
    try:
        process = psutil.Process(pid)
        command = shlex.join(process.cmdline()) or process.name()
    except psutil.Error:
        return PortHolder(pid, "?", None)
    if len(command) > 80:
        command = command[:77] + "..."
    try:
        environ = process.environ()
    except (psutil.Error, OSError):
        environ = {}
    state_dir = environ.get("STREAMDEV_STATE_DIR")
    checkout = Path(state_dir).parent.parent if state_dir and MARK in environ else None
    return PortHolder(pid, command, checkout)


def require_free(port: int) -> None:
    """Make sure that the engine can listen on ``port``.

    Raises:
        EngineStartError: Another process does; the message names it.
    """
    if is_free(port):
        return
    if port < 1024:
        raise EngineStartError(
            f"Port {port} can't be used by an ordinary user, or it is taken.",
            hint="Choose one above 1023: ./dev.py up --port 4567 (or STREAMDEV_PORT=4567)",
        )
    raise EngineStartError(
        f"Port {port} is taken by {holder_of(port)}.",
        hint=f"Choose another: ./dev.py up --port {free_port()} (or STREAMDEV_PORT)",
    )
