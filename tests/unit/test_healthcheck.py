"""The container's health check, as Docker runs it."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamdev.plugins import healthcheck


@contextmanager
def server(status: int, body: bytes) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/_streamdev/health"
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        try:
            yield httpd.server_address[1]
        finally:
            httpd.shutdown()
            thread.join()


def check(port: int) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-I", "-S", Path(healthcheck.__file__)],
        env={**os.environ, "GATEWAY_LISTEN": f"0.0.0.0:{port}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert not ended.stderr
    return ended.returncode, ended.stdout


def test_it_is_healthy_when_dynamodb_runs() -> None:
    with server(200, b'{"dynamodb": "running"}') as port:
        assert check(port) == (0, '{"dynamodb": "running"}\n')


def test_it_is_not_while_dynamodb_starts() -> None:
    with server(200, b'{"dynamodb": "starting"}') as port:
        assert check(port)[0] == 1


def test_it_is_not_without_the_plugins() -> None:
    with server(404, b'"running"') as port:
        assert check(port)[0] == 1


def test_it_says_what_failed_when_nothing_answers() -> None:
    with server(200, b"") as port:
        pass
    code, told = check(port)
    assert code == 1
    assert told.startswith(f"LocalStack does not answer on port {port}: ")
