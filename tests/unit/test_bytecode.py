"""Bytecode of an earlier version serves what is the same, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from streamdev.plugins.executor.bytecode import carry_over


def run(folder: Path) -> str:
    """Import both modules from the folder: where their code says it is, and what was compiled."""
    code = "import same, other; print(same.where(), other.VALUE)"
    return subprocess.run(
        [sys.executable, "-S", "-P", "-c", code],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def compiled(folder: Path) -> set[str]:
    return {path.name.partition(".")[0] for path in folder.rglob("*.pyc")}


def test_what_is_equal_is_not_compiled_again(tmp_path: Path) -> None:
    same = "def where():\n    return where.__code__.co_filename\n"
    old, new = tmp_path / "old", tmp_path / "new"
    for folder, value in ((old, 1), (new, 2)):
        folder.mkdir()
        (folder / "same.py").write_text(same)
        (folder / "other.py").write_text(f"VALUE = {value}\n")
    (new / "fresh.py").write_text("")
    assert run(old) == f"{old}/same.py 1"
    carry_over(old, new)
    assert compiled(new) == {"same"}
    before = next(new.rglob("same.*.pyc")).stat().st_mtime_ns
    assert run(new) == f"{new}/same.py 2"
    # It was good: the interpreter took it, and did not write it anew.
    assert next(new.rglob("same.*.pyc")).stat().st_mtime_ns == before
    assert compiled(new) == {"same", "other"}


def test_folders_that_are_gone_are_no_error(tmp_path: Path) -> None:
    carry_over(tmp_path / "no", tmp_path / "such")
