"""The host engine's log as lines: rotated, from a time on, followed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streamdev.engine import logfile

START = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def event(second: float, name: str = "write") -> str:
    at = (START + timedelta(seconds=second)).isoformat(timespec="microseconds")
    return f'[streamdev] {{"event": "{name}", "at": "{at.replace("+00:00", "Z")}"}}'


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "engine.log"


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


def read(log: Path, since: datetime | None = None) -> list[str]:
    lines = logfile.read_lines(
        log, since=since, follow=False, stop=threading.Event(), alive=lambda: True
    )
    return list(lines)


def test_lines_come_oldest_first_across_rotated_files(log: Path) -> None:
    log.with_name("engine.log.10").write_text("oldest\n")
    log.with_name("engine.log.2").write_text("b\n")
    log.with_name("engine.log.1").write_text("c\n")
    log.with_name("engine.log.old").write_text("not ours\n")
    log.write_text("d\nunfinished")
    assert read(log) == ["oldest", "b", "c", "d", "unfinished"]


def test_a_line_that_is_split_by_rotation_is_put_together(log: Path) -> None:
    log.with_name("engine.log.1").write_text("first ha")
    log.write_text("lf\nsecond\n")
    assert read(log) == ["first half", "second"]


def test_there_is_no_log_yet(log: Path) -> None:
    assert read(log) == []


def test_bytes_that_are_no_utf_8_are_shown_as_replaced(log: Path) -> None:
    log.write_bytes(b"caf\xe9\nnext\n")
    assert read(log) == ["caf\N{REPLACEMENT CHARACTER}", "next"]


def test_a_plain_line_is_as_old_as_the_event_before_it(log: Path) -> None:
    log.write_text(
        "\n".join(["booting", event(1), "old output", event(10), "new output", event(11)]) + "\n"
    )
    assert read(log, START + timedelta(seconds=5)) == [event(10), "new output", event(11)]


def test_since_finds_its_place_in_a_big_log(log: Path) -> None:
    filler = "x" * 300
    with log.open("w") as file:
        for second in range(20_000):
            file.write(f"{event(second)}\noutput of {second} {filler}\n")
    assert log.stat().st_size > 8 * logfile.CHUNK

    lines = read(log, START + timedelta(seconds=19_990))

    assert lines[0] == event(19_990)
    assert lines[-1].startswith("output of 19999")
    assert len(lines) == 20


def test_since_goes_past_old_rotated_files(log: Path) -> None:
    log.with_name("engine.log.1").write_text(f"{event(1)}\nold\n")
    log.write_text(f"still old\n{event(100)}\nnew\n")
    assert read(log, START + timedelta(seconds=50)) == [event(100), "new"]


class Follower:
    """Reads a log in a thread, as ``logs -f`` does."""

    def __init__(self, log: Path, stop: threading.Event) -> None:
        self.lines: list[str] = []
        self.alive = True
        self._changed = threading.Condition()
        self._stop = stop
        iterator = logfile.read_lines(
            log, since=None, follow=True, stop=stop, alive=lambda: self.alive
        )
        self.thread = threading.Thread(target=self._collect, args=(iterator,), daemon=True)
        self.thread.start()

    def _collect(self, iterator: Iterator[str]) -> None:
        for line in iterator:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()

    def wait_for(self, count: int) -> list[str]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.lines) >= count, timeout=20), self.lines
            return list(self.lines)

    def join(self) -> None:
        self.thread.join(timeout=20)
        assert not self.thread.is_alive()


def rotate(log: Path) -> None:
    """As the plugin does: rename, oldest first, then begin a new file."""
    for number in (2, 1):
        old = log.with_name(f"{log.name}.{number}")
        if old.exists():
            old.replace(log.with_name(f"{log.name}.{number + 1}"))
    log.replace(log.with_name(f"{log.name}.1"))
    log.touch()


def append(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_following_goes_on_with_what_is_appended(log: Path, stop: threading.Event) -> None:
    log.write_text("1\n")
    follower = Follower(log, stop)
    follower.wait_for(1)
    append(log, "2\n3")
    follower.wait_for(2)
    append(log, " and a half\n")
    assert follower.wait_for(3) == ["1", "2", "3 and a half"]
    stop.set()
    follower.join()


def test_following_begins_before_there_is_a_log(log: Path, stop: threading.Event) -> None:
    follower = Follower(log, stop)
    log.write_text("first\n")
    assert follower.wait_for(1) == ["first"]
    stop.set()
    follower.join()


def test_following_loses_and_repeats_nothing_across_rotations(
    log: Path, stop: threading.Event
) -> None:
    log.write_text("")
    follower = Follower(log, stop)
    written = 0
    for _ in range(8):
        for _ in range(500):
            append(log, f"{written}\n")
            written += 1
        rotate(log)
        follower.wait_for(written)
    append(log, "last\n")
    assert follower.wait_for(written + 1) == [*map(str, range(written)), "last"]
    stop.set()
    follower.join()


def test_a_follower_that_was_held_up_catches_up_over_several_rotations(log: Path) -> None:
    """Whoever reads the lines may be slow (a pager): meanwhile the log rotates twice."""
    stop = threading.Event()
    log.write_text("1\n")
    lines = logfile.read_lines(log, since=None, follow=True, stop=stop, alive=lambda: True)
    assert next(lines) == "1"
    append(log, "2\n")
    rotate(log)
    append(log, "3\n")
    rotate(log)
    append(log, "4\n")
    assert [next(lines) for _ in range(3)] == ["2", "3", "4"]
    stop.set()
    assert list(lines) == []


def test_a_file_that_was_renamed_while_the_folder_was_read_is_looked_for_again(
    log: Path, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        append(log, f"{number}\n")
        if number < 3:
            rotate(log)
    shown = logfile.rotated
    looks = 0

    def without_the_second_newest(path: Path) -> list[Path]:
        nonlocal looks
        looks += 1
        return [p for p in shown(path) if not (3 <= looks <= 4 and p.suffix == ".2")]

    monkeypatch.setattr(logfile, "rotated", without_the_second_newest)
    assert read(log) == ["0", "1", "2", "3"]
    assert looks > 4


def test_following_ends_with_the_engine_after_its_last_words(
    log: Path, stop: threading.Event
) -> None:
    log.write_text("1\n")
    follower = Follower(log, stop)
    follower.wait_for(1)
    append(log, "last words without a line end")
    follower.alive = False
    follower.join()
    assert follower.lines == ["1", "last words without a line end"]


def test_the_tail_shows_words_and_leaves_data_out(log: Path) -> None:
    log.write_text("\n".join(["one", "", event(1), "x" * 500, "two"]) + "\n")
    tail = logfile.tail(log, lines=3, width=50)
    assert tail == ["one", "x" * 47 + "...", "two"]
    assert logfile.tail(log.with_name("missing")) == []


def test_a_new_log_keeps_the_previous_one_aside(log: Path) -> None:
    log.write_text("of the engine that crashed\n")
    log.with_name("engine.log.1").write_text("older\n")
    logfile.put_aside(log)
    assert read(log) == []
    assert log.with_name("engine.previous.log").read_text() == "of the engine that crashed\n"
