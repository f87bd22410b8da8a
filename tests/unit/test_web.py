"""Plain HTTP to the engine: straight, and with TLS only where it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from streamdev.aws import web
from streamdev.errors import EngineNotRunningError


class Answers(BaseHTTPRequestHandler):
    """Answers with what the path says: a status, and where to go on from there."""

    def do_GET(self) -> None:
        status, _, place = self.path.strip("/").partition("/")
        self.send_response(int(status))
        if place:
            self.send_header("Location", place)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"said")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_any_answer_is_one(url: str) -> None:
    assert web.call("GET", f"{url}/200") == (200, "said")
    assert web.call("GET", f"{url}/503") == (503, "said")


def test_it_goes_on_where_it_is_sent_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert web.call("GET", f"{url}/302/{url}/200") == (200, "said")
    # Nobody speaks TLS there.
    secure = url.replace("http:", "https:")
    with pytest.raises(EngineNotRunningError, match="can't be reached"):
        web.call("GET", f"{url}/302/{secure}/200")
