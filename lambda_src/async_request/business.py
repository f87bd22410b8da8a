"""What is done with a request. Replace this with your own."""

from __future__ import annotations

import json
import time


class RejectedError(Exception):
    """The request can't be done, now or ever; the message is for whoever sent it."""


def handle(request_id: str, request: str) -> None:
    """Do what the request asks for.

    It may be called again with the same id, when an earlier attempt was cut off before its end
    was written down; so what it does should be the same when it is done twice.

    Args:
        request_id: The request's id.
        request: Its body as it was sent.

    Raises:
        RejectedError: The request can't be done. Whatever else is raised marks the request as
            failed as well.
    """
    try:
        order = json.loads(request)
    except ValueError as error:
        raise RejectedError(f"The request is no JSON: {error}") from error
    if not isinstance(order, dict):
        raise RejectedError("The request is no JSON object.")
    if refused := order.get("fail"):
        # A way to see a failure without changing this file.
        raise RejectedError(str(refused))
    time.sleep(min(float(order.get("seconds", 0)), 900))
    print(f"request {request_id} is done")
