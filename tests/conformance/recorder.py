"""The function under test: notes each event in a file, then does what ``answer.py`` says.

It is packaged into every function of the suite as ``recorder.lambda_handler``. The folder that
the environment variable ``NOTES`` names belongs to the function; all subjects run on this host.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import answer  # type: ignore[import-not-found]

FOLDER = Path(os.environ["NOTES"])
NOTES = FOLDER / "notes.jsonl"
LOADED = time.time()


def note(**fields: Any) -> None:
    """Append a line in one system call, so that concurrent environments don't mix theirs."""
    file = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(file, (json.dumps(fields) + "\n").encode())
    finally:
        os.close(file)


def shown(event: dict[str, Any]) -> dict[str, Any]:
    """The event; of a big one only the keys and the size in bytes."""
    if not os.environ.get("BRIEF"):
        return event
    size = len(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode())
    records = [
        {"eventName": r["eventName"], "dynamodb": {"Keys": r["dynamodb"]["Keys"]}}
        for r in event["Records"]
    ]
    return {"Records": records, "size": size}


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    """Note the call, answer it, and note that it ended."""
    number = 0
    if NOTES.exists():
        number = NOTES.read_bytes().count(b'"phase": "start"')
    call = f"{context.aws_request_id}/{time.time_ns()}"
    note(
        phase="start",
        call=call,
        at=time.time(),
        loaded=LOADED,
        environment=os.getpid(),
        version=context.function_version,
        arn=context.invoked_function_arn,
        initialization=os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE"),
        event=shown(event),
    )
    try:
        return answer.answer(event, context, FOLDER, number)
    finally:
        note(phase="end", call=call, at=time.time())
