"""The benchmark's handlers: one notes when each record reached it, the other tells those notes.

The notes are a file that all environments share, so that they are whole.
"""

import os
import time
from pathlib import Path
from typing import Any


def _notes(function: str) -> Path:
    # Not tempfile.gettempdir(): an environment may have one of its own.
    return Path("/tmp") / f"arrivals-{function}"


def lambda_handler(event: dict[str, Any], _context: object) -> None:
    """Note the arrival of each record, nanoseconds since the epoch."""
    now = time.time_ns()
    lines = [f"{record['dynamodb']['Keys']['id']['S']} {now}\n" for record in event["Records"]]
    with _notes(os.environ["AWS_LAMBDA_FUNCTION_NAME"]).open("a") as file:
        file.writelines(lines)


def tell(event: dict[str, Any], _context: object) -> list[Any]:
    """Do ``{"tell": WHAT, "of": [function, ...]}`` for each function.

    ``count``: how many records it got; ``last``: when the last one came; ``arrivals``: when the
    first of each key came; ``clear``: forget them.
    """
    what = {"count": _count, "last": _last, "arrivals": _arrivals, "clear": _clear}[event["tell"]]
    return [what(_notes(function)) for function in event["of"]]


def _count(notes: Path) -> int:
    return notes.read_bytes().count(b"\n") if notes.exists() else 0


def _last(notes: Path) -> int:
    return max(int(line.split()[1]) for line in notes.read_text().splitlines())


def _arrivals(notes: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in notes.read_text().splitlines():
        key, at = line.split()
        found.setdefault(key, int(at))
    return found


def _clear(notes: Path) -> None:
    notes.unlink(missing_ok=True)
