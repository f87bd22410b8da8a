"""scripts/docker-for-tests where a daemon answers already: it is used, and left as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import docker
import pytest

from tests.support.containers import compose_environments

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "docker-for-tests"


def test_a_daemon_that_answers_is_used_and_not_stopped(
    client: docker.DockerClient, docker_host: str, base_image: str, tmp_path: Path
) -> None:
    v2 = [environ for version, environ in compose_environments().items() if version[0] != "1"]
    if not v2:
        pytest.skip("without Compose v2 the script would fetch it")
    # A checkout of its own, since this one's may have started the daemon. Nothing is built:
    # other tests are using the image.
    script = tmp_path / "scripts" / "docker-for-tests"
    script.parent.mkdir()
    shutil.copy(SCRIPT, script)
    build = script.with_name("build-image")
    build.write_text('#!/bin/sh\necho "built with $*"\n')
    build.chmod(0o755)
    environ = {**os.environ, **v2[0], "DOCKER_HOST": docker_host}
    before = client.info()["ID"]

    def run(*arguments: str) -> str:
        ended = subprocess.run(
            [script, *arguments], env=environ, check=True, capture_output=True, text=True
        )
        assert "Starting dockerd" not in ended.stderr
        return ended.stdout

    told = run("start").splitlines()
    assert f"export DOCKER_HOST={docker_host}" in told
    assert f"export STREAMDEV_TEST_BASE_IMAGE={base_image}" in told
    state = tmp_path / ".streamdev" / "docker-for-tests"
    assert (state / "build.log").read_text() == f"built with --base {base_image}\n"
    assert not (state / "dockerd.pid").exists()

    run("stop")
    assert client.info()["ID"] == before
