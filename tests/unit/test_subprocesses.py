"""Running other programs: what is kept, and that none outlives us."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from streamdev.engine.subprocesses import CommandFailedError, run, stop


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_output_and_errors_come_back_in_order() -> None:
    code = "import os; os.write(1, b'a'); os.write(2, b'b'); os.write(1, b'\\xff')"
    assert run(python(code)) == "ab\ufffd"


def test_a_failure_keeps_the_command_the_code_and_the_output() -> None:
    with pytest.raises(CommandFailedError, match=r"exit code 3: .*\n  it broke") as caught:
        run(python("print('it broke'); exit(3)"))
    assert caught.value.exit_code == 3
    assert caught.value.output == "it broke\n"
    assert caught.value.command[0] == sys.executable


def test_only_the_end_of_a_long_output_is_in_the_message() -> None:
    with pytest.raises(CommandFailedError) as caught:
        run(python("[print(n) for n in range(1000)]; exit(1)"))
    assert "\n  999" in caught.value.message
    assert "\n  900\n" not in caught.value.message
    assert caught.value.output.startswith("0\n1\n")


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandFailedError, match="no-such-program could not be started: No such"):
        run(["no-such-program"])


def test_a_program_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(600)"
    )
    with pytest.raises(CommandFailedError, match="took longer than 2 s") as caught:
        run(python(code), timeout_s=2)
    assert caught.value.exit_code is None
    for pid in pids.read_text().split():
        assert not psutil.pid_exists(int(pid))


def test_one_that_ignores_being_asked_is_killed() -> None:
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)"
    )
    process = subprocess.Popen(python(code), stdout=subprocess.PIPE)
    assert process.stdout
    with process.stdout:
        assert process.stdout.readline() == b"ready\n"
        stop(process, patience_s=0.2)
    assert process.returncode == -signal.SIGKILL


def test_an_interrupted_wait_ends_the_program() -> None:
    before = set(psutil.Process().children())
    seen: list[int] = []

    def interrupt() -> None:
        seen.extend(child.pid for child in set(psutil.Process().children()) - before)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(python("import time; time.sleep(600)"), watch=interrupt)
    assert seen
    assert not any(psutil.pid_exists(pid) for pid in seen)


def test_it_is_watched_while_it_runs(tmp_path: Path) -> None:
    go = tmp_path / "go"
    code = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)"
    run(python(code), watch=go.touch, timeout_s=30)
