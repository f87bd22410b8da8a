"""What is kept of a handler's output, and in which order it comes."""

from __future__ import annotations

import os
import threading

from streamdev.plugins.executor.output import Capture, Output


class Sink:
    """Takes output and remembers it."""

    def __init__(self) -> None:
        self.written: list[tuple[str | None, bytes]] = []

    def __call__(self, function: str, request_id: str | None, data: bytes) -> None:
        assert function == "f"
        self.written.append((request_id, data))

    def of(self, request_id: str | None) -> bytes:
        return b"".join(data for source, data in self.written if source == request_id)


def test_short_output_is_kept_whole() -> None:
    capture = Capture()
    capture.add(b"one\n")
    capture.add(b"tw\xffo\n")
    assert capture.text() == "one\ntw\ufffdo\n"


def test_of_long_output_both_ends_are_kept_and_what_is_left_out_is_told() -> None:
    capture = Capture(size=100, lines=1_000)
    lines = [b"line %05d\n" % number for number in range(1_000)]
    for line in lines:
        capture.add(line)

    text = capture.text()
    assert text.startswith("line 00000\n")
    assert text.endswith("line 00999\n")
    kept = [line for line in text.splitlines() if line.startswith("line ")]
    (note,) = [line for line in text.splitlines() if not line.startswith("line ")]
    assert len("".join(kept)) + len(kept) <= 200
    assert note.startswith(f"... {11_000 - 11 * len(kept)} bytes of output left out")


def test_many_short_lines_are_bounded_too() -> None:
    capture = Capture(size=1_000_000, lines=10)
    capture.add(b"x\n" * 1_000)
    assert capture.text().count("\n") == 11


def test_lines_follow_the_invocation_they_came_in() -> None:
    sink = Sink()
    output = Output("f", sink)
    ended = threading.Event()
    with output.pipe(ended.set) as write_end:
        os.set_inheritable(write_end, True)
        process = os.dup(write_end)
    os.write(process, b"init\n")
    output.begin("r1")
    output.tell("START r1")
    os.write(process, b"during r1\nand no end")
    output.tell("END r1")
    assert output.take() == "init\nSTART r1\nduring r1\nand no end\nEND r1\n"

    output.begin("r2")
    os.write(process, b"during r2\n")
    output.tell("END r2")
    os.close(process)

    assert ended.wait(10)
    assert sink.of(None) == b"init\n"
    assert sink.of("r1") == b"START r1\nduring r1\nand no end\nEND r1\n"
    assert sink.of("r2") == b"during r2\nEND r2\n"


def test_a_million_lines_come_through_in_bounded_memory() -> None:
    count = 0

    def sink(_function: str, _request_id: str | None, data: bytes) -> None:
        nonlocal count
        count += data.count(b"\n")

    output = Output("f", sink)
    ended = threading.Event()
    with output.pipe(ended.set) as write_end:
        process = os.dup(write_end)
    output.begin("r1")
    block = b"".join(b"line %d\n" % number for number in range(1_000))
    for _ in range(1_000):
        written = 0
        while written < len(block):
            written += os.write(process, block[written:])
    os.close(process)
    assert ended.wait(30)
    output.tell("END r1")

    assert count == 1_000_001
    assert len(output.take()) < 300_000


def test_a_log_that_cannot_be_written_does_not_stop_the_reading() -> None:
    def full(_function: str, _request_id: str | None, _data: bytes) -> None:
        raise OSError("no space left on device")

    output = Output("f", full)
    ended = threading.Event()
    with output.pipe(ended.set) as write_end:
        process = os.dup(write_end)
    os.write(process, b"lost\n")
    os.close(process)
    assert ended.wait(10)
    assert output.take() == "lost\n"
