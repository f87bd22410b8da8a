"""Ports for the engines of tests."""

from __future__ import annotations

import itertools
import os
import socket

# Below the range from which the system takes ports for connections that it makes.
FIRST, LAST = 15_000, 32_000
# What an engine may take: its gateway, and with Compose the ports around it.
BLOCK = 100
WORKERS = 8
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
# Another run of the tests on this machine begins elsewhere.
_BLOCKS = list(range(FIRST + _WORKER * BLOCK, LAST, WORKERS * BLOCK))
_NEXT = itertools.islice(itertools.cycle(_BLOCKS), os.getpid() % len(_BLOCKS), None)


def free_port() -> int:
    """A gateway's port with free ports around it; pytest's workers don't get each other's."""
    for start in itertools.islice(_NEXT, len(_BLOCKS)):
        if all(_is_free(port) for port in range(start, start + BLOCK)):
            return start + 66
    raise AssertionError("there is no free port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
