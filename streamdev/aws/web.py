"""Plain HTTP to the engine: to a deployed REST API, as its clients speak it, for instance."""

from __future__ import annotations

from http.client import HTTPException, HTTPResponse, HTTPSConnection
from urllib.error import HTTPError, URLError
from urllib.request import (
    AbstractHTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from streamdev.errors import EngineNotRunningError

TIMEOUT_S = 30


class _TLSWhenAsked(HTTPSHandler):
    """Reads the machine's certificates for the first https URL only: that takes its time."""

    def __init__(self) -> None:
        AbstractHTTPHandler.__init__(self)

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(HTTPSConnection, req)


def direct_opener() -> OpenerDirector:
    """What opens URLs without a proxy: the engine is here, whatever the environment says."""
    return build_opener(ProxyHandler({}), _TLSWhenAsked())


def call(
    method: str, url: str, body: bytes | None = None, content_type: str = "application/json"
) -> tuple[int, str]:
    """Call ``url``, with a JSON body if there is one; return the status code and the answer.

    Raises:
        EngineNotRunningError: Nothing answers there.
    """
    request = Request(url, data=body, method=method, headers={"Content-Type": content_type})
    try:
        with direct_opener().open(request, timeout=TIMEOUT_S) as response:
            return response.status, response.read().decode("utf-8", "replace")
    except HTTPError as error:
        return error.code, error.read().decode("utf-8", "replace")
    except (URLError, OSError, HTTPException) as error:
        raise EngineNotRunningError(
            f"{url} can't be reached: {error}", hint="Start the engine: ./dev.py up"
        ) from error
