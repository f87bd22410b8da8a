"""The handlers' imports where there is no runtime folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from streamdev.plugins.executor.fallback_runtime import link_from_localstack


def importable(folder: Path, name: str) -> bool:
    code = f"import sys; sys.path.append({str(folder)!r}); import {name}"
    # Without site packages, as handlers start.
    return subprocess.run([sys.executable, "-S", "-P", "-E", "-c", code]).returncode == 0


def test_boto3_and_what_it_needs_come_from_the_environment_and_nothing_else(
    tmp_path: Path,
) -> None:
    folder = link_from_localstack(tmp_path / "runtime")
    for name in ("boto3.session", "botocore.client", "dateutil.parser", "urllib3"):
        assert importable(folder, name), name
    for name in ("click", "docker", "pydantic", "streamdev"):
        assert not importable(folder, name), name


def test_it_can_be_made_again_over_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "boto3").symlink_to(tmp_path / "gone")
    link_from_localstack(tmp_path)
    link_from_localstack(tmp_path)
    assert importable(tmp_path, "boto3")
