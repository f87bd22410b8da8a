"""A Python process looked at a few hundred times a second by py-spy: what computes, and where."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scripts.bench.subjects import SubjectError, last_lines
from streamdev.engine.base import Progress
from streamdev.engine.environment import tool_environment

RATE = 250
# A picture of more than this is of no more use, but big.
PICTURE_RATE = 50
# Where a package begins in the path of a file: this project's first.
_PLACES = (
    re.compile(r"/(?:plugins/)?(streamdev/plugins/\w+)"),
    re.compile(r"/site-packages/(\w+)"),
)
_FRAME = re.compile(r"^(?P<function>.*) \((?P<file>.*):\d+\)$")


@dataclass
class Samples:
    """How often each stack was seen while it held the interpreter's lock.

    Attributes:
        stacks: Frames, the outermost first, ``function (file:line)``.
    """

    stacks: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def by_package(self) -> dict[str, float]:
        """Seconds by the package that computed, or had Python's own library compute for it."""
        found: Counter[str] = Counter()
        for stack, count in self.stacks.items():
            found[next(filter(None, map(_package, reversed(stack))), "Python")] += count
        return {package: count / RATE for package, count in found.most_common()}

    def by_import(self) -> dict[str, float]:
        """Seconds by the package that was being imported; ``""`` where none was."""
        found: Counter[str] = Counter()
        for stack, count in self.stacks.items():
            found[_imported(stack)] += count
        return {package: count / RATE for package, count in found.most_common()}

    @classmethod
    def read(cls, path: Path) -> Samples:
        """What ``py-spy record --format raw`` has written."""
        samples = cls()
        for line in path.read_text(encoding="utf-8").splitlines():
            stack, _, count = line.rpartition(" ")
            samples.stacks[tuple(stack.split(";"))] += int(count)
        return samples


@contextlib.contextmanager
def sampled(pid: int, progress: Progress, picture: Path | None = None) -> Iterator[Samples]:
    """Sample the process while the block runs; what is given is filled at its end.

    With ``picture`` a flame graph (SVG) is written there, and nothing is filled.

    Raises:
        SubjectError: py-spy may not look into the process, or failed.
    """
    command = [str(tool_environment("py-spy", progress) / "bin" / "py-spy"), "record"]
    command += ["--pid", str(pid), "--gil"]
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        raw = Path(folder) / "raw"
        if picture:
            command += ["--format", "flamegraph", "--output", str(picture)]
            command += ["--rate", str(PICTURE_RATE)]
        else:
            command += ["--format", "raw", "--output", str(raw)]
            command += ["--rate", str(RATE), "--full-filenames"]
        spy = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            yield samples
        finally:
            spy.send_signal(signal.SIGINT)
            said, _ = spy.communicate(timeout=120)
        if not (picture or raw).is_file():
            raise SubjectError(f"py-spy could not look into process {pid}:\n{last_lines(said)}")
        if picture:
            # Its title is the command, with this machine's folders.
            drawn = picture.read_text(encoding="utf-8")
            picture.write_text(drawn.replace(" ".join(command), picture.stem), encoding="utf-8")
        else:
            samples.stacks = Samples.read(raw).stacks


def _package(frame: str) -> str | None:
    """The package of a frame, ``None`` for Python's own library."""
    match = _FRAME.match(frame)
    for place in _PLACES:
        if match and (found := place.search(match["file"])):
            return found[1]
    return None


def _imported(stack: tuple[str, ...]) -> str:
    """The package of the innermost module that is being executed for the first time."""
    if not any("_find_and_load" in frame for frame in stack):
        return ""
    for frame in reversed(stack):
        if frame.startswith("<module>") and (package := _package(frame)):
            return package
    return "Python"
