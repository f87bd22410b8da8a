"""Whether something listens on a port of this machine."""

from __future__ import annotations

import socket


def is_listening(port: int) -> bool:
    """Whether a server on ``port`` takes no second one beside it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections that just closed don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            # Not to listen: the server that is waited for may just be about to.
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
