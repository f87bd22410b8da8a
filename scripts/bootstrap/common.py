"""What the parts of the set-up share: the error, the words to the user, running a command."""

import subprocess
import sys
import tempfile
from typing import Dict, List, Optional, Tuple

ONLINE_HINT = (
    "Check the network. Behind a proxy set HTTPS_PROXY; for a mirror set UV_DEFAULT_INDEX (and\n"
    "PIP_INDEX_URL); for a certificate authority of your own set SSL_CERT_FILE."
)

Version = Tuple[int, ...]


class SetupError(Exception):
    """Why the environment can't be made, and what to do about it."""


def say(message: str) -> None:
    """A line for the person who waits."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def dotted(version: Version) -> str:
    """``3.13`` for ``(3, 13)``."""
    return ".".join(str(part) for part in version)


def succeeds(command: List[str]) -> bool:
    """Whether ``command`` ends well; what it prints is dropped."""
    devnull = subprocess.DEVNULL
    return subprocess.call(command, stdin=devnull, stdout=devnull, stderr=devnull) == 0


def run(command: List[str], what: str, hint: str, environ: Optional[Dict[str, str]] = None) -> None:
    """Run ``command``; on failure raise SetupError with the end of what it printed."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=environ, cwd=tempfile.gettempdir(),
    )  # fmt: skip
    try:
        output = process.communicate()[0].decode(errors="replace")
    except KeyboardInterrupt:
        process.kill()
        process.wait()
        raise
    if process.returncode != 0:
        lines = [line for line in output.splitlines() if line.strip()][-12:]
        raise SetupError("\n  ".join([what + " could not be installed:"] + lines) + "\n" + hint)
