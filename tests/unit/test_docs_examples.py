"""The example of a unit test with recorded batches: it runs, and the page shows it as it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from streamdev.observe import fixtures

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLES = DOCS / "examples"
RECORDED = sorted((EXAMPLES / "fixtures").glob("*.json"))


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_example_passes_and_finds_what_an_edit_breaks(tmp_path: Path) -> None:
    folder = tmp_path / "examples"
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    passed = run(folder)
    assert passed.returncode == 0, passed.stdout
    assert f"{len(RECORDED)} passed" in passed.stdout

    handler = folder / "handler.py"
    handler.write_text(handler.read_text().replace('"name" in person', "True"))
    assert run(folder).returncode == 1


def test_the_recorded_batches_have_each_kind_of_outcome() -> None:
    kinds = {fixtures.read(path).outcome.kind for path in RECORDED}
    assert kinds == {"ok", "partial", "error"}


@pytest.mark.parametrize("name", ["handler.py", "test_handler.py"])
def test_the_page_shows_the_file(name: str) -> None:
    page = (DOCS / "invoke-and-replay.md").read_text(encoding="utf-8")
    assert (EXAMPLES / name).read_text(encoding="utf-8") in page
