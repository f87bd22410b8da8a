"""The soak's reckoning finds what it is there to find."""

from __future__ import annotations

from pathlib import Path

from scripts.soak.accounts import Note, read_notes, reckon

STREAM = {1: "a", 2: "b", 3: "a", 4: "b", 5: "a"}


def start(*sequences: int) -> Note:
    return Note("start", sequences)


def done(*sequences: int) -> Note:
    return Note("done", sequences)


def test_all_handled_in_order() -> None:
    account = reckon(STREAM, [start(1, 2, 3), done(1, 2, 3), start(4, 5), done(4, 5)], set())
    assert account.violation is None
    assert (account.calls, account.handled, account.repeated) == (2, 5, 0)


def test_repetition_is_allowed_and_counted() -> None:
    notes = [start(1, 2, 3), start(1, 2, 3), done(1, 2, 3), start(3), done(3), start(4, 5)]
    account = reckon(STREAM, [*notes, done(4, 5)], set())
    assert account.violation is None
    assert account.repeated == 1


def test_keys_may_overtake_each_other() -> None:
    notes = [start(2, 4), done(2, 4), start(1, 3, 5), done(1, 3, 5)]
    assert reckon(STREAM, notes, set()).violation is None


def test_a_lost_record_is_named() -> None:
    account = reckon(STREAM, [start(1, 2, 3, 4), done(1, 2, 3, 4)], set())
    assert account.violation == "1 records were lost, the first being 5 of item a"


def test_a_record_given_up_is_not_lost() -> None:
    notes = [start(1), start(2, 3), done(2, 3), start(4, 5), done(4, 5)]
    account = reckon(STREAM, notes, {1})
    assert account.violation is None
    assert account.given_up == 1


def test_a_record_that_came_too_early_is_named() -> None:
    notes = [start(3), done(3), start(1, 2), done(1, 2), start(4, 5), done(4, 5)]
    violation = reckon(STREAM, notes, set()).violation
    assert violation
    assert "record 3 of item a came before 1" in violation


def test_a_failed_record_holds_up_its_key() -> None:
    notes = [start(1), start(3), done(3), start(1), done(1), start(2, 4, 5), done(2, 4, 5)]
    assert reckon(STREAM, notes, set()).violation


def test_a_wrong_order_within_a_batch_is_found() -> None:
    notes = [start(3, 1, 2), done(3, 1, 2), start(4, 5), done(4, 5)]
    assert reckon(STREAM, notes, set()).violation


def test_an_unknown_record_is_named() -> None:
    violation = reckon({}, [start(9), done(9)], set()).violation
    assert violation == "record 9 came, but is not in the stream"


def test_a_line_cut_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('{"phase": "start", "sequences": ["1"]}\n{"phase": "do')
    assert list(read_notes(path)) == [Note("start", (1,))]
    assert list(read_notes(tmp_path / "none.jsonl")) == []
