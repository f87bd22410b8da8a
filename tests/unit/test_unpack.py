"""New code is made from the code before: each file is what the package says, wherever from."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from streamdev.plugins.executor.unpack import unpack

FILES = {"handler.py": b"new code", "lib/same.py": b"same", "lib/data.bin": b"\0" * 9, "empty": b""}


def packed(files: dict[str, bytes], *, hashed: bool = True) -> io.BytesIO:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.comment = hashlib.sha256(content).digest() if hashed else b""
            writer.writestr(entry, content)
    return archive


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def found(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_what_is_the_same_is_taken_from_before_and_all_else_from_the_package(
    tmp_path: Path,
) -> None:
    # Of one length each; a handler has written into its own package.
    before = {**FILES, "handler.py": b"old code", "lib/same.py": b"Same", "gone.py": b"gone"}
    old, new = written(tmp_path / "old", before), tmp_path / "new"
    assert unpack(packed(FILES), new, old) == {"lib/data.bin", "empty"}
    assert found(new) == FILES
    assert (new / "handler.py").stat().st_mode & 0o777 == 0o755
    # They are files of their own.
    (new / "lib/data.bin").write_bytes(b"changed")
    assert (old / "lib/data.bin").read_bytes() == FILES["lib/data.bin"]


def test_a_folder_that_is_gone_is_no_harm(tmp_path: Path) -> None:
    unpack(packed(FILES), tmp_path / "new", tmp_path / "gone")
    assert found(tmp_path / "new") == FILES


@pytest.mark.parametrize(
    "archive",
    [
        packed(FILES, hashed=False),
        packed({**FILES, "../out.py": b"out"}),
        packed({**FILES, "/out.py": b"out"}),
        io.BytesIO(b"no zip"),
        io.BytesIO(packed(FILES).getvalue().replace(b"handler.py", b"hand\0er.py", 1)),
    ],
    ids=["foreign", "above", "absolute", "no zip", "broken"],
)
def test_what_is_no_package_of_streamdevs_is_left_to_localstack(
    tmp_path: Path, archive: io.BytesIO
) -> None:
    files = {**FILES, "handler.py": b"old code"}
    old = written(tmp_path / "old", files)
    assert unpack(archive, tmp_path / "code" / "new", old) == frozenset()
    assert found(tmp_path) == {f"old/{name}": content for name, content in files.items()}
