"""The file of a snapshot: what it is like, what is no snapshot, and what is left of a failure."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamdev.cli.context import Context
from streamdev.cli.exit_codes import ExitCode
from streamdev.errors import InvalidInputError
from streamdev.snapshot import file
from tests.support.full_disk import files_of_at_most
from tests.support.in_process import context_in, run

ITEM = {
    "id": {"S": "ä\u2028"},
    "n": {"N": "12345678901234567890123456789012345678"},
    "b": {"B": "AAEC"},
    "m": {"M": {"empty": {"M": {}}, "l": {"L": [{"NULL": True}, {"NS": ["1", "-2.5"]}]}}},
}
WRONG = b'{"id": {"S": "1"}, "n": {"N": "one"}}\n'
MESSAGE = {"body": "hello", "attributes": {}, "sent": "2026-11-20T12:00:00.000Z"}
KEYS = [("id", "S")]


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return context_in(tmp_path)


def saved(path: Path, count: int = 1) -> Path:
    with file.new(path) as writer:
        writer.table("T", KEYS, ({**ITEM, "id": {"S": str(n)}} for n in range(count)))
        writer.table("Whole", KEYS, [ITEM])
        writer.queue("q", [MESSAGE])
        writer.batches([{"name": "b.json", "table": "T"}])
        writer.end()
    return path


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(path: Path, **changed: Any) -> None:
    """The same archive with other members; ``snapshot`` stands for changes of snapshot.json."""
    content = members(path)
    document = json.loads(content["snapshot.json"]) | changed.pop("snapshot", {})
    content |= {"snapshot.json": json.dumps(document).encode()} | changed.pop("more", {})
    with zipfile.ZipFile(path, "w") as archive:
        for name, body in content.items():
            archive.writestr(name, body)


def test_a_snapshot_is_a_private_archive_of_json_lines_that_reads_back_digit_for_digit(
    tmp_path: Path,
) -> None:
    path = saved(tmp_path / "new" / "a.snapshot.zip", count=3)
    assert path.stat().st_mode & 0o077 == 0
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    content = members(path)
    assert json.loads(content["tables/Whole.jsonl"]) == ITEM
    assert json.loads(content["snapshot.json"])["version"] == 1
    with file.opened(path) as snapshot:
        snapshot.check()
        assert [item for item, _ in snapshot.items("Whole")] == [ITEM]
        assert [item["id"]["S"] for item, _ in snapshot.items("T")] == ["0", "1", "2"]
        assert list(snapshot.messages("q")) == [MESSAGE]
        assert [batch["name"] for batch in snapshot.batches()] == ["b.json"]
        manifest = snapshot.manifest
    assert (manifest.items, manifest.messages, manifest.batches) == (4, 1, 1)
    assert manifest.tables["T"].keys == (("id", "S"),)


def spoilt(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[60:90] = b"\0" * 30
    path.write_bytes(raw)


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: list[tuple[str, Callable[[Path], Any]]] = [
    ("no snapshot", lambda path: path.write_text("id=1\n")),
    ("no snapshot", lambda path: path.write_bytes(b"")),
    ("no snapshot", lambda path: path.write_bytes(path.read_bytes()[:-40])),
    ("no snapshot", lambda path: zipfile.ZipFile(path, "w").close()),
    ("no snapshot", lambda path: rewritten(path, snapshot={"tables": [1]})),
    ("a snapshot of version 2", lambda path: rewritten(path, snapshot={"version": 2})),
    ("is damaged", spoilt),
    ("T.jsonl has 0 lines, not 1", lambda p: rewritten(p, more={"tables/T.jsonl": b""})),
    ("line 1: no JSON object", lambda p: rewritten(p, more={"tables/T.jsonl": b"[]\n"})),
    ("line 1: Expecting", lambda p: rewritten(p, more={"tables/T.jsonl": b'{"id":\n'})),
    ("line 1: the key 'id'", lambda p: rewritten(p, more={"tables/T.jsonl": b"{}\n"})),
    ("line 1: n: 'one' is no number", lambda p: rewritten(p, more={"tables/T.jsonl": WRONG})),
    ("line 1: no body", lambda p: rewritten(p, more={"queues/q.jsonl": b"{}\n"})),
    ("can't be read: Is a directory", made_a_folder),
]


@pytest.mark.parametrize(("words", "damage"), DAMAGES)
def test_what_is_no_whole_snapshot_is_told_before_anything_is_done(
    context: Context, words: str, damage: Callable[[Path], Any]
) -> None:
    path = saved(context.cwd / "snapshots" / "a.snapshot.zip")
    damage(path)
    with pytest.raises(InvalidInputError) as caught, file.opened(path) as snapshot:
        snapshot.check()
    assert words in caught.value.message
    # A folder of that name is no file, and is not looked at.
    expected = ExitCode.USAGE if path.is_file() else ExitCode.NOT_FOUND
    code, _, err = run(context, "snapshot", "load", "a")
    assert (code, len(err.strip().splitlines()) <= 3) == (expected, True), err


def test_a_whole_snapshot_needs_an_engine(context: Context) -> None:
    saved(context.cwd / "snapshots" / "a.snapshot.zip")
    code, _, err = run(context, "snapshot", "load")
    assert code == ExitCode.ENGINE_NOT_RUNNING
    assert "The engine is not running." in err


def test_snapshots_are_listed_and_named(context: Context) -> None:
    code, out, err = run(context, "snapshot", "ls")
    assert (code, out) == (ExitCode.OK, "")
    assert "There is no snapshot in snapshots. Save one: ./dev.py snapshot save" in err
    folder = context.cwd / "snapshots"
    for name in ("b", "a"):
        path = saved(folder / f"{name}.snapshot.zip")
        rewritten(path, snapshot={"saved": f"2026-11-2{'0' if name == 'b' else '1'}T12:00:00Z"})
    (folder / "bad.snapshot.zip").write_text("?")
    code, out, err = run(context, "snapshot", "ls", "--json")
    listed = json.loads(out)
    assert [one["name"] for one in listed] == ["b", "a"]
    assert listed[0]["tables"]["T"] == {"keys": {"id": "S"}, "items": 1}
    assert "bad.snapshot.zip is no snapshot" in err
    code, _, err = run(context, "snapshot", "load", "c")
    assert code == ExitCode.NOT_FOUND
    assert "There is no snapshot 'c' in snapshots." in err
    assert "It has: b, a." in err
    code, _, err = run(context, "snapshot", "save", "a")
    assert code == ExitCode.USAGE
    assert "There is a file snapshots/a.snapshot.zip already." in err


def test_up_restores_nothing_where_there_is_nothing_whole(context: Context) -> None:
    (context.cwd / "code").mkdir()
    (context.cwd / "code" / "handler.py").write_text("def handle(event, context): pass\n")
    (context.cwd / "pipelines.toml").write_text(
        "[pipelines.a]\n"
        'table = { name = "Things", key = "id:S", stream = "KEYS_ONLY" }\n'
        'function = { source = "code", handler = "handler.handle", runtime = "python3.13" }\n'
        'mapping = { starting-position = "LATEST" }\n'
    )
    code, _, err = run(context, "up", "--restore")
    assert code == ExitCode.NOT_FOUND, err
    assert "There is no snapshot in snapshots." in err
    spoilt(saved(context.cwd / "snapshots" / "a.snapshot.zip"))
    code, _, err = run(context, "up", "--restore")
    assert (code, "is damaged" in err) == (ExitCode.USAGE, True)
    assert not context.state.root.exists()


def test_down_either_keeps_or_saves(context: Context) -> None:
    code, _, err = run(context, "down", "--keep", "--save")
    assert (code, "give one of them" in err) == (ExitCode.USAGE, True)
    code, _, err = run(context, "down", "--save")
    assert code == ExitCode.ENGINE_NOT_RUNNING


def test_where_the_disk_is_full_the_old_file_stays_and_nothing_else(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.zip")
    before = path.read_bytes()

    def save() -> None:
        blobs = ({**ITEM, "id": {"S": os.urandom(20_000).hex()}} for _ in range(20))
        with files_of_at_most(100_000), file.new(path) as writer:
            writer.table("T", KEYS, blobs)
            writer.end()

    with pytest.raises(InvalidInputError, match="can't be written: File too large"):
        save()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_save_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> Iterator[dict[str, Any]]:
        yield ITEM
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), file.new(tmp_path / "a.zip") as writer:
        writer.table("T", KEYS, interrupted())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInputError, match="can't be written: "):
        saved(tmp_path / "file" / "a.zip")
