"""Writes that no function is told of: the gate all others wait at, and what is known after."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from streamdev.plugins.dynamodb.gate import Gate, GateBusyError
from streamdev.plugins.mapping import quiet as module
from streamdev.plugins.mapping.quiet import QuietRanges
from tests.support.full_disk import files_of_at_most
from tests.support.project import eventually
from tests.support.streams import STREAM, raw_record

PATIENCE = 30.0


def held(ranges: QuietRanges, to: int = 30) -> list[int]:
    return [number for number in range(to) if ranges.hold(number)]


def test_ranges_are_what_was_written_between_two_ends(tmp_path: Path) -> None:
    ranges = QuietRanges(tmp_path / "quiet" / "a.jsonl", STREAM)
    assert held(ranges) == []
    ranges.open(3)
    assert held(ranges, 7) == [4, 5, 6]
    ranges.close(5)
    ranges.open(9)
    ranges.close(9)
    ranges.open(9)
    ranges.close(10)
    assert held(ranges) == [4, 5, 10]
    again = QuietRanges(tmp_path / "quiet" / "a.jsonl", STREAM)
    assert (held(again), again.unfinished) == ([4, 5, 10], False)


def test_a_range_that_a_crash_left_open_is_known_to_be(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    ranges = QuietRanges(path, STREAM)
    ranges.open(3)
    path.write_text(path.read_text() + '{"la')
    again = QuietRanges(path, STREAM)
    assert again.unfinished
    assert held(again, 7) == [4, 5, 6]
    again.close(5)
    assert held(QuietRanges(path, STREAM)) == [4, 5]


def test_on_a_full_disk_no_record_of_others_becomes_quiet(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    ranges = QuietRanges(path, STREAM)
    ranges.open(1)
    ranges.close(2)
    size = path.stat().st_size
    with files_of_at_most(size), pytest.raises(OSError, match="too large"):
        ranges.open(5)
    assert held(ranges) == [2]
    ranges.open(5)
    with files_of_at_most(path.stat().st_size), pytest.raises(OSError, match="too large"):
        ranges.close(7)
    assert held(ranges) == [2, 6, 7]
    assert (held(QuietRanges(path, STREAM)), path.stat().st_size) == ([2], size)


def test_ranges_older_than_the_stream_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranges = QuietRanges(tmp_path / "a.jsonl", STREAM)
    ranges.open(3)
    ranges.close(5)
    monkeypatch.setattr(module, "KEPT_FOR", -1)
    assert not QuietRanges(tmp_path / "a.jsonl", STREAM)


def test_what_time_to_live_deletes_is_never_quiet() -> None:
    from streamdev.semantics.records import TTL_EVENT, make_record

    raw = raw_record(1)
    common = {"stream_arn": STREAM, "region": "us-east-1", "created": 0.0, "quiet": True}
    assert make_record(raw, **common).quiet  # type: ignore[arg-type]
    assert not make_record({**raw, "eventName": TTL_EVENT}, **common).quiet  # type: ignore[arg-type]


def test_who_closes_the_gate_waits_for_writes_and_has_others_wait() -> None:
    gate, steps = Gate(), list[str]()
    gate.enter()

    def alone() -> None:
        with gate.closed(PATIENCE):
            steps.append("alone")
            time.sleep(0.05)
            steps.append("done")

    def write() -> None:
        gate.enter()
        steps.append("write")
        gate.leave()

    closing = threading.Thread(target=alone)
    closing.start()
    eventually(lambda: gate._closed)
    writing = threading.Thread(target=write)
    writing.start()
    assert steps == []
    gate.leave()
    closing.join(PATIENCE)
    writing.join(PATIENCE)
    assert steps == ["alone", "done", "write"]


def test_a_write_that_does_not_end_is_not_waited_for_for_ever() -> None:
    gate = Gate()
    gate.enter()
    with pytest.raises(GateBusyError), gate.closed(0.05):
        pass
    gate.enter()  # open again


def test_what_is_to_be_done_before_the_next_write_is_done_once() -> None:
    gate, done = Gate(), list[int]()

    def fail() -> None:
        done.append(0)
        if len(done) == 1:
            raise OSError

    gate.before_next(fail)
    with pytest.raises(OSError):
        gate.enter()
    with gate.closed(PATIENCE):
        pass
    gate.enter()
    assert done == [0, 0]
