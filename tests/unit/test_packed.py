"""What is vendored is read once, and anew where it was made anew."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from streamdev.deploy import packed


def made(folder: Path, content: bytes) -> Path:
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "code.py").write_bytes(content)
    (folder / "tool").write_bytes(b"tool")
    (folder / "tool").chmod(0o755)
    return folder


def read(folder: Path) -> list[tuple[str, Path, bool, bytes]]:
    """As a process of its own would."""
    packed._vendored_files.cache_clear()
    files = packed.vendored_files(folder)
    return [(one.name, one.file.path, one.file.executable, one.sha256) for one in files]


def expected(folder: Path, content: bytes) -> list[tuple[str, Path, bool, bytes]]:
    return [
        ("lib/code.py", folder / "lib" / "code.py", False, hashlib.sha256(content).digest()),
        ("tool", folder / "tool", True, hashlib.sha256(b"tool").digest()),
    ]


def test_it_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made(tmp_path / "key", b"1")
    assert read(folder) == expected(folder, b"1")
    with monkeypatch.context() as patch:
        patch.setattr(packed, "source_files", lambda folder: pytest.fail("it was read again"))
        assert read(folder) == expected(folder, b"1")
    shutil.rmtree(folder)
    made(folder, b"2")
    assert read(folder) == expected(folder, b"2")


@pytest.mark.parametrize("content", ["", "[]", '{"state": 1}', '{"files": [[1]]}'])
def test_a_damaged_listing_is_made_anew(tmp_path: Path, content: str) -> None:
    folder = made(tmp_path / "key", b"1")
    read(folder)
    (tmp_path / "key.json").write_text(content)
    assert read(folder) == expected(folder, b"1")
    assert (tmp_path / "key.json").read_text() != content
