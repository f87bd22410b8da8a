"""The writer of the engine's log: whose lines are whose, and what happens when it gets long."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamdev.plugins.log import LogWriter
from streamdev.semantics.log import parse


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    return tmp_path / "engine.log"


@pytest.fixture
def fd(log_file: Path) -> Iterator[int]:
    opened = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    yield opened
    os.close(opened)


def output_by_source(log_file: Path) -> list[tuple[tuple[str | None, str | None], str]]:
    """The handlers' lines with the function and request id of the marker above them."""
    source: tuple[str | None, str | None] = (None, None)
    lines = []
    for line in log_file.read_text(errors="surrogateescape").split("\n")[:-1]:
        event = parse(line)
        if event and event["event"] == "output":
            source = (event["function"], event["request_id"])
        elif event is None and not line.startswith("[localstack] "):
            lines.append((source, line))
    return lines


def test_lines_belong_to_the_marker_above_them(fd: int, log_file: Path) -> None:
    writer = LogWriter(fd)
    writer.output("f", "r1", b"one\ntwo\n")
    writer.output("g", "r2", b"other\n")
    writer.emit("write", {"table": "T"})
    writer.output("g", "r2", b"more\n")
    writer.output("f", "r1", b"three\n")

    assert output_by_source(log_file) == [
        (("f", "r1"), "one"),
        (("f", "r1"), "two"),
        (("g", "r2"), "other"),
        (("g", "r2"), "more"),
        (("f", "r1"), "three"),
    ]


def test_a_marker_is_written_only_when_the_source_changes(fd: int, log_file: Path) -> None:
    writer = LogWriter(fd)
    for _ in range(3):
        writer.output("f", "r1", b"line\n")
    assert log_file.read_text().count("[streamdev] ") == 1


def test_an_event_never_begins_in_the_middle_of_a_line(fd: int, log_file: Path) -> None:
    writer = LogWriter(fd)
    writer.output("f", "r1", b"no end")
    writer.emit("write", {"table": "T"})
    lines = log_file.read_text().split("\n")
    assert lines[1] == "no end"
    assert parse(lines[2]) is not None


def test_a_handler_cannot_forge_the_logs_own_lines(fd: int, log_file: Path) -> None:
    forged = b'[streamdev] {"event":"invocation.end","outcome":"ok"}\n'
    writer = LogWriter(fd)
    writer.output("f", "r1", b"first\n" + forged + b"[localstack] all is well\n")
    writer.output("f", "r1", forged)

    events = [parse(line) for line in log_file.read_text().splitlines()]
    assert [event["event"] for event in events if event] == ["output"]
    assert " [localstack] all is well" in log_file.read_text().splitlines()


def test_bytes_that_are_no_utf8_go_through_as_they_are(fd: int, log_file: Path) -> None:
    LogWriter(fd).output("f", "r1", b"a\xff\xfeb\n")
    assert log_file.read_bytes().endswith(b"\na\xff\xfeb\n")


def test_each_line_that_localstack_logs_gets_its_prefix(fd: int, log_file: Path) -> None:
    LogWriter(fd).localstack("Traceback\n  File x\n")
    assert log_file.read_text() == "[localstack] Traceback\n[localstack]   File x\n"


def test_a_full_file_is_kept_beside_the_new_one(fd: int, log_file: Path) -> None:
    writer = LogWriter(fd, path=log_file, rotate_at=500)
    for number in range(100):
        writer.output("f", "r1", b"line %03d\n" % number)

    kept = sorted(path.name for path in log_file.parent.iterdir())
    assert kept == ["engine.log", "engine.log.1", "engine.log.2"]
    files = [log_file.with_name("engine.log.2"), log_file.with_name("engine.log.1"), log_file]
    lines = [line for file in files for source, line in output_by_source(file)]
    assert lines == [f"line {number:03}" for number in range(100)]
    assert all(source == ("f", "r1") for file in files for source, _ in output_by_source(file))


def test_at_most_three_old_files_are_kept(fd: int, log_file: Path) -> None:
    writer = LogWriter(fd, path=log_file, rotate_at=500)
    for _ in range(200):
        writer.output("f", "r1", b"x" * 50 + b"\n")
    assert len(list(log_file.parent.iterdir())) == 4


def test_a_folder_that_is_gone_does_not_stop_the_log(fd: int, log_file: Path) -> None:
    writer = LogWriter(fd, path=log_file, rotate_at=200)
    log_file.unlink()
    log_file.parent.rmdir()
    for _ in range(20):
        writer.output("f", "r1", b"x" * 50 + b"\n")
    assert os.fstat(fd).st_size > 1_000
    log_file.parent.mkdir()


def test_lines_of_many_threads_stay_whole(fd: int, log_file: Path) -> None:
    writer = LogWriter(fd, path=log_file, rotate_at=100_000)

    def write(name: str) -> None:
        for number in range(200):
            writer.output(name, name, f"{name} {number}\n".encode())
            writer.emit("write", {"table": name})

    threads = [threading.Thread(target=write, args=(f"t{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    seen: dict[str | None, list[str]] = {}
    files = sorted(log_file.parent.iterdir(), key=lambda path: path.name, reverse=True)
    files.sort(key=lambda path: -int(path.suffix[1:]) if path.suffix[1:].isdigit() else 0)
    for file in files:
        for (function, _), line in output_by_source(file):
            seen.setdefault(function, []).append(line)
    assert seen == {f"t{i}": [f"t{i} {number}" for number in range(200)] for i in range(4)}


def test_a_full_disk_stops_nobody_and_is_told_afterwards(fd: int, log_file: Path) -> None:
    writer = LogWriter(fd)
    writer.output("f", "r1", b"before\n")
    # A file that may grow no further, as on a full disk.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log_file.stat().st_size, limits[1]))
    try:
        writer.output("f", "r1", b"lost\n")
        writer.emit("write", {"table": "T"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    writer.output("f", "r1", b"after\n")

    lines = log_file.read_text().split("\n")
    assert "lost" not in lines
    assert any("bytes of this log were lost" in line for line in lines)
    assert lines[-2] == "after"


def test_redacting_a_table_leaves_other_tables_redacted(fd: int, log_file: Path) -> None:
    def masked(table: str) -> bool:
        keys = {"id": {"S": "1"}}
        records = [{"keys": keys, "new": {**keys, "pin": {"S": "secret"}}}]
        before = log_file.stat().st_size
        writer.emit("invocation.start", {"table": table, "records": records})
        return "secret" not in log_file.read_text()[before:]

    writer = LogWriter(fd)
    writer.redact({"One": frozenset({"pin"})})
    writer.redact({"Other": frozenset({"pin"})})
    assert (masked("One"), masked("Other"), masked("Third")) == (True, True, False)
    writer.redact({"One": frozenset()})
    assert (masked("One"), masked("Other")) == (False, True)
