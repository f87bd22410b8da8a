"""Ends parts of an engine the hard way (SIGKILL), a local process or a container's alike."""

from __future__ import annotations

import os
import signal

from streamdev.engine.docker_client import connected
from tests.support.containers import container_of
from tests.support.project import Project

DATABASE = "DynamoDBLocal"

# The image has no procps: Python finds the processes by their command lines.
_SEND = """
import os, pathlib, sys
for entry in pathlib.Path("/proc").glob("[0-9]*"):
    number = int(entry.name)
    try:
        if number != os.getpid() and sys.argv[1].encode() in (entry / "cmdline").read_bytes():
            os.kill(number, int(sys.argv[2]))
    except OSError:
        pass
"""


def kill_handlers(project: Project) -> None:
    """Kill all handlers' processes."""
    _send(project, "bootstrap.py", signal.SIGKILL)


def stop_database(project: Project) -> None:
    """Have DynamoDB Local stand still: calls reach it, and it does nothing about them."""
    _send(project, DATABASE, signal.SIGSTOP)


def kill_database(project: Project) -> None:
    """Kill DynamoDB Local; the engine starts it again."""
    _send(project, DATABASE, signal.SIGKILL)


def _send(project: Project, words: str, number: signal.Signals) -> None:
    """Send a signal to the engine's processes whose command line has ``words``."""
    if project.engine == "compose":
        with connected(os.environ) as client:
            script = ["python3", "-c", _SEND, words, str(int(number))]
            container_of(client, project).exec_run(script)
        return
    for process in project.processes():
        if words in " ".join(process.cmdline()):
            process.send_signal(number)
