"""The container's log: each line once and whole, across restarts, and it ends when it should."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import docker
import pytest
from docker.errors import NotFound
from docker.models.containers import Container

from streamdev.engine.container_log import read_lines
from streamdev.engine.docker_log import LogCursor
from streamdev.semantics import log
from tests.support.containers import container_of
from tests.support.project import Project, eventually

# Counts on where it was, as long as the container's file system lasts.
COUNTER = """
import pathlib, sys, time
file, part = pathlib.Path("/count"), pathlib.Path("/count.part")
number = int(file.read_text()) if file.exists() else 0
while True:
    for _ in range(20):
        number += 1
        (sys.stdout if number % 3 else sys.stderr).write(f"line {number}\\n")
    sys.stdout.flush()
    part.write_text(str(number))
    part.replace(file)  # a kill never leaves half a file, with which it could not go on
    time.sleep(0.02)
"""

Run = Callable[..., Container]


@pytest.fixture
def run(client: docker.DockerClient, base_image: str) -> Iterator[Run]:
    """Starts a Python program in a container."""
    started: list[Container] = []

    def start(code: str, **options: Any) -> Container:
        container: Container = client.containers.run(
            base_image, entrypoint=["python3", "-c", code], detach=True, **options
        )
        started.append(container)
        return container

    yield start
    for container in started:
        with contextlib.suppress(NotFound):
            container.remove(force=True)


def lines_of(
    client: docker.DockerClient,
    container: Container,
    *,
    since: datetime | None = None,
    follow: bool = False,
    stop: threading.Event | None = None,
) -> Iterator[str]:
    return read_lines(
        client,
        str(container.id),
        since=since,
        follow=follow,
        stop=stop or threading.Event(),
        handlers=None,
    )


def test_following_across_restarts_loses_and_repeats_nothing(
    client: docker.DockerClient, run: Run
) -> None:
    container = run(COUNTER, stop_signal="SIGKILL")
    stop = threading.Event()
    followed: list[str] = []

    def follow() -> None:
        followed.extend(lines_of(client, container, follow=True, stop=stop))

    thread = threading.Thread(target=follow)
    thread.start()
    for _ in range(4):
        before = len(followed)
        eventually(lambda: len(followed) > before + 100, what="more lines")  # noqa: B023
        container.restart(timeout=0)
    eventually(lambda: len(followed) > 1000, what="more lines")
    stop.set()
    thread.join(10)
    assert not thread.is_alive()

    whole = list(lines_of(client, container))
    assert followed == whole[: len(followed)]
    # The counter itself may have been killed between writing lines and noting the number.
    assert len(set(followed)) >= 1000


def test_reading_goes_on_exactly_where_it_stopped(client: docker.DockerClient, run: Run) -> None:
    container = run(
        "import sys\n"
        "for n in range(20_000): (sys.stdout if n % 3 else sys.stderr).write(f'line {n}\\n')\n"
    )
    container.wait()
    cursor = LogCursor(client, str(container.id), since=None)
    read: list[str] = []
    for portion in (1, 10, 700, 1500, 5000, 40_000):
        stop = threading.Event()
        for count, entry in enumerate(cursor.read(follow=False, stop=stop), start=1):
            read.append(entry.line)
            if count == portion:
                stop.set()
    assert read == list(lines_of(client, container))
    assert sorted(read) == sorted(f"line {n}" for n in range(20_000))


def test_lines_that_docker_splits_come_back_whole(client: docker.DockerClient, run: Run) -> None:
    container = run(
        "import sys\n"
        "for n in (10, 16_383, 16_384, 16_385, 50_000, 200_000):\n"
        "    print('o' * n, flush=True)\n"
        "    print('e' * n, file=sys.stderr)\n"
    )
    container.wait()
    lengths = [len(line) for line in lines_of(client, container)]
    assert sorted(lengths) == sorted(2 * [10, 16_383, 16_384, 16_385, 50_000, 200_000])


def test_what_is_no_utf_8_is_replaced(client: docker.DockerClient, run: Run) -> None:
    container = run("import os; os.write(1, b'a \\xff b\\r\\n\\nend')")
    container.wait()
    assert list(lines_of(client, container)) == ["a \ufffd b", "", "end"]


def test_a_hundred_thousand_lines_are_read_in_seconds(
    client: docker.DockerClient, run: Run
) -> None:
    container = run("for n in range(100_000): print('line', n)")
    container.wait()
    assert sum(1 for _ in lines_of(client, container)) == 100_000


def test_following_a_silent_container_ends_soon_after_it_is_told_to(
    client: docker.DockerClient, run: Run
) -> None:
    container = run("import time; print('up', flush=True); time.sleep(600)")
    stop = threading.Event()
    lines = lines_of(client, container, follow=True, stop=stop)
    assert next(lines) == "up"
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    assert list(lines) == []
    assert time.monotonic() - began < 3


def test_following_ends_when_the_container_is_removed(
    client: docker.DockerClient, run: Run
) -> None:
    container = run("import time; print('up', flush=True); time.sleep(600)")
    lines = lines_of(client, container, follow=True)
    assert next(lines) == "up"
    threading.Timer(0.3, lambda: container.remove(force=True)).start()
    assert list(lines) == []


def test_since_leaves_out_what_is_older(client: docker.DockerClient, run: Run) -> None:
    container = run("import time; print('old', flush=True); time.sleep(1.5); print('new')")
    container.wait()
    times = {
        entry.line: datetime.fromisoformat(entry.at[:26] + "+00:00")
        for entry in LogCursor(client, str(container.id), since=None).read(
            follow=False, stop=threading.Event()
        )
    }
    middle = times["old"] + (times["new"] - times["old"]) / 2
    assert list(lines_of(client, container, since=middle)) == ["new"]
    assert list(lines_of(client, container, since=datetime.now(UTC))) == []


def test_an_event_from_before_since_is_left_out_even_if_docker_got_it_later(
    client: docker.DockerClient, run: Run
) -> None:
    early = log.render("write", {"at": "2026-01-01T00:00:00.000000Z", "table": "T"})[0]
    container = run(f"print({early!r}); print('plain')")
    container.wait()
    since = datetime.fromisoformat("2026-01-02T00:00:00+00:00")
    assert list(lines_of(client, container, since=since)) == ["plain"]


def test_handlers_in_containers_of_their_own_are_followed_as_well(
    client: docker.DockerClient, run: Run
) -> None:
    """As with ``STREAMDEV_EXECUTOR=docker``: LocalStack starts a container a handler."""
    request = "0b7ad0a0-7c1c-4bb4-8a3a-1a7f0a2a4a11"
    code = (
        "import time\n"
        "print('START RequestId: {request} Version: $LATEST')\n"
        "print('hello from', '{name}', flush=True)\n"
        "time.sleep({stay})\n"
    )

    def handler(name: str, stay: float) -> Container:
        return run(
            code.format(request=request, name=name, stay=stay),
            environment={"AWS_LAMBDA_FUNCTION_NAME": name},
            labels={"streamdev.engine": "test-handlers"},
        )

    def find() -> list[Container]:
        found: list[Container] = client.containers.list(
            all=True, filters={"label": "streamdev.engine=test-handlers"}, ignore_removed=True
        )
        return found

    first = handler("first", 0)
    first.wait()
    main = run("import time\nprint('localstack is up', flush=True)\ntime.sleep(600)")
    stop = threading.Event()
    followed: list[str] = []

    def follow() -> None:
        followed.extend(
            read_lines(client, str(main.id), since=None, follow=True, stop=stop, handlers=find)
        )

    thread = threading.Thread(target=follow)
    thread.start()
    eventually(lambda: "localstack is up" in followed)
    handler("second", 600)
    eventually(lambda: "hello from second" in followed)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()

    assert followed.index("hello from first") < followed.index("localstack is up")
    for name in ("first", "second"):
        place = followed.index(f"hello from {name}")
        marker = json.loads(followed[place - 2].removeprefix(log.PREFIX))
        assert (marker["event"], marker["function"]) == ("output", name)
        assert marker["request_id"] == request
        assert followed[place - 1].startswith("START RequestId")
    assert len(followed) == 7


def test_logs_follow_the_engine_across_a_restart_of_its_container(
    client: docker.DockerClient, own_project: Project
) -> None:
    own_project.write_handler(
        "things",
        "def lambda_handler(event, context):\n"
        "    for record in event['Records']:\n"
        "        print('item', record['dynamodb']['Keys']['id']['S'])\n",
    )
    own_project.run("up")
    with own_project.running("logs", "-f", "--raw") as logs:
        for number in range(5):
            own_project.run("put-item", f"id=before-{number}", "--wait")
        assert logs.stdout is not None
        first = logs.stdout.readline()  # from here on it is there
        container_of(client, own_project).restart()
        own_project.run("up")
        for number in range(5):
            own_project.run("put-item", f"id=after-{number}", "--wait")
        own_project.run("down")
        printed = first + logs.stdout.read()
    items = [line for line in printed.splitlines() if line.startswith("item ")]
    assert items == [f"item {when}-{number}" for when in ("before", "after") for number in range(5)]
