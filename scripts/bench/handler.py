"""The benchmark's handler: notes when each record reached it, and tells on request.

It keeps its notes in a file that all its environments share, so that they are whole.
"""

import os
import time
from pathlib import Path
from typing import Any

# Not tempfile.gettempdir(): an environment may have one of its own.
NOTES = Path("/tmp") / f"arrivals-{os.environ['AWS_LAMBDA_FUNCTION_NAME']}"


def lambda_handler(event: dict[str, Any], _context: object) -> Any:
    """Note the arrival of each record; or do ``{"tell": "count" | "all" | "clear"}``."""
    now = time.time_ns()
    if what := event.get("tell"):
        if what == "clear":
            NOTES.unlink(missing_ok=True)
        notes = NOTES.read_bytes() if NOTES.exists() else b""
        return notes.decode().splitlines() if what == "all" else notes.count(b"\n")
    lines = [f"{record['dynamodb']['Keys']['id']['S']} {now}\n" for record in event["Records"]]
    with NOTES.open("a") as file:
        file.writelines(lines)
    return None
