"""Ends parts of an engine the hard way (SIGKILL), a local process or a container's alike."""

from __future__ import annotations

import os

from streamdev.engine.docker_client import connected
from tests.support.containers import container_of
from tests.support.project import Project

# The image has no procps: Python finds the processes by their command lines.
_KILL = """
import os, pathlib, signal, sys
for entry in pathlib.Path("/proc").glob("[0-9]*"):
    number = int(entry.name)
    try:
        if number != os.getpid() and sys.argv[1].encode() in (entry / "cmdline").read_bytes():
            os.kill(number, signal.SIGKILL)
    except OSError:
        pass
"""


def kill_handlers(project: Project) -> None:
    """Kill all handlers' processes."""
    if project.engine == "compose":
        kill_in_container(project, "bootstrap.py")
        return
    for process in project.processes():
        if "bootstrap.py" in " ".join(process.cmdline()):
            process.kill()


def kill_in_container(project: Project, words: str) -> None:
    """Kill the processes in the engine's container whose command line has ``words``."""
    with connected(os.environ) as client:
        container_of(client, project).exec_run(["python3", "-c", _KILL, words])
