"""Plain HTTP to the engine: to a deployed REST API, as its clients speak it, for instance."""

from __future__ import annotations

from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from streamdev.errors import EngineNotRunningError

TIMEOUT_S = 30


def opener_of(url: str) -> OpenerDirector:
    """What opens ``url`` without a proxy: the engine is here, whatever the environment says."""
    if url.startswith("https:"):
        return build_opener(ProxyHandler({}))
    # The usual one knows TLS, and reads all of the machine's certificates for it.
    director = OpenerDirector()
    for kind in (HTTPHandler, HTTPRedirectHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor):
        director.add_handler(kind())
    return director


def call(
    method: str, url: str, body: bytes | None = None, content_type: str = "application/json"
) -> tuple[int, str]:
    """Call ``url``, with a JSON body if there is one; return the status code and the answer.

    Raises:
        EngineNotRunningError: Nothing answers there.
    """
    request = Request(url, data=body, method=method, headers={"Content-Type": content_type})
    try:
        with opener_of(url).open(request, timeout=TIMEOUT_S) as response:
            return response.status, response.read().decode("utf-8", "replace")
    except HTTPError as error:
        return error.code, error.read().decode("utf-8", "replace")
    except (URLError, OSError, HTTPException) as error:
        raise EngineNotRunningError(
            f"{url} can't be reached: {error}", hint="Start the engine: ./dev.py up"
        ) from error
