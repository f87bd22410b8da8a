"""New code is made from the code before: each file is what the package says, wherever from."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from streamdev.plugins.executor.unpack import unpack

FILES = {"handler.py": b"new code", "lib/same.py": b"same", "lib/data.bin": b"\0" * 9, "empty": b""}
WHERE = b"def where():\n    return where.__code__.co_filename\n"


def packed(files: dict[str, bytes], *, hashed: bool = True) -> io.BytesIO:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.comment = hashlib.sha256(content).digest() if hashed else b""
            writer.writestr(entry, content)
    return archive


def unpacked(code: Path, files: dict[str, bytes], before: Path | None = None) -> Path:
    unpack(packed(files), code, before)
    return code


def found(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def run(folder: Path) -> str:
    """Import both modules from the folder: where their code says it is, and a value."""
    return subprocess.run(
        [
            sys.executable,
            "-S",
            "-P",
            "-c",
            "import lib.same, other; print(lib.same.where(), other.VALUE)",
        ],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def compiled(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.pyc")}


@pytest.mark.parametrize("hashed", [True, False])
def test_what_is_the_same_is_taken_from_before_and_all_else_from_the_package(
    tmp_path: Path, hashed: bool
) -> None:
    # Two of one length.
    before = {**FILES, "handler.py": b"old code", "gone.py": b"gone", "old/gone.py": b"gone"}
    old, new = tmp_path / "1" / "code", tmp_path / "2" / "code"
    unpack(packed(before, hashed=hashed), old, None)
    assert found(old) == before
    unpack(packed(FILES, hashed=hashed), new, old)
    assert found(new) == FILES
    assert {path.name for path in new.iterdir()} == {"handler.py", "lib", "empty"}
    assert (new / "handler.py").stat().st_mode & 0o777 == 0o755
    taken = {name for name in FILES if (new / name).samefile(old / name)}
    assert taken == FILES.keys() - {"handler.py"}
    assert (old / "handler.py").read_bytes() == b"old code"


def test_bytecode_of_an_earlier_version_serves_what_is_the_same_and_nothing_else(
    tmp_path: Path,
) -> None:
    old, new = tmp_path / "1" / "code", tmp_path / "2" / "code"
    files = {"lib/__init__.py": b"", "lib/same.py": WHERE}
    unpacked(old, {**files, "other.py": b"VALUE = 1\n"})
    assert run(old) == f"{old}/lib/same.py 1"
    # Of one length and, it may be, of one second.
    unpacked(new, {**files, "other.py": b"VALUE = 2\n"}, old)
    before = compiled(new)
    assert {name.partition(".")[0] for name in before} == {"__init__", "same"}
    assert run(new) == f"{new}/lib/same.py 2"
    # It was good: the interpreter took it, and did not write it anew.
    assert before.items() < compiled(new).items()


def wait_for_a_tick(folder: Path) -> None:
    """Until what is written now is younger than all that was; a disk's clock may be coarse."""
    written = max(path.stat().st_mtime_ns for path in folder.rglob("*"))
    now = folder / "now"
    while not now.exists() or now.stat().st_mtime_ns <= written:
        now.write_bytes(b"")


def write(code: Path) -> None:
    (code / "lib" / "same.py").write_bytes(b"Same")


def add(code: Path) -> None:
    (code / "lib" / "more.py").write_bytes(b"more")


def add_folder(code: Path) -> None:
    (code / "lib" / "more").mkdir()


def remove(code: Path) -> None:
    (code / "lib" / "same.py").unlink()


@pytest.mark.parametrize("meddle", [write, add, add_folder, remove])
def test_what_a_handler_did_to_its_package_is_not_in_the_next(
    tmp_path: Path, meddle: Callable[[Path], None]
) -> None:
    old, new = unpacked(tmp_path / "1" / "code", FILES), tmp_path / "2" / "code"
    wait_for_a_tick(tmp_path)
    meddle(old)
    unpacked(new, FILES, old)
    assert found(new) == FILES
    assert not (new / "lib" / "more").exists()


def test_a_file_may_become_a_folder_and_the_other_way_around(tmp_path: Path) -> None:
    old = unpacked(tmp_path / "1" / "code", {"one": b"1", "two/file": b"2", "three/a/b": b"3"})
    files = {"one/file": b"1", "two": b"2", "three/b": b"3"}
    assert found(unpacked(tmp_path / "2" / "code", files, old)) == files
    assert not (tmp_path / "2" / "code" / "three" / "a").exists()


def test_a_folder_that_is_gone_is_no_harm(tmp_path: Path) -> None:
    assert found(unpacked(tmp_path / "new" / "code", FILES, tmp_path / "gone")) == FILES


@pytest.mark.parametrize(
    "archive",
    [
        packed({**FILES, "../out.py": b"out"}),
        packed({**FILES, "/out.py": b"out"}),
        io.BytesIO(b"no zip"),
        io.BytesIO(packed(FILES).getvalue().replace(b"handler.py", b"hand\0er.py", 1)),
    ],
    ids=["above", "absolute", "no zip", "broken"],
)
def test_what_is_no_zip_of_plain_files_is_left_to_localstack(
    tmp_path: Path, archive: io.BytesIO
) -> None:
    old = unpacked(tmp_path / "old" / "code", {**FILES, "handler.py": b"old code"})
    unpack(archive, tmp_path / "new" / "code", old)
    assert not (tmp_path / "new" / "code").exists()
    assert not (tmp_path / "new" / "code.part").exists()
    assert not (tmp_path / "new" / "out.py").exists()
