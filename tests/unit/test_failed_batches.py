"""Batches that were given up, stored whole."""

from __future__ import annotations

from pathlib import Path

from streamdev.plugins.mapping.batches import FailedBatches

BATCH = {"mapping": "m", "destination": "arn:aws:sqs:r:a:q", "delivered": False, "payload": "ü"}


def test_a_batch_is_stored_for_its_owner_only(tmp_path: Path) -> None:
    batches = FailedBatches(tmp_path / "batches")
    name = batches.save("one", BATCH)
    assert name == "one.json"
    assert batches.load(name) == BATCH
    assert (tmp_path / "batches" / name).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "batches").stat().st_mode & 0o777 == 0o700


def test_what_was_not_delivered_is_found_again(tmp_path: Path) -> None:
    batches = FailedBatches(tmp_path)
    batches.save("one", BATCH)
    batches.save("two", {**BATCH, "destination": None})
    batches.save("three", BATCH)
    batches.mark_delivered("one.json")
    assert FailedBatches(tmp_path).undelivered() == ["three.json"]
    loaded = batches.load("one.json")
    assert loaded is not None
    assert loaded["payload"] == "ü"


def test_what_a_lost_queue_held_is_told_again(tmp_path: Path) -> None:
    batches = FailedBatches(tmp_path)
    for name in ("one", "two"):
        batches.save(name, BATCH)
        batches.mark_delivered(f"{name}.json")
    batches.save("three", {**BATCH, "destination": None})
    batches.delete("two.json")
    batches.forget_deliveries()
    assert batches.undelivered() == ["one.json"]


def test_only_a_batchs_own_name_finds_or_removes_a_file(tmp_path: Path) -> None:
    batches = FailedBatches(tmp_path / "batches")
    batches.save("one", BATCH)
    (tmp_path / "other.json").write_text("{}")
    for name in ("../other.json", "other.json", "one", ".", ""):
        assert batches.find(name) is None
        batches.delete(name)
    assert (tmp_path / "other.json").exists()
    assert batches.all() == {"one.json": BATCH}
    batches.delete("one.json")
    assert batches.all() == {}


def test_spoilt_and_missing_files_are_passed_over(tmp_path: Path) -> None:
    batches = FailedBatches(tmp_path)
    (tmp_path / "bad.json").write_text("{")
    assert batches.load("bad.json") is None
    assert batches.load("none.json") is None
    assert batches.undelivered() == []


def test_a_folder_that_cannot_be_written_is_told_by_no_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert FailedBatches(tmp_path / "file").save("one", BATCH) is None


def test_without_a_folder_nothing_is_kept() -> None:
    assert FailedBatches(None).save("one", BATCH) is None
    assert FailedBatches(None).undelivered() == []
