"""Bytecode that a function's last version left behind, for what is the same in the next one.

A package is unpacked anew for every version. Compiling what it requires would take much of the
time of a cold start, though most edits change a single file.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

# PEP 552: magic number, flags, then the source's time and size.
_HEAD = struct.Struct("<4sIII")
_MASK = 0xFFFFFFFF


def carry_over(old: Path, new: Path, same: Collection[str] = frozenset()) -> None:
    """Give the code in ``new`` the bytecode of files that are equal in ``old``.

    The interpreter itself puts the right file name into code that it loads. Either folder may
    vanish meanwhile.

    Args:
        old: Where the interpreter has left bytecode.
        new: Where it is to be found.
        same: Files, by their names below either folder, that are known to be equal.
    """
    for compiled in old.rglob("__pycache__/*.pyc"):
        source = compiled.parent.parent / f"{compiled.name.partition('.')[0]}.py"
        name = source.relative_to(old).as_posix()
        with suppress(OSError, struct.error):
            _carry_over(compiled, source, new / name, known=name in same)


def _carry_over(compiled: Path, old: Path, new: Path, *, known: bool) -> None:
    content = compiled.read_bytes()
    magic, flags, time, size = _HEAD.unpack_from(content)
    before, now = old.stat(), new.stat()
    if flags or (time, size) != (int(before.st_mtime) & _MASK, before.st_size & _MASK):
        return
    if before.st_size != now.st_size:
        return
    if not known and old.read_bytes() != new.read_bytes():
        return
    cache = new.parent / "__pycache__"
    cache.mkdir(exist_ok=True)
    head = _HEAD.pack(magic, flags, int(now.st_mtime) & _MASK, size)
    (cache / compiled.name).write_bytes(head + content[_HEAD.size :])
