"""The image's build stage has the modules that each of its steps needs, found without Docker."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_first_steps_have_all_they_import(tmp_path: Path) -> None:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    before, step, _ = text.partition('"scripts/assemble_image.py", "localstack"')
    assert step
    for line in re.findall(r"^COPY ((?:streamdev|scripts)/.*)$", before, re.MULTILINE):
        *sources, target = line.split()
        folder = tmp_path / target
        folder.mkdir(parents=True, exist_ok=True)
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, folder, dirs_exist_ok=True)
            else:
                shutil.copy(ROOT / source, folder)
    done = subprocess.run(
        [sys.executable, "scripts/assemble_image.py", "--help"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "streamdev" in {path.name for path in tmp_path.iterdir()}
