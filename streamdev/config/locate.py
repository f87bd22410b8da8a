"""In which line of a TOML file a key stands (tomllib tells only for syntax errors)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = re.compile(r"^\s*\[\[?\s*(?P<path>[^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(
    r"^\s*(?P<path>(?:\"[^\"]*\"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:\"[^\"]*\"|'[^']*'|[\w-]+))*)\s*="
)
_PART = re.compile(r"\"([^\"]*)\"|'([^']*)'|([\w-]+)")


def _parts(path: str) -> tuple[str, ...]:
    return tuple(a or b or c for a, b, c in _PART.findall(path))


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """The line (from 1) that best shows where ``path`` is set in the TOML ``text``.

    Finds tables by their headers and keys by name; keys of inline tables are looked for
    from the line where the table begins. Where the key itself is not written (it is
    missing), the line of the nearest table around it is the answer.
    """
    wanted = tuple(part for part in path if isinstance(part, str))
    lines = text.splitlines()
    table: tuple[str, ...] = ()
    best: tuple[int, int] | None = None  # (parts matched, line)
    for number, line in enumerate(lines, start=1):
        if header := _HEADER.match(line):
            table = _parts(header["path"])
            key = table
        elif found := _KEY.match(line):
            key = table + _parts(found["path"])
        else:
            continue
        if key == wanted[: len(key)] and (best is None or len(key) > best[0]):
            best = (len(key), number)
    if best is None:
        return None
    matched, number = best
    for part in wanted[matched:]:
        inline = re.compile(rf"(?:^|[{{,\s])[\"']?{re.escape(part)}[\"']?\s*=")
        for offset, line in enumerate(lines[number - 1 :]):
            if offset and (
                _HEADER.match(line) or (not line.startswith((" ", "\t")) and _KEY.match(line))
            ):
                return number
            if inline.search(line):
                number += offset
                break
        else:
            return number
    return number
