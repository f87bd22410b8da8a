"""Requests that are all under way at once: really all, none lost, refused ones sent again."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scripts.bench.at_once import Answer, most_at_once, put_at_once

COUNT = 40
BODIES = [f'{{"number": {number}}}'.encode() for number in range(COUNT)]
Respond = Callable[[bytes], int]


@contextmanager
def serving(respond: Respond) -> Iterator[str]:
    """Answers a body with itself and the status that ``respond`` gives; 0 breaks off."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not (status := respond(body)):
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        request_queue_size = 2 * COUNT

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/requests"
        finally:
            server.shutdown()
            thread.join()


def test_all_are_under_way_before_the_first_is_answered() -> None:
    # The server answers none before it has all of them.
    all_here = threading.Barrier(COUNT, timeout=30)

    def respond(_body: bytes) -> int:
        all_here.wait()
        return 202

    with serving(respond) as url:
        answers = put_at_once(url, BODIES, timeout=60)

    assert [(one.status, one.body, one.refused) for one in answers] == [
        (202, body, 0) for body in BODIES
    ]
    assert most_at_once(answers) == COUNT
    assert all(one.took > 0 for one in answers)


def test_a_refused_request_is_sent_again_until_it_is_taken() -> None:
    seen: Counter[bytes] = Counter()
    lock = threading.Lock()

    def respond(body: bytes) -> int:
        with lock:
            seen[body] += 1
            return 202 if seen[body] == 3 or body == BODIES[0] else 503

    with serving(respond) as url:
        answers = put_at_once(url, BODIES, refusals={503}, pause=0.01, timeout=60)

    assert [one.refused for one in answers] == [0] + [2] * (COUNT - 1)
    assert {one.status for one in answers} == {202}


def test_a_request_that_is_lost_is_no_answer() -> None:
    with (
        serving(lambda body: 202 if body != BODIES[7] else 0) as url,
        pytest.raises(ConnectionError),
    ):
        put_at_once(url, BODIES, timeout=60)


def test_a_request_without_an_answer_is_told() -> None:
    released = threading.Event()

    def respond(body: bytes) -> int:
        if body == BODIES[7]:
            released.wait(30)
        return 202

    with serving(respond) as url:
        with pytest.raises(TimeoutError, match=rf"\d+ of {COUNT} requests to .* have no answer"):
            put_at_once(url, BODIES, timeout=1)
        released.set()


def test_one_after_the_other_is_one_at_a_time() -> None:
    def answer(sent: float, ended: float) -> Answer:
        return Answer(202, b"", sent, ended, 0)

    assert most_at_once([answer(0, 1), answer(1, 2), answer(2, 3)]) == 1
    assert most_at_once([answer(0, 3), answer(1, 2), answer(2, 4)]) == 2
