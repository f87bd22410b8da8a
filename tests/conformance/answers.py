"""What the functions under test do with an event, as the source of their ``answer.py``.

Each defines ``answer(event, context, folder, number)``: ``folder`` is the function's own, where a
test sets and clears flags (files), ``number`` tells how many calls there were before.
"""

from __future__ import annotations

NOTHING = """
def answer(event, context, folder, number):
    return None
"""

# Fails while the flag "fail" is set.
FAIL_WHILE_FLAGGED = """
def answer(event, context, folder, number):
    if (folder / "fail").exists():
        raise RuntimeError("asked to fail")
"""

# Fails whenever the batch holds a record whose id begins with "bad".
FAIL_ON_BAD = """
def answer(event, context, folder, number):
    for record in event["Records"]:
        if record["dynamodb"]["Keys"]["id"]["S"].startswith("bad"):
            raise ValueError("a bad record")
"""

# Waits while the flag "hold" is set, at most 30 s.
HOLD_WHILE_FLAGGED = """
import time

def answer(event, context, folder, number):
    deadline = time.monotonic() + 30
    while (folder / "hold").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
"""

SLOW = """
import time

def answer(event, context, folder, number):
    time.sleep(0.5)
"""

# Reports the records whose id begins with "bad" as failed, last one first.
REPORT_BAD = """
def answer(event, context, folder, number):
    failed = [
        {"itemIdentifier": record["dynamodb"]["SequenceNumber"]}
        for record in event["Records"]
        if record["dynamodb"]["Keys"]["id"]["S"].startswith("bad")
    ]
    return {"batchItemFailures": failed[::-1]}
"""

# The same while the flag "fail" is set; afterwards all is well.
REPORT_BAD_WHILE_FLAGGED = """
def answer(event, context, folder, number):
    failed = [
        {"itemIdentifier": record["dynamodb"]["SequenceNumber"]}
        for record in event["Records"]
        if record["dynamodb"]["Keys"]["id"]["S"].startswith("bad")
    ]
    if not (folder / "fail").exists():
        failed = []
    return {"batchItemFailures": failed[::-1]}
"""

# Sums up the ids of a tumbling window; the final call hands nothing on.
SUM_UP = """
def answer(event, context, folder, number):
    ids = [record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"]]
    return {"state": {"ids": event["state"].get("ids", []) + ids}}
"""

# Hands on more than a window may hold.
BIG_STATE = """
def answer(event, context, folder, number):
    return {"state": {"text": "x" * 1_100_000}}
"""

# Ends its own process as long as the flag "fail" is set.
CRASH_WHILE_FLAGGED = """
import os

def answer(event, context, folder, number):
    if (folder / "fail").exists():
        os._exit(7)
"""

# Sleeps past the timeout as long as the flag "fail" is set.
TIME_OUT_WHILE_FLAGGED = """
import time

def answer(event, context, folder, number):
    if (folder / "fail").exists():
        time.sleep(60)
"""


def returning(expression: str) -> str:
    """Answers the first call with a Python expression, later ones with ``None``."""
    return (
        "def answer(event, context, folder, number):\n"
        f"    return ({expression}) if number == 0 else None\n"
    )
