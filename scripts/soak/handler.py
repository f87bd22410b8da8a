"""The soak's handler: notes what it gets and what it has done, and fails at random.

Its folder (``SOAK_FOLDER``) holds its notes and the flag ``calm``, after which nothing fails.
"""

import json
import os
import random
import time
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["SOAK_FOLDER"])
NOTES = FOLDER / f"{os.environ['AWS_LAMBDA_FUNCTION_NAME']}.jsonl"
REPORTS = bool(os.environ.get("SOAK_REPORTS"))
_CALLS = iter(range(1_000_000_000))


def note(phase: str, sequences: list[str]) -> None:
    """Append a line in one system call, so that concurrent environments don't mix theirs."""
    line = json.dumps({"phase": phase, "pid": os.getpid(), "sequences": sequences})
    file = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(file, line.encode() + b"\n")
    finally:
        os.close(file)


def lambda_handler(event: dict[str, Any], _context: Any) -> dict[str, Any] | None:
    """Handle a batch, or fail in one of the ways a handler can."""
    sequences = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
    note("start", sequences)
    chance = random.Random(f"{os.environ['SOAK_SEED']}/{sequences[0]}/{next(_CALLS)}")
    fate = 1.0 if (FOLDER / "calm").exists() else chance.random()
    if fate < 0.05:
        raise RuntimeError("this batch was bound to fail")
    if fate < 0.06:
        os._exit(3)
    if fate < 0.07:
        time.sleep(60)  # longer than the function's timeout
    if REPORTS and fate < 0.17:
        bad = chance.randrange(len(sequences))
        note("done", sequences[:bad])
        return {"batchItemFailures": [{"itemIdentifier": sequences[bad]}]}
    note("done", sequences)
    return None
