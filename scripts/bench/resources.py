"""What an engine's processes take: processor time and resident memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

import psutil

from scripts.bench.subjects import Subject

SERVER, DATABASE, HANDLERS = PARTS = ("the engine itself", "DynamoDB Local (Java)", "handlers")


def idle_cpu(subject: Subject, seconds: float) -> float:
    """Percent of one core that the subject uses while nothing is asked of it for ``seconds``."""
    before = _cpu_seconds(subject.processes())
    time.sleep(seconds)
    after = _cpu_seconds(subject.processes())
    # What ended meanwhile takes its times with it; what began meanwhile counts whole.
    used = sum(spent - before.get(pid, 0.0) for pid, spent in after.items())
    return used / seconds * 100


def memory(subject: Subject) -> dict[str, float]:
    """Resident memory in MiB of each of ``PARTS`` that there is.

    Pages that processes share (interpreter, libraries) are counted with each of them.
    """
    found: dict[str, float] = {}
    for index, process in enumerate(subject.processes()):
        with contextlib.suppress(psutil.NoSuchProcess):
            part = SERVER if index == 0 else DATABASE if "java" in process.name() else HANDLERS
            found[part] = found.get(part, 0.0) + process.memory_info().rss / 2**20
    return {part: found[part] for part in PARTS if part in found}


def _cpu_seconds(processes: Iterable[psutil.Process]) -> dict[int, float]:
    spent: dict[int, float] = {}
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            spent[process.pid] = times.user + times.system
    return spent
